"""Which input of a request held the value that PostgreSQL could not take.

asyncpg refuses an argument before anything is sent, and names it by its number in the statement,
which says nothing to a client. A text with NUL is sent; the server refuses it, and names nothing.
Runs per request, when either happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from msframework.db.errors import caused, shown_argument, shows
from msframework.exceptions import InvalidInput, NotFound, ServiceException
from msframework.schemas.storable import why_not_storable
from msframework.serving.request import Request

_MOST_VALUES: Final = 1000
_RANGE: Final = "Value out of range."
_ZONE: Final = "Must be a moment as its column has it, with a zone or without."
_OTHER: Final = "Not a valid value."
# A character that no text of the database can hold; an escape that no text of its JSON can.
_NO_TEXT: Final = ("22021", "22P02", "22P05")


def find_misfit(exc: BaseException, request: Request, location: str) -> ServiceException | None:
    """Return the 404 or 422 for a request whose input held the argument that *exc* is about.

    A value of the path that its column cannot hold is no row's, so there is nothing under it: 404.
    One of the body or the query is refused by its name: 422.

    Args:
        location: the name of the body in errors: `body` or `form`.
    """
    shown = shown_argument(exc)
    if shown is not None:
        refused: Callable[[object], bool] = partial(shows, shown)
    elif getattr(exc, "sqlstate", None) in _NO_TEXT:
        refused = _is_no_text
    else:
        return None
    if any(map(refused, (request.match_info or {}).values())):
        return caused(NotFound(), exc)
    for place, value in _places(request.data, refused):
        found: Any = [why_not_storable(value) or _message(exc.__cause__)]
        for key in reversed(place):
            found = {key: found}
        return caused(InvalidInput({location: found}), exc)
    if request.query_string:
        for name, texts in request.get_args(keep_blank_values=True).items():
            if any(text == shown or refused(text) for text in texts):
                return caused(InvalidInput({"query": {name: [_message(exc.__cause__)]}}), exc)
    return None


def _is_no_text(value: object) -> bool:
    return isinstance(value, str) and why_not_storable(value) is not None


def _places(
    data: object, refused: Callable[[object], bool]
) -> Iterator[tuple[tuple[object, ...], object]]:
    """Yield each refused value in *data*, and where it stands, outermost first.

    NOTE: as far as one may look.
    """
    waiting: list[tuple[tuple[object, ...], object]] = [((), data)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        place, value = waiting.pop(0)
        if place and refused(value):
            yield place, value
        waiting.extend(((*place, key), item) for key, item in _items(value))


def _items(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict):
        return list(value.items())[:_MOST_VALUES]
    if isinstance(value, list):
        return enumerate(value[:_MOST_VALUES])
    return ()


def _message(cause: BaseException | None) -> str:
    if isinstance(cause, OverflowError):
        return _RANGE
    text = str(cause)
    if "out of" in text and "range" in text:
        return _RANGE
    return _ZONE if "offset-naive" in text else _OTHER
