"""Changes whose parts are in each other's way."""

from tests.migrations.changes.change import Change, note

_LONG = "a_table_whose_name_is_as_long_as_postgresql_allows_and_ends_in_"
_TWO = """
class One(Model):
    age = IntegerField()

    class Meta:
        indexes = [SQL("CREATE INDEX by_{first} ON one (age)")]


class Two(Model):
    age = IntegerField()

    class Meta:
        indexes = [SQL("CREATE INDEX by_{second} ON two (age)")]
"""

CHANGES = [
    Change(
        "a model moves to another app, which is new",
        {"shop": note("age = IntegerField()"), "depot": ""},
        {"shop": "", "depot": note("age = BigIntegerField()")},
        rows="INSERT INTO note (title, age) VALUES ('a', 1), ('b', 2)",
        kept=("SELECT title, age FROM note ORDER BY 1", [("a", 1), ("b", 2)]),
        daily=True,
    ),
    Change(
        "rename a table between names that differ where the name of its sequence is cut",
        note(meta=[f'table_name = "{_LONG[:-1]}"']),
        note(meta=[f'table_name = "{_LONG}"']),
        rows=f"INSERT INTO {_LONG[:-1]} (title) VALUES ('a')",
        options=("--rename", f"{_LONG[:-1]}:{_LONG}"),
        kept=(f"SELECT title FROM {_LONG}", [("a",)]),
        daily=True,
    ),
    Change(
        "two indexes of two tables swap their names",
        _TWO.format(first="one", second="two"),
        _TWO.format(first="two", second="one"),
    ),
    Change(
        "a new table has the name of an index that goes with its table",
        note("age = IntegerField()", meta=['indexes = [SQL("CREATE INDEX found ON note (age)")]']),
        note(
            "age = TextField()", meta=['indexes = [SQL("CREATE INDEX found ON memo (age)")]']
        ).replace("Note", "Memo"),
        options=("--drop", "note"),
        daily=True,
    ),
    Change(
        "add a time as a number, with the default of its field",
        note(),
        note("at = TimestampField()", "key = BinaryUUIDField(default=uuid.uuid4, unique=True)"),
        rows="INSERT INTO note (title) VALUES ('a'), ('b')",
        kept=("SELECT at > 1700000000, length(key) FROM note", [(True, 16), (True, 16)]),
        daily=True,
    ),
]
