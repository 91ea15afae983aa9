"""The service of a process of `runserver`, or a stand-in while it cannot be built.

Runs in the processes of `runserver`. Under `--reload` a mistake is said in one paragraph, every
request is answered with 503 meanwhile, and the next change of a file tries again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import click
from sanic import Sanic
from sanic.exceptions import SanicException

from msframework._place import describe
from msframework.app import Service, create_app
from msframework.conf.loader import load_settings
from msframework.conf.settings import (
    LogSettings,
    OpenAPISettings,
    Settings,
    TLSSettings,
    TracingSettings,
)
from msframework.exceptions import ImproperlyConfigured, ServiceUnavailable
from msframework.management.garbage import SettledObjects, without_collection
from msframework.management.workers import AGAIN, STAND_IN, START_VARIABLE, SignalStop
from msframework.serving.tls import ServerTLS


def build(settings: Settings) -> Service:
    """Build the service of *settings*, for this process to serve."""
    with without_collection():
        service = create_app(settings)
    open_tls(service)
    SettledObjects(service)
    return service


def _build_worker(settings: Settings) -> Service:
    service = build(settings)
    SignalStop(service)
    return service


def open_tls(service: Service) -> None:
    """Let connections of *service* begin with TLS, where its settings name a certificate."""
    settings = service.settings
    if settings.tls.cert is not None:
        service._serving.tls = ServerTLS(settings.tls, settings.server.request_timeout)


@dataclass(frozen=True, slots=True)
class Start:
    """Builds the service in a process that Sanic started, from its settings module.

    Args:
        module: the settings module.
        name: the name of the app in Sanic.
        reload: whether a mistake may be mended while the server runs.
        migrate: whether pending migrations are applied, when it starts again.
        shown: whether the answers of a stand-in show the mistake, too.
        tls: the TLS of a stand-in.
    """

    module: str
    name: str
    reload: bool
    migrate: bool
    shown: bool
    tls: TLSSettings = field(default_factory=TLSSettings)

    def __call__(self) -> Service:
        """Return the service, or under `--reload` its stand-in."""
        if not self.reload:
            return _build_worker(load_settings(self.module))
        how = os.environ.get(START_VARIABLE)
        if how == STAND_IN:
            return stand_in(self.name, "it failed when it started; its log says why", self.tls)
        try:
            return (
                self._build_again() if how == AGAIN else _build_worker(load_settings(self.module))
            )
        except (Exception, SystemExit) as exc:
            said = str(exc) if isinstance(exc, ImproperlyConfigured) else describe(exc)
            click.secho("Error: ", fg="red", bold=True, err=True, nl=False)
            click.echo(f"{said}\nWaiting for a change; requests are answered with 503.", err=True)
            return stand_in(self.name, said if self.shown else None, self.tls)

    def _build_again(self) -> Service:
        settings = load_settings(self.module)
        first = os.environ.get("SANIC_WORKER_NAME", "").endswith("-0-0")
        prepare_database(settings, migrate=self.migrate, tell=first)
        service = _build_worker(settings)
        if service.name != self.name:
            raise ImproperlyConfigured(
                f"SERVICE_NAME is {settings.service_name!r} now and was {self.name!r} when the "
                "server started, which keeps its name. Start it again by hand."
            )
        return service


def prepare_database(settings: Settings, *, migrate: bool, tell: bool = True) -> None:
    """Apply pending migrations where that is wanted, and report the tables that lack any."""
    if settings.database.url is None:
        return
    from msframework.management.commands.migrate import apply_pending, tell_missing

    if settings.database.auto_migrate and migrate:
        apply_pending(settings, click.echo)
    if tell:
        tell_missing(settings, lambda text: click.secho(text, fg="yellow"))


def stand_in(name: str, why: str | None, tls: TLSSettings | None = None) -> Service:
    """Return a service that answers every request with 503, and says *why*."""
    with suppress(SanicException):  # half built
        Sanic.unregister_app(Sanic.get_app(name))
    service = Service(
        Settings(
            service_name=name,
            log=LogSettings(access=False),
            tracing=TracingSettings(enabled=False),
            openapi=OpenAPISettings(enabled=False),
            tls=tls or TLSSettings(),
        )
    )
    with suppress(OSError):  # its files may be the mistake
        open_tls(service)

    failure = ServiceUnavailable(error=why)

    async def refuse(request: Any, *_: Any) -> Any:
        return await service._serving.failures.explain(request, failure, failure)

    service.add_route(refuse, "/", name="stand_in")  # the router wants one at least
    service.exception(Exception)(refuse)
    SignalStop(service)
    return service
