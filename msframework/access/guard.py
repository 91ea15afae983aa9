"""Guards: conditions that a caller must meet, and how they are combined.

Made at start-up, where `access.policy` brings those of an operation into their normal form;
`allows` runs per request, as the compiled handler asks for it, and `check` where a method does.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from msframework._signature import read_signature
from msframework.exceptions import Forbidden, Unauthorized
from msframework.principal import Principal
from msframework.serving.request import Request

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# The verdicts of guards that were asked already, by the identity of the guard.
Verdicts: TypeAlias = dict[int, bool]


class Guard:
    """A condition on the caller. Derive from it; write `allows`, `allows_object`, or both.

    `async allows(self, request, principal, …)` returns whether the caller may call the operation;
    it takes path parameters by name. `async allows_object(self, request, principal, obj)` returns
    whether the caller may access the object that `check` is given. Both may be plain functions.
    They must return a bool: anything else is an error (500).

    Attributes:
        needs_principal: whether anonymous callers are refused without asking the guard.
    """

    needs_principal: ClassVar[bool] = True

    def on(self, *methods: str) -> Guard:
        """Return this guard limited to *methods*; HEAD counts as GET."""
        return Narrowed(self, methods)

    def __and__(self, other: object) -> Guard:
        return AllOf((self, other)) if isinstance(other, Guard) else NotImplemented

    def __or__(self, other: object) -> Guard:
        return AnyOf((self, other)) if isinstance(other, Guard) else NotImplemented

    def __invert__(self) -> Guard:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a guard has no truth value; combine guards with &, | and ~")

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}()"

    async def check(self, request: Request, obj: object) -> None:
        """Refuse the caller of *request* unless it may access *obj*.

        In a combination each guard with `allows_object` is asked about *obj*, every other one about
        the request.

        Raises:
            Unauthorized: the caller is anonymous, and a guard needs a principal.
            Forbidden: the caller may not access it.
        """
        method = "GET" if request.method == "HEAD" else request.method
        narrowed = self.narrow(method)
        if narrowed is None:
            return
        condition, principal = narrowed.resolve(negated=False), request.principal
        if await _meets(condition, request, principal, obj, {}):
            return
        if principal is None and any(leaf.needs_principal for leaf in leaves_of(condition)):
            raise Unauthorized
        raise Forbidden

    # Its normal form.

    def narrow(self, method: str) -> Guard | None:
        """Return the part of this guard that holds for *method*, or `None`."""
        return self

    def resolve(self, *, negated: bool) -> Guard:
        """Return this guard with each `~` at a single guard (De Morgan's laws)."""
        return Not(self) if negated else self


@dataclass(frozen=True, repr=False)
class Authenticated(Guard):
    """A caller with a principal, from whichever authenticator."""


@dataclass(frozen=True, repr=False)
class AuthenticatedBy(Guard):
    """A caller whose principal comes from one of these authenticators."""

    names: frozenset[str]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", frozenset(names))

    def __repr__(self) -> str:
        return _call(self, sorted(self.names))


@dataclass(frozen=True, repr=False)
class ScopeGuard(Guard):
    """A guard that names scopes."""

    scopes: tuple[str, ...]

    def __init__(self, *scopes: str) -> None:
        object.__setattr__(self, "scopes", scopes)

    def __repr__(self) -> str:
        return _call(self, self.scopes)


class Scopes(ScopeGuard):
    """A caller with all of these scopes."""


class AnyScope(ScopeGuard):
    """A caller with at least one of these scopes."""


@dataclass(frozen=True, repr=False)
class AllOf(Guard):
    """A caller whom each of these guards allows."""

    guards: tuple[Guard, ...]

    def __repr__(self) -> str:
        return " & ".join(
            f"({guard})" if isinstance(guard, AnyOf) else str(guard) for guard in self.guards
        )

    def narrow(self, method: str) -> Guard | None:
        """Return the guard of the members that apply to *method*; `None` where none does."""
        left = _narrow(self.guards, method)
        return AllOf(left) if left else None

    def resolve(self, *, negated: bool) -> Guard:
        """Return all of the guards resolved; negated, any of them negated."""
        return _join(AnyOf if negated else AllOf, self.guards, negated)


@dataclass(frozen=True, repr=False)
class AnyOf(Guard):
    """A caller whom one of these guards allows."""

    guards: tuple[Guard, ...]

    def __repr__(self) -> str:
        return " | ".join(map(str, self.guards))

    def narrow(self, method: str) -> Guard | None:
        """Return the guard of the members that apply to *method*; `None` where none does."""
        left = _narrow(self.guards, method)
        return AnyOf(left) if left else None

    def resolve(self, *, negated: bool) -> Guard:
        """Return any of the guards resolved; negated, all of them negated."""
        return _join(AllOf if negated else AnyOf, self.guards, negated)


@dataclass(frozen=True, repr=False)
class Not(Guard):
    """A caller whom this guard does not allow."""

    guard: Guard

    def __repr__(self) -> str:
        return f"~({self.guard})" if isinstance(self.guard, AllOf | AnyOf) else f"~{self.guard}"

    def narrow(self, method: str) -> Guard | None:
        """Return the negation of the inner guard for *method*; `None` where that does not apply."""
        left = self.guard.narrow(method)
        return None if left is None else Not(left)

    def resolve(self, *, negated: bool) -> Guard:
        """Return the inner guard resolved, negated once more."""
        return self.guard.resolve(negated=not negated)


@dataclass(frozen=True, repr=False)
class Narrowed(Guard):
    """A guard that is limited to some methods."""

    guard: Guard
    methods: tuple[str, ...]

    def __repr__(self) -> str:
        inner = f"({self.guard})" if isinstance(self.guard, AllOf | AnyOf | Not) else self.guard
        return f"{inner}.on({', '.join(map(repr, self.methods))})"

    def narrow(self, method: str) -> Guard | None:
        """Return the part of the guard that holds for *method*, or `None`."""
        if method not in self.methods:
            return None
        return self.guard.narrow(method)


def _call(guard: Guard, arguments: Iterable[object]) -> str:
    return f"{type(guard).__qualname__}({', '.join(map(repr, arguments))})"


def _narrow(guards: Iterable[Guard], method: str) -> tuple[Guard, ...]:
    """Return the parts of *guards* that hold for *method*."""
    narrowed = [guard.narrow(method) for guard in guards]
    return tuple(guard for guard in narrowed if guard is not None)


def _join(kind: type[AllOf | AnyOf], guards: Iterable[Guard], negated: bool) -> Guard:
    """Return *guards*, resolved, as one *kind*: nested ones are merged, and each stands once."""
    members: list[Guard] = []
    for guard in guards:
        resolved = guard.resolve(negated=negated)
        for each in resolved.guards if isinstance(resolved, kind) else (resolved,):
            if not any(is_same(each, known) for known in members):
                members.append(each)
    return members[0] if len(members) == 1 else kind(tuple(members))


def is_same(one: Guard, other: Guard) -> bool:
    """Tell whether two guards are identical or equal, so that asking one of them is enough."""
    return one is other or (type(one) is type(other) and (one == other) is True)


def leaves_of(condition: Guard) -> list[Guard]:
    """Return the single guards of *condition* in their order, without negations."""
    if isinstance(condition, AllOf | AnyOf):
        return [leaf for each in condition.guards for leaf in leaves_of(each)]
    return leaves_of(condition.guard) if isinstance(condition, Not | Narrowed) else [condition]


def is_own(guard: Guard) -> bool:
    """Tell whether a service wrote *guard*: it has `allows` or `allows_object`."""
    return hasattr(guard, "allows") or hasattr(guard, "allows_object")


def judges_requests(guard: Guard) -> bool:
    """Tell whether *guard* can be asked about a request, not only about objects."""
    return hasattr(guard, "allows") or not hasattr(guard, "allows_object")


def holds(guard: Guard, principal: Principal) -> bool:
    """Tell whether *guard*, one of the framework, allows *principal*."""
    if isinstance(guard, Scopes):
        return principal.scopes.issuperset(guard.scopes)
    if isinstance(guard, AnyScope):
        return not principal.scopes.isdisjoint(guard.scopes)
    if isinstance(guard, AuthenticatedBy):
        return principal.authenticator in guard.names
    if isinstance(guard, Authenticated):
        return True
    raise TypeError(f"{guard!r} has neither allows nor allows_object")


def read_verdict(guard: Guard, verdict: object) -> bool:
    """Return the verdict of *guard*.

    Raises:
        TypeError: it is no bool.
    """
    if verdict is True or verdict is False:
        return verdict
    if inspect.iscoroutine(verdict):
        verdict.close()  # no warning beside the message
    raise TypeError(
        f"{type(guard).__qualname__} must return True or False; it returned "
        f"{type(verdict).__qualname__}"
    )


async def _meets(
    condition: Guard,
    request: Request,
    principal: Principal | None,
    obj: object,
    asked: Verdicts,
) -> bool:
    """Tell whether the caller meets *condition*, a normal form, for *obj*."""
    if isinstance(condition, AllOf | AnyOf):
        ends = isinstance(condition, AnyOf)
        for each in condition.guards:
            if await _meets(each, request, principal, obj, asked) is ends:
                return ends
        return not ends
    negated = isinstance(condition, Not)
    leaf: Guard = condition.guard if isinstance(condition, Not) else condition
    if principal is None and leaf.needs_principal:
        return negated and isinstance(leaf, Authenticated) and not is_own(leaf)
    if id(leaf) not in asked:
        asked[id(leaf)] = await _judge(leaf, request, principal, obj)
    return asked[id(leaf)] is not negated


async def _judge(leaf: Any, request: Request, principal: Principal | None, obj: object) -> bool:
    """Ask a single guard about *obj*, or about the request where it has no `allows_object`."""
    if hasattr(leaf, "allows_object"):
        verdict = leaf.allows_object(request, principal, obj)
        function = leaf.allows_object
    elif hasattr(leaf, "allows"):
        function = leaf.allows
        names = path_names(leaf, request.match_info)
        verdict = function(request, principal, **{name: request.match_info[name] for name in names})
    else:
        assert principal is not None
        return holds(leaf, principal)
    return read_verdict(leaf, await verdict if inspect.iscoroutinefunction(function) else verdict)


def path_names(guard: Any, known: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the path parameters that `allows` takes; all *known* ones for `**`.

    One with a default is only taken where it is *known*.
    """
    parameters = list(read_signature(guard.allows).parameters.values())
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return tuple(known)
    given = set(known)
    star = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
    return tuple(
        each.name
        for each in parameters[2:]
        if each.kind not in star and (each.default is each.empty or each.name in given)
    )
