"""Changes of fields: their types, NULL, defaults, collations, comments."""

from tests.migrations.changes.change import on_field

CHANGES = [
    on_field("add a column with a default", "", "IntegerField(default=7)", kept=["7", "7"]),
    on_field("add a column that may be NULL", "", "IntegerField(null=True)", kept=[None, None]),
    on_field(
        "add a column without a default",
        "",
        "IntegerField()",
        kept=["3", "3"],
        options=("--fill", "note.field=3"),
        refusal="--fill",
    ),
    on_field("add a JSON column (default=dict)", "", "JSONField(default=dict)", kept=["{}", "{}"]),
    on_field(
        "add an array column (default=list)",
        "",
        "ArrayField(IntegerField, default=list)",
        kept=["{}", "{}"],
    ),
    on_field(
        "integer to bigint",
        "IntegerField()",
        "BigIntegerField()",
        values=["1", "2"],
        kept=["1", "2"],
    ),
    on_field(
        "text to integer",
        "TextField()",
        "IntegerField()",
        values=["'1'", "'2'"],
        kept=["1", "2"],
    ),
    on_field(
        "double precision to integer",
        "DoubleField()",
        "IntegerField()",
        values=["1.2", "2"],
        kept=["2", "2"],
        options=("--using", "note.field=ceil(field)"),
        refusal="--using",
        returned=("SELECT field FROM note ORDER BY title", [(2,), (2,)]),
    ),
    on_field(
        "a longer varchar",
        "CharField(max_length=10)",
        "CharField(max_length=20)",
        values=["'x'", "'y'"],
        kept=["x", "y"],
    ),
    on_field(
        "forbid NULL",
        "IntegerField(null=True)",
        "IntegerField(default=5)",
        values=["1", "NULL"],
        kept=["1", "5"],
        returned=("SELECT field FROM note ORDER BY title", [(1,), (5,)]),
    ),
]
