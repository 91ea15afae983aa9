"""`Resource`: the class that a service writes, one for each path."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from msframework._place import full_name, place_of
from msframework._signature import read_signature
from msframework.access.guard import Guard
from msframework.alike import find_nearest
from msframework.envelope import Envelope
from msframework.problem import Problem
from msframework.types import UNSET, Handler, Unset

METHODS = ("get", "post", "put", "patch", "delete")
# Names by which somebody may mean to guard a class, and what does. Nothing would read them, so that
# the class would be open.
GUARDING_ELSEWHERE: Final[Mapping[str, str]] = {
    "authentication_classes": "AuthenticatedBy(…) among its guards",
    "authenticators": "AuthenticatedBy(…) among its guards",
    "decorators": "guards, or a decorator on each method",
    "get_authenticators": "AuthenticatedBy(…) among its guards",
    "get_permissions": "guards",
    "get_throttles": "@doc.rate_limit(…)",
    "permission_classes": "guards",
    "permissions": "guards",
    "public": "@doc.public",
    "rate_limit": "@doc.rate_limit(…)",
    "rate_limits": "@doc.rate_limit(…)",
    "scopes": "Scopes(…) among its guards",
    "security": "@doc.security(…)",
    "throttle_classes": "@doc.rate_limit(…)",
    "throttle_scope": "@doc.rate_limit(…, scope=…)",
}
_READ = ("guards", "envelope", "priority")


class Resource:
    """The methods of one path: any of `get`, `post`, `put`, `patch`, `delete`.

    One instance serves the whole life of the blueprint, so nothing of a request belongs on `self`.
    HEAD and OPTIONS answer by themselves, and a method that is not there gives 405 with `Allow`.

    Attributes:
        envelope: how this resource wraps its answers; the service's own when `UNSET`, bare bodies
            when `None`.
        guards: whom its methods may be called by, beside those of its bases, its blueprint and the
            service.
        priority: who is refused last under overload: its callers where this is "high", others
            where it is "low"; its blueprint's when empty.
        mounted_at: its path below the blueprint's, set when it is mounted.
        mounted_by: the method of a blueprint that mounts it.
    """

    mounted_at: str = ""

    envelope: ClassVar[Envelope | type[Envelope] | str | Unset | None] = UNSET
    guards: ClassVar[tuple[Guard, ...]] = ()
    priority: ClassVar[str] = ""
    mounted_by: ClassVar[str] = "resource"


def resource_of(handler: object) -> type[Resource] | None:
    """Return the class whose method *handler* is; `None` for a function."""
    owner = getattr(handler, "__self__", None)
    return type(owner) if isinstance(owner, Resource) else None


def misspelt_for_sure(cls: type[Resource]) -> list[str]:
    """Return the mistakes in methods of *cls* that bear the name of an HTTP method."""
    found: list[str] = []
    if cls.mounted_by != Resource.mounted_by:
        advice = f"Mount it with @blueprint.{cls.mounted_by}(…)."
        why = f"it is a {cls.mounted_by}, not one resource"
        return [Problem(full_name(cls), why, advice=advice)]
    for name, method in _functions(cls):
        where = _where(cls, name, method)
        if name not in METHODS and name.lower() in METHODS:
            why = f"nothing calls it, as {name!r} is in capitals"
            found.append(Problem(where, why, advice="Rename it."))
        elif name.lower() in _BY_THEMSELVES:
            why = (
                "nothing calls it, as HEAD and OPTIONS answer by themselves and a Resource has no "
                f"others than {', '.join(METHODS)}"
            )
            found.append(Problem(where, why, advice="Remove it, or write a function."))
    found.extend(
        f"{full_name(cls)}.{name} is {getattr(cls, name)!r}; expected a method. Rename it."
        for name in METHODS
        if hasattr(cls, name) and not callable(getattr(cls, name))
    )
    found.extend(_names_of_others(cls))
    return found


def _names_of_others(cls: type[Resource]) -> Iterator[str]:
    """Yield a mistake for each attribute that looks like one that is read, and is not."""
    own = {name for base in cls.__mro__ if base is not Resource for name in vars(base)}
    for name in sorted(own - vars(object).keys() - set(_READ)):
        close = "" if name.startswith("_") else find_nearest(name, _READ, 0.8)
        if meant := GUARDING_ELSEWHERE.get(name, close):
            yield nothing_reads(full_name(cls), name, meant)


def nothing_reads(where: str, name: str, meant: str) -> Problem:
    """Return the problem of a name that a class has for what is called otherwise."""
    advice = f"Was {meant} meant? Rename it, or let its name begin with an underscore."
    return Problem(where, f"nothing reads its {name!r}", advice=advice)


def misspelt_perhaps(cls: type[Resource]) -> list[str]:
    """Return a warning for each method that takes a request and looks like a misspelt GET, ….

    A class that is mounted otherwise has other methods, which its mounting checks.
    """
    if cls.mounted_by != Resource.mounted_by:
        return []
    return [
        f"{_where(cls, name, method)}: nothing calls it; was {close!r} meant? Rename it, or let "
        "its name begin with an underscore."
        for name, method in _functions(cls)
        if name not in METHODS and name.lower() not in (*METHODS, *_BY_THEMSELVES)
        if "request" in read_signature(method).parameters
        if (close := find_nearest(name.lower(), METHODS, 0.7))
    ]


_BY_THEMSELVES = ("head", "options", "trace", "connect")


def _functions(cls: type[Resource]) -> Iterator[tuple[str, Handler]]:
    """Yield the functions of *cls* and its bases, by name."""
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_"):
            yield name, method


def _where(cls: type[Resource], name: str, method: Handler) -> str:
    return place_of(method, f"{cls.__name__}.{name}")
