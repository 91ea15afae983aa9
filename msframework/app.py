"""`Service`, and `create_app`, which builds one from settings in the order in which it happens.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sanic.config import Config
from sanic.exceptions import SanicException
from sanic_routing.exceptions import BaseException as RoutingError
from sanic_routing.exceptions import RouteExists

from msframework._imports import explain, import_object
from msframework.client import Client, Clients
from msframework.compile.reader import read_envelope
from msframework.conf.loader import load_settings
from msframework.conf.settings import Settings
from msframework.db import Database
from msframework.errors import ErrorAnswers, ErrorHandler, Hook
from msframework.exceptions import ImproperlyConfigured, SetupClosed
from msframework.lifecycle import Parts, ignore_repeated_signals
from msframework.log import setup_logging
from msframework.log.access import AccessLog
from msframework.middleware import cors_headers
from msframework.mounting import Endpoints
from msframework.observer import Observer
from msframework.openapi.ui import mount_documents
from msframework.operation import Operation
from msframework.provider import ProvidedValue, Raised, build_value
from msframework.request import Request
from msframework.requirement import check_database
from msframework.response import Heads
from msframework.routing import CheckedDecorators, Mounted, full_uri, name_route, read_blueprints
from msframework.serving.accept import Accept, build_accept, supports_fast_path
from msframework.serving.bodies import Bodies
from msframework.serving.files import StaticFiles
from msframework.serving.handling import ObservedSanic
from msframework.serving.head import HeadLimits
from msframework.serving.hosts import build_hosts
from msframework.serving.outbox import Outbox
from msframework.serving.protocol import choose_protocol
from msframework.serving.router import Router
from msframework.serving.timeouts import ConnectionWatch
from msframework.template import Templates
from msframework.tracing import build_tracer
from msframework.types import Part, Provider, Row

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_\-]")


def create_app(
    settings: Settings | str | None = None, *, providers: Mapping[str, Provider] | None = None
) -> Service:
    """Build one service; nothing is opened before it starts.

    Args:
        settings: the settings, or the dotted name of their module; `None` reads
            `SANIC_CONFIG_MODULE`.
        providers: values for methods by name, as `Service.provide` takes them.

    Raises:
        ImproperlyConfigured: with every mistake in settings and declarations.
    """
    if not isinstance(settings, Settings):
        settings = load_settings(settings)
    service = Service(settings)
    for name, provider in (providers or {}).items():
        service.provide(name, provider)
    for blueprint in read_blueprints(settings.installed_apps, service.problems):
        service.blueprint(blueprint)
    if settings.configure is not None:
        _configure(service, settings.configure)
    service.compile(strict=False)
    check_database(service)
    return service


def _configure(service: Service, path: str) -> None:
    """Call the function that `CONFIGURE` names; what it raises says where."""
    try:
        result = import_object(path, where="CONFIGURE")(service)
        if isinstance(result, Awaitable | Generator | AsyncGenerator):
            getattr(result, "close", bool)()  # no warning beside the message
            raise ImproperlyConfigured(
                f"CONFIGURE: {path!r} is asynchronous or yields, and nothing runs what it returns. "
                "Write a plain function; what is to be awaited goes into a part (service.add_part)."
            )
    except ImproperlyConfigured as exc:
        raise ImproperlyConfigured.of([*service.problems, *exc.problems]) from exc
    except Exception as exc:
        problem = explain(exc, f"CONFIGURE: {path!r} failed")
        raise ImproperlyConfigured.of([*service.problems, problem]) from exc


class Service(CheckedDecorators, StaticFiles, ObservedSanic):
    """A Sanic app with a database, clients, a tracer, and compiled endpoints.

    Attributes:
        settings: what it was built from.
        db: the data layer: `acquire()` and `transaction()`.
        clients: the other services by name.
        tracer: the tracer behind `opentracing.tracer`.
        queue: finished spans on their way out.
        stopping: whether answers already say `Connection: close`.
        methods: those that some path has, once it serves.
    """

    def __init__(self, settings: Settings) -> None:
        fast = supports_fast_path(settings.server.fast_path)
        self.settings = settings
        self.problems: list[str] = []
        self.refused: list[tuple[Any, Mounted]] = []
        self._mounting = Mounted()
        self.stopping = self.lean = False
        self.accept: Accept
        self.outbox = Outbox()
        server = settings.server
        self.head_limits = HeadLimits(
            server.request_max_head_size,
            server.request_max_target_size,
            server.request_max_headers,
        )
        self.methods: tuple[str, ...] = ()
        self.watch, self.bodies = ConnectionWatch(server), Bodies(server.bodies_max_size)
        self.hosts = build_hosts(settings)
        self.trusts_request_id = "request_id" in settings.tracing.trust_peers
        self.heads = Heads(cors_headers(settings.server), fast=fast)
        self.failures = ErrorAnswers(
            self.heads,
            read_envelope(settings.envelope, "ENVELOPE"),
            debug=settings.debug,
            max_errors=settings.server.max_errors,
        )
        self.providers: dict[str, ProvidedValue] = {}
        self._signals: frozenset[str] = frozenset()
        self._client: Client | None = None
        self._documented = False
        handler = ErrorHandler()
        handler.answers = self.failures
        super().__init__(
            _NOT_IN_A_NAME.sub("_", settings.service_name),
            config=_sanic_config(settings),
            error_handler=handler,
            request_class=Request,
            router=Router(),
            configure_logging=False,
        )
        self._add_own_parts()
        self.observer = Observer(settings, self.heads, self.tracer, self.access_log)
        self.endpoints = Endpoints(self)
        self.register_listener(self._start_parts, "before_server_start")
        self.register_listener(self._begin_stop, "before_server_stop")
        self.register_listener(self._stop_parts, "after_server_stop")

    def _add_own_parts(self) -> None:
        settings = self.settings
        self.parts = Parts(settings.server.part_stop_timeout)
        self.parts.add(self.heads.clock)
        tracing = build_tracer(settings)
        self.tracer, self.queue = tracing.tracer, tracing.queue
        self.access_log = AccessLog(settings)
        self.db = Database(
            settings.database,
            tracer=self.tracer,
            debug=settings.debug,
            trace_arguments=settings.tracing.sql_arguments,
        )
        self.clients = Clients(settings.services, self.tracer, settings.server.fast_path)
        self.parts.add(tracing)
        if settings.log.access:
            self.parts.add(self.access_log)
        if settings.database.url is not None:
            self.parts.add(self.db)
        self.parts.add(self.clients)

    # What a service's own code calls before it starts.

    def provide(
        self, name: str, provider: Provider, *, security: str | None = None, raises: Raised = ()
    ) -> None:
        """Make what *provider* gives available to every method that takes *name*.

        Args:
            provider: a function, coroutine function or async generator that yields once; it takes
                the request, path parameters and other provided values by name.
            security: the security scheme that it enforces.
            raises: the failures of the operations that take it.
        """
        self._check_open("provide")
        self.providers[name] = build_value(name, provider, "service", security, raises)

    def add_part(self, part: Part) -> None:
        """Start *part* with the service, after its own parts, and stop it before them."""
        self._check_open("add_part")
        self.parts.add(part)

    def on_error(self, hook: Hook) -> Hook:
        """Call `hook(request, exception, span)` for every unexpected exception; may be async.

        This is the place for Sentry and its like. Expected failures (`ServiceException`, input
        errors, constraint violations) do not come here.
        """
        self._check_open("on_error")
        self.failures.hooks.append(hook)
        return hook

    def _check_open(self, what: str) -> None:
        if self.parts.running:
            raise SetupClosed(
                f"{what}() was called after the service began to start. "
                "Call it before, in the function that CONFIGURE names for instance."
            )

    @property
    def client(self) -> Any:
        """The client that was assigned to `app.client`, or the only one of `SERVICES`."""
        if self._client is None and len(self.clients) == 1:
            return next(iter(self.clients.values()))
        if self._client is None:
            raise AttributeError(
                "app.client: assign a Client to it before the server starts, or name one of "
                f"SERVICES: app.clients[{'|'.join(self.clients) or '…'}]"
            )
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = client

    # Reading and compiling.

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every endpoint, in the order in which they were registered."""
        self.compile()
        return self.endpoints.operations

    @property
    def sources(self) -> dict[str, str]:
        """The source of each compiled handler, by operation id and by name."""
        self.compile()
        return self.endpoints.sources

    def compile(self, *, strict: bool = True) -> None:
        """Read and compile every route that is not compiled yet.

        Args:
            strict: refuse parameters that nothing declares; otherwise `provide` may still come.

        Raises:
            ImproperlyConfigured: with every mistake.
        """
        self.endpoints.compile(strict=strict)

    def finalize(self) -> None:
        """Compile what is left, add the methods that answer by themselves, and close the routes."""
        if self.settings.openapi.enabled and not self._documented:
            self._documented = True
            self.endpoints.mount_plain(mount_documents, self, self.operations, self.settings)
        self.compile()
        self.failures.templates = Templates(self.endpoints.operations, self.failures.envelope)
        self.endpoints.trace_others()
        self.methods = self.endpoints.add_missing_methods()
        try:
            super().finalize()
        except (RoutingError, SanicException) as exc:
            raise ImproperlyConfigured(f"Sanic's router refuses the routes: {exc}") from exc
        self._signals = frozenset(
            signal.name for signal in self.signal_router.routes if signal.handler
        )
        heard = any(name.startswith("http.") for name in self._signals)
        usual = self.request_class is Request and bool(self.config.KEEP_ALIVE)
        self.lean = self.heads.fast and usual and not heard
        if self.lean:
            self.accept = build_accept(self, self.endpoints.handlers)

    async def rehearse(self) -> None:
        """Run all that a start runs, short of opening anything; it cannot be served afterwards.

        Raises:
            ImproperlyConfigured: with every mistake.
        """
        try:
            self.signalize(self.config.TOUCHUP is not False)
        except RoutingError as exc:
            raise ImproperlyConfigured(f"Sanic's router refuses the signals: {exc}") from exc
        self.finalize()

    def has_signal(self, event: str) -> bool:
        """Whether the user registered a handler for one of Sanic's signals."""
        return event in self._signals or f"{event.rpartition('.')[0]}.*" in self._signals

    # Under Sanic's own methods.

    def prepare(self, *args: Any, **options: Any) -> None:
        """Prepare to serve, as Sanic documents it."""
        options["protocol"] = options.get("protocol") or choose_protocol(self)
        super().prepare(*args, **options)

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Make a server in the running loop, as Sanic documents it."""
        options["protocol"] = options.get("protocol") or choose_protocol(self)
        return await super().create_server(*args, **options)

    def blueprint(self, blueprint: Any, **options: Any) -> None:
        """Register a blueprint, or several; mistakes are collected for `compile` to raise."""
        outer = self._mounting
        self._mounting = Mounted.by(blueprint, options.get("name_prefix"))
        try:
            self._collect(super().blueprint, blueprint, **options)
        finally:
            self._mounting = outer

    def _apply_route(self, route: Any, overwrite: bool = False) -> Any:
        # NOTE: `serving.router` decodes what a path holds, once, for every kind of parameter.
        prefix = self.settings.server.url_prefix.rstrip("/")
        # NOTE: a version comes before all that Sanic knows of the path.
        where = {"uri": prefix + route.uri}
        if prefix and route.version is not None:
            where = {"version_prefix": f"{prefix}/{route.version_prefix.lstrip('/')}"}
        route = route._replace(**where, unquote=False)
        try:
            added = super()._apply_route(route, overwrite)
        except RouteExists:
            self.refused.append((route, self._mounting))  # compile() says which two are alike
            return []
        except (RoutingError, SanicException, ValueError, re.error) as exc:
            place = name_route(route)
            self.problems.append(f"{place}: the path {full_uri(route)} is refused: {exc}")
            return []
        for one in added:
            one.extra.mounted = self._mounting
        return added

    def _determine_error_format(self, handler: Any) -> str:
        return ""  # as in Blueprint: the envelope answers failures

    def _collect(self, call: Any, *args: Any, **kwargs: Any) -> None:
        try:
            call(*args, **kwargs)
        except (RoutingError, SanicException, AssertionError) as exc:
            self.problems.append(str(exc))

    def sign(self, request: Any, response: Any) -> None:
        """Give an answer the headers of all answers; while the service stops it says `close`."""
        if self.stopping and request.stream is not None:
            request.stream.keep_alive = False
        self.observer.sign(request, response)

    # Start and stop.

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Run the parts without a server, for scripts, cron jobs and consumers."""
        self.compile()
        await self.parts.start()
        try:
            yield self
        finally:
            await self.parts.stop()

    async def _start_parts(self, app: Any, loop: Any = None) -> None:
        setup_logging(self.settings)
        self.stopping = False
        await self.parts.start()

    async def _begin_stop(self, app: Any, loop: Any = None) -> None:
        self.stopping = True
        ignore_repeated_signals()

    async def _stop_parts(self, app: Any, loop: Any = None) -> None:
        await self.parts.stop()
        if self._client is not None:
            await self._client.stop()


def _sanic_config(settings: Settings) -> Config:
    server = settings.server
    defaults: Row = {
        "ACCESS_LOG": False,
        "AUTO_EXTEND": False,
        "FALLBACK_ERROR_FORMAT": "json",
        "FORWARDED_SECRET": server.forwarded_secret,
        "GRACEFUL_SHUTDOWN_TIMEOUT": server.graceful_timeout,
        "KEEP_ALIVE_TIMEOUT": server.keep_alive_timeout,
        "MOTD": False,
        "PROXIES_COUNT": server.proxies_count,
        "REAL_IP_HEADER": server.real_ip_header,
        "REQUEST_MAX_SIZE": server.request_max_size,
        "REQUEST_TIMEOUT": server.request_timeout,
        "RESPONSE_TIMEOUT": server.response_timeout,
    }
    return Config(defaults=defaults, env_prefix=None)
