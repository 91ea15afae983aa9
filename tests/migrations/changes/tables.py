"""Changes of whole tables: schemas, bases, comments, apps."""

from tests.migrations.changes.change import Change, note

_IN_SHOP = ['schema = "shop"', 'table_name = "notes"']
_BOTH = """
class Note(Model):
    title = TextField()
    {public}

    class Meta:
        table_name = "notes"


class Kept(Model):
    title = TextField()
    {shop}

    class Meta:
        table_name = "notes"
        schema = "shop"
"""
_BOTH_ROWS = """
    INSERT INTO public.notes (title) VALUES ('in public');
    INSERT INTO shop.notes (title) VALUES ('in shop');
"""


def _both(public="", shop=""):
    return _BOTH.format(public=public or "pass", shop=shop or "pass")


CHANGES = [
    Change(
        "a table in a schema that is made for it",
        note(),
        note() + "\n\nclass Order(Model):\n    note = ForeignKeyField(Note)\n\n"
        '    class Meta:\n        schema = "shop"\n',
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=("SELECT count(*) FROM shop.order", [(0,)]),
    ),
    Change(
        "a table moves to another schema",
        note(meta=['table_name = "notes"']),
        note(meta=_IN_SHOP),
        rows="INSERT INTO notes (title) VALUES ('a')",
        options=("--rename", "notes:shop.notes"),
        refusal="--rename notes:shop.notes",
        kept=("SELECT title FROM shop.notes", [("a",)]),
        daily=True,
    ),
    Change(
        "a table moves back from a schema, under another name",
        note("age = IntegerField(null=True, index=True)", meta=_IN_SHOP),
        note("age = IntegerField(null=True, index=True)"),
        rows="INSERT INTO shop.notes (title) VALUES ('a')",
        options=("--rename", "shop.notes:note"),
        refusal="--rename shop.notes:note",
        kept=("SELECT title FROM public.note", [("a",)]),
    ),
    Change(
        "a table moves to a schema under a name that another one has here",
        """
        class Note(Model):
            title = TextField()

        class User(Model):
            title = TextField()
        """,
        """
        class Note(Model):
            title = TextField()

        class User(Model):
            title = TextField()

            class Meta:
                schema = "depot"
                table_name = "note"
        """,
        rows="INSERT INTO \"user\" (title) VALUES ('a')",
        options=("--rename", "user:depot.note"),
        kept=("SELECT title FROM depot.note", [("a",)]),
        daily=True,
    ),
    Change(
        "a table moves to a schema where another one has the names of its indexes",
        _both("", "age = IntegerField(default=1, index=True)"),
        _both("", "age = IntegerField(default=1, index=True)").replace(
            'table_name = "notes"\n        schema = "shop"', 'table_name = "papers"'
        ),
        rows=_BOTH_ROWS.replace("shop.notes (title)", "shop.notes (title, age)").replace(
            "('in shop')", "('in shop', 5)"
        ),
        options=("--rename", "shop.notes:papers"),
        kept=("SELECT title FROM papers", [("in shop",)]),
        daily=True,
    ),
    Change(
        "drop a column in shop.notes, beside public.notes",
        _both("age = IntegerField(default=1)", "age = IntegerField(default=1)"),
        _both("age = IntegerField(default=1)"),
        rows=_BOTH_ROWS.replace("title)", "title, age)").replace("')", "', 5)"),
        kept=("SELECT title, age FROM public.notes", [("in public", 5)]),
        returned=("SELECT title, age FROM shop.notes", [("in shop", 1)]),
        daily=True,
    ),
    Change(
        "add a column with an index and a check to shop.notes, beside public.notes",
        _both(),
        _both("", "age = IntegerField(default=1, index=True, constraints=[Check('age > 0')])"),
        rows=_BOTH_ROWS,
        kept=("SELECT title, age FROM shop.notes", [("in shop", 1)]),
    ),
    Change(
        "rename a column of shop.notes, beside public.notes",
        _both("age = IntegerField(default=1)", "age = IntegerField(default=1, index=True)"),
        _both("age = IntegerField(default=1)", "years = IntegerField(default=1, index=True)"),
        rows=_BOTH_ROWS.replace("title)", "title, age)").replace("')", "', 5)"),
        options=("--rename", "shop.notes.age:years"),
        refusal="--rename shop.notes.age:years",
        kept=("SELECT title, years FROM shop.notes", [("in shop", 5)]),
    ),
    Change(
        "a foreign key between two schemas changes its action",
        note(meta=_IN_SHOP) + "\n\nclass Line(Model):\n    note = ForeignKeyField(Note)\n",
        note(meta=_IN_SHOP)
        + "\n\nclass Line(Model):\n    note = ForeignKeyField(Note, on_delete='CASCADE')\n",
        rows="INSERT INTO shop.notes (title) VALUES ('a'); INSERT INTO line (note_id) VALUES (1)",
        kept=("SELECT note_id FROM line", [(1,)]),
    ),
    Change(
        "a base with fields is no table (Meta.abstract)",
        note(),
        """
        class Timed(Model):
            made_at = DateTimeTZField(constraints=[SQL("DEFAULT now()")])

            class Meta:
                abstract = True

        class Note(Timed):
            title = TextField()

        class Page(Timed):
            number = IntegerField()
        """,
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=("SELECT to_regclass('timed'), count(made_at) FROM note", [(None, 1)]),
        daily=True,
    ),
    Change(
        "a model with nothing but a key",
        note(),
        note() + "\n\nclass Cart(Model):\n    pass\n",
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=("SELECT count(*) FROM cart", [(0,)]),
        daily=True,
    ),
    Change(
        "a field moves into a base",
        note("age = IntegerField(index=True)"),
        """
        class Aged(Model):
            age = IntegerField(index=True)

            class Meta:
                abstract = True

        class Note(Aged):
            title = TextField()
            size = IntegerField(null=True)
        """,
        rows="INSERT INTO note (title, age) VALUES ('a', 5)",
        kept=("SELECT title, age, size FROM note", [("a", 5, None)]),
    ),
    Change(
        "the comment of a table",
        note(meta=['comment = "all notes"']),
        note(meta=['comment = "all of the notes; it\'s 50%"']),
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=("SELECT obj_description('note'::regclass)", [("all of the notes; it's 50%",)]),
    ),
    Change(
        "a table with everything",
        note(),
        note()
        + """

class State(enum.Enum):
    NEW = "new"
    PAID = "it's paid"


class Order(Model):
    id = IdentityField()
    note = ForeignKeyField(Note, on_delete="CASCADE", deferrable="INITIALLY DEFERRED")
    parent = ForeignKeyField("self", null=True, backref="+")
    code = UUIDField(default=uuid.uuid4, unique=True)
    state = EnumField(State, default=State.NEW)
    tags = ArrayField(TextField, default=list)
    data = BinaryJSONField(default=dict)
    total = DecimalField(max_digits=9, decimal_places=2, constraints=[Check("total >= 0")])
    name = CharField(max_length=40, collation='"C"', help_text="what it's called")
    low = TextField(constraints=[SQL("GENERATED ALWAYS AS (lower(name)) STORED")], null=True)
    made_at = DateTimeTZField(constraints=[SQL("DEFAULT now()")])

    class Meta:
        table_name = "Order"
        indexes = (
            (("name", "total"), True),
            SQL('CREATE INDEX made ON "Order" (total) WHERE total > 5'),
        )
        constraints = [SQL("UNIQUE (name, code)"), Check("name <> low", "different")]
        table_settings = ["WITH (fillfactor = 80)"]
""",
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=('SELECT count(*) FROM "Order"', [(0,)]),
    ),
    Change(
        "names of 63 bytes and more",
        note(meta=['table_name = "a_table_with_a_name_that_is_almost_too_long_for_postgresql"']),
        note(
            "a_column_with_a_name_that_is_too_long_for_what_is_made_of_it = IntegerField("
            "default=1, unique=True, constraints=[Check('"
            "a_column_with_a_name_that_is_too_long_for_what_is_made_of_it > 0')])",
            meta=['table_name = "a_table_with_a_name_that_is_almost_too_long_for_postgresql"'],
        ),
        rows="INSERT INTO a_table_with_a_name_that_is_almost_too_long_for_postgresql (title) "
        "VALUES ('a')",
    ),
    Change(
        "many changes at once, in two tables",
        """
        class Shelf(Model):
            name = CharField(max_length=10, unique=True)
            old = TextField(null=True)

        class Book(Model):
            shelf = ForeignKeyField(Shelf)
            title = TextField(index=True)
            age = IntegerField(constraints=[Check("age > 0")])
        """,
        """
        class Rack(Model):
            id = BigAutoField()
            name = CharField(max_length=20)
            width = IntegerField(default=3)

        class Book(Model):
            rack = ForeignKeyField(Rack, on_delete="CASCADE")
            title = CharField(index=True, collation='"C"')
            years = BigIntegerField(null=True, constraints=[Check("years > 1")])

            class Meta:
                indexes = ((("title", "rack"), True),)
        """,
        rows="INSERT INTO shelf (name) VALUES ('x'); "
        "INSERT INTO book (shelf_id, title, age) VALUES (1, 'a', 5)",
        options=(
            *("--rename", "shelf:rack", "--rename", "book.shelf_id:rack_id"),
            *("--rename", "book.age:years", "--drop", "rack.old"),
        ),
        refusal="was it renamed?",
        kept=(
            "SELECT name, width, title, years FROM book JOIN rack ON rack.id = rack_id",
            [("x", 3, "a", 5)],
        ),
        daily=True,
    ),
    Change(
        "the tables of a tenant, whose schema the address names, beside those of another",
        """
        class Shelf(Model):
            name = TextField()

        class Note(Model):
            title = TextField()
            age = IntegerField(null=True)
        """,
        """
        class Shelf(Model):
            name = TextField(unique=True)

        class Note(Model):
            title = TextField(index=True)
            years = BigIntegerField(default=1, constraints=[Check("years > 0")])
            shelf = ForeignKeyField(Shelf, null=True, on_delete="CASCADE")
        """,
        rows="INSERT INTO note (title, age) VALUES ('a', NULL)",
        by_hand="CREATE TABLE public.note (id integer, title integer, age text); "
        "CREATE TABLE public.shelf (id integer, name integer)",
        options=("--rename", "note.age:years"),
        refusal="was it renamed?",
        kept=("SELECT title, years, shelf_id FROM tenant_one.note", [("a", 1, None)]),
        returned=("SELECT title, age FROM tenant_one.note", [("a", 1)]),
        tenant="tenant_one",
        daily=True,
    ),
    Change(
        "a table of a tenant moves to a schema that all have",
        note(meta=['table_name = "notes"']),
        note("age = IntegerField(null=True)", meta=_IN_SHOP),
        rows="INSERT INTO notes (title) VALUES ('a')",
        by_hand="CREATE TABLE public.notes (id integer)",
        options=("--rename", "notes:shop.notes"),
        refusal="--rename notes:shop.notes",
        kept=("SELECT title, age FROM shop.notes", [("a", None)]),
        tenant="tenant_two",
    ),
]
