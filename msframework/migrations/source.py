"""The text of a migration file, made of its values.

Laid out as `ruff format` lays it out at 100 columns, and the same for the same values: what is read
back from it equals what was written. Runs when a migration is made.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Final

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.fills import has_name
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.schema import SchemaState, Table

_WIDTH: Final = 100
_PACKAGE: Final = "msframework.migrations"
_INSTALLED: Final = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class MigrationText:
    """The contents of a migration file.

    Args:
        title: the docstring, one line.
        state: what the app's models look like after it; `None` leaves that as it was.
        marks: further assignments, `replaces` or `adopted`, each with its value.
        imports: further lines of imports, of parts taken from other files.
        body: further source, of parts taken from other files.
        local: functions that `body` defines, by which they are called there.
    """

    title: str
    depends: tuple[str, ...] = ()
    atomic: bool = True
    operations: tuple[MigrationOperation, ...] = ()
    state: SchemaState | None = None
    marks: tuple[tuple[str, object], ...] = ()
    imports: tuple[str, ...] = ()
    body: str = ""
    local: tuple[tuple[Callable[..., object], str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Text:
    value: str


@dataclass(frozen=True, slots=True)
class _Group:
    """A call, a keyword's value, or a tuple, with its parts in parentheses."""

    head: str
    parts: tuple[_Part, ...]
    is_tuple: bool = False
    tall: bool = False  # a line for each part, however short


@dataclass(frozen=True, slots=True)
class _Keyword:
    name: str
    value: _Part


_Part = str | _Text | _Group | _Keyword


def render(
    title: str,
    depends: Sequence[str],
    atomic: bool,
    operations: Sequence[MigrationOperation],
    state: SchemaState | None,
) -> str:
    """Return the text of a migration file."""
    return write(MigrationText(title, tuple(depends), atomic, tuple(operations), state))


def write(migration: MigrationText) -> str:
    """Return the text of *migration*.

    Raises:
        ImproperlyConfigured: a function in it cannot be imported.
    """
    names = _Names(dict(migration.local))
    parts: list[tuple[str, _Part]] = []
    if migration.depends:
        parts.append(("depends", names.part(tuple(migration.depends))))
    if not migration.atomic:
        parts.append(("atomic", "False"))
    parts += [(name, names.part(value)) for name, value in migration.marks]
    short = [f"{name} = {_flat(part)}" for name, part in parts]
    if any(len(line) > _WIDTH for line in short):
        short = [line for name, part in parts for line in _lines(part, 0, f"{name} = ", "")]
    tall: list[tuple[str, _Part]] = []
    tall.append(("operations", names.tall(migration.operations)))
    if migration.state is not None:
        tall.append(("state", names.tall((*migration.state.enums, *migration.state.tables))))
    blocks = [f'"""{_docstring(migration.title)}"""']
    imports = _sort_imports([*names.lines(), *migration.imports])
    blocks += [imports] if imports else []
    blocks += ["\n".join(short)] if short else []
    if migration.body:
        blocks.append("\n" + migration.body.strip("\n") + "\n")
    blocks += ["\n".join(_lines(part, 0, f"{name} = ", "")) for name, part in tall]
    return "\n\n".join(blocks) + "\n"


class _Names:
    """Values as source, and the names that they need to be imported."""

    def __init__(self, local: dict[Callable[..., object], str]) -> None:
        self._ours: set[str] = set()
        self._local = local
        self._functions: dict[tuple[str, str], str] = {}  # module and name: what it is called here

    def part(self, value: object) -> _Part:
        """Return *value* as source that is not laid out."""
        if isinstance(value, str):
            return _Text(value)
        if isinstance(value, tuple):
            return _Group("(", tuple(self.part(each) for each in value), is_tuple=True)
        if is_dataclass(value) and not isinstance(value, type):
            return self._call(value)
        if callable(value):
            return self._function(value)
        return repr(value)

    def tall(self, values: Iterable[object]) -> _Part:
        """Return a tuple with a line, or several, for each value."""
        return _Group("(", tuple(self.part(each) for each in values), is_tuple=True, tall=True)

    def lines(self) -> Iterator[str]:
        """Yield the imports, unsorted."""
        if self._ours:
            yield _import_from(_PACKAGE, sorted(self._ours))
        modules: dict[str, list[str]] = {}
        for (module, name), here in self._functions.items():
            modules.setdefault(module, []).append(name if name == here else f"{name} as {here}")
        for module, names in modules.items():
            yield _import_from(module, sorted(names))

    def _call(self, value: Any) -> _Group:
        self._ours.add(type(value).__name__)
        parts: list[_Part] = []
        for field in fields(value):
            given = getattr(value, field.name)
            if field.default is MISSING:
                parts.append(self.part(given))
            elif given != field.default:
                parts.append(_Keyword(field.name, self.part(given)))
        if isinstance(value, Table) and isinstance(parts[1], _Group):
            parts[1] = _Group("(", parts[1].parts, is_tuple=True, tall=True)
        tall = isinstance(value, Table) and bool(value.columns)
        return _Group(f"{type(value).__name__}(", tuple(parts), tall=tall)

    def _function(self, function: Any) -> str:
        if function in self._local:
            return self._local[function]
        if not has_name(function):
            raise ImproperlyConfigured(
                f"{function!r} cannot be imported by a migration: it has no name in a module. Make "
                "it a function of a module."
            )
        owner = getattr(function, "__self__", None)
        module = owner.__module__ if isinstance(owner, type) else function.__module__
        first, dot, rest = function.__qualname__.partition(".")
        if module == "builtins":
            return str(function.__qualname__)
        return f"{self._called(module, first)}{dot}{rest}"

    def _called(self, module: str, name: str) -> str:
        """Return the name in this file for *name* of *module*: another one where it is taken."""
        if (module, name) not in self._functions:
            taken = {*self._functions.values(), *_package_names(), *_WORDS}
            here, number = name, 2
            while here in taken:
                here, number = f"{name}_{number}", number + 1
            self._functions[module, name] = here
        return self._functions[module, name]


_WORDS: Final = ("operations", "state", "depends", "atomic", "replaces", "adopted", "up", "down")


def _package_names() -> Sequence[str]:
    names: Sequence[str] = sys.modules[_PACKAGE].__all__
    return names


def _docstring(title: str) -> str:
    text = " ".join(title.split()).replace("\\", "\\\\")
    return re.sub(r'"{3,}|^"|"$', lambda quotes: '\\"' * len(quotes[0]), text)


def _import_from(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _sort_imports(lines: Iterable[str]) -> str:
    """Return imports in the groups of isort: the library's, installed ones, the project's."""
    groups: tuple[list[str], ...] = ([], [], [])
    for line in dict.fromkeys(lines):
        groups[_rank(line.split()[1].partition(".")[0])].append(line)
    return "\n\n".join("\n".join(sorted(group, key=_import_key)) for group in groups if group)


def _import_key(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line.split()[1]


def _rank(package: str) -> int:
    if package in sys.stdlib_module_names:
        return 0
    spec = importlib.util.find_spec(package)
    return 1 if any(each in str(spec and spec.origin) for each in _INSTALLED) else 2


def _lines(part: _Part, indent: int, head: str, tail: str) -> Iterator[str]:
    """Yield the lines of *part*: one, if it fits.

    Args:
        head: the text before it on its first line.
        tail: what follows on its last line.
    """
    space = " " * indent
    line = f"{space}{head}{_flat(part)}{tail}"
    if isinstance(part, str) or (len(line) <= _WIDTH and not _is_tall(part)):
        yield line
    elif isinstance(part, _Keyword):
        yield from _lines(part.value, indent, f"{head}{part.name}=", tail)
    elif isinstance(part, _Text):
        yield from _text_lines(part.value, indent, head, tail)
    elif not part.parts:
        yield line
    else:
        yield from _group_lines(part, indent, head, tail)


def _group_lines(part: _Group, indent: int, head: str, tail: str) -> Iterator[str]:
    space = " " * indent
    yield f"{space}{head}{part.head}"
    inside = ", ".join(map(_flat, part.parts))
    if not (part.is_tuple or _is_tall(part)) and indent + 4 + len(inside) <= _WIDTH:
        yield f"{space}    {inside}"
    else:
        alone = len(part.parts) == 1 and not part.is_tuple and not part.tall
        for each in part.parts:
            yield from _lines(each, indent + 4, "", "" if alone else ",")
    yield f"{space}){tail}"


def _text_lines(value: str, indent: int, head: str, tail: str) -> Iterator[str]:
    """Yield a long text in pieces, which are cut behind spaces."""
    space = " " * indent
    pieces = [""]
    for word in value.replace(" ", " \0").split("\0"):
        first = head if len(pieces) == 1 else ""
        if pieces[-1] and len(f"{space}{first}{_quoted(pieces[-1] + word)}{tail}") > _WIDTH:
            pieces.append(word)
        else:
            pieces[-1] += word
    for number, piece in enumerate(pieces):
        start = head if number == 0 else ""
        end = tail if number == len(pieces) - 1 else ""
        yield f"{space}{start}{_quoted(piece)}{end}"


def _is_tall(part: _Part) -> bool:
    if isinstance(part, _Keyword):
        return _is_tall(part.value)
    if isinstance(part, _Group):
        # NOTE: the comma of a tuple of one is no wish for lines of their own.
        return (part.tall and len(part.parts) > 1) or any(map(_is_tall, part.parts))
    return False


def _flat(part: _Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, _Text):
        return _quoted(part.value)
    if isinstance(part, _Keyword):
        return f"{part.name}={_flat(part.value)}"
    inside = ", ".join(map(_flat, part.parts))
    comma = "," if part.is_tuple and len(part.parts) == 1 else ""
    return f"{part.head}{inside}{comma})"


def _quoted(value: str) -> str:
    """Return *value* as a constant, in double quotes unless single ones need fewer escapes."""
    inner = repr(f"{value}\"'")[1:-4]  # both quotes in it: only the single ones are escaped
    bare = inner.replace("\\'", "'")
    if bare.count('"') > bare.count("'"):
        return f"'{inner}'"
    return '"' + bare.replace('"', '\\"') + '"'
