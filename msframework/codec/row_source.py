"""The source of the functions that write rows through structs. Runs at start-up.

Like `emit`, for the functions of `row_json` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msframework._codegen import SourceWriter
from msframework.codec.emit import HOLE, FunctionSource, finish_source
from msframework.types import Namespace


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One plain column of a schema: a field of the structs that its rows become.

    Args:
        member: its name in the struct.
        key: its name in JSON.
        attribute: the name of its values in a row.
        kind: a key of `_ONE`.
        type: the class of its values.
    """

    member: str
    key: str
    attribute: str
    kind: str
    type: Any


# The steps for the value {v} of one row before msgspec writes what marshmallow does; an odd value
# ends it.
_ONE: Final[dict[str, str]] = {
    "int": "if {v}.__class__ is not int and {v} is not None: return None",
    "str": "if {v}.__class__ is not str and {v} is not None: return None",
    "bool": "if {v} is not True and {v} is not False and {v} is not None: return None",
    "float": (
        "if {v} is not None and ({v}.__class__ is not float or not -1e16 < {v} < 1e16): "
        "{v} = as_float({v})"
    ),
    "decimal": (
        'if {v} is not None and "E" in ({v} := str({v}) if {v}.__class__ is Decimal else odd()): '
        '{v} = format(Decimal({v}), "f")'
    ),
    "uuid": (
        "if {v}.__class__ is not PgUUID and {v}.__class__ is not UUID and {v} is not None: "
        "return None"
    ),
    "datetime": (
        "if {v} is not None: {v} = Raw(encode({v})[:-2] + b'+00:00\"') "
        "if {v}.__class__ is datetime and {v}.tzinfo is UTC else as_naive({v})"
    ),
    "zoned": (
        "if {v} is not None: {v} = Raw(encode({v})[:-2] + b'+00:00\"') "
        "if {v}.__class__ is datetime and {v}.tzinfo is UTC else odd()"
    ),
    "date": "if {v}.__class__ is not date and {v} is not None: return None",
    "time": (
        "if {v} is not None and ({v}.__class__ is not time or {v}.tzinfo is not None): return None"
    ),
}
_SPELLINGS: Final = {"decimal": 'if {v} is not None: {v} = format({v}, "f")'}
# When a value of a struct is odd, as a test; decimals and moments are looked at apart.
_ODD: Final[dict[str, str]] = {
    "str": "{v}.__class__ is not str and {v} is not None",
    "float": "{v} is not None and not -1e16 < {v} < 1e16",
    "uuid": "{v}.__class__ is not PgUUID and {v}.__class__ is not UUID and {v} is not None",
    "time": "{v} is not None and {v}.tzinfo is not None",
}


def emit_write_one(owner: str, columns: Sequence[RowColumn], names: Namespace) -> FunctionSource:
    """Write the function that gives the JSON of one dict or Record, or `None` when it is odd."""
    writer = SourceWriter()
    variables = "".join(f"{column.member}, " for column in columns)
    values = "".join(f"obj[{column.attribute!r}], " for column in columns)
    writer.line(f"def {HOLE}(obj):")
    with writer.indented():
        writer.line("if obj.__class__ not in records: return None")
        writer.line("try:")
        with writer.indented():
            writer.line(f"{variables}= {values}".rstrip())
            writer.lines(*_fill(_ONE, columns, ""))
            writer.line(f"return encode(struct({variables.rstrip(', ')}))")
        writer.line("except expected: return None")
    return finish_source("write_one", owner, writer, names)


def emit_spell(owner: str, columns: Sequence[RowColumn]) -> FunctionSource:
    """Write the function that spells the decimals of structs without an exponent."""
    writer = SourceWriter()
    writer.line(f"def {HOLE}(rows):")
    with writer.indented():
        writer.line("for row in rows:")
        with writer.indented():
            writer.lines(*(_fill(_SPELLINGS, columns, "row.") or ("pass",)))
    return finish_source("spell", owner, writer, {})


def emit_find_odd(owner: str, columns: Sequence[RowColumn], names: Namespace) -> FunctionSource:
    """Write the function that lists the structs with values that msgspec would write otherwise."""
    writer = SourceWriter()
    writer.line(f"def {HOLE}(rows):")
    with writer.indented():
        tests = _fill(_ODD, columns, "row.")
        if not tests:
            writer.line("return ()")
        else:
            writer.lines("return [", "    row for row in rows", f"    if {tests[0]}")
            writer.lines(*(f"    or {test}" for test in tests[1:]), "]")
    return finish_source("find_odd", owner, writer, names)


def emit_values(kind: str, wanted: str, owner: str, columns: Sequence[RowColumn]) -> FunctionSource:
    """Write the function that lists the values of all columns of a *kind*, but for null.

    Args:
        wanted: the part of each value `{v}` that is listed.
    """
    writer = SourceWriter()
    writer.line(f"def {HOLE}(rows):")
    with writer.indented():
        writer.line("found = []")
        for column in columns:
            if column.kind == kind:
                value = f"row.{column.member}"
                got = wanted.format(v=value)
                writer.line(f"found += [{got} for row in rows if {value} is not None]")
        writer.line("return found")
    return finish_source("values", owner, writer, {})


def _fill(templates: dict[str, str], columns: Sequence[RowColumn], before: str) -> list[str]:
    """Return the template of each column's kind, where there is one, with its value in it."""
    return [
        templates[column.kind].format(v=before + column.member)
        for column in columns
        if column.kind in templates
    ]
