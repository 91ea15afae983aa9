"""Where generated source becomes a function: the only `exec` of the project.

Runs at start-up.
"""

from __future__ import annotations

import keyword
import linecache
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Final, cast

_NAME: Final = "_generated_"
_KEPT: Final = 1024  # compiled sources; the others are compiled again


class SourceWriter:
    """Collects the lines of one function, indented by `with writer.indented():`."""

    __slots__ = ("_depth", "_lines")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def line(self, text: str = "") -> None:
        """Add one line at the present depth."""
        self._lines.append("    " * self._depth + text if text else "")

    def lines(self, *texts: str) -> None:
        """Add several lines at the present depth."""
        for text in texts:
            self.line(text)

    def indented(self) -> SourceWriter:
        """Return a context manager in which lines are one step deeper."""
        return self

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"


def compile_function(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Compile *source*, return its function *name*; tracebacks show the source.

    Nothing but *namespace* is in reach of the function, so names and values that come from
    declarations enter through it, or through `repr`.

    Raises:
        ValueError: *name* is no identifier.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name!r} cannot be the name of a generated function")
    filename = f"<msframework {name}>"
    code, lines = _read(name, filename, source)
    linecache.cache[filename] = (len(source), None, lines, filename)
    exec(code, namespace)  # noqa: S102 - the only exec we have
    return cast("Callable[..., Any]", namespace[name])


@lru_cache(maxsize=_KEPT)
def _read(name: str, filename: str, source: str) -> tuple[CodeType, list[str]]:
    """Return the code of *source* and its lines; both share equal parts with others."""
    own, common = f"def {name}(", f"def {_NAME}("
    code, lines = _compile(source.replace(own, common, 1))
    return _rename(code, name, filename), [line.replace(common, own, 1) for line in lines]


@lru_cache(maxsize=_KEPT)
def _compile(source: str) -> tuple[CodeType, list[str]]:
    """Compile *source*, whose function has the name that all have until they get their own.

    PERF: most functions of a service are like another but for the name, and compiling a source
    takes far longer than renaming its code (benchmarks/startup.py).
    """
    return compile(source, "<msframework>", "exec"), source.splitlines(keepends=True)


def _rename(code: CodeType, name: str, filename: str) -> CodeType:
    """Return *code*, and all code within it, with *name* in the place of the common one."""
    consts, names = code.co_consts, code.co_names
    if any(isinstance(item, CodeType) for item in consts):
        consts = tuple(
            _rename(item, name, filename) if isinstance(item, CodeType) else item for item in consts
        )
    if _NAME in names:
        names = tuple(name if item == _NAME else item for item in names)
    return code.replace(
        co_consts=consts,
        co_names=names,
        co_name=code.co_name.replace(_NAME, name, 1),
        co_qualname=code.co_qualname.replace(_NAME, name, 1),
        co_filename=filename,
    )
