"""`PrincipalSource`: a function of the service that returns principals, with its result checked.

Made at start-up, where an authenticator is; called per request.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final

from msframework._signature import read_signature
from msframework.exceptions import ImproperlyConfigured
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request

# Returns the caller who has the credentials; may also take `request`.
FindPrincipal = Callable[..., "Principal | Awaitable[Principal | None] | None"]


class PrincipalSource:
    """Calls *function* with the credentials, and with the request if it has a parameter for it.

    Args:
        function: a function or coroutine function that returns a `Principal` or `None`.
        where: who was given it, for messages.
        credentials: the names of what it is called with, in their order.

    Raises:
        ImproperlyConfigured: it can't be called with these arguments.
    """

    __slots__ = ("_function", "_request_at", "_where")

    def __init__(self, function: object, where: str, credentials: tuple[str, ...]) -> None:
        taken = ", ".join(credentials)
        expected = f"a function of ({taken}) or (request, {taken})"
        if not callable(function):
            found = f"an object of {type(function).__name__} was given"
            raise ImproperlyConfigured(Problem(where, found, expected, "Pass the function itself."))
        self._request_at: Final = _find_request(function)
        try:
            given = _arrange(self._request_at, None, credentials)
            read_signature(function).bind(*given[0], **given[1])
        except TypeError as exc:
            raise ImproperlyConfigured(
                Problem(where, f"{_name_of(function)} can't be called: {exc}", expected)
            ) from exc
        except ValueError:  # a function of C tells nothing
            pass
        self._function: Final = function
        self._where: Final = where

    async def find(self, request: Request, *credentials: str) -> Principal | None:
        """Return the principal of *credentials*; `None` where the function knows none.

        Raises:
            TypeError: the function returned something else.
        """
        args, kwargs = _arrange(self._request_at, request, credentials)
        found: Any = self._function(*args, **kwargs)
        if inspect.isawaitable(found):
            found = await found
        if found is None or isinstance(found, Principal):
            return found
        raise TypeError(
            f"{self._where}: the function returned an object of {type(found).__name__}; "
            "expected a Principal, or None for wrong credentials."
        )


class RequestPlace(Enum):
    """How a function takes the request."""

    NOWHERE = 0
    FIRST = 1
    BY_NAME = 2


def _find_request(function: Callable[..., Any]) -> RequestPlace:
    try:
        names = list(read_signature(function).parameters)
    except (TypeError, ValueError):
        return RequestPlace.NOWHERE
    if "request" not in names:
        return RequestPlace.NOWHERE
    return RequestPlace.FIRST if names[0] == "request" else RequestPlace.BY_NAME


def _arrange(
    place: RequestPlace, request: Request | None, credentials: tuple[str, ...]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments, by position and by name."""
    if place is RequestPlace.FIRST:
        return (request, *credentials), {}
    return credentials, {"request": request} if place is RequestPlace.BY_NAME else {}


def _name_of(function: object) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
