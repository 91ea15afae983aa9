"""The step that counts the request, authenticates the caller and asks the guards.

All of it is done before anything of the body is read.

`compile_admission` runs at start-up; what it returns runs per request, at most once: in the
compiled handler, or before that where Sanic is about to read a body or to run middleware.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from asyncpg import PostgresError
from marshmallow import ValidationError
from sanic.exceptions import SanicException

from msframework._codegen import SourceWriter, compile_function
from msframework.access.guard import (
    AllOf,
    AnyOf,
    AnyScope,
    AuthenticatedBy,
    Guard,
    Not,
    Scopes,
    is_own,
    is_same,
    leaves_of,
    path_names,
    read_verdict,
)
from msframework.access.identify import build_identify
from msframework.access.policy import Access
from msframework.access.refusal import Refusals
from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.fault import read_fault
from msframework.compile.rates import NO_TAKES, Takes
from msframework.exceptions import InvalidInput
from msframework.operation import Operation, PathParam, text_params
from msframework.principal import Principal
from msframework.schemas.storable import why_not_storable
from msframework.serving.request import LeanRequest, Request

Admit: TypeAlias = Callable[[Request], Awaitable[None]]
Ask: TypeAlias = Callable[[Request, Principal | None], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class CompiledGuards:
    """The compiled guards of one operation, and the source they were compiled from."""

    admit: Admit
    source: str


def check_access(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that admit or refuse the caller of an operation where any may be refused."""
    if operation.is_admitted:
        takes = context.compile_takes(operation.rates)
        admission = compile_admission(operation.access, operation.path_params, operation.id, takes)
        emitter.called.append(admission.source)
        emitter.bind("admit", admission.admit)
        emitter.bind("LeanRequest", LeanRequest)
        emitter.lines(
            "if request.__class__ is LeanRequest:",
            "    await admit(request)",
            "elif request.admitted is not admit:",
            "    await request.app._admit(request, admit)",
        )


def compile_admission(
    access: Access, params: tuple[PathParam, ...], name: str, takes: Takes = NO_TAKES
) -> CompiledGuards:
    """Return `admit(request)`, which authenticates the caller, asks the guards, and may refuse.

    Args:
        params: the parameters of the path, which guards may take.
        name: the name of the operation, for tracebacks.
        takes: what counts the request against rate limits, and refuses it beyond them.
    """
    refusals, conditions = Refusals(access), _Conditions(access, params)
    writer = SourceWriter()
    writer.line(f"async def admit_{name}(request):")
    with writer.indented():
        if conditions.repeated:
            writer.line("asked = {}")
        writer.line("try:")
        with writer.indented():
            _write_take("take_by_address", takes.before, takes, conditions, writer)
            if access.authenticators:
                conditions.names["identify"] = build_identify(access.authenticators, refusals)
            if access.is_checked:
                _write_questions(access, conditions, writer)
            _write_take("take_by_caller", takes.after, takes, conditions, writer)
        writer.lines("except Misread as exc:", "    raise misread(request, exc) from exc")
    conditions.names.update(
        refuse_anonymous=refusals.of_anonymous,
        refuse_principal=refusals.of_principal,
        Misread=(SanicException, ValidationError, PostgresError),
        misread=_misread,
    )
    source = str(writer)
    return CompiledGuards(compile_function(f"admit_{name}", source, conditions.names), source)


def _write_take(
    name: str, take: object, takes: Takes, conditions: _Conditions, writer: SourceWriter
) -> None:
    """Write the line that counts the request by *take*, where there is something to count."""
    if take is not None:
        conditions.names[name] = take
        writer.line(f"{'await ' * takes.is_shared}{name}(request)")


def _write_questions(access: Access, conditions: _Conditions, writer: SourceWriter) -> None:
    """Write the lines that authenticate the caller and raise the refusal of one not allowed."""
    anonymous, known = access.for_anonymous, access.for_principal
    refuse_principal = "refuse_principal(principal)"
    if not access.authenticators:
        writer.line("principal = None")
        _refuse(writer, conditions, anonymous, "refuse_anonymous()")
        return
    writer.line("request.principal = principal = await identify(request)")
    if anonymous is not True:
        writer.line("if principal is None:")
        with writer.indented():
            _refuse(writer, conditions, anonymous, "refuse_anonymous()")
    if anonymous is False:
        _refuse(writer, conditions, known, refuse_principal)
    elif known is not True:
        writer.line("if principal is not None:")
        with writer.indented():
            _refuse(writer, conditions, known, refuse_principal)


def _refuse(
    writer: SourceWriter, conditions: _Conditions, condition: Guard | bool, refusal: str
) -> None:
    """Write the lines that raise *refusal* unless *condition* holds."""
    if condition is False:
        writer.line(f"raise {refusal}")
    elif condition is not True:
        for each in condition.guards if isinstance(condition, AllOf) else (condition,):
            writer.lines(f"if not ({conditions.write(each)}):", f"    raise {refusal}")


class _Conditions:
    """Writes the guards of an operation as expressions of Python.

    Attributes:
        names: the values of the names in the expressions.
        repeated: whether a guard that the service wrote stands in an expression twice.
    """

    def __init__(self, access: Access, params: tuple[PathParam, ...]) -> None:
        self._params = params
        self._leaves: list[Guard] = []
        self.names: dict[str, Any] = {}
        self._twice = [
            leaf
            for folded in (access.for_anonymous, access.for_principal)
            for leaf in _repeated(folded)
        ]
        self.repeated = bool(self._twice)

    def write(self, condition: Guard) -> str:
        """Return the expression of *condition*, a normal form."""
        if isinstance(condition, AllOf | AnyOf):
            word = " and " if isinstance(condition, AllOf) else " or "
            return word.join(self._within(each) for each in condition.guards)
        if isinstance(condition, Not):
            return f"not {self._within(condition.guard)}"
        return self._write_leaf(condition)

    def _within(self, condition: Guard) -> str:
        return f"({self.write(condition)})"

    def _write_leaf(self, leaf: Guard) -> str:
        number = self._number(leaf)
        if is_own(leaf):
            self.names.setdefault(f"ask_{number}", _build_ask(leaf, self._params))
            if any(is_same(leaf, other) for other in self._twice):
                self.names["ask_once"] = _ask_once
                return f"await ask_once(asked, {number}, ask_{number}, request, principal)"
            return f"await ask_{number}(request, principal)"
        if isinstance(leaf, AuthenticatedBy):
            self.names[f"names_{number}"] = leaf.names
            return f"principal.authenticator in names_{number}"
        assert isinstance(leaf, Scopes | AnyScope)
        self.names[f"scopes_{number}"] = frozenset(leaf.scopes)
        if isinstance(leaf, Scopes):
            return f"scopes_{number} <= principal.scopes"
        return f"not scopes_{number}.isdisjoint(principal.scopes)"

    def _number(self, leaf: Guard) -> int:
        """Return the number of *leaf* among the guards in the expressions."""
        for number, known in enumerate(self._leaves):
            if is_same(leaf, known):
                return number
        self._leaves.append(leaf)
        return len(self._leaves) - 1


def _repeated(condition: Guard | bool) -> list[Guard]:
    """Return the guards that the service wrote and *condition* asks in several places."""
    own = [] if isinstance(condition, bool) else [*filter(is_own, leaves_of(condition))]
    return [
        leaf
        for number, leaf in enumerate(own)
        if any(is_same(leaf, other) for other in own[:number])
    ]


def _build_ask(guard: Any, params: tuple[PathParam, ...]) -> Ask:
    """Return `ask(request, principal)`, which tells whether *guard* allows a request."""
    allows, is_coroutine = guard.allows, inspect.iscoroutinefunction(guard.allows)
    names = path_names(guard, [param.name for param in params])
    texts = [name for name in text_params(params) if name in names]

    async def ask(request: Request, principal: Principal | None) -> bool:
        values = request.match_info
        for name in texts:
            # NOTE: a query with it would fail in PostgreSQL, and be a 500 where the path is wrong.
            message = why_not_storable(values[name])
            if message is not None:
                raise InvalidInput({"path": {name: [message]}})
        verdict = allows(request, principal, **{name: values[name] for name in names})
        return read_verdict(guard, await verdict if is_coroutine else verdict)

    return ask


async def _ask_once(
    asked: dict[int, bool], number: int, ask: Ask, request: Request, principal: Principal | None
) -> bool:
    """Return the verdict of a guard, which is asked once for a request."""
    if number not in asked:
        asked[number] = await ask(request, principal)
    return asked[number]


def _misread(request: Request, exc: Exception) -> Exception:
    """Return an error for *exc*, which would be answered as if the caller were at fault."""
    if isinstance(exc, PostgresError):
        return read_fault(request, exc, "an authenticator or a guard")
    return TypeError(f"an authenticator or a guard raised {type(exc).__qualname__}")
