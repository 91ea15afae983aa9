"""The guards of an operation, collected from its service down to its method.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msframework._place import full_name
from msframework.access.guard import (
    AllOf,
    AnyOf,
    AuthenticatedBy,
    Guard,
    Narrowed,
    Scopes,
    leaves_of,
    path_names,
)
from msframework.access.policy import Access, build_access, named_authenticators, normalize
from msframework.access.registry import ServiceAccess, read_guards
from msframework.compile.provider import Security
from msframework.doc import Notes
from msframework.operation import PathParam
from msframework.problem import Problem
from msframework.provider import ProvidedValue, ProviderKind
from msframework.resource import Resource
from msframework.types import Handler

_GATEWAY: Final = "gateway"
_TOLD_BY: Final = "Name one in AUTHENTICATORS, or call service.authenticate(…)."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The declarations around one method that may guard it, from the inside out.

    Attributes:
        notes: the method's own.
        shared: those of its Resource class.
        outer: those of its blueprint.
        guards: the guards of that blueprint, as they were given.
    """

    where: str
    notes: Notes
    shared: Notes
    outer: Notes
    resource: type[Resource] | None = None
    blueprint: str = ""
    guards: object = ()


def read_access(
    around: Surroundings,
    method: str,
    params: Sequence[PathParam],
    values: Sequence[ProvidedValue],
    service: ServiceAccess,
    problems: list[str],
    *,
    asks_principal: bool = False,
) -> tuple[Access, tuple[Security, ...]]:
    """Return the access of an operation, and the credentials that are required beside its guards.

    Args:
        values: the provided values that it takes.
        asks_principal: whether a rate limit of it may depend on the principal.
    """
    guards, is_public = _collect(around, method, service, problems)
    required, documented = _read_security(around, method, service, values, problems)
    takes_principal = any(value.kind is ProviderKind.PRINCIPAL for value in values)
    access = build_access(
        (*guards, *required),
        method,
        service.authenticators,
        is_public=is_public,
        takes_principal=takes_principal or asks_principal,
    )
    _check(access, around.where, params, service, problems)
    told = {each.name for each in access.authenticators}
    for value in values:
        if value.security in service.authenticators and value.security not in told:
            found = f"it names {value.security!r}, which is an authenticator"
            advice = (
                "Drop security=, and guard the operations that take it: Authenticated(), or "
                f"@doc.security({value.security!r}). The caller is request.principal there."
            )
            problems.append(Problem(value.where, found, advice=advice))
    if takes_principal and not service.authenticators:
        found = "it takes 'principal', and the service has no authenticator"
        problems.append(Problem(around.where, found, advice=_TOLD_BY, mendable=True))
    return access, documented


def opens(around: Surroundings, method: str) -> bool:
    """Tell whether `@doc.public` on the class opens *method*: none of its guards is for that."""
    if not around.shared.public or around.resource is None:
        return around.shared.public
    own = read_guards(vars(around.resource).get("guards", ()), "", [])
    return not normalize(own, method)


def _collect(
    around: Surroundings, method: str, service: ServiceAccess, problems: list[str]
) -> tuple[list[Guard], bool]:
    """Return the guards from the outside in, and whether the operation is `@doc.public`."""
    where, resource = around.where, around.resource
    guards = list(service.guards)
    guards += read_guards(around.guards, f"blueprint {around.blueprint!r}", problems)
    for cls in reversed(resource.__mro__ if resource is not None else ()):
        if "guards" in vars(cls):
            owner = f"{full_name(cls)}.guards"
            guards += read_guards(vars(cls)["guards"], owner, problems)
    is_open = opens(around, method)
    if around.shared.public and resource is not None:
        guards = [] if is_open else guards
        own_guards = read_guards(vars(resource).get("guards", ()), "", [])
        if around.shared.security or not all(isinstance(each, Narrowed) for each in own_guards):
            owner = full_name(resource)
            advice = "Drop one of them, or limit the guards to methods that are not public: .on(…)."
            problems.append(_contradiction(owner, advice))
    own = read_guards(tuple(around.notes.guards), where, problems)
    if around.notes.public:
        guards = []
        if own or around.notes.security:
            problems.append(_contradiction(where, "Drop one of them."))
    return [*guards, *own], is_open or around.notes.public


def find_lost_guards(handler: Handler, where: str, problems: list[str]) -> None:
    """Append to *problems* the guards of an instance of a Resource, whose class alone is read."""
    owner = getattr(handler, "__self__", None)
    if isinstance(owner, Resource) and "guards" in vars(owner):
        found = "its guards are set on an instance, where nothing reads them"
        problems.append(Problem(where, found, advice="Write guards = (…) in the class."))


def _contradiction(where: str, advice: str) -> Problem:
    found = "@doc.public stands on it, and guards (or @doc.security) too"
    return Problem(where, found, advice=advice)


def _read_security(
    around: Surroundings,
    method: str,
    service: ServiceAccess,
    values: Iterable[ProvidedValue],
    problems: list[str],
) -> tuple[tuple[Guard, ...], tuple[Security, ...]]:
    """Return the guards of `@doc.security`, and the credentials that something else enforces."""
    levels = [around.notes.security]
    if not around.notes.public:
        levels.append(around.shared.security)
        if not opens(around, method):
            levels.append(around.outer.security)
    declared = next((level for level in levels if level is not None), [])
    names = [name for each in declared for name in each]
    known = [name for name in names if name in service.authenticators]
    if known and len(known) == len(names):
        options = tuple(_as_guard(each) for each in declared)
        guard = options[0] if len(options) == 1 else AnyOf(options)
        return read_guards((guard,), around.where, problems), ()
    if known:
        found = (
            f"@doc.security names {known[0]!r}, which is an authenticator, beside a scheme that "
            "is none"
        )
        advice = "Name authenticators alone."
        problems.append(Problem(around.where, found, advice=advice, mendable=True))
    enforced = {value.security for value in values}
    for name in names:
        if name not in {*known, *enforced} and not _is_gateways(service.schemes.get(name)):
            problems.append(_unenforced(around.where, name))
    return (), tuple(declared)


def _as_guard(requirement: Security) -> Guard:
    ((name, scopes),) = requirement.items()
    by = AuthenticatedBy(name)
    return AllOf((by, Scopes(*scopes))) if scopes else by


def _is_gateways(scheme: Any) -> bool:
    return isinstance(scheme, Mapping) and scheme.get("x-enforced-by") == _GATEWAY


def _unenforced(where: str, name: str) -> Problem:
    found = f"@doc.security names {name!r}, and nothing enforces that"
    advice = (
        f"Make it an authenticator (AUTHENTICATORS, service.authenticate), take a provided value "
        f"with security={name!r}, or say that a gateway does: SECURITY_SCHEMES[{name!r}] with "
        '"x-enforced-by": "gateway".'
    )
    return Problem(where, found, "the name of an authenticator", advice, mendable=True)


def _check(
    access: Access,
    where: str,
    params: Sequence[PathParam],
    service: ServiceAccess,
    problems: list[str],
) -> None:
    """Append to *problems* why guards cannot be asked, or why no caller can meet them."""
    in_path = [param.name for param in params]
    for guard in access.guards:
        for leaf in leaves_of(guard):
            taken = path_names(leaf, in_path) if hasattr(leaf, "allows") else ()
            for name in taken:
                if name not in in_path:
                    found = (
                        f"its guard {type(leaf).__qualname__} takes {name!r}, which its path does "
                        "not have"
                    )
                    advice = f"Put <{name}> into the path, or give the parameter a default."
                    problems.append(Problem(where, found, advice=advice))
    unknown = sorted(named_authenticators(access.guards) - service.authenticators.keys())
    if unknown:
        known = ", ".join(service.authenticators) or "none"
        found = f"a guard names the unknown authenticator {unknown[0]!r}; known are: {known}"
        problems.append(Problem(where, found, advice=_TOLD_BY, mendable=True))
    elif not access.can_pass:
        shown = ", ".join(map(repr, access.guards))
        found = f"nobody can pass its guards {shown}"
        if not service.authenticators:
            found = f"{found}, as there is no authenticator"
            problems.append(Problem(where, found, advice=_TOLD_BY, mendable=True))
        else:
            advice = "Drop one of those that exclude each other."
            problems.append(Problem(where, found, advice=advice))
