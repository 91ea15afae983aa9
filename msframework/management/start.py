"""The service of a process of `runserver`, or a stand-in while it cannot be built.

Runs in the processes of `runserver`. Under `--reload` a mistake is said in one paragraph, every
request is answered with 503 meanwhile, and the next change of a file tries again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

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
from msframework.management.notice import say
from msframework.serving.tls import ServerTLS


def build(settings: Settings) -> Service:
    """Build the service of *settings*, for this process to serve."""
    with without_collection():
        service = create_app(settings)
    open_tls(service)
    SettledObjects(service)
    return service


def open_tls(service: Service) -> None:
    """Let connections of *service* begin with TLS, where its settings name a certificate."""
    settings = service.settings
    if settings.tls.cert is not None:
        service._serving.tls = ServerTLS(settings.tls, settings.server.request_timeout)


class StartMode(Enum):
    """The occasion of a worker's start."""

    FIRST = "first"
    DIED = "died"  # the one before it, while it served
    HUNG = "hung"  # likewise; it was killed
    FAILED = "failed"  # the one before it could not start
    RENEWED = "renewed"  # code and settings may be new
    CHANGED = "changed"  # likewise, under `--reload`
    STAND_IN = "stand-in"  # the service could not start


@dataclass(frozen=True, slots=True)
class Start:
    """Builds the service in the process of a worker, from its settings module.

    Args:
        module: the settings module.
        name: the name of a stand-in.
        reload: whether a mistake may be mended while the server runs.
        migrate: whether pending migrations are applied, when it starts again.
        shown: whether the answers of a stand-in show the mistake, too.
        tls: the TLS of a stand-in.
        mode: the occasion.
        tells: whether it reports migrations that are missing; one worker is enough.
    """

    module: str
    name: str
    reload: bool
    migrate: bool
    shown: bool
    tls: TLSSettings = field(default_factory=TLSSettings)
    mode: StartMode = StartMode.FIRST
    tells: bool = True

    def __call__(self) -> Service:
        """Return the service, or under `--reload` its stand-in."""
        if self.mode is StartMode.STAND_IN:
            return stand_in(self.name, "it failed when it started; its log says why", self.tls)
        if not self.reload:
            return self._build()
        try:
            return self._build()
        except (Exception, SystemExit) as exc:
            said = str(exc) if isinstance(exc, ImproperlyConfigured) else describe(exc)
            say(f"Error: {said}", err=True, fg="red")
            say("Waiting for a change; requests are answered with 503.", err=True)
            return stand_in(self.name, said if self.shown else None, self.tls)

    def _build(self) -> Service:
        settings = load_settings(self.module)
        if self.mode in (StartMode.RENEWED, StartMode.CHANGED):
            prepare_database(settings, migrate=self.migrate, tell=self.tells)
        return build(settings)


def prepare_database(settings: Settings, *, migrate: bool, tell: bool = True) -> None:
    """Apply pending migrations where that is wanted, and report the tables that lack any."""
    if settings.database.url is None:
        return
    from msframework.management.commands.migrate import apply_pending, tell_missing

    if settings.database.auto_migrate and migrate:
        apply_pending(settings, say)
    if tell:
        tell_missing(settings, partial(say, fg="yellow"))


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
    return service
