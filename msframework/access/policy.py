"""`Access`: the guards of one operation, in the form that is compiled and documented.

The *normal form* of guards holds for one method: guards that are narrowed to other methods are
left out, and `~` only negates single guards. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, TypeAlias

from msframework.access.authenticator import Authenticator
from msframework.access.guard import (
    AllOf,
    AnyOf,
    AnyScope,
    Authenticated,
    AuthenticatedBy,
    Guard,
    Not,
    Scopes,
    is_own,
    judges_requests,
    leaves_of,
)

# Alternatives for the document: names of schemes, each with scopes; an empty one needs none.
Requirements: TypeAlias = tuple[Mapping[str, tuple[str, ...]], ...]
Authenticators: TypeAlias = Mapping[str, Authenticator]
MOST_ALTERNATIVES: Final = 32


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call one operation.

    Attributes:
        guards: the guards of its method in their normal form; a caller must meet all of them.
        is_public: whether it is declared public (`@doc.public`).
        authenticators: those that may identify the caller, in the order in which they are tried.
        is_checked: whether authenticators or guards are asked before the operation runs.
        requirements: the credentials that it accepts, as alternatives.
    """

    guards: tuple[Guard, ...] = ()
    is_public: bool = False
    authenticators: tuple[Authenticator, ...] = ()
    is_checked: bool = False
    requirements: Requirements = field(default=(), repr=False)

    @property
    def for_anonymous(self) -> Guard | bool:
        """The guards left to ask for an anonymous caller; a bool where that is decided already."""
        return fold(AllOf(self.guards), is_known=False)

    @property
    def for_principal(self) -> Guard | bool:
        """The guards left to ask for a principal; a bool where that is decided already."""
        return fold(AllOf(self.guards), is_known=True)

    @property
    def can_pass(self) -> bool:
        """Whether any caller can pass; none can if a principal is needed and nothing gives one."""
        if self.authenticators and self.for_principal is not False:
            return True
        return self.for_anonymous is not False

    @property
    def can_ask(self) -> bool:
        """Whether a 401 is possible: for missing credentials, or for wrong ones."""
        return self.is_checked and bool(self.authenticators)

    @property
    def can_refuse(self) -> bool:
        """Whether a 403 is possible: here, or from `check` about an object."""
        if not self.guards:
            return False
        guard = AllOf(self.guards)
        told = [fold(guard, is_known=True, by=each.name) for each in self.authenticators]
        if not told or any(each is not True for each in told):
            return True
        return not all(judges_requests(leaf) for leaf in leaves_of(guard))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that every caller must have."""
        needed = [each.scopes for each in self.guards if isinstance(each, Scopes)]
        return tuple(dict.fromkeys(scope for scopes in needed for scope in scopes))


# The access of an operation that nothing guards.
OPEN: Final = Access()


def build_access(
    guards: Iterable[Guard],
    method: str,
    authenticators: Authenticators,
    *,
    is_public: bool = False,
    takes_principal: bool = False,
) -> Access:
    """Return the access of one operation.

    Args:
        guards: all that guard it, from the outside in.
        method: its method; HEAD goes with GET.
        authenticators: those of the service by name.
        is_public: whether it is declared public.
        takes_principal: whether its method or a provider takes `principal`.
    """
    normal = normalize(guards, method)
    is_public = is_public and not normal
    knows = bool(authenticators) and (is_public or takes_principal)
    if not normal and not knows:
        return Access(is_public=is_public)
    alternatives = _alternatives(AllOf(normal))
    if alternatives is None:  # too many: those that tell apart who is known at all
        passes = fold(AllOf(normal), is_known=False) is not False
        alternatives = (_Alternative(True), _Alternative())[: 1 + passes]
    names = _applicable(alternatives, authenticators)
    return Access(
        guards=normal,
        is_public=is_public,
        authenticators=tuple(authenticators[name] for name in names),
        is_checked=True,
        requirements=_require(alternatives, names, shows_optional=bool(normal) or takes_principal),
    )


def normalize(guards: Iterable[Guard], method: str) -> tuple[Guard, ...]:
    """Return *guards* for *method* in their normal form, each once."""
    narrowed = AllOf(tuple(guards)).narrow("GET" if method == "HEAD" else method)
    if narrowed is None:
        return ()
    resolved = narrowed.resolve(negated=False)
    return resolved.guards if isinstance(resolved, AllOf) else (resolved,)


# What is asked of a caller.


def fold(condition: Guard, *, is_known: bool, by: str = "") -> Guard | bool:
    """Return the rest of *condition*, a normal form, with and without a principal.

    Args:
        by: the authenticator that gives the principal, where that is known.
    """
    if isinstance(condition, AllOf | AnyOf):
        ends = isinstance(condition, AnyOf)
        left: list[Guard] = []
        for each in condition.guards:
            folded = fold(each, is_known=is_known, by=by)
            if isinstance(folded, Guard):
                left.append(folded)
            elif folded is ends:
                return ends
        if not left:
            return not ends
        return left[0] if len(left) == 1 else type(condition)(tuple(left))
    negated = isinstance(condition, Not)
    leaf = condition.guard if isinstance(condition, Not) else condition
    if isinstance(leaf, Authenticated) and not is_own(leaf):
        return is_known is not negated
    # An anonymous caller meets no guard that needs a principal, nor the negation of one.
    if leaf.needs_principal and not is_known:
        return False
    if isinstance(leaf, AuthenticatedBy) and is_known and by:
        return (by in leaf.names) is not negated
    # NOTE: what a guard says of an object is known when `check` asks it.
    return condition if judges_requests(leaf) else True


# What is documented.


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One set of credentials that suffices.

    Attributes:
        is_known: whether they need a principal; `None` where it does not matter.
        only: the authenticators that may verify them; `None` for any.
        barred: those that may not.
        scopes: the scopes that they need.
    """

    is_known: bool | None = None
    only: frozenset[str] | None = None
    barred: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()

    def allows(self, name: str) -> bool:
        """Whether an authenticator may verify these credentials."""
        if self.is_known is False or name in self.barred:
            return False
        return self.only is None or name in self.only


def _alternatives(condition: Guard) -> tuple[_Alternative, ...] | None:
    """Return the alternatives that satisfy *condition*; `None` where there are too many to list."""
    if isinstance(condition, AnyOf):
        found: list[_Alternative] = []
        for each in condition.guards:
            inner = _alternatives(each)
            if inner is None:
                return None
            found += inner
        return _bounded(found)
    if isinstance(condition, AllOf):
        joined: tuple[_Alternative, ...] = (_Alternative(),)
        for each in condition.guards:
            inner = _alternatives(each)
            if inner is None:
                return None
            pairs = [_both(one, other) for one, other in product(joined, inner)]
            bounded = _bounded([pair for pair in pairs if pair is not None])
            if bounded is None:
                return None
            joined = bounded
        return joined
    return tuple(_read_leaf(condition))


def _bounded(found: Iterable[_Alternative]) -> tuple[_Alternative, ...] | None:
    each_once = tuple(dict.fromkeys(found))
    return each_once if len(each_once) <= MOST_ALTERNATIVES else None


def _read_leaf(condition: Guard) -> Iterator[_Alternative]:
    negated = isinstance(condition, Not)
    leaf = condition.guard if isinstance(condition, Not) else condition
    if is_own(leaf):
        yield _Alternative(True if leaf.needs_principal else None)
    elif isinstance(leaf, AuthenticatedBy):
        if negated:
            yield _Alternative(True, barred=leaf.names)
        else:
            yield _Alternative(True, only=leaf.names)
    elif isinstance(leaf, Scopes) and not negated:
        yield _Alternative(True, scopes=leaf.scopes)
    elif isinstance(leaf, AnyScope) and not negated:
        for scope in leaf.scopes:
            yield _Alternative(True, scopes=(scope,))
    else:
        yield _Alternative(not (negated and isinstance(leaf, Authenticated)))


def _both(one: _Alternative, other: _Alternative) -> _Alternative | None:
    """Return the alternative that satisfies both; `None` where they exclude each other."""
    known = one.is_known if other.is_known is None else other.is_known
    if one.is_known is not None and one.is_known is not known:
        return None
    only = one.only if other.only is None else other.only
    if one.only is not None and other.only is not None:
        only = one.only & other.only
    barred = one.barred | other.barred
    if only is not None and not only - barred:
        return None
    scopes = tuple(dict.fromkeys((*one.scopes, *other.scopes)))
    return _Alternative(known, only, barred, scopes)


def _applicable(
    alternatives: Sequence[_Alternative], authenticators: Authenticators
) -> tuple[str, ...]:
    """Return the names of the authenticators that are tried.

    All are, where an alternative is for anonymous callers alone: each may find a principal.
    """
    if any(each.is_known is False for each in alternatives):
        return tuple(authenticators)
    return tuple(name for name in authenticators if any(each.allows(name) for each in alternatives))


def _require(
    alternatives: Sequence[_Alternative],
    names: Sequence[str],
    *,
    shows_optional: bool,
) -> Requirements:
    """Return the *alternatives* as requirements, each by the *names* of authenticators for it."""
    found: list[Mapping[str, tuple[str, ...]]] = []
    for each in alternatives:
        if each.is_known or shows_optional:
            found += [{name: each.scopes} for name in names if each.allows(name)]
    if any(not each.is_known for each in alternatives):
        found.append({})
    return tuple(each for number, each in enumerate(found) if each not in found[:number])


def named_authenticators(guards: Iterable[Guard]) -> frozenset[str]:
    """Return the authenticators that *guards* name."""
    leaves = [leaf for guard in guards for leaf in leaves_of(guard)]
    return frozenset().union(*(leaf.names for leaf in leaves if isinstance(leaf, AuthenticatedBy)))
