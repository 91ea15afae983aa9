"""Changes of enumerated types."""

from tests.migrations.changes.change import Change

_STATES = """
class State(enum.Enum):
{}


class Note(Model):
    title = TextField()
    state = {}
"""


def _states(*values, field="EnumField(State)"):
    lines = "\n".join(f"    {value.upper()} = {value!r}" for value in values)
    return _STATES.format(lines, field)


_NAMED = """
class State(enum.Enum):
    NEW = {0!r}
    OLD = "old"


class Note(Model):
    title = TextField()
    state = EnumField(State, constraints=[Default("'{0}'")])

    class Meta:
        constraints = [Check("state <> '{0}' OR title <> ''", "note_new_has_title")]
        indexes = [SQL("CREATE INDEX note_new ON note (title) WHERE state = '{0}'")]
"""

_TYPED = """
class State(enum.Enum):
    NEW = "new"
    OLD = "old"


class Note(Model):
    title = TextField()
    state = EnumField(State, {0!r}, constraints=[Default("'new'::{0}")])

    class Meta:
        constraints = [Check("state <> CAST('new' AS {0}) OR title <> ''", "note_new_has_title")]
        indexes = [SQL("CREATE INDEX note_new ON note (title) WHERE state = 'new'::{0}")]
"""

_ROWS = "INSERT INTO note (title, state) VALUES ('a', 'new'), ('b', 'old')"
_KEPT = ("SELECT state::text FROM note ORDER BY title", [("new",), ("old",)])

CHANGES = [
    Change(
        "a column of an enumerated type",
        _states("new", "old", field="TextField()"),
        _states("new", "old"),
        rows=_ROWS,
        kept=_KEPT,
    ),
    Change(
        "an enumerated type is no more",
        _states("new", "old"),
        _states("new", "old", field="TextField()"),
        rows=_ROWS,
        kept=_KEPT,
    ),
    Change(
        "a value behind the others",
        _states("new", "old"),
        _states("new", "old", "gone"),
        rows=_ROWS,
        kept=_KEPT,
    ),
    Change(
        "a value between two others",
        _states("new", "old"),
        _states("new", "used", "old"),
        rows=_ROWS,
        kept=_KEPT,
        daily=True,
    ),
    Change(
        "a new value that is the default of the server",
        _states("new", "old"),
        _states("new", "old", "gone", field="EnumField(State, constraints=[Default(\"'gone'\")])"),
        rows=_ROWS,
        kept=_KEPT,
    ),
    Change(
        "a new value that old rows get",
        _states("new", "old", field="EnumField(State, null=True)"),
        _states("none", "new", "old", field="EnumField(State, default=State.NONE)"),
        rows="INSERT INTO note (title, state) VALUES ('a', 'new'), ('b', NULL)",
        kept=("SELECT state::text FROM note ORDER BY title", [("new",), ("none",)]),
        back_fails="none",
    ),
    Change(
        "an enumerated type in a schema, with a default",
        _states("new", "old", field="TextField(null=True)"),
        _states(
            "new",
            "old",
            field="TextField(null=True)\n"
            "    kind = EnumField(State, 'shop.state', default=State.OLD, index=True)",
        ),
        rows=_ROWS,
        kept=("SELECT kind::text FROM note", [("old",), ("old",)]),
    ),
    Change(
        "a value less, which was the default of the server",
        _states("new", "old", "gone", field="EnumField(State, constraints=[Default(\"'gone'\")])"),
        _states("old", "new"),
        rows=_ROWS,
        kept=_KEPT,
        options=("--drop", "state.gone"),
        refusal="give --drop state.gone",
        daily=True,
    ),
    Change(
        "a value under another name",
        _states("new", "old"),
        _states("fresh", "old"),
        rows=_ROWS,
        kept=("SELECT state::text FROM note ORDER BY title", [("fresh",), ("old",)]),
        options=("--rename", "state.new:fresh"),
        refusal="was it renamed? Give --rename state.new:fresh",
    ),
    Change(
        "a value under another name, which default, check and index say",
        _NAMED.format("new"),
        _NAMED.format("fresh"),
        rows=_ROWS,
        kept=("SELECT state::text FROM note ORDER BY title", [("fresh",), ("old",)]),
        options=("--rename", "state.new:fresh"),
        refusal="was it renamed? Give --rename state.new:fresh",
        daily=True,
    ),
    Change(
        "a type under another name, which default, check and index say",
        _TYPED.format("state"),
        _TYPED.format("phase"),
        rows=_ROWS,
        kept=_KEPT,
        options=("--rename", "state:phase"),
        refusal="was it renamed? Give --rename state:phase",
        daily=True,
    ),
]
