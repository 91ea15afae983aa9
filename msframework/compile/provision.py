"""The steps that make provided values: the lines before inputs are read, and around the method.

Runs at start-up.
"""

from __future__ import annotations

from typing import Final

from asyncpg import PostgresError

from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.fault import read_fault
from msframework.compile.generator import PROVIDER, YieldedValue
from msframework.db.binding import RequestDatabase
from msframework.operation import Operation, Provision, Source
from msframework.provider import ProviderKind

_BUILT_IN_LINES: Final = {
    ProviderKind.CURSOR: "async with request.app.db.acquire(request) as provided_cur:",
    ProviderKind.TRANSACTION: "async with request.app.db.transaction(request) as provided_tx:",
}


def make_values(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that make provided values before inputs are read."""
    early = _early(operation)
    for provision in operation.provisions:
        if provision.value.name in early:
            _write(provision, emitter)


def make_late_values(operation: Operation, emitter: Emitter) -> None:
    """Write the lines around the method itself: `db`, `cur` and `tx` that only it needs."""
    early = _early(operation)
    for provision in operation.provisions:
        if provision.value.name not in early:
            _write(provision, emitter)


def _early(operation: Operation) -> set[str]:
    """Return the names of the values that are made before inputs are read."""
    early: set[str] = set()
    for provision in reversed(operation.provisions):
        if provision.value.function is not None or provision.value.name in early:
            early.add(provision.value.name)
            early.update(
                each.name for each in provision.arguments if each.source is Source.PROVIDED
            )
    return early


def _write(provision: Provision, emitter: Emitter) -> None:
    name, kind = provision.value.name, provision.value.kind
    local = f"provided_{name}"
    if kind is ProviderKind.DATABASE:
        emitter.bind("RequestDatabase", RequestDatabase)
        emitter.line(f"{local} = RequestDatabase(request.app.db, request)")
    elif kind is ProviderKind.CURSOR and provision.arguments:
        emitter.line(f"{local} = provided_tx")
    elif kind is ProviderKind.PRINCIPAL:
        emitter.line(f"{local} = request.principal")
    elif kind in _BUILT_IN_LINES:
        emitter.open(_BUILT_IN_LINES[kind])
    else:
        emitter.bind(f"provide_{name}", provision.value.function)
        call = f"provide_{name}({emitter.arguments(provision.arguments)})"
        if kind is ProviderKind.GENERATOR:
            emitter.bind("YieldedValue", YieldedValue)
            emitter.open(f"async with YieldedValue({call}, request) as {local}:")
            return
        if kind is not ProviderKind.COROUTINE:
            call = f"settle({call})"
        emitter.bind("PostgresError", PostgresError)
        emitter.bind("read_fault", read_fault)
        emitter.lines(
            "try:",
            f"    {local} = await {call}",
            "except PostgresError as exc:",
            f"    raise read_fault(request, exc, {PROVIDER!r}) from exc",
        )
