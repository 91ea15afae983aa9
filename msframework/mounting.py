"""Compiled handlers take the place of what was registered; HEAD, OPTIONS and 405 are added.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema

from msframework.compile.handler import CompileContext, Compiled, compile_operation
from msframework.compile.operation_id import name_operations
from msframework.compile.reader import Endpoint, find_clashes, read_operations
from msframework.compile.signature import Undeclared
from msframework.exceptions import ImproperlyConfigured
from msframework.middleware import answer_options
from msframework.operation import Operation
from msframework.routing import (
    ALL_METHODS,
    compiled_paths,
    declared_order,
    dispatch,
    is_compiled_kind,
    read_endpoints,
    refuse_method,
)
from msframework.schemas import CompiledSchema


class Endpoints:
    """The compiled endpoints of one service."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._compiled: list[Compiled] = []
        self._handlers: set[Any] = set()
        self._schemas: dict[Any, Schema] = {}
        self._compiled_schemas: dict[int, CompiledSchema] = {}

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations compiled so far."""
        return tuple(item.operation for item in self._compiled)

    @property
    def sources(self) -> dict[str, str]:
        """The sources of the handlers, by name and by operation id."""
        found = {item.operation.name: item.source for item in self._compiled}
        return found | {item.operation.id: item.source for item in self._compiled}

    @property
    def schemas(self) -> tuple[CompiledSchema, ...]:
        """The compiled schemas that the handlers run."""
        return tuple(self._compiled_schemas.values())

    @property
    def handlers(self) -> frozenset[Any]:
        """The handlers that the fast path may run."""
        return frozenset(self._handlers)

    def compile(self, *, strict: bool) -> None:
        """Read and compile every route that is not compiled yet; see `Service.compile`."""
        service = self._service
        problems = list(service.problems)
        for blueprint in service.blueprints.values():
            problems += getattr(blueprint, "problems", ())
        found = [(route, self._endpoints(route, f"/{route.path}")) for route in self._uncompiled()]
        name_operations([endpoint for _, endpoints in found for endpoint in endpoints])
        read = [(route, self._read(endpoints, problems)) for route, endpoints in found]
        new = [operation for _, found in read for operation in found]
        for route in service.refused:
            self._read_refused(route, problems)
        find_clashes([*self.operations, *new], problems)
        if problems:
            if not strict and all(isinstance(problem, Undeclared) for problem in problems):
                return
            raise ImproperlyConfigured.of(problems)
        context = self._context()
        for route, operations in read:
            self._mount(route, operations, context)

    def _uncompiled(self) -> list[Any]:
        service = self._service
        routes = [
            route
            for route in service.router.routes
            if is_compiled_kind(route) and route.handler not in self._handlers
        ]
        return declared_order(routes, service.name, list(service.blueprints))

    def _endpoints(self, route: Any, path: str) -> list[Endpoint]:
        service = self._service
        return read_endpoints(route, path, service.name, service.providers, service.blueprints)

    def _read(self, endpoints: list[Endpoint], problems: list[str]) -> tuple[Operation, ...]:
        envelope = self._service.failures.envelope
        return read_operations(endpoints, envelope, problems, self._schemas)

    def _read_refused(self, route: Any, problems: list[str]) -> None:
        """Say that a route is taken, and whatever else is wrong with the one that came too late."""
        service = self._service
        for endpoint in self._endpoints(route, route.uri):
            read_operations([endpoint], service.failures.envelope, problems)
            problems.append(
                f"{endpoint.where}: {endpoint.method} {route.uri} is taken already. "
                "Drop one of the two, or change its path."
            )

    def _mount(
        self, route: Any, operations: tuple[Operation, ...], context: CompileContext
    ) -> None:
        handlers = {}
        for operation in operations:
            compiled = compile_operation(operation, context)
            self._compiled.append(compiled)
            handlers[operation.method] = compiled.handler
        if handlers:
            route.handler = dispatch(handlers)
            self._handlers.add(route.handler)

    def _context(self) -> CompileContext:
        service = self._service
        tracer = service.tracer if service.settings.tracing.enabled else None
        return CompileContext(
            heads=service.heads,
            failures=service.failures,
            start_request=None if tracer is None else tracer.start_request,
            finish_request=None if tracer is None else tracer.finish_request,
            finish=service.observer.build_finish(),
            json_max_depth=service.settings.server.json_max_depth,
            compiled_schemas=self._compiled_schemas,
        )

    def mount_plain(self, mount: Callable[..., None], *args: Any) -> None:
        """Let *mount* add routes that are no endpoints, neither compiled nor documented."""
        routes = self._service.router.routes
        known = set(map(id, routes))
        mount(*args)
        for route in self._service.router.routes:
            if id(route) not in known:
                route.handler.__msframework_plain__ = True

    def add_missing_methods(self) -> None:
        """Add HEAD for GET, OPTIONS, and a 405 with `Allow` for what a path does not have."""
        settings, heads = self._service.settings.server, self._service.heads
        for number, routes in enumerate(compiled_paths(self._service.router.routes)):
            known = {method: route for route in routes for method in route.methods}
            allow = sorted({*known, "OPTIONS", *(["HEAD"] if "GET" in known else [])})
            text = ", ".join(allow)
            refuse = refuse_method(text)
            own = {method: refuse for method in ALL_METHODS if method not in allow}
            if "OPTIONS" not in known:
                own["OPTIONS"] = answer_options(settings, heads, text)
            if own:
                self._add_plain(routes[0], f"methods_{number}", list(own), dispatch(own))
            if "GET" in known and "HEAD" not in known:
                self._add_plain(routes[0], f"head_{number}", ["HEAD"], known["GET"].handler)

    def _add_plain(self, route: Any, name: str, methods: list[str], handler: Any) -> None:
        if handler not in self._handlers:
            handler.__msframework_plain__ = True
        added = self._service.router.add(
            uri=f"/{route.path}",
            methods=methods,
            handler=handler,
            host=route.requirements.get("host"),
            strict_slashes=route.strict,
            unquote=route.unquote,
            name=f"{self._service.name}.msframework_{name}",
        )
        for one in added if isinstance(added, list) else [added]:
            one.extra.websocket = False
