"""Admission to streams, websockets and static files, which have no compiled handler.

Runs at start-up; `handle_guarded` runs per request.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sanic_routing import Route

from msframework.access.registry import ServiceAccess
from msframework.compile.access import Admit, compile_admission
from msframework.compile.guarding import Surroundings, find_lost_guards, read_access
from msframework.compile.rates import CompileTakes, asks_principal, read_rates
from msframework.compile.shared import shared_notes
from msframework.doc import Notes, notes_of
from msframework.operation import path_params
from msframework.resource import resource_of
from msframework.routing import Mounted, name_route
from msframework.serving.request import Request
from msframework.types import Handler


def with_head(admits: Mapping[str, Admit]) -> Mapping[str, Admit]:
    """Return *admits* by method, where HEAD is admitted as GET unless it has its own entry."""
    return {"HEAD": admits["GET"], **admits} if "GET" in admits else admits


def admit_others(
    route: Route,
    mounted: Mounted,
    service: ServiceAccess,
    compile_takes: CompileTakes,
    problems: list[str],
) -> Mapping[str, Admit]:
    """Return the `admit` of each method of *route*; nothing for methods that all may call.

    The guards are those of the service, the blueprint, the Resource, and the function's notes; so
    are the rate limits.
    """
    around, params = surroundings_of(route, mounted), path_params(f"/{route.path}")
    find_lost_guards(_handler_of(route), around.where, problems)
    limits = service.settings.operations.rate_limits
    name = ".".join(filter(None, (mounted.name, route.name.rpartition(".")[2])))
    rates = read_rates(around, name, limits, problems)
    takes, asks = compile_takes(rates), asks_principal(rates)
    admits = {}
    for method in sorted(route.methods):
        access, _ = read_access(around, method, params, (), service, problems, asks_principal=asks)
        if access.is_checked or rates:
            name = f"other_{method.lower()}"
            admits[method] = compile_admission(access, params, name, takes).admit
    return with_head(admits)


def surroundings_of(route: Route, mounted: Mounted) -> Surroundings:
    """Return the declarations that may guard *route*, which is no operation."""
    resource = resource_of(_handler_of(route))
    return Surroundings(
        name_route(route),
        _notes_of(route, mounted),
        shared_notes(resource),
        getattr(mounted.blueprint, "notes", None) or Notes(),
        resource,
        mounted.name,
        getattr(mounted.blueprint, "guards", ()),
    )


def guard_document(route: Route, service: ServiceAccess, problems: list[str]) -> bool:
    """Guard *route* by `OPENAPI_GUARDS` alone; tell whether there are any."""
    if not service.document_guards:
        return False
    around = Surroundings(
        "OPENAPI_GUARDS", Notes(), Notes(), Notes(), guards=service.document_guards
    )
    access, _ = read_access(around, "GET", (), (), replace(service, guards=()), problems)
    admission = compile_admission(access, (), "document")
    route.extra.admits = with_head({"GET": admission.admit})
    return True


def _notes_of(route: Any, mounted: Mounted) -> Notes:
    """Return the notes on the function of *route*; for static files, whether they are public."""
    if getattr(route.extra, "static", False):
        names = getattr(mounted.blueprint, "public_files", ())
        is_named = route.name.rpartition(".")[2] in names
        return Notes(public=is_named or getattr(route.extra, "public", False))
    handler = _handler_of(route)
    return notes_of(handler) if hasattr(handler, "__dict__") else Notes()


def _handler_of(route: Any) -> Any:
    """Return the function that was registered for *route*."""
    handler = getattr(route.extra, "registered", route.handler)
    if isinstance(handler, partial) and handler.args:  # a websocket's
        return handler.args[0]
    return handler


def ask_first(handler: Handler) -> Handler:
    """Return *handler* behind the admission of its route."""

    @functools.wraps(handler)
    async def handle_guarded(request: Request, *args: object, **path: object) -> Any:
        await request.app._admit(request)
        answer = handler(request, *args, **path)
        return await answer if inspect.isawaitable(answer) else answer

    return handle_guarded
