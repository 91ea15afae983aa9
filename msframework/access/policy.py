"""`Access`: what guards one operation, brought into a form that is compiled and documented.

The *normal form* of guards holds for one method: guards that are narrowed to others are left out,
and each `~` stands at a single guard. Runs at start-up.
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
        is_public: whether it is said to be open (`@doc.public`).
        authenticators: those that may tell who calls, in the order in which they are tried.
        is_checked: whether anything is asked before the operation runs.
        requirements: the credentials that it takes, as alternatives.
    """

    guards: tuple[Guard, ...] = ()
    is_public: bool = False
    authenticators: tuple[Authenticator, ...] = ()
    is_checked: bool = False
    requirements: Requirements = field(default=(), repr=False)

    @property
    def for_stranger(self) -> Guard | bool:
        """What is left to ask of a caller without credentials; or whether one may pass."""
        return fold(AllOf(self.guards), is_known=False)

    @property
    def for_principal(self) -> Guard | bool:
        """What is left to ask of a caller with a principal; or whether all may pass."""
        return fold(AllOf(self.guards), is_known=True)

    @property
    def can_pass(self) -> bool:
        """Whether anybody may pass; nobody does where a principal is needed and none is told."""
        if self.authenticators and self.for_principal is not False:
            return True
        return self.for_stranger is not False

    @property
    def can_ask(self) -> bool:
        """Whether a caller may be told to bring credentials, or that those it has are wrong."""
        return self.is_checked and bool(self.authenticators)

    @property
    def can_refuse(self) -> bool:
        """Whether a caller may be refused for who it is, here or for an object."""
        if not self.guards:
            return False
        if self.for_principal is not True or not self.authenticators:
            return True
        return not all(judges_requests(leaf) for leaf in leaves_of(AllOf(self.guards)))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that every caller needs."""
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
        is_public: whether it is said to be open.
        takes_principal: whether it asks who calls.
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


# What a caller is asked.


def fold(condition: Guard, *, is_known: bool) -> Guard | bool:
    """Return what is left of a normal form once it is clear whether a caller has a principal."""
    if isinstance(condition, AllOf | AnyOf):
        ends = isinstance(condition, AnyOf)
        left: list[Guard] = []
        for each in condition.guards:
            folded = fold(each, is_known=is_known)
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
    # A guard that needs a principal is not met by a stranger, and neither is its opposite.
    if leaf.needs_principal and not is_known:
        return False
    # NOTE: what a guard says of an object is known when `check` asks it.
    return condition if judges_requests(leaf) else True


# What is documented.


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One set of credentials that may be enough.

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
    """Return what may be enough for *condition*; `None` where that is too much to list."""
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
    """Return what is enough for both; `None` where nothing is."""
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
    """Return the authenticators that have a say.

    All of them have where strangers alone may pass, as only they tell who is none.
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
    """Return the credentials that are enough, by the authenticators *names* that verify them."""
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
