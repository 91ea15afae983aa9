"""The rate limits of an operation: those around its method, and the functions that count them.

`read_rates` and `compile_takes` run at start-up; what they make runs per request, within admission:
limits by address before the caller is authenticated, the others when the guards have let it pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from msframework._place import full_name
from msframework.doc import Notes, find_notes
from msframework.exceptions import TooManyRequests
from msframework.limits.caller import key_of_address, key_of_principal, key_of_value
from msframework.limits.meter import RateMeter, RateMeters
from msframework.limits.rate import (
    ADDRESS,
    EXTRA,
    ByCaller,
    RatePolicy,
    as_rate_limit,
    find_mistakes,
    policies_of,
)
from msframework.limits.windows import RateCount
from msframework.metrics import Metrics
from msframework.problem import Problem
from msframework.resource import Resource
from msframework.serving.request import Request

# What counts a request, and raises `TooManyRequests`; a coroutine function where a store is asked.
Take = Callable[[Request], Awaitable[None] | None]
ReadKey = Callable[[Request], bytes]


class LimitedMethod(Protocol):
    """The declarations around one method that may limit it; see `compile.guarding.Surroundings`."""

    @property
    def where(self) -> str:
        """File, line and name of the method, for messages."""

    @property
    def notes(self) -> Notes:
        """The notes on the method."""

    @property
    def shared(self) -> Notes:
        """The notes on its Resource class."""

    @property
    def outer(self) -> Notes:
        """The notes on its blueprint."""

    @property
    def resource(self) -> type[Resource] | None:
        """Its class."""

    @property
    def blueprint(self) -> str:
        """The name of its blueprint."""


@dataclass(frozen=True, slots=True)
class Takes:
    """The meters of one operation: those by address, and the others.

    Attributes:
        is_shared: whether both are coroutine functions.
    """

    before: Take | None = None
    after: Take | None = None
    is_shared: bool = False


NO_TAKES: Final = Takes()
CompileTakes = Callable[[Sequence[RatePolicy]], Takes]


def no_takes(policies: Sequence[RatePolicy]) -> Takes:
    """Return no meters, for a service without rate limits."""
    return NO_TAKES


# The declarations.


def read_rates(
    around: LimitedMethod, id: str, service: Sequence[str], problems: list[str]
) -> tuple[RatePolicy, ...]:
    """Return the limits of an operation from the outside in.

    Args:
        id: the name of the budget of its own limits.
        service: the limits of all operations (`RATE_LIMITS`).
    """
    found: list[RatePolicy] = []
    for where, place, given in _levels(around, id, service, problems):
        for each in given:
            found += _read(each, where, place, problems)
    named: dict[str, RatePolicy] = {}
    for policy in found:
        if named.setdefault(policy.name, policy) is not policy:
            text = f"two of its rate limits are called {policy.name}: a caller meets the lower one"
            advice = "Drop one of them, or give one another scope=."
            problems.append(Problem(around.where, text, advice=advice))
    return tuple(named.values())


def _levels(
    around: LimitedMethod, id: str, service: Sequence[str], problems: list[str]
) -> Iterator[tuple[str, str, Sequence[object]]]:
    """Yield place, name of the budget and limits of each level around a method."""
    notes, shared, outer, resource = around.notes, around.shared, around.outer, around.resource
    for each, where in ((notes, around.where), (shared, _name_of(resource))):
        if each.unlimited and each.rate_limits:
            found = "@doc.unlimited stands on it, and rate limits too"
            problems.append(Problem(where, found, advice="Drop one of them."))
    if outer.unlimited:
        advice = "Put it on the methods or Resource classes that nothing limits."
        found = "@doc.unlimited stands on it"
        problems.append(Problem(f"blueprint {around.blueprint!r}", found, advice=advice))
    if not (notes.unlimited or shared.unlimited):
        yield "RATE_LIMITS", "service", service
        yield f"blueprint {around.blueprint!r}", around.blueprint, outer.rate_limits
    if not notes.unlimited and resource is not None:
        name = ".".join(filter(None, (around.blueprint, resource.__name__)))
        for cls in reversed(resource.__mro__):
            its = find_notes(cls)
            if its is not None:
                yield full_name(cls), name, its.rate_limits
    yield around.where, id, notes.rate_limits


def _name_of(resource: type[Resource] | None) -> str:
    return "" if resource is None else full_name(resource)


def _read(given: object, where: str, place: str, problems: list[str]) -> list[RatePolicy]:
    """Return the policies of one declared limit; append what is wrong with it to *problems*."""
    try:
        limit = as_rate_limit(given)
        mistakes = list(find_mistakes(limit))
    except TypeError as exc:
        advice = "Write a text such as '100/minute', or RateLimit('100/minute', by='address')."
        problems.append(Problem(where, str(exc), advice=advice))
        return []
    except ModuleNotFoundError as exc:
        found = f"rate limits need the package {exc.name!r}, which is not installed"
        problems.append(Problem(where, found, advice=f"Install it: {EXTRA}."))
        return []
    problems.extend(Problem(where, found, advice=advice) for found, advice in mistakes)
    return [] if mistakes else policies_of(limit, place)


def asks_principal(policies: Sequence[RatePolicy]) -> bool:
    """Return whether any of *policies* is by whatever may depend on the principal."""
    return any(policy.by != ADDRESS for policy in policies)


# The functions that count.


def build_compile_takes(
    meters: RateMeters, metrics: Metrics, *, behind_proxy: bool
) -> CompileTakes:
    """Return `compile_takes(policies)`.

    Args:
        behind_proxy: whether the settings trust the headers of a proxy on the address.
    """
    by_address: ReadKey = _read_proxied if behind_proxy else _read_address

    def compile_takes(policies: Sequence[RatePolicy]) -> Takes:
        if not policies:
            return NO_TAKES
        first = [policy for policy in policies if policy.by == ADDRESS]
        then = [policy for policy in policies if policy.by != ADDRESS]
        return Takes(make(first), make(then), meters.store is not None)

    def make(policies: list[RatePolicy]) -> Take | None:
        if not policies:
            return None
        added = meters.add(policies, metrics)
        plan = [
            (meter, _reader_of(policy.by, by_address))
            for meter, policy in zip(added, policies, strict=True)
        ]
        if meters.store is not None:
            return partial(_take_shared, meters, plan)
        return partial(_take_own, *plan[0]) if len(plan) == 1 else partial(_take_all, plan)

    return compile_takes


def _reader_of(by: str | ByCaller, by_address: ReadKey) -> ReadKey:
    """Return the function that reads the key of a caller."""
    if by == ADDRESS:
        return by_address

    def read_principal(request: Request) -> bytes:
        principal = request.principal
        if principal is None:
            return by_address(request)
        return key_of_principal(principal.authenticator, principal.id)

    if isinstance(by, str):
        return read_principal

    def read_own(request: Request) -> bytes:
        value = by(request)
        if value is None:
            return read_principal(request)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(
                f"what a rate limit is by returned {type(value).__qualname__}; expected a text, a "
                "whole number or None"
            )
        return key_of_value(value)

    return read_own


def _read_address(request: Request) -> bytes:
    """Return the key of the address that the connection comes from; nobody can say another."""
    connection = request.conn_info
    return key_of_address("" if connection is None else connection.client_ip)


def _read_proxied(request: Request) -> bytes:
    """Return the key of the address that the proxies say, as the settings believe them."""
    return key_of_address(request.client_ip)


def _take_own(meter: RateMeter, read_key: ReadKey, request: Request) -> None:
    """Count a request by one policy in this process."""
    # PERF: no list and no await, as most operations have one limit (benchmarks/rates.py).
    found = meter.count(read_key(request))
    request.rates = (*(request.rates or ()), (meter, found))
    if not found[0]:
        raise _refusal((meter,), (found,))


def _take_all(plan: Sequence[tuple[RateMeter, ReadKey]], request: Request) -> None:
    """Count a request by several policies in this process."""
    counts = [meter.count(read_key(request)) for meter, read_key in plan]
    _conclude([meter for meter, _ in plan], counts, request)


async def _take_shared(
    meters: RateMeters, plan: Sequence[tuple[RateMeter, ReadKey]], request: Request
) -> None:
    """Count a request by its policies in the store."""
    asked = [meter for meter, _ in plan]
    keys = [read_key(request) for _, read_key in plan]
    _conclude(asked, await meters.count_shared(asked, keys), request)


def _conclude(meters: Sequence[RateMeter], counts: Sequence[RateCount], request: Request) -> None:
    request.rates = (*(request.rates or ()), *zip(meters, counts, strict=True))
    if not all(allowed for allowed, _, _ in counts):
        raise _refusal(meters, counts)


def _refusal(meters: Sequence[RateMeter], counts: Sequence[RateCount]) -> TooManyRequests:
    """Return the failure of a caller who has used up its budgets (RFC 6585, 4)."""
    refused = [
        (meter.policy, seconds)
        for meter, (allowed, _, seconds) in zip(meters, counts, strict=True)
        if not allowed
    ]
    allowed = " and ".join(f"{policy.amount}/{policy.unit}" for policy, _ in refused)
    seconds = max(seconds for _, seconds in refused)
    return TooManyRequests(
        f"no more than {allowed} are allowed", headers={"Retry-After": str(seconds)}
    )
