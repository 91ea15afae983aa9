"""Changes of primary keys, checks, unique and other constraints."""

from tests.migrations.changes.change import Change, note, on_field

_PAIR = "INSERT INTO note (title, a, b) VALUES ('a', 1, 2), ('b', 2, 3)"
_AB = ("a = IntegerField()", "b = IntegerField()")


def _meta(name, before, after, **more):
    """Return the change of Meta of notes with two numbers."""
    return Change(
        name,
        note(*_AB, meta=[before] if before else ()),
        note(*_AB, meta=[after] if after else ()),
        rows=_PAIR,
        kept=("SELECT title, a, b FROM note ORDER BY title", [("a", 1, 2), ("b", 2, 3)]),
        **more,
    )


CHANGES = [
    on_field(
        "add a check to a column",
        "IntegerField()",
        "IntegerField(constraints=[Check('field > 0')])",
        values=["1"],
        kept=["1"],
    ),
    on_field(
        "change a column's check",
        "IntegerField(constraints=[Check('field > 0')])",
        "IntegerField(constraints=[Check('field >= 1')])",
        values=["1"],
        kept=["1"],
    ),
    on_field(
        "drop a column's check, of two",
        "IntegerField(constraints=[Check('field > 0'), Check('field < 9')])",
        "IntegerField(constraints=[Check('field < 9')])",
        values=["1"],
        kept=["1"],
    ),
    on_field(
        "name a column's check",
        "IntegerField(constraints=[Check('field > 0')])",
        "IntegerField(constraints=[Check('field > 0', 'positive')])",
        values=["1"],
        kept=["1"],
    ),
    _meta("add a check to a table", "", 'constraints = [Check("a < b")]'),
    _meta(
        "change a table's check of one name",
        'constraints = [Check("a < b", "order_of_ab")]',
        'constraints = [Check("a <= b", "order_of_ab")]',
        daily=True,
    ),
    _meta("drop a table's check", 'constraints = [Check("a < b")]', ""),
    _meta(
        "a check of texts with percent, quotes and points",
        "",
        "constraints = [Check(\"title NOT LIKE '%%x%%' AND title <> 'it''s.'\")]",
    ),
    _meta("add a unique constraint", "", 'constraints = [SQL("UNIQUE (a, b)")]'),
    _meta(
        "change the columns of a unique constraint",
        'constraints = [SQL("UNIQUE (a)")]',
        'constraints = [SQL("UNIQUE (b, a)")]',
    ),
    _meta(
        "a unique constraint becomes deferrable",
        'constraints = [SQL("CONSTRAINT ab UNIQUE (a, b)")]',
        'constraints = [SQL("CONSTRAINT ab UNIQUE (a, b) DEFERRABLE INITIALLY DEFERRED")]',
    ),
    _meta(
        "a unique constraint takes one NULL only, and includes a column",
        'constraints = [SQL("CONSTRAINT ab UNIQUE (a)")]',
        'constraints = [SQL("CONSTRAINT ab UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b)")]',
    ),
    _meta(
        "add an EXCLUDE constraint",
        "",
        'constraints = [SQL("EXCLUDE USING btree (a WITH =) WHERE (b > 0)")]',
    ),
    _meta(
        "drop an EXCLUDE constraint",
        'constraints = [SQL("CONSTRAINT apart EXCLUDE USING btree (a WITH =)")]',
        "",
    ),
    _meta(
        "a composite primary key for an id",
        "",
        'primary_key = CompositeKey("a", "b")',
        options=("--drop", "note.id"),
    ),
    _meta(
        "another order of a composite primary key",
        'primary_key = CompositeKey("a", "b")',
        'primary_key = CompositeKey("b", "a")',
        daily=True,
    ),
    _meta(
        "another member of a composite primary key",
        'primary_key = CompositeKey("a", "b")',
        'primary_key = CompositeKey("a", "title")',
    ),
    Change(
        "a natural primary key for an id",
        note("code = CharField(unique=True)"),
        note("code = CharField(primary_key=True)"),
        rows="INSERT INTO note (title, code) VALUES ('a', 'x')",
        kept=("SELECT title, code FROM note", [("a", "x")]),
    ),
    Change(
        "another type of a primary key that others point to",
        """
        class Shelf(Model):
            id = IntegerField(primary_key=True)

        class Book(Model):
            shelf = ForeignKeyField(Shelf)
        """,
        """
        class Shelf(Model):
            id = CharField(primary_key=True)

        class Book(Model):
            shelf = ForeignKeyField(Shelf)
        """,
        rows="INSERT INTO shelf VALUES (5), (6); INSERT INTO book (shelf_id) VALUES (5)",
        kept=("SELECT shelf_id FROM book", [("5",)]),
        daily=True,
    ),
    Change(
        "serial to bigserial in a key that others point to",
        """
        class Shelf(Model):
            name = TextField()

        class Book(Model):
            shelf = ForeignKeyField(Shelf)
        """,
        """
        class Shelf(Model):
            id = BigAutoField()
            name = TextField()

        class Book(Model):
            shelf = ForeignKeyField(Shelf)
        """,
        rows="INSERT INTO shelf (name) VALUES ('x'); INSERT INTO book (shelf_id) VALUES (1)",
        kept=("SELECT shelf_id FROM book", [(1,)]),
    ),
]
