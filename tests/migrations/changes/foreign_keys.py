"""Changes of foreign keys, and of models that point to each other."""

from tests.migrations.changes.change import Change

_ROWS = """
    INSERT INTO shelf (name, code) VALUES ('x', 7), ('y', 8);
    INSERT INTO place (name, code) VALUES ('p', 7), ('q', 8);
    INSERT INTO book (title, shelf_id) VALUES ('a', 2), ('b', 1);
"""
_MODELS = """
class Shelf(Model):
    name = TextField()
    code = IntegerField(unique=True)

class Place(Model):
    name = TextField()
    code = IntegerField()

class Book(Model):
    title = TextField()
    shelf = {}
"""


def _key(name, before, after, kept=((2,), (1,)), rows=_ROWS, **more):
    column = more.pop("column", "shelf_id")
    found = (f"SELECT {column} FROM book ORDER BY title", list(kept))
    return Change(
        name, _MODELS.format(before), _MODELS.format(after), rows=rows, kept=found, **more
    )


CHANGES = [
    _key(
        "a foreign key on a column that is there",
        "IntegerField(column_name='shelf_id')",
        "ForeignKeyField(Shelf)",
    ),
    _key(
        "drop a foreign key, keep its column",
        "ForeignKeyField(Shelf)",
        "IntegerField(column_name='shelf_id')",
    ),
    _key("on_delete", "ForeignKeyField(Shelf)", "ForeignKeyField(Shelf, on_delete='CASCADE')"),
    _key(
        "on_delete and on_update",
        "ForeignKeyField(Shelf, on_delete='RESTRICT')",
        "ForeignKeyField(Shelf, on_delete='SET NULL', on_update='CASCADE', null=True)",
        daily=True,
    ),
    _key(
        "a foreign key becomes deferrable",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf, deferrable='INITIALLY DEFERRED')",
    ),
    _key(
        "a deferrable foreign key is deferred no more",
        "ForeignKeyField(Shelf, deferrable='INITIALLY DEFERRED')",
        "ForeignKeyField(Shelf, deferrable='INITIALLY IMMEDIATE')",
    ),
    _key(
        "another target of a foreign key",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Place, column_name='shelf_id')",
        daily=True,
    ),
    _key(
        "another target column of a foreign key",
        "ForeignKeyField(Shelf, field='code', column_name='shelf_id')",
        "ForeignKeyField(Shelf, column_name='shelf_id')",
        rows=_ROWS.replace("('x', 7), ('y', 8)", "('x', 2), ('y', 1)", 1),
    ),
    _key(
        "a name for a foreign key",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf, constraint_name='of_shelf')",
    ),
    _key(
        "a foreign key without its index",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf, index=False)",
    ),
    _key(
        "add a foreign key that may be NULL",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf)\n    place = ForeignKeyField(Place, null=True)",
    ),
    _key(
        "add a foreign key with a value for old rows",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf)\n    place = ForeignKeyField(Place, on_delete='CASCADE')",
        options=("--fill", "book.place_id=2"),
        refusal="--fill",
        column="place_id",
        kept=((2,), (2,)),
    ),
    _key(
        "add a foreign key to its own table",
        "ForeignKeyField(Shelf)",
        "ForeignKeyField(Shelf)\n    sequel = ForeignKeyField('self', null=True, backref='+')",
    ),
    Change(
        "two new models that point to each other",
        """
        class Book(Model):
            title = TextField()
        """,
        """
        class Book(Model):
            title = TextField()

        class Author(Model):
            best = DeferredForeignKey("Prize", null=True)
            book = ForeignKeyField(Book)

        class Prize(Model):
            author = ForeignKeyField(Author, null=True)
        """,
        rows="INSERT INTO book (title) VALUES ('a')",
        kept=("SELECT title FROM book", [("a",)]),
        daily=True,
    ),
    Change(
        "a deferred foreign key whose target comes first",
        """
        class Prize(Model):
            name = TextField()

        class Author(Model):
            name = TextField()
        """,
        """
        class Prize(Model):
            name = TextField()
            author = DeferredForeignKey("Author", null=True)

        class Author(Model):
            name = TextField()
            prize = DeferredForeignKey("Prize", null=True)
        """,
        rows="INSERT INTO prize (name) VALUES ('a'); INSERT INTO author (name) VALUES ('b')",
        kept=("SELECT name, author_id FROM prize", [("a", None)]),
        daily=True,
    ),
    Change(
        "models that point to each other are dropped",
        """
        class Book(Model):
            title = TextField()

        class Author(Model):
            best = DeferredForeignKey("Prize", null=True)
            book = ForeignKeyField(Book)

        class Prize(Model):
            author = ForeignKeyField(Author, null=True)
        """,
        """
        class Book(Model):
            title = TextField()
        """,
        rows="INSERT INTO book (title) VALUES ('a')",
        kept=("SELECT title FROM book", [("a",)]),
    ),
    Change(
        "two new apps that point to each other",
        {
            "shop": """
            class Book(Model):
                title = TextField()
            """,
            "press": "",
        },
        {
            "shop": """
            class Book(Model):
                title = TextField()
                printer = DeferredForeignKey("Printer", null=True)
            """,
            "press": """
            from market.shop.models import Book

            class Printer(Model):
                book = ForeignKeyField(Book)
            """,
        },
        rows="INSERT INTO book (title) VALUES ('a')",
        kept=("SELECT title, printer_id FROM book", [("a", None)]),
        daily=True,
    ),
    Change(
        "a foreign key into another app",
        {
            "shop": """
            class Book(Model):
                title = TextField()
            """,
            "press": """
            class Printer(Model):
                name = TextField()
            """,
        },
        {
            "shop": """
            class Book(Model):
                title = TextField()
            """,
            "press": """
            from market.shop.models import Book

            class Printer(Model):
                name = TextField()
                book = ForeignKeyField(Book, null=True)
            """,
        },
        rows="INSERT INTO book (title) VALUES ('a'); INSERT INTO printer (name) VALUES ('b')",
        kept=("SELECT name, book_id FROM printer", [("b", None)]),
    ),
    Change(
        "a table is renamed to which another app points",
        {
            "shop": """
            class Book(Model):
                title = TextField()
            """,
            "press": """
            from market.shop.models import Book

            class Printer(Model):
                book = ForeignKeyField(Book, null=True)
            """,
        },
        {
            "shop": """
            class Book(Model):
                title = TextField()

                class Meta:
                    table_name = "volumes"
            """,
            "press": """
            from market.shop.models import Book

            class Printer(Model):
                book = ForeignKeyField(Book, null=True)
            """,
        },
        rows="INSERT INTO book (title) VALUES ('a'); INSERT INTO printer (book_id) VALUES (1)",
        options=("--rename", "book:volumes"),
        refusal="--rename book:volumes",
        kept=("SELECT title FROM printer JOIN volumes ON volumes.id = book_id", [("a",)]),
        daily=True,
    ),
    Change(
        "a many-to-many field",
        """
        class Book(Model):
            title = TextField()

        class Author(Model):
            name = TextField()
        """,
        """
        class Book(Model):
            title = TextField()

        class Author(Model):
            name = TextField()
            books = ManyToManyField(Book, backref="authors", on_delete="CASCADE")
        """,
        rows="INSERT INTO book (title) VALUES ('a')",
        kept=("SELECT title FROM book", [("a",)]),
    ),
    Change(
        "a target is renamed together with its key column",
        """
        class Shelf(Model):
            code = CharField(primary_key=True)

        class Book(Model):
            shelf = ForeignKeyField(Shelf, on_update="CASCADE")
        """,
        """
        class Rack(Model):
            number = CharField(primary_key=True)

            class Meta:
                table_name = "rack"

        class Book(Model):
            shelf = ForeignKeyField(Rack, column_name="shelf_id", on_update="CASCADE")
        """,
        rows="INSERT INTO shelf VALUES ('x'); INSERT INTO book (shelf_id) VALUES ('x')",
        options=("--rename", "shelf:rack", "--rename", "rack.code:number"),
        refusal="--rename",
        kept=("SELECT number FROM book JOIN rack ON shelf_id = number", [("x",)]),
    ),
]
