"""Changes of indexes: whether there is one, and all that it says."""

from tests.migrations.changes.change import Change, note, on_field

_FIELDS = (
    "a = IntegerField()",
    "b = IntegerField(null=True)",
    "data = BinaryJSONField(index=False)",
)
_ROWS = "INSERT INTO note (title, a, b, data) VALUES ('x', 1, NULL, '{}'), ('y', 2, 5, '[1]')"


def _indexes(name, before, after, **more):
    """Return the change of the indexes of notes."""
    texts = [
        note(*_FIELDS, meta=[f"indexes = ({each},)"] if each else ()) for each in (before, after)
    ]
    kept = ("SELECT title, a, b FROM note ORDER BY title", [("x", 1, None), ("y", 2, 5)])
    return Change(name, *texts, rows=_ROWS, kept=kept, **more)


def _sql(rest, start="CREATE INDEX made ON note"):
    return f'SQL("{start} {rest}")'


CHANGES = [
    on_field(
        "add an index to a column",
        "IntegerField()",
        "IntegerField(index=True)",
        values=["1", "1"],
        kept=["1", "1"],
    ),
    on_field(
        "drop the index of a column",
        "IntegerField(index=True)",
        "IntegerField()",
        values=["1", "1"],
        kept=["1", "1"],
    ),
    on_field(
        "a column becomes unique",
        "IntegerField(index=True)",
        "IntegerField(unique=True)",
        values=["1", "2"],
        kept=["1", "2"],
    ),
    on_field(
        "a column is not unique any more",
        "IntegerField(unique=True)",
        "IntegerField()",
        values=["1", "2"],
        kept=["1", "2"],
    ),
    on_field(
        "a unique constraint of a column, said as SQL",
        "IntegerField()",
        "IntegerField(constraints=[SQL('UNIQUE')])",
        values=["1", "2"],
        kept=["1", "2"],
    ),
    _indexes("add an index of two columns", "", '(("a", "b"), True)'),
    _indexes("another column in an index", '(("a", "b"), False)', '(("a", "title"), False)'),
    _indexes("another order of an index's columns", '(("a", "b"), True)', '(("b", "a"), True)'),
    _indexes("an index of the same name in descending order", _sql("(a, b)"), _sql("(a, b DESC)")),
    _indexes("an index with NULLS LAST", _sql("(b DESC)"), _sql("(b DESC NULLS LAST)")),
    _indexes(
        "another operator class of an index",
        _sql("(title)"),
        _sql("(title text_pattern_ops)"),
        daily=True,
    ),
    _indexes(
        "another method of an index",
        _sql("(a)"),
        _sql("USING hash (a)"),
        daily=True,
    ),
    _indexes(
        "a gin index with its operator class",
        _sql("USING gin (data)"),
        _sql("USING gin (data jsonb_path_ops)"),
    ),
    _indexes("an index becomes partial", _sql("(a)"), _sql("(a) WHERE b IS NULL")),
    _indexes(
        "another predicate of a partial index",
        _sql("(a) WHERE b > 3 AND a > 1"),
        _sql("(a) WHERE b > 4 AND a > 1"),
        daily=True,
    ),
    _indexes(
        "an index includes a column",
        _sql("(a)"),
        _sql("(a) INCLUDE (b)"),
        daily=True,
    ),
    _indexes("an index of an expression", _sql("(lower(title))"), _sql("(upper(title), a)")),
    _indexes(
        "the name of an index",
        _sql("(a)", "CREATE INDEX old_name ON note"),
        _sql("(a)", "CREATE INDEX new_name ON note"),
    ),
    _indexes(
        "two indexes swap their names",
        _sql("(a)", "CREATE INDEX one ON note") + ", " + _sql("(b)", "CREATE INDEX two ON note"),
        _sql("(b)", "CREATE INDEX one ON note") + ", " + _sql("(a)", "CREATE INDEX two ON note"),
    ),
    Change(
        "the name of an index goes to a table of another app",
        {
            "press": note("a = IntegerField()").replace("Note", "Letter"),
            "shop": note("a = IntegerField()", meta=[f"indexes = ({_sql('(a)')},)"]),
        },
        {
            "press": note("a = IntegerField()", meta=[f"indexes = ({_sql('(a)')},)"])
            .replace("Note", "Letter")
            .replace("ON note", "ON letter"),
            "shop": note("a = IntegerField()"),
        },
        rows="INSERT INTO note (title, a) VALUES ('a', 1)",
        kept=("SELECT title FROM note", [("a",)]),
        daily=True,
    ),
    _indexes(
        "a unique index that takes one NULL only",
        _sql("(b)", "CREATE UNIQUE INDEX made ON note"),
        _sql("(b) NULLS NOT DISTINCT", "CREATE UNIQUE INDEX made ON note"),
    ),
    _indexes("the storage of an index", _sql("(a)"), _sql("(a) WITH (fillfactor = 70)")),
    Change(
        "indexes said by add_index",
        note(*_FIELDS) + "\n\nNote.add_index(Note.a, where=Note.b > 3, name='some')\n",
        note(*_FIELDS)
        + "\n\nNote.add_index(Note.a.desc(), where=Note.b > 5, name='some')\n"
        + "Note.add_index(fn.lower(Note.title), unique=True, name='lowered')\n",
        rows=_ROWS,
        kept=("SELECT title FROM note ORDER BY 1", [("x",), ("y",)]),
    ),
]
