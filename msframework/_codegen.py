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
_KEPT: Final = 1024  # compiled sources; what is not kept is compiled again


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
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    code = _rename(_compile(source.replace(f"def {name}(", f"def {_NAME}(", 1)), name, filename)
    exec(code, namespace)  # noqa: S102 - the only exec we have
    return cast("Callable[..., Any]", namespace[name])


@lru_cache(maxsize=_KEPT)
def _compile(source: str) -> CodeType:
    """Compile *source*, whose function has the name that all have until they get their own.

    PERF: most functions of a service are like another but for the name, and compiling a source
    takes far longer than renaming its code (benchmarks/startup.py).
    """
    return compile(source, "<msframework>", "exec")


def _rename(code: CodeType, name: str, filename: str) -> CodeType:
    """Return *code*, and all code within it, with *name* in the place of the common one."""

    def renamed(text: str) -> str:
        return text.replace(_NAME, name, 1) if text.startswith(_NAME) else text

    return code.replace(
        co_consts=tuple(
            _rename(item, name, filename) if isinstance(item, CodeType) else item
            for item in code.co_consts
        ),
        co_names=tuple(map(renamed, code.co_names)),
        co_name=renamed(code.co_name),
        co_qualname=renamed(code.co_qualname),
        co_filename=filename,
    )
