"""The lines of a project: that which an exception came from, those of a function.

Runs at start-up.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

_OURS: Final = Path(__file__).resolve().parent
_ORIGIN: Final = "__msframework_origin__"
_LIBRARIES: Final = ("msframework", "sanic")
_PYTHONS: Final = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib")
)


def describe(exc: BaseException, *, quoted: bool = True, told: bool = True) -> str:
    """Return place, class and message of *exc*; the place is the project's own last line.

    Args:
        quoted: whether the line itself is shown; one of a settings module may hold a secret.
        told: whether its message is shown; that may hold one, too.
    """
    message = exc.msg if isinstance(exc, SyntaxError) else str(exc) if told else ""
    said = f"{type(exc).__name__}: {message}".removesuffix(": ")
    for path, line, text in reversed(list(_steps(exc))):
        if _is_own(path):
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{said} ({shown}:{line}{f': {text}' if text and quoted else ''})"
    return said


def assignment_of(exc: BaseException) -> str:
    """Return file, line and name of the assignment of a project's module that brought up *exc*."""
    for step in reversed(traceback.extract_tb(exc.__traceback__)):
        path, line = Path(step.filename).resolve(), step.lineno or 0
        if step.name != "<module>" or not (path.is_file() and _is_own(path)):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        around = [node for node in body if node.lineno <= line <= (node.end_lineno or 0)]
        assigned = [node for node in around if isinstance(node, ast.Assign | ast.AnnAssign)]
        targets = [
            target
            for node in assigned
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        ]
        names = " = ".join(ast.unparse(target) for target in targets)
        return f"{short_path(str(path))}:{line} {names}".rstrip()
    return ""


def _is_own(path: Path) -> bool:
    """Tell whether *path* is the project's: neither ours nor Python's."""
    return not any(path.is_relative_to(folder) for folder in (_OURS, *_PYTHONS))


class HandlerOrigin(NamedTuple):
    """The declaration that a handler was made for.

    Attributes:
        file: the file of the declaration, and *line* its line there.
        order: its place among the handlers of the declaration.
        mounted_at: its path below its blueprint's.
        source: its source, where it is generated.
    """

    file: str
    line: int
    order: int
    mounted_at: str
    source: str


def set_origin(handler: object, origin: HandlerOrigin) -> None:
    """Let *origin* be that of *handler*."""
    setattr(handler, _ORIGIN, origin)


def origin_of(handler: object) -> HandlerOrigin | None:
    """Return the declaration that *handler* was made for, if it was."""
    found: HandlerOrigin | None = getattr(handler, _ORIGIN, None)
    return found


def place_of(handler: Callable[..., object], name: str) -> str:
    """Return file, line and *name* of a function, for messages."""
    origin = origin_of(handler)
    if origin is not None and origin.source:
        return f"{short_path(origin.file)}:{origin.line} {name}"
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return name if code is None else f"{short_path(code.co_filename)}:{code.co_firstlineno} {name}"


def full_name(cls: type) -> str:
    """Return module and name of a class, for messages."""
    return f"{cls.__module__}.{cls.__qualname__}"


def short_path(filename: str) -> str:
    """Return *filename* as it is written from the current directory, where it lies below that."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative


def caller_place() -> str:
    """Return file and line of the call into the framework, for messages."""
    file, line = caller_line()
    return f"{short_path(file)}:{line}" if file else "somewhere"


def caller_line() -> tuple[str, int]:
    """Return file and line of the call into the framework; an empty file without any."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES:
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)


def _steps(exc: BaseException) -> Iterator[tuple[Path, int, str]]:
    """Yield file, line and text of each step that led to *exc*."""
    for frame in traceback.extract_tb(exc.__traceback__):
        if not frame.filename.startswith("<"):
            yield Path(frame.filename).resolve(), frame.lineno or 0, frame.line or ""
    if isinstance(exc, SyntaxError) and exc.filename:
        yield Path(exc.filename).resolve(), exc.lineno or 0, (exc.text or "").strip()


def read_statements(function: object) -> list[ast.stmt]:
    """Return all statements of *function*, in order, without those of functions in it.

    Their lines are those of the file. Nothing is found where its source is not at hand.
    """
    try:
        lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):  # no source at hand, or not by itself
        return []
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    if node.name != getattr(function, "__name__", ""):  # a lambda within another function
        return []
    ast.increment_lineno(node, first - 1)
    return list(_statements(node.body))


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case) and not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            yield from _statements(ast.iter_child_nodes(node))
