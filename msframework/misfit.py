"""Which input of a request held the value that PostgreSQL could not take.

asyncpg refuses an argument before anything is sent, and names it by its number in the statement,
which says nothing to a client. Runs per request, when that happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msframework.db.errors import caused, shown_argument, shows
from msframework.exceptions import InvalidInput, NotFound, ServiceException
from msframework.schemas.storable import NUL, SURROGATE

_MOST_VALUES: Final = 1000
_RANGE: Final = "Value out of range."
_ZONE: Final = "Must be a moment as its column has it, with a zone or without."
_OTHER: Final = "Not a valid value."


def find_misfit(exc: BaseException, request: Any, location: str) -> ServiceException | None:
    """Return the 404 or 422 for a request whose input held the argument that *exc* is about.

    A value of the path that its column cannot hold is no row's, so there is nothing under it: 404.
    One of the body or the query is refused by its name: 422.

    Args:
        location: what the body is called in errors: `body` or `form`.
    """
    shown = shown_argument(exc)
    if shown is None:
        return None
    if any(shows(shown, value) for value in (request.match_info or {}).values()):
        return caused(NotFound(), exc)
    messages = [_message(exc.__cause__)]
    for place in _places(request.data, shown):
        found: Any = messages
        for key in reversed(place):
            found = {key: found}
        return caused(InvalidInput({location: found}), exc)
    if request.query_string:
        for name, texts in request.get_args(keep_blank_values=True).items():
            if any(text == shown or shows(shown, text) for text in texts):
                return caused(InvalidInput({"query": {name: messages}}), exc)
    return None


def _places(data: Any, shown: str) -> Iterator[tuple[Any, ...]]:
    """Yield where in *data* the value stands, outermost first, as far as one may look."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), data)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        place, value = waiting.pop(0)
        if place and shows(shown, value):
            yield place
        waiting.extend(((*place, key), item) for key, item in _items(value))


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())[:_MOST_VALUES]
    if isinstance(value, list):
        return enumerate(value[:_MOST_VALUES])
    return ()


def _message(cause: BaseException | None) -> str:
    if isinstance(cause, OverflowError):
        return _RANGE
    if isinstance(cause, UnicodeEncodeError):
        return SURROGATE
    text = str(cause)
    if "out of" in text and "range" in text:
        return _RANGE
    if "offset-naive" in text:
        return _ZONE
    return NUL if "null" in text.lower() and "character" in text else _OTHER
