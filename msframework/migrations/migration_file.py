"""One migration file: its name, its contents, and the mistakes in it. Runs at start-up.

A file assigns `operations`, or defines `up(migrator, db)` and perhaps `down(migrator, db)`. An
error names the file and the line, and the correction.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msframework._signature import read_signature
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.program import check_operations
from msframework.migrations.schema import EnumType, SchemaState, Table

_NAME: Final = re.compile(r"(?P<number>\d+)_\w+\Z")
_SQUASHED: Final = re.compile(r"\d+_squashed_(?P<last>\d+)_")
_EXAMPLE: Final = "0002_add_sex.py"
_FORMS: Final = ("operations", "up")
KNOWN: Final = (
    *("operations", "state", "depends", "atomic", "replaces", "adopted"),
    *("up", "down", "author", "written", "allow"),
)
# What other tools call the same.
_FOREIGN: Final = {
    "dependencies": "depends",
    "down_revision": "depends",
    "downgrade": "down",
    "upgrade": "up",
    "forwards": "up",
    "backwards": "down",
}


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """A file below `migrations/` that has the name of a migration, not loaded yet."""

    path: Path

    @property
    def name(self) -> str:
        """The name that it is recorded under."""
        return self.path.stem

    @property
    def number(self) -> int:
        """The number that its name begins with."""
        return int(self.name.partition("_")[0])

    @property
    def last_number(self) -> int:
        """The number behind which the next file goes on; a squashed one covers several."""
        squashed = _SQUASHED.match(self.name)
        return int(squashed["last"]) if squashed else self.number


@dataclass(frozen=True, slots=True)
class MigrationContent:
    """The checked contents of a migration file.

    Args:
        operations: none of a file with `up`.
        depends: as written, without what is understood by the order of the files.
        replaces: the migrations that it was squashed from, as `app.name`.
    """

    module: ModuleType
    operations: tuple[MigrationOperation, ...] = ()
    depends: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def find_files(directory: Path) -> list[MigrationFile]:
    """Return the migrations of *directory*, by number and name.

    Raises:
        ImproperlyConfigured: a migration's file has an invalid name.
    """
    found, problems = [], []
    for path in sorted(directory.glob("*.py")):
        if _NAME.match(path.stem):
            found.append(MigrationFile(path))
        elif path.stem[:1].isdigit() or _is_migration(path):
            problems.append(
                f"{path}: this is no name of a migration. Begin it with a number, then a word in "
                f"letters, digits and underscores, as {_EXAMPLE}."
            )
    if problems:
        raise ImproperlyConfigured.of(problems)
    return sorted(found, key=lambda file: (file.number, file.name))


def read_content(file: MigrationFile) -> MigrationContent:
    """Run *file* and return what it says.

    Raises:
        ImproperlyConfigured: all mistakes in it, together.
    """
    module = _load(file)
    problems = list(_find_misspelt(file, module))
    forms = [name for name in _FORMS if hasattr(module, name)]
    if len(forms) == 2:
        problems.append(
            f"{file.path}: has both operations and up(migrator, db). Put what up does into the "
            "operations, as Run(up), or into a file of its own."
        )
    elif not forms and not problems:
        problems.append(
            f"{file.path}: defines neither operations nor up(migrator, db). Write operations = () "
            "if it does nothing."
        )
    content = _check(file, module, problems)
    if problems:
        raise ImproperlyConfigured.of(problems)
    return content


def _check(file: MigrationFile, module: ModuleType, problems: list[str]) -> MigrationContent:
    operations: tuple[MigrationOperation, ...] = ()
    try:
        operations = check_operations(str(file.path), getattr(module, "operations", ()))
    except ImproperlyConfigured as exc:
        problems += exc.problems
    try:
        read_module_state(module, str(file.path))
    except ImproperlyConfigured as exc:
        problems += exc.problems
    for name in ("up", "down"):
        if hasattr(module, name) and not callable(getattr(module, name)):
            problems.append(f"{file.path}: {name} is no function. Write def {name}(migrator, db).")
    for name in ("atomic", "adopted"):
        value = getattr(module, name, True)
        if not isinstance(value, bool):
            problems.append(f"{file.path}: {name} is {value!r}; write True or False.")
    if hasattr(module, "operations") and hasattr(module, "down"):
        problems.append(
            f"{file.path}: has operations and down. Each operation is reversed by itself; for "
            "your own write Run(forward, backward)."
        )
    depends, replaces = (_names(file, module, each, problems) for each in ("depends", "replaces"))
    return MigrationContent(module, operations, depends, replaces)


def _names(
    file: MigrationFile, module: ModuleType, attribute: str, problems: list[str]
) -> tuple[str, ...]:
    value = getattr(module, attribute, ())
    if not isinstance(value, tuple | list) or not all(isinstance(each, str) for each in value):
        problems.append(f"{file.path}: {attribute} is {value!r}; write a tuple of 'app.name'.")
        return ()
    return tuple(value)


def read_module_state(module: object, where: str = "") -> SchemaState | None:
    """Return the `state` that the file says which *module* was loaded from, if any.

    Raises:
        ImproperlyConfigured: it is none.
    """
    value = getattr(module, "state", None)
    if value is None or isinstance(value, SchemaState):
        return value
    if not isinstance(value, tuple | list):
        raise ImproperlyConfigured(f"{where}: state is {value!r}; write a tuple of Table(…).")
    for each in value:
        if not isinstance(each, Table | EnumType):
            raise ImproperlyConfigured(
                f"{where}: state holds {each!r}; it takes Table(…) and EnumType(…) only."
            )
    return SchemaState(
        tuple(each for each in value if isinstance(each, Table)),
        enums=tuple(each for each in value if isinstance(each, EnumType)),
    )


def _load(file: MigrationFile) -> ModuleType:
    # NOTE: not by the import system's name, as the names of migrations are the same in many apps.
    spec = importlib.util.spec_from_file_location(file.name, file.path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        where = f"{file.path}:{line}" if (line := _line_of(file, exc)) else str(file.path)
        if isinstance(exc, ImproperlyConfigured):
            problems = [f"{where}: {problem}" for problem in exc.problems]
            raise ImproperlyConfigured.of(problems) from exc
        text = exc.msg if isinstance(exc, SyntaxError) else str(exc)
        advice = _advise(exc)
        said = f"{type(exc).__name__}: {text}".removesuffix(": ")
        raise ImproperlyConfigured(f"{where}: {said}.{' ' + advice if advice else ''}") from exc
    return module


def _line_of(file: MigrationFile, exc: BaseException) -> int | None:
    """Return the line of *file* that *exc* came from."""
    if isinstance(exc, SyntaxError) and exc.filename == str(file.path):
        return exc.lineno
    found, traceback = None, exc.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file.path):
            found = traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def _advise(exc: BaseException) -> str:
    """Return a correction of the mistake, as a sentence; nothing where none is known."""
    ours: Any = sys.modules["msframework.migrations"]
    if isinstance(exc, ImportError) and exc.name == ours.__name__:
        named = re.search(r"cannot import name '(\w+)'", str(exc))
        close = difflib.get_close_matches(named[1], ours.__all__, 1) if named else []
        return f"Did you mean {close[0]}?" if close else ""
    called = re.match(r"(\w+)\.__(?:init|new)__\(\)", str(exc))
    if isinstance(exc, TypeError) and called and called[1] in ours.__all__:
        return f"Write {called[1]}({', '.join(_parameters(getattr(ours, called[1])))})."
    return ""


def _parameters(called: Any) -> Iterator[str]:
    for parameter in read_signature(called).parameters.values():
        bare = parameter.default is inspect.Parameter.empty
        yield parameter.name if bare else f"{parameter.name}={parameter.default!r}"


def _find_misspelt(file: MigrationFile, module: ModuleType) -> Iterator[str]:
    """Yield a problem for each name of *file* that is probably a misspelt one of `KNOWN`."""
    for name in _defined(file.path):
        if name in KNOWN or name.startswith("_") or not hasattr(module, name):
            continue
        meant = _FOREIGN.get(name.lower())
        if meant is None:
            close = difflib.get_close_matches(name.lower(), KNOWN, 1, cutoff=0.8)
            meant = close[0] if close else None
        if meant is not None and not hasattr(module, meant):
            yield (
                f"{file.path}: {name} means nothing to a migration. Did you mean {meant}? A name "
                "of your own begins with an underscore."
            )


def _defined(path: Path) -> list[str]:
    """Return the names that the file at *path* defines at its top, imports apart."""
    found: list[str] = []
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [each.id for each in node.targets if isinstance(each, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
    return found


def _is_migration(path: Path) -> bool:
    try:
        return any(name in _FORMS for name in _defined(path))
    except (SyntaxError, ValueError):
        return False  # nobody loads it as a migration
