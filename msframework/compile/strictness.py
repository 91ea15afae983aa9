"""`STRICT_QUERY`: the names of a query that no input declares are refused.

The check is made at start-up, and runs per request that has a query string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msframework.alike import find_alike
from msframework.compile.request import Errors, add_errors, query_names
from msframework.operation import Input
from msframework.problem import list_names
from msframework.serving.request import Request

_MOST_TOLD: Final = 30
_MOST_ASKED: Final = 5
CheckQuery = Callable[[Request, Errors], None]


def compile_query_check(inputs: Iterable[Input], max_errors: int) -> CheckQuery:
    """Return the function that refuses the names of a query that none of *inputs* reads."""
    known = query_names(inputs)

    def check_query(request: Request, errors: Errors) -> None:
        if not request.query_string:
            return
        told: dict[str, Any] = errors.get("query", {})
        args = request.get_args(keep_blank_values=True)
        unknown = [name for name in args if name not in known and name not in told]
        if unknown:
            # NOTE: to look for a like name takes time, which a caller must not make grow.
            wrong = {
                name: [why_unknown(name, known if number < _MOST_ASKED else ())]
                for number, name in enumerate(unknown[: max_errors + 1])
            }
            add_errors(errors, "query", wrong, max_errors)

    return check_query


def why_unknown(name: str, known: Iterable[str]) -> str:
    """Return the message for the unknown *name*, with the first `_MOST_TOLD` of *known*."""
    names = sorted(known)
    if not names:
        return "Unknown parameter."
    meant = find_alike(name, names)
    asked = f" Did you mean {meant!r}?" if meant else ""
    return f"Unknown parameter; there are {list_names(names, _MOST_TOLD)}.{asked}"
