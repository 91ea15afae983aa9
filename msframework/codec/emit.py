"""Writes the source of the functions that a compiled schema runs: the only module that does.

Names and values of declarations enter the source through the namespace or `repr`. Each function has
one or two lines a field. Runs at start-up.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msframework._codegen import SourceWriter, compile_function

_NOT_A_NAME: Final = re.compile(r"\W+", re.ASCII)
_HOLE: Final = "FUNCTION"


@dataclass(slots=True)
class Source:
    """One generated function: what it is called, its text, and what its names stand for."""

    name: str
    text: str
    names: dict[str, Any]

    def build(self) -> Callable[..., Any]:
        """Compile it."""
        return compile_function(self.name, self.text, self.names)


@dataclass(frozen=True, slots=True)
class Line:
    """What one field contributes to a dump.

    Args:
        key: its key in the result.
        variable: the name of its value in the usual function; "" when it has none.
        attribute: what that value stands under in a dict or Record.
        usual: the expression over the variable; "" when only any object's way will do.
        anyhow: the line for any object.
    """

    key: str
    variable: str
    attribute: str
    usual: str
    anyhow: str
    names: dict[str, Any] = field(default_factory=dict)


def _finish(kind: str, owner: str, writer: SourceWriter, names: dict[str, Any]) -> Source:
    """Name the function after its schema and its own text, so that tracebacks find the source."""
    text = str(writer)
    owner = _NOT_A_NAME.sub("_", owner)
    name = f"{kind}_{owner}_{zlib.crc32(text.encode()):08x}"
    return Source(name, text.replace(_HOLE, name), names)


def emit_dump(owner: str, lines: Sequence[Line], names: dict[str, Any]) -> Source:
    """Write the function that dumps a dict or Record that has all that the schema wants.

    All values are got before any is looked at: a value that can be used only once (an iterator)
    must not be used up by the time that another turns out to be absent.
    """
    writer = SourceWriter()
    got = [line for line in lines if line.variable]
    variables = "".join(f"{line.variable}, " for line in got)
    values = "".join(f"obj[{line.attribute!r}], " for line in got)
    writer.line(f"def {_HOLE}(obj):")
    with writer.indented():
        writer.line("if obj.__class__ not in records: return dump_any(obj)")
        if got:
            writer.line(f"try: {variables}= {values}".rstrip())
            writer.line("except KeyError: return dump_any(obj)")
        writer.line("try:")
        with writer.indented():
            writer.line("return {")
            with writer.indented():
                writer.lines(*(f"{line.key!r}: {line.usual}," for line in lines))
            writer.line("}")
        writer.line("except Absent: return dump_any(obj)")
    return _finish("dump", owner, writer, _gather(lines, names))


def emit_dump_any(owner: str, lines: Sequence[Line], names: dict[str, Any]) -> Source:
    """Write the function that dumps any object, as far as it has what the schema wants."""
    writer = SourceWriter()
    writer.line(f"def {_HOLE}(obj):")
    with writer.indented():
        writer.line(f"out = {_new(names)}")
        writer.lines(*(line.anyhow for line in lines))
        writer.line("return out")
    return _finish("dump_any", owner, writer, _gather(lines, names))


def _new(names: dict[str, Any]) -> str:
    """Return the expression that makes an empty result."""
    return "{}" if names["dict_class"] is dict else "dict_class()"


def _gather(lines: Sequence[Line], names: dict[str, Any]) -> dict[str, Any]:
    for line in lines:
        names |= line.names
    return names


@dataclass(frozen=True, slots=True)
class Load:
    """What one field contributes to a load.

    Args:
        key: its key in the data.
        target: its key in the result.
        step: the name of the function for values that need more than `test`.
        test: an expression that is true for a usual value `v`; may be "".
        taken: the expression for what is then taken.
    """

    key: str
    target: str
    step: str
    test: str
    taken: str
    names: dict[str, Any] = field(default_factory=dict)


def emit_load(owner: str, loads: Sequence[Load], names: dict[str, Any]) -> Source:
    """Write the function that loads the fields of one object."""
    writer = SourceWriter()
    writer.line(f"def {_HOLE}(data, errors, partial):")
    with writer.indented():
        writer.line(f"get, out = data.get, {_new(names)}")
        for load in loads:
            names |= load.names
            got = f"get({load.key!r}, missing)"
            if not load.test:
                writer.line(f"{load.step}({got}, data, out, errors, partial)")
                continue
            test = load.test.replace("v", f"(v := {got})", 1)
            writer.line(f"if {test}: out[{load.target!r}] = {load.taken}")
            writer.line(f"else: {load.step}(v, data, out, errors, partial)")
        writer.line("return out")
    return _finish("load", owner, writer, names)


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the structs that rows are turned into; `kind` is a key of `_ONE`.

    Args:
        member: its name in the struct.
        attribute: what its values stand under in a row.
    """

    member: str
    attribute: str
    kind: str


# What is done to the value {v} of one row before msgspec writes what marshmallow does; an odd value
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


def emit_write_one(owner: str, columns: Sequence[Column], names: dict[str, Any]) -> Source:
    """Write the function that gives the JSON of one dict or Record, or `None` when it is odd."""
    writer = SourceWriter()
    variables = "".join(f"{column.member}, " for column in columns)
    values = "".join(f"obj[{column.attribute!r}], " for column in columns)
    writer.line(f"def {_HOLE}(obj):")
    with writer.indented():
        writer.line("if obj.__class__ not in records: return None")
        writer.line("try:")
        with writer.indented():
            writer.line(f"{variables}= {values}".rstrip())
            writer.lines(*_fill(_ONE, columns, ""))
            writer.line(f"return encode(struct({variables.rstrip(', ')}))")
        writer.line("except expected: return None")
    return _finish("write_one", owner, writer, names)


def emit_spell(owner: str, columns: Sequence[Column]) -> Source:
    """Write the function that spells the decimals of structs without an exponent."""
    writer = SourceWriter()
    writer.line(f"def {_HOLE}(rows):")
    with writer.indented():
        writer.line("for row in rows:")
        with writer.indented():
            writer.lines(*(_fill(_SPELLINGS, columns, "row.") or ("pass",)))
    return _finish("spell", owner, writer, {})


def emit_find_odd(owner: str, columns: Sequence[Column], names: dict[str, Any]) -> Source:
    """Write the function that lists the structs with values that msgspec would write otherwise."""
    writer = SourceWriter()
    writer.line(f"def {_HOLE}(rows):")
    with writer.indented():
        tests = _fill(_ODD, columns, "row.")
        if not tests:
            writer.line("return ()")
        else:
            writer.lines("return [", "    row for row in rows", f"    if {tests[0]}")
            writer.lines(*(f"    or {test}" for test in tests[1:]), "]")
    return _finish("find_odd", owner, writer, names)


def emit_values(kind: str, wanted: str, owner: str, columns: Sequence[Column]) -> Source:
    """Write the function that lists what is not null in all columns of a *kind*.

    Args:
        wanted: what is listed of each value `{v}`.
    """
    writer = SourceWriter()
    writer.line(f"def {_HOLE}(rows):")
    with writer.indented():
        writer.line("found = []")
        for column in columns:
            if column.kind == kind:
                value = f"row.{column.member}"
                got = wanted.format(v=value)
                writer.line(f"found += [{got} for row in rows if {value} is not None]")
        writer.line("return found")
    return _finish("values", owner, writer, {})


def _fill(templates: dict[str, str], columns: Sequence[Column], before: str) -> list[str]:
    """Return the template of each column's kind, where there is one, with its value in it."""
    return [
        templates[column.kind].format(v=before + column.member)
        for column in columns
        if column.kind in templates
    ]
