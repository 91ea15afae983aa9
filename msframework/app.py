"""`Service`, and `create_app`, which builds one from settings in the order in which it happens.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TypeVar

from sanic.exceptions import SanicException
from sanic.models.futures import FutureRoute
from sanic_routing.exceptions import BaseException as RoutingError

from msframework._imports import explain, import_object
from msframework.access.authenticator import Authenticator
from msframework.access.guard import Guard
from msframework.access.registry import build_service_access
from msframework.client import Client, Clients
from msframework.conf.loader import load_settings
from msframework.conf.settings import Settings
from msframework.db import Database
from msframework.errors import ErrorHandler, Hook
from msframework.exceptions import ImproperlyConfigured, SetupClosed
from msframework.health import Monitor, Readiness
from msframework.lifecycle import Parts, complete, ignore_repeated_signals
from msframework.log import setup_logging
from msframework.log.access import AccessLog
from msframework.measuring import build_measuring
from msframework.metrics import Metrics
from msframework.mounting import Endpoints
from msframework.openapi.ui import mount_documents
from msframework.operation import Operation
from msframework.operations.checks import add_checks
from msframework.operations.mount import mount_probes
from msframework.problem import Problem
from msframework.provider import ProvidedValue, Raised, build_value
from msframework.registration import CheckedRegistration
from msframework.requirement import check_database
from msframework.routing import Mounted, read_blueprints
from msframework.serving.config import build_config
from msframework.serving.files import StaticFiles
from msframework.serving.handling import ObservedSanic
from msframework.serving.request import Request
from msframework.serving.router import Router
from msframework.serving.state import build_state
from msframework.template import Templates
from msframework.tracing import Tracer, build_tracer
from msframework.types import Part, Provider

H = TypeVar("H", bound=Hook)
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
    """Call the function that `CONFIGURE` names; its exceptions say where."""
    try:
        result = import_object(path, where="CONFIGURE")(service)
        if isinstance(result, Awaitable | Generator | AsyncGenerator):
            getattr(result, "close", bool)()  # no warning beside the message
            found = f"{path!r} is asynchronous or yields, and nothing runs what it returns"
            advice = "Write a plain function; what is to be awaited goes into a part"
            advice += " (service.add_part)."
            raise ImproperlyConfigured(Problem("CONFIGURE", found, advice=advice))
    except ImproperlyConfigured as exc:
        raise ImproperlyConfigured.of([*service.problems, *exc.problems]) from exc
    except Exception as exc:
        problem = explain(exc, f"CONFIGURE: {path!r} failed")
        raise ImproperlyConfigured.of([*service.problems, problem]) from exc


class Service(CheckedRegistration, StaticFiles, ObservedSanic):
    """A Sanic app with a database, clients, a tracer, and compiled endpoints.

    Attributes:
        settings: the settings that it was built from.
        db: the data layer: `acquire()` and `transaction()`.
        clients: the other services by name.
        tracer: the tracer behind `opentracing.tracer`.
        queue: finished spans on their way out.
        access_log: the lines on their way out.
        readiness: whether requests may be sent here, by part.
        monitor: the beat of the loop.
        metrics: the counters, gauges and histograms that `/metrics` shows.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.problems: list[str] = []
        self.refused: list[tuple[FutureRoute, Mounted]] = []
        self._mounting = Mounted()
        self.providers: dict[str, ProvidedValue] = {}
        self.access = build_service_access(settings, self.problems)
        self._client: Client | None = None
        self._documented = False
        tracing = build_tracer(settings)
        self.tracer, self.queue = tracing.tracer, tracing.queue
        self.access_log = AccessLog(settings)
        self.db = build_database(settings, self.tracer)
        self.clients = Clients(settings.services, self.tracer, settings.server.fast_path)
        self._serving = build_state(settings, self.tracer, self.access_log, self.metrics)
        handler = ErrorHandler()
        handler.answers = self._serving.failures
        super().__init__(
            _NOT_IN_A_NAME.sub("_", settings.service_name),
            config=build_config(settings.server),
            error_handler=handler,
            request_class=Request,  # type: ignore[arg-type]
            router=Router(),
            configure_logging=False,
        )
        self.parts = self._build_parts(tracing)
        self.endpoints = Endpoints(self)
        self.register_listener(self._start_parts, "before_server_start")
        self.register_listener(self._begin_to_serve, "after_server_start")
        self.register_listener(self._begin_stop, "before_server_stop")
        self.register_listener(self._end_stop, "after_server_stop")

    def _build_parts(self, tracing: Part) -> Parts:
        """Return the service's own parts, in the order in which they start."""
        settings = self.settings
        parts = Parts(settings.server.part_stop_timeout)
        self.readiness = Readiness(parts)
        self.monitor = Monitor(self.readiness, measured=settings.is_measured)
        if settings.is_measured:
            for part in build_measuring(self):
                parts.add(part)
        parts.add(self.readiness)
        parts.add(self.monitor)
        if settings.is_measured:
            add_checks(self, self.readiness)
            self.monitor.read = self.metrics.take_readings
        parts.add(self._serving.heads.clock)
        if self._serving.shedding is not None:
            parts.add(self._serving.shedding)
            self._serving.shedding.register(self.metrics)
        parts.add(tracing)
        if settings.log.access:
            parts.add(self.access_log)
        if settings.database.url is not None:
            parts.add(self.db, "db")
        else:
            parts.reserve("db")
        parts.add(self.clients, "clients")
        if self._serving.rates.store is not None:
            parts.add(self._serving.rates.store, "rates")
        for authenticator in self.access.authenticators.values():
            if isinstance(authenticator, Part):
                parts.add(authenticator, f"authenticator {authenticator.name}")
        return parts

    # What a service's own code calls before it starts.

    def provide(
        self, name: str, provider: Provider, *, security: str | None = None, raises: Raised = ()
    ) -> None:
        """Make the value of *provider* available to every method that takes *name*.

        Args:
            provider: a function, coroutine function or async generator that yields once; it takes
                the request, path parameters and other provided values by name.
            security: the security scheme that it enforces.
            raises: the failures of the operations that take it.
        """
        self._check_open("provide")
        self.providers[name] = build_value(name, provider, "service", security, raises)

    @property
    def authenticators(self) -> Mapping[str, Authenticator]:
        """The authenticators by name, in the order in which they are tried."""
        return MappingProxyType(self.access.authenticators)

    def authenticate(self, name: str, authenticator: Authenticator) -> None:
        """Register *authenticator* after the others; *name* is also that of its scheme.

        One that has `start` and `stop` is a part of the service.
        """
        self._check_uncompiled("authenticate")
        where = f"service.authenticate({name!r}, …)"
        self.access.authenticate(name, authenticator, where, self.problems)
        taken = self.access.authenticators.get(name) is authenticator
        if taken and isinstance(authenticator, Part):
            self.parts.add(authenticator, f"authenticator {name}")

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The guards of all operations."""
        return self.access.guards

    def add_guards(self, *guards: Guard) -> None:
        """Guard all operations, websockets, streams and static files with *guards*, too."""
        self._check_uncompiled("add_guards")
        self.access.add_guards(guards, "service.add_guards(…)", self.problems)

    def _check_uncompiled(self, what: str) -> None:
        self._check_open(what)
        if self.endpoints.operations:
            raise SetupClosed(
                f"{what}() was called after operations were compiled without it. "
                "Call it before, in the function that CONFIGURE names for instance."
            )

    def add_part(self, part: Part, *, name: str | None = None) -> None:
        """Start *part* with the service, after its own parts, and stop it before them.

        Args:
            name: the name for `replace_part`; the name of its class when `None`.
        """
        self._check_open("add_part")
        self.parts.add(part, name)

    def replace_part(self, name: str, part: Part) -> None:
        """Start *part* in the place of the part *name*, as tests do.

        The service's own are `db` and `clients`; the attribute of that name is replaced, too.

        Raises:
            ValueError: no part has that name, or several have.
        """
        self._check_open("replace_part")
        self.parts.replace(name, part)
        if name in ("db", "clients"):
            setattr(self, name, part)

    def on_error(self, hook: H) -> H:
        """Call `hook(request, exception, span)` for every unexpected exception; may be async.

        This is the place for Sentry and its like. Expected failures (`ServiceException`, input
        errors, constraint violations) do not come here.
        """
        self._check_open("on_error")
        self._serving.failures.hooks.append(hook)
        return hook

    def _check_open(self, what: str) -> None:
        if self.parts.running:
            raise SetupClosed(
                f"{what}() was called after the service began to start. "
                "Call it before, in the function that CONFIGURE names for instance."
            )

    @property
    def client(self) -> Client:
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
    def client(self, client: Client) -> None:
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
        """Compile the rest, add the methods that answer by themselves, and close the routes."""
        if self.settings.openapi.enabled and not self._documented:
            self._documented = True
            self.endpoints.mount_plain(mount_documents, self, self.operations, self.settings)
        self.compile()
        if self.settings.debug:
            mount_probes(self)
        serving, endpoints = self._serving, self.endpoints
        serving.failures.templates = Templates(endpoints.operations, serving.failures.envelope)
        endpoints.trace_others()
        serving.methods = endpoints.add_missing_methods()
        serving.close_routes(self)
        try:
            super().finalize()
        except (RoutingError, SanicException) as exc:
            text = f"Sanic's router refuses the routes: {exc}"
            raise ImproperlyConfigured(Problem.caused(exc, text)) from exc
        serving.open(self, endpoints.handlers)

    async def rehearse(self) -> None:
        """Run all that a start runs, short of opening anything; it cannot be served afterwards.

        Raises:
            ImproperlyConfigured: with every mistake.
        """
        try:
            self.signalize(self.config.TOUCHUP is not False)
        except RoutingError as exc:
            text = f"Sanic's router refuses the signals: {exc}"
            raise ImproperlyConfigured(Problem.caused(exc, text)) from exc
        self.finalize()

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

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop: answers already say `Connection: close`."""
        return self._serving.stopping

    def reload_certificates(self) -> None:
        """Read the files of TLS anew, for connections that begin from now on."""
        if self._serving.tls is not None:
            self._serving.tls.reload()
        if isinstance(self.clients, Clients):
            self.clients.reload()

    async def _start_parts(self, app: object, loop: object = None) -> None:
        setup_logging(self.settings)
        self._serving.stopping = False
        await self.parts.start()

    async def _begin_to_serve(self, app: object, loop: object = None) -> None:
        self.readiness.starting = False

    async def _begin_stop(self, app: object, loop: object = None) -> None:
        self._serving.stopping = self.readiness.draining = True
        ignore_repeated_signals()

    async def _end_stop(self, app: object, loop: object = None) -> None:
        if self._serving.stops_parts:
            await self.stop_parts()

    async def stop_parts(self) -> None:
        """Stop all parts, each within its time; does nothing the second time."""
        if self._serving.tls is not None:
            await self._serving.tls.stop()
        await self.parts.stop()
        if self._client is not None:
            await complete(self._client.stop(), self.settings.server.part_stop_timeout, "Client")


def build_database(settings: Settings, tracer: Tracer) -> Database:
    """Return the data layer of *settings*, which connects to nothing yet."""
    return Database(
        settings.database,
        tracer=tracer,
        debug=settings.debug,
        trace_arguments=settings.tracing.sql_arguments,
    )
