"""Changes whose parts are in each other's way."""

from tests.migrations.changes.change import Change, note

_LONG = "a_table_whose_name_is_as_long_as_postgresql_allows_and_ends_in_"

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
]
