"""Compiled handlers take the place of the registered ones; HEAD and OPTIONS are added.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sanic.models.futures import FutureRoute
from sanic_routing import Route

from msframework.admission import admit_others, ask_first, guard_document, with_head
from msframework.codec import CompiledSchema, Engine
from msframework.collection.remote import find_unknown_services
from msframework.collection.unsaid_scopes import (
    find_unmet_guards,
    find_unsaid_filter_scopes,
    find_unsaid_scopes,
)
from msframework.compile.clashes import check_path, find_clashes, shape_of
from msframework.compile.context import CompileContext
from msframework.compile.handler import Compiled, compile_operation
from msframework.compile.hidden import find_hidden, function_of
from msframework.compile.operation_id import name_operations
from msframework.compile.provider import check_providers
from msframework.compile.rates import CompileTakes, build_compile_takes
from msframework.compile.reader import Endpoint, read_operations
from msframework.compile.schema import KnownSchemas
from msframework.compile.signature import request_missing
from msframework.exceptions import ImproperlyConfigured
from msframework.headers import OwnHeaders
from msframework.operation import Operation, path_params, path_template
from msframework.problem import Problem
from msframework.provider import BUILT_IN
from msframework.routing import (
    Mounted,
    declared_order,
    dispatch,
    find_mounted,
    full_uri,
    group_paths,
    hosts_of,
    is_compiled_kind,
    name_route,
    read_endpoints,
)
from msframework.serving.answer import Answer, Heads
from msframework.serving.files import answer_head_as_get
from msframework.types import Handler


class Endpoints:
    """The compiled endpoints of one service."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._compiled: list[Compiled] = []
        self._handlers: set[Handler] = set()
        self._places: dict[Handler, str] = {}
        self._checks_members: bool = service.settings.debug
        self._schemas = KnownSchemas(service.settings.sensitive_fields)
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
    def handlers(self) -> frozenset[Handler]:
        """The handlers that the fast path may run."""
        return frozenset(self._handlers)

    def check_members(self) -> None:
        """Refuse answers that lack required members, as in tests and with DEBUG."""
        self._checks_members = True
        for compiled in self._compiled:
            compiled.check_members()

    def compile(self, *, strict: bool) -> None:
        """Read and compile every route that is not compiled yet; see `Service.compile`."""
        service = self._service
        problems = list(service.problems)
        for blueprint in service.blueprints.values():
            problems += getattr(blueprint, "problems", ())
        problems += find_unsaid_scopes(service.blueprints.values())
        problems += find_unknown_services(service.blueprints.values(), service.clients)
        self._check_providers(problems)
        found = [(routes, self._endpoints(routes[0], problems)) for routes in self._uncompiled()]
        name_operations([endpoint for _, endpoints in found for endpoint in endpoints])
        read = [(routes, self._read(endpoints, problems)) for routes, endpoints in found]
        new = [operation for _, found in read for operation in found]
        problems += find_unsaid_filter_scopes(new, service.blueprints.values())
        problems += find_unmet_guards(new, [*self.operations, *new])
        for route, mounted in service.refused:
            self._read_refused(route, mounted, problems)
        find_clashes([*self.operations, *new], service.router.regex_types, problems)
        self._find_same_names(problems)
        self._find_hidden(problems)
        if problems:
            if not strict and all(isinstance(each, Problem) and each.mendable for each in problems):
                return
            raise ImproperlyConfigured.of(problems)
        context = self._context()
        for routes, operations in read:
            self._mount(routes, operations, context)

    def _check_providers(self, problems: list[str]) -> None:
        """Refuse provided values that nothing could make, and those that come too late."""
        service = self._service
        owners = (service, *service.blueprints.values())
        values = [value for owner in owners for value in getattr(owner, "providers", {}).values()]
        known = {*BUILT_IN, *(value.name for value in values)}
        for route in service.router.routes:
            known.update(param.name for param in path_params(f"/{route.path}"))
        check_providers(values, known, problems)
        for operation in self.operations:
            first = operation.arguments[0].name
            if first in service.providers:
                problems.append(request_missing(operation.where, first))
            for value in (provision.value for provision in operation.provisions):
                if value.function is None and value.name in service.providers:
                    found = (
                        f"provide({value.name!r}, …) came after it was compiled with the value of "
                        "this name that comes with the framework"
                    )
                    advice = (
                        "Call it earlier: create_app(providers=…), or in the function that "
                        "CONFIGURE names."
                    )
                    problems.append(Problem(operation.where, found, advice=advice))

    def _uncompiled(self) -> list[list[Route]]:
        """Return the routes that are left, those together that one registration made for hosts."""
        service = self._service
        routes = [
            route
            for route in service.router.routes
            if is_compiled_kind(route) and route.handler not in self._handlers
        ]
        together: dict[object, list[Route]] = {}
        for route in declared_order(routes, list(service.blueprints.values())):
            key = (route.handler, route.path, route.methods, route.name)
            together.setdefault(key, []).append(route)
        return list(together.values())

    def _endpoints(self, route: Route, problems: list[str]) -> list[Endpoint]:
        service, path = self._service, f"/{route.path}"
        if "<" in path and not check_path(
            path, service.router.regex_types, name_route(route), problems
        ):
            return []
        mounted = find_mounted(route, service.blueprints.values())
        return read_endpoints(route, path, mounted, service.providers)

    def _read(self, endpoints: list[Endpoint], problems: list[str]) -> tuple[Operation, ...]:
        envelope = self._service._serving.failures.envelope
        return read_operations(endpoints, envelope, problems, self._schemas, self._service.access)

    def _read_refused(self, route: FutureRoute, mounted: Mounted, problems: list[str]) -> None:
        """Append the mistakes of a *route* that Sanic refused, and which routes have its path."""
        service, path = self._service, full_uri(route)
        shape = shape_of(path if route.strict_slashes else path.rstrip("/"))
        takers = [other for other in service.router.routes if shape_of(other.path) == shape]
        for endpoint in read_endpoints(route, path, mounted, service.providers):
            if not (route.websocket or route.static or route.stream):
                envelope = service._serving.failures.envelope
                read_operations([endpoint], envelope, problems, access=service.access)
            alike = [other for other in takers if endpoint.method in other.methods] or takers
            by = " and ".join(dict.fromkeys(map(self._place_of, alike)))
            hosts = any(hosts_of(each) for each in (route, *alike))
            why = "; a path cannot be both for some hosts and for all" if hosts else ""
            found = f"{endpoint.method} {path} is taken by {by}"
            advice = f"Drop one of them, or change its path{why}."
            problems.append(Problem(endpoint.where, found, advice=advice))

    def _find_hidden(self, problems: list[str]) -> None:
        """Refuse guards on functions that are called by those that are mounted."""
        routes = [
            route for route in self._service.router.routes if route.handler not in self._handlers
        ]
        known = {id(function_of(operation.handler)) for operation in self.operations}
        known.update(id(function_of(_registered(route) or route.handler)) for route in routes)
        for route in routes:
            if not getattr(route.extra, "static", False) and _registered(route) is None:
                problems.extend(find_hidden(route.handler, name_route(route), known))

    def _find_same_names(self, problems: list[str]) -> None:
        """Refuse two routes of one name, for which Sanic would not start."""
        named: dict[str, Route] = {}
        for route in self._service.router.routes:
            name = route.extra.ident
            other = named.setdefault(name, route)
            if other is not route:
                problems.append(
                    Problem(
                        self._place_of(route),
                        f"its route is called {name!r}, as is that of {self._place_of(other)}",
                        advice="Rename one of the functions, or give one of the routes another "
                        "name with name=…; a blueprint that is registered twice needs a "
                        "name_prefix=….",
                    )
                )

    def _place_of(self, route: Route) -> str:
        """Return the place of the function that a route calls, compiled or not."""
        return self._places.get(route.handler) or name_route(route)

    def _mount(
        self, routes: list[Route], operations: tuple[Operation, ...], context: CompileContext
    ) -> None:
        handlers, admits, loads = {}, {}, {}
        shedding = self._service._serving.shedding
        for operation in operations:
            compiled = compile_operation(operation, context)
            self._compiled.append(compiled)
            handlers[operation.method] = compiled.handler
            if compiled.admit is not None:
                admits[operation.method] = compiled.admit
            if shedding is not None:
                loads[operation.method] = shedding.load_of(operation)
        if handlers:
            handler = dispatch(handlers)
            self._handlers.add(handler)
            self._places[handler] = operations[0].where
            for route in routes:
                route.handler = handler
                route.extra.admits = with_head(admits)
                route.extra.loads = with_head(loads)

    def _context(self) -> CompileContext:
        service, serving = self._service, self._service._serving
        tracer = service.tracer if service.settings.tracing.enabled else None
        return CompileContext(
            heads=serving.heads,
            failures=serving.failures,
            start_request=None if tracer is None else tracer.start_request,
            build_finish=serving.observer.build_finish,
            engine=Engine.ROWS if service.settings.server.fast_path else Engine.MEMBERS,
            compile_takes=self._compile_takes(),
            checks_members=self._checks_members,
            json_max_depth=service.settings.server.json_max_depth,
            max_errors=service.settings.server.max_errors,
            strict_query=service.settings.server.strict_query,
            compiled_schemas=self._compiled_schemas,
        )

    def _compile_takes(self) -> CompileTakes:
        service = self._service
        return build_compile_takes(
            service._serving.rates,
            service.metrics,
            behind_proxy=service.settings.server.is_proxied,
        )

    def mount_plain(self, mount: Callable[..., None], *args: Any) -> None:
        """Let *mount* add the document and its page, which are neither compiled nor documented.

        Raises:
            ImproperlyConfigured: the guards of `OPENAPI_GUARDS` are wrong.
        """
        service, problems = self._service, list[str]()
        known = set(map(id, service.router.routes))
        mount(*args)
        for route in service.router.routes:
            if id(route) in known:
                continue
            if guard_document(route, service.access, problems):
                trace = service._serving.observer.trace
                route.handler = trace(ask_first(route.handler), path_template(f"/{route.path}"))
            route.handler.__msframework_plain__ = True
        if problems:
            raise ImproperlyConfigured.of(problems)

    def add_missing_methods(self) -> tuple[str, ...]:
        """Add OPTIONS for every path, and HEAD for every GET that opens no websocket.

        Returns:
            The methods that some path of the service has.
        """
        has = {"OPTIONS"}
        heads = self._service._serving.heads
        for number, routes in enumerate(group_paths(self._service.router.routes)):
            known = {method for route in routes for method in route.methods}
            for route in routes if "HEAD" not in known else ():
                # NOTE: as a method of the same route, HEAD passes the same middleware.
                if "GET" in route.methods and not getattr(route.handler, "is_websocket", False):
                    route.methods |= {"HEAD"}
                    known |= {"HEAD"}
            has |= known
            if "OPTIONS" not in known:
                options = answer_options(heads, ", ".join(sorted({*known, "OPTIONS"})))
                self._add_plain(routes[0], f"methods_{number}", ["OPTIONS"], options)
        return tuple(sorted(has))

    def trace_others(self) -> None:
        """Put guards and a span around streams and static files, which are not compiled.

        Raises:
            ImproperlyConfigured: guards of theirs are wrong.
        """
        trace, problems = self._service._serving.observer.trace, list[str]()
        takes = self._compile_takes()
        for route in self._service.router.routes:
            handler = route.handler
            plain = getattr(handler, "__msframework_plain__", False)
            websocket = getattr(handler, "is_websocket", False)
            if getattr(route.extra, "static", False):
                handler = answer_head_as_get(handler)
            # NOTE: the routes of a service that is amended are closed once more.
            if is_compiled_kind(route) or plain or _registered(route) is not None:
                continue
            route.extra.registered = route.handler
            mounted = find_mounted(route, self._service.blueprints.values())
            route.extra.admits = admit_others(route, mounted, self._service.access, takes, problems)
            if not websocket:  # whose guards are asked before its handshake
                if self._service._serving.shedding is not None:
                    handler = self._service._serving.shedding.leave_out(handler)
                if route.extra.admits:
                    handler = ask_first(handler)
                route.handler = trace(handler, path_template(f"/{route.path}"))
        if problems:
            raise ImproperlyConfigured.of(problems)

    def _add_plain(self, route: Route, name: str, methods: list[str], handler: Any) -> None:
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


def _registered(route: Route) -> Handler | None:
    """Return the handler registered for a *route* that is no endpoint; `None` until it closes."""
    found: Handler | None = getattr(route.extra, "registered", None)
    return found


def answer_options(heads: Heads, allow: str) -> Handler:
    """Return the handler of OPTIONS for one path, which says its methods (RFC 9110, 9.3.7)."""
    head, own = heads.head(204), OwnHeaders({"allow": allow}, "OPTIONS")

    async def handle_options(request: object, **path: object) -> Answer:
        return Answer(heads, head, b"", request, own)

    return handle_options
