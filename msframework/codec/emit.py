"""The source of the functions that load and dump by the fields of one schema. Runs at start-up.

Names and values of declarations enter the source through the namespace or `repr`. Each function has
one or two lines a field.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msframework._codegen import SourceWriter, compile_function
from msframework.types import Namespace

_NOT_A_NAME: Final = re.compile(r"\W+", re.ASCII)
HOLE: Final = "FUNCTION"


@dataclass(slots=True)
class FunctionSource:
    """One generated function: its name, its text, and the values of the names in it."""

    name: str
    text: str
    names: Namespace

    def build(self) -> Callable[..., Any]:
        """Compile it."""
        return compile_function(self.name, self.text, self.names)


@dataclass(frozen=True, slots=True)
class FieldDump:
    """The part of one field in the dump of its schema.

    Args:
        key: its key in the result.
        variable: the name of its value in the usual function; "" when it has none.
        attribute: the name of that value in a dict or Record.
        usual: the expression over the variable; "" when only any object's way will do.
        anyhow: the line for any object.
    """

    key: str
    variable: str
    attribute: str
    usual: str
    anyhow: str
    names: Namespace = field(default_factory=dict)


def finish_source(kind: str, owner: str, writer: SourceWriter, names: Namespace) -> FunctionSource:
    """Name the function after its schema and its own text, so that tracebacks find the source."""
    text = str(writer)
    owner = _NOT_A_NAME.sub("_", owner)
    name = f"{kind}_{owner}_{zlib.crc32(text.encode()):08x}"
    return FunctionSource(name, text.replace(HOLE, name), names)


def emit_dump(owner: str, parts: Sequence[FieldDump], names: Namespace) -> FunctionSource:
    """Write the function that dumps a dict or Record that has all that the schema wants.

    All values are got before any is looked at: a value that can be used only once (an iterator)
    must not be used up by the time that another turns out to be absent.
    """
    writer = SourceWriter()
    got = [part for part in parts if part.variable]
    variables = "".join(f"{part.variable}, " for part in got)
    values = "".join(f"obj[{part.attribute!r}], " for part in got)
    writer.line(f"def {HOLE}(obj):")
    with writer.indented():
        writer.line("if obj.__class__ not in records: return dump_any(obj)")
        if got:
            writer.line(f"try: {variables}= {values}".rstrip())
            writer.line("except KeyError: return dump_any(obj)")
        writer.line("try:")
        with writer.indented():
            writer.line("return {")
            with writer.indented():
                writer.lines(*(f"{part.key!r}: {part.usual}," for part in parts))
            writer.line("}")
        writer.line("except Absent: return dump_any(obj)")
    return finish_source("dump", owner, writer, _gather(parts, names))


def emit_dump_any(owner: str, parts: Sequence[FieldDump], names: Namespace) -> FunctionSource:
    """Write the function that dumps any object, as far as it has the members of the schema."""
    writer = SourceWriter()
    writer.line(f"def {HOLE}(obj):")
    with writer.indented():
        writer.line(f"out = {_new(names)}")
        writer.lines(*(part.anyhow for part in parts))
        writer.line("return out")
    return finish_source("dump_any", owner, writer, _gather(parts, names))


def _new(names: Namespace) -> str:
    """Return the expression that makes an empty result."""
    return "{}" if names["dict_class"] is dict else "dict_class()"


def _gather(parts: Sequence[FieldDump], names: Namespace) -> Namespace:
    for part in parts:
        names |= part.names
    return names


@dataclass(frozen=True, slots=True)
class FieldLoad:
    """The part of one field in the load of its schema.

    Args:
        key: its key in the data.
        target: its key in the result.
        step: the name of the function for values that need more than `test`.
        test: an expression that is true for a usual value `v`; may be "".
        taken: the expression for the value that is then taken.
    """

    key: str
    target: str
    step: str
    test: str
    taken: str
    names: Namespace = field(default_factory=dict)


def emit_load(owner: str, loads: Sequence[FieldLoad], names: Namespace) -> FunctionSource:
    """Write the function that loads the fields of one object."""
    writer = SourceWriter()
    writer.line(f"def {HOLE}(data, errors, partial):")
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
    return finish_source("load", owner, writer, names)
