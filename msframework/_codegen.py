"""Where generated source becomes a function: the only `exec` of the project.

Runs at start-up.
"""

from __future__ import annotations

import keyword
import linecache
from collections.abc import Callable
from typing import Any, cast


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
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - the only exec we have
    function = cast("Callable[..., Any]", namespace[name])
    return function
