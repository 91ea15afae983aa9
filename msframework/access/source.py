"""`PrincipalSource`: a function of the service that knows callers, with its result checked.

Made at start-up, where an authenticator is; called per request.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any, Final

from msframework.exceptions import ImproperlyConfigured
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request

# What tells the caller from credentials; may take `request`, too.
FindPrincipal = Callable[..., "Principal | Awaitable[Principal | None] | None"]


class PrincipalSource:
    """Calls *function* with the credentials, and with the request where it has such a parameter.

    Args:
        function: a function or coroutine function that returns a `Principal` or `None`.
        where: who was given it, for messages.

    Raises:
        ImproperlyConfigured: it can't be called.
    """

    __slots__ = ("_function", "_takes_request", "_where")

    def __init__(self, function: FindPrincipal, where: str) -> None:
        if not callable(function):
            raise ImproperlyConfigured(
                Problem(
                    where,
                    f"an object of {type(function).__name__} was given",
                    "a function or coroutine function that returns a Principal or None",
                    "Pass the function itself.",
                )
            )
        self._function: Final = function
        self._takes_request: Final = _takes_request(function)
        self._where: Final = where

    async def find(self, name: str, request: Request, *credentials: str) -> Principal | None:
        """Return the principal of *credentials*; `None` where the function knows of none.

        Args:
            name: the name of the authenticator, which the principal gets where it has none.

        Raises:
            TypeError: the function returned something else.
        """
        if self._takes_request:
            found: Any = self._function(*credentials, request=request)
        else:
            found = self._function(*credentials)
        if inspect.isawaitable(found):
            found = await found
        if found is None:
            return None
        if isinstance(found, Principal):
            return found if found.authenticator else _named(found, name)
        raise TypeError(
            f"{self._where}: the function returned an object of {type(found).__name__}; "
            "expected a Principal, or None for wrong credentials."
        )


def _named(principal: Principal, name: str) -> Principal:
    """Return *principal* with the name of its authenticator; the function may keep the other."""
    named = copy(principal)
    object.__setattr__(named, "authenticator", name)
    return named


def _takes_request(function: FindPrincipal) -> bool:
    try:
        return "request" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of C tells nothing
        return False
