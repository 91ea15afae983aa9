"""Renames and drops of tables and columns."""

from tests.migrations.changes.change import Change, note

_SHELF = """
class Shelf(Model):
    name = TextField()


class Book(Model):
    title = TextField()
    {field}


class Loan(Model):
    book = ForeignKeyField(Book, on_delete="CASCADE")
"""
_BOOKS = """
    INSERT INTO shelf (name) VALUES ('x'), ('y');
    INSERT INTO book (title, shelf_id) VALUES ('a', 2), ('b', 1);
    INSERT INTO loan (book_id) VALUES (2);
"""

CHANGES = [
    Change(
        "drop a column",
        note("age = IntegerField(null=True)"),
        note(),
        rows="INSERT INTO note (title, age) VALUES ('a', 1)",
        kept=("SELECT title FROM note", [("a",)]),
        returned=("SELECT title, age FROM note", [("a", None)]),
    ),
    Change(
        "drop a column that may not be NULL, with the default of its field on the way back",
        note("age = IntegerField(default=5)"),
        note(),
        rows="INSERT INTO note (title, age) VALUES ('a', 1)",
        returned=("SELECT title, age FROM note", [("a", 5)]),
        daily=True,
    ),
    Change(
        "drop a column that may not be NULL, to which no rows can go back",
        note("age = IntegerField()"),
        note(),
        rows="INSERT INTO note (title, age) VALUES ('a', 1)",
        kept=("SELECT title FROM note", [("a",)]),
        back_fails="has rows, for which the column age (NOT NULL) has no value",
        daily=True,
    ),
    Change(
        "drop a column with an index, a check, a unique and a foreign key",
        """
        class Shelf(Model):
            name = TextField()

        class Note(Model):
            title = TextField()
            shelf = ForeignKeyField(
                Shelf, null=True, unique=True, constraints=[Check("shelf_id > 0")]
            )
            age = IntegerField(null=True, index=True, constraints=[Check("age > 0")])
        """,
        """
        class Shelf(Model):
            name = TextField()

        class Note(Model):
            title = TextField()
        """,
        rows="INSERT INTO note (title) VALUES ('a')",
        kept=("SELECT title FROM note", [("a",)]),
    ),
    Change(
        "drop a column that an index and a check have together with another",
        note(
            "age = IntegerField(null=True)",
            "size = IntegerField(null=True)",
            meta=['indexes = ((("age", "size"), True),)', 'constraints = [Check("age < size")]'],
        ),
        note("size = IntegerField(null=True)"),
        rows="INSERT INTO note (title, size) VALUES ('a', 1)",
    ),
    Change(
        "rename a column",
        note("nick = TextField()"),
        note("handle = TextField()"),
        rows="INSERT INTO note (title, nick) VALUES ('a', 'x')",
        options=("--rename", "note.nick:handle"),
        refusal="--rename note.nick:handle",
        kept=("SELECT handle FROM note", [("x",)]),
        daily=True,
    ),
    Change(
        "drop a column and add another one of its type",
        note("nick = TextField(null=True)"),
        note("handle = TextField(default='')"),
        rows="INSERT INTO note (title, nick) VALUES ('a', 'x')",
        options=("--drop", "note.nick"),
        refusal="--drop note.nick",
        kept=("SELECT handle FROM note", [("",)]),
        returned=("SELECT nick FROM note", [(None,)]),
    ),
    Change(
        "rename a column with an index, a check, a unique and a partial index",
        note(
            "age = IntegerField(unique=True, constraints=[Check('age > 0')])",
            meta=[
                'indexes = ((("title", "age"), False), SQL("CREATE INDEX old ON note (title) '
                'INCLUDE (age) WHERE age > 3"))',
                'constraints = [SQL("UNIQUE (age, title)"), Check("age < 99", "low")]',
            ],
        ),
        note(
            "years = IntegerField(unique=True, constraints=[Check('years > 0')])",
            meta=[
                'indexes = ((("title", "years"), False), SQL("CREATE INDEX old ON note (title) '
                'INCLUDE (years) WHERE years > 3"))',
                'constraints = [SQL("UNIQUE (years, title)"), Check("years < 99", "low")]',
            ],
        ),
        rows="INSERT INTO note (title, age) VALUES ('a', 4)",
        options=("--rename", "note.age:years"),
        refusal="--rename",
        kept=("SELECT years FROM note", [(4,)]),
    ),
    Change(
        "rename a column, and change its type and NULL",
        note("age = IntegerField(null=True)"),
        note("years = BigIntegerField(default=0)"),
        rows="INSERT INTO note (title, age) VALUES ('a', 4), ('b', NULL)",
        options=("--rename", "note.age:years"),
        kept=("SELECT years FROM note ORDER BY title", [(4,), (0,)]),
        returned=("SELECT age FROM note ORDER BY title", [(4,), (0,)]),
    ),
    Change(
        "rename a table between schemas, with a name too long for the title of its file",
        note(
            "a_name_of_some_length_a_name_of_some_length_ = DateField()",
            meta=['schema = "depot"', 'table_name = "notes_of_a_name_that_is_as_long_as_can_be"'],
        ),
        note(
            "a_name_of_some_length_a_name_of_some_length_ = DateField()",
            "age = FloatField(default=1.5, null=True, index=True)",
            meta=['table_name = "größen"'],
        ),
        options=("--rename", "depot.notes_of_a_name_that_is_as_long_as_can_be:größen"),
        kept=('SELECT count(*) FROM "größen"', [(0,)]),
    ),
    Change(
        "drop a column together with the one that is computed from it",
        note(
            "age = IntegerField(null=True)",
            "twice = IntegerField(constraints=[SQL('GENERATED ALWAYS AS (age * 2) STORED')], "
            "null=True)",
        ),
        note(),
        rows="INSERT INTO note (title, age) VALUES ('a', 1)",
        kept=("SELECT title FROM note", [("a",)]),
        returned=("SELECT age, twice FROM note", [(None, None)]),
        daily=True,
    ),
    Change(
        "two columns swap their names",
        note("one = IntegerField()", "two = TextField()"),
        note("two = IntegerField()", "one = TextField()"),
        rows="INSERT INTO note (title, one, two) VALUES ('a', 4, '5')",
        kept=("SELECT one, two FROM note", [("4", 5)]),
    ),
    Change(
        "rename a foreign key's field",
        _SHELF.format(field="shelf = ForeignKeyField(Shelf, backref='books')"),
        _SHELF.format(field="place = ForeignKeyField(Shelf, backref='books')"),
        rows=_BOOKS,
        options=("--rename", "book.shelf:place"),
        refusal="--rename",
        kept=("SELECT place_id FROM book ORDER BY title", [(2,), (1,)]),
        daily=True,
    ),
    Change(
        "rename a table with foreign keys to it and from it",
        _SHELF.format(field="shelf = ForeignKeyField(Shelf)"),
        _SHELF.format(field="shelf = ForeignKeyField(Shelf)")
        .replace("Book", "Volume")
        .replace("book =", "volume ="),
        rows=_BOOKS,
        options=("--rename", "book:volume", "--rename", "loan.book_id:volume_id"),
        refusal="--rename",
        kept=("SELECT title FROM volume JOIN loan ON volume_id = volume.id", [("b",)]),
        daily=True,
    ),
    Change(
        "rename a table with indexes, checks, a sequence and a key of its own name",
        """
        class Nick(Model):
            id = BigAutoField()
            name = TextField(unique=True, constraints=[Check("name <> ''")])
            other = ForeignKeyField("self", null=True)

            class Meta:
                indexes = ((("name", "id"), False),)
                constraints = [SQL("UNIQUE (other_id, name)")]
        """,
        """
        class Handle(Model):
            id = BigAutoField()
            name = TextField(unique=True, constraints=[Check("name <> ''")])
            other = ForeignKeyField("self", null=True)

            class Meta:
                indexes = ((("name", "id"), False),)
                constraints = [SQL("UNIQUE (other_id, name)")]
        """,
        rows="INSERT INTO nick (name, other_id) VALUES ('a', 1)",
        options=("--rename", "nick:handle"),
        refusal="--rename nick:handle",
        kept=("SELECT name, other_id FROM handle", [("a", 1)]),
    ),
    Change(
        "rename a table to a name that must be quoted",
        note(meta=['table_name = "note"']),
        note(meta=['table_name = "Two Words"']),
        rows="INSERT INTO note (title) VALUES ('a')",
        options=("--rename", "note:Two Words"),
        refusal="--rename",
        kept=('SELECT title FROM "Two Words"', [("a",)]),
    ),
    Change(
        "two tables swap their names",
        """
        class One(Model):
            a = IntegerField(null=True)

        class Two(Model):
            b = TextField(null=True)
        """,
        """
        class One(Model):
            a = IntegerField(null=True)

            class Meta:
                table_name = "two"

        class Two(Model):
            b = TextField(null=True)

            class Meta:
                table_name = "one"
        """,
        rows="INSERT INTO one (a) VALUES (1); INSERT INTO two (b) VALUES ('x')",
        kept=("SELECT one.b, two.a FROM one, two", [(None, None)]),
        returned=("SELECT one.a, two.b FROM one, two", [(None, None)]),
    ),
    Change(
        "drop a table that others point to, with its foreign keys",
        _SHELF.format(field="shelf = ForeignKeyField(Shelf, null=True)"),
        """
        class Shelf(Model):
            name = TextField()
        """,
        rows=_BOOKS,
        kept=("SELECT name FROM shelf ORDER BY 1", [("x",), ("y",)]),
        returned=("SELECT count(*) FROM book", [(0,)]),
    ),
    Change(
        "a model without a key gets one",
        note(meta=["primary_key = False"]),
        note(),
        rows="INSERT INTO note (title) VALUES ('a'), ('b')",
        kept=("SELECT count(DISTINCT id), max(id) FROM note", [(2, 2)]),
    ),
]
