"""`RateLimit`: a declared limit on the requests of each caller; `RatePolicy`: one limit of it.

Runs at start-up.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from msframework._signature import read_signature

# A function of the request that returns the caller's key, or `None` for its principal or address.
ByCaller = Callable[[Any], str | int | None]

PRINCIPAL: Final = "principal"
ADDRESS: Final = "address"
EXTRA: Final = "pip install 'msframework[limits]'"
_MOST: Final = 1_000_000_000  # requests
_LONGEST: Final = 366 * 24 * 3600  # seconds
_EXAMPLE: Final = "'100/minute', '10/second' or '500/6 hours'"
_UNITS: Final = "second, minute, hour, day, month and year"
_is_scope: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}").fullmatch
_read_text: Final = re.compile(r"(.*?)(?:\s+by\s+(\w+))?\s*", re.DOTALL).fullmatch
_not_plain: Final = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit, or several separated by semicolons, on the requests of each caller.

    Attributes:
        rate: requests and time: `100/minute`, `10/second; 500/6 hours`.
        by: the caller: `principal` (for an anonymous caller, its address), `address`, or a function
            of the request that returns a text, a whole number, or `None` (as `principal`).
        scope: the name of the budget; limits of one scope share it. By default it is that of the
            place where the limit stands: a method, a Resource, a Blueprint, the service.
        cost: how much of the budget one request uses.
    """

    rate: str
    by: str | ByCaller = PRINCIPAL
    scope: str = ""
    cost: int = 1


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """One limit of an operation.

    Attributes:
        scope: the name of the budget that requests use.
        by: the caller, as in `RateLimit`.
        amount: how much of the budget a caller may use in one window.
        window: the length of a window in seconds.
        unit: that length in words: `minute`, `6 hours`.
        cost: how much of the budget one request uses.
    """

    scope: str
    by: str | ByCaller
    amount: int
    window: int
    unit: str
    cost: int = 1

    @property
    def caller(self) -> str:
        """The name of what callers are told apart by: `principal`, `address`, or a function."""
        return self.by if isinstance(self.by, str) else _name_of(self.by)

    @property
    def name(self) -> str:
        """The name in headers and metrics, unique within an operation."""
        return f"{self.scope}/{self.caller}/{self.unit.replace(' ', '-')}"

    @property
    def text(self) -> str:
        """The limit in words."""
        cost = f", {self.cost} each time" if self.cost > 1 else ""
        return f"{self.amount}/{self.unit} by {self.caller}{cost}"

    @property
    def item(self) -> str:
        """The Quota Policy Item (draft-ietf-httpapi-ratelimit-headers-11, 3.1)."""
        return f'"{self.name}";q={self.amount};w={self.window}'


def _name_of(function: ByCaller) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return _not_plain.sub("_", name).strip("_") or "own"


def _is_late(function: object) -> bool:
    """Tell whether *function* returns no key, but what has to be awaited or iterated for one."""
    called = getattr(type(function), "__call__", None)  # noqa: B004 - of a class of its own
    return any(
        inspect.iscoroutinefunction(each)
        or inspect.isgeneratorfunction(each)
        or inspect.isasyncgenfunction(each)
        for each in (function, called)
    )


def _takes_one(function: ByCaller) -> bool:
    """Tell whether *function* can be called with one argument; without a signature it may be."""
    with suppress(ValueError):
        try:
            read_signature(function).bind(None)
        except TypeError:
            return False
    return True


def as_rate_limit(given: object) -> RateLimit:
    """Return *given* as a limit; it may be a text, such as `9/minute by address`.

    Raises:
        TypeError: *given* is neither a text nor a limit.
    """
    if isinstance(given, RateLimit):
        return given
    if not isinstance(given, str):
        raise TypeError(f"{given!r} is no rate limit")
    match = _read_text(given)
    assert match is not None  # which takes any text
    return RateLimit(match[1], match[2] or PRINCIPAL)


def find_mistakes(limit: RateLimit) -> Iterator[tuple[str, str]]:
    """Yield each mistake in *limit*, and advice."""
    by: Any = limit.by
    if isinstance(by, str) and by not in (PRINCIPAL, ADDRESS):
        yield (
            f"a rate limit is by {by!r}; expected 'principal', 'address' or a function",
            "Write by='address', or by=function, which takes the request.",
        )
    elif not isinstance(by, str) and (not callable(by) or _is_late(by)):
        yield (
            f"a rate limit is by {by!r}, which is no plain function",
            "Write `def tenant(request)`, which returns a text, a number or None.",
        )
    elif not isinstance(by, str) and not _takes_one(by):
        yield (
            f"a rate limit is by {by!r}, which cannot be called with the request alone",
            "Write `def tenant(request)`.",
        )
    if limit.scope and _is_scope(limit.scope) is None:
        yield (
            f"a rate limit has the scope {limit.scope!r}",
            "Write at most 64 letters, digits, dots, hyphens and underscores, a letter first.",
        )
    try:
        rates = parse_rates(limit.rate)
    except ValueError as exc:
        yield str(exc), f"Write {_EXAMPLE}; the times are {_UNITS}."
        return
    cost: Any = limit.cost
    least = min(amount for amount, _, _ in rates)
    if isinstance(cost, bool) or not isinstance(cost, int) or not 1 <= cost <= least:
        found = f"a rate limit of {limit.rate!r} has the cost {cost!r}, which it never allows"
        yield found, f"Write a whole number from 1 to {least}."


def parse_rates(text: object) -> list[tuple[int, int, str]]:
    """Return amount, seconds and unit of each limit in *text*.

    Raises:
        ValueError: *text* is no limit, or allows nothing, or is beyond the greatest limit.
        ModuleNotFoundError: the package `limits` is not installed.
    """
    # PERF: the import is slow, and most services have no limits.
    from limits import parse_many

    try:
        items = parse_many(text)  # type: ignore[arg-type]
    except ValueError:
        raise ValueError(f"{text!r} is no rate limit") from None
    found = []
    for item, piece in zip(items, re.split(r"[,;|]", str(text)), strict=True):
        amount, window = item.amount, item.get_expiry()
        # NOTE: the library takes "1/0 minutes" for "1/minute".
        if amount < 1 or any(int(each) < 1 for each in re.findall(r"\d+", piece)):
            raise ValueError(f"{text!r} allows nothing: its number or its time is 0")
        if amount > _MOST or window > _LONGEST:
            raise ValueError(
                f"{text!r} is beyond the greatest limit: {_MOST} requests, and {_LONGEST} seconds"
            )
        multiple, unit = item.multiples, item.GRANULARITY.name
        found.append((amount, window, unit if multiple == 1 else f"{multiple} {unit}s"))
    return found


def policies_of(limit: RateLimit, place: str) -> list[RatePolicy]:
    """Return the policies of *limit*, which has no mistake and stands on *place*."""
    # NOTE: the names of headers are ASCII (RFC 9651, 3.3.3), those of functions need not be.
    scope = limit.scope or quote(place, safe=" ")
    return [
        RatePolicy(scope, limit.by, amount, window, unit, limit.cost)
        for amount, window, unit in parse_rates(limit.rate)
    ]
