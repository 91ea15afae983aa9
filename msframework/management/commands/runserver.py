"""`runserver`: serves the installed apps over HTTP. Runs on the command line."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack

import click

from msframework.app import create_app
from msframework.conf.rules import is_loopback
from msframework.conf.settings import Settings
from msframework.conf.tls import check_files, find_warnings
from msframework.db.embedded import ensure_database, project_root
from msframework.exceptions import ImproperlyConfigured
from msframework.log import setup_logging
from msframework.management.main_process import MainProcessListeners
from msframework.management.notice import say
from msframework.management.overview import answering, place_of_probes, sharing_metrics
from msframework.management.project import Project
from msframework.management.sockets import (
    is_inherited,
    listening,
    listening_for_operations,
    name_of,
)
from msframework.management.start import Start, build, prepare_database
from msframework.management.supervisor import Supervisor
from msframework.management.watch import Watch
from msframework.management.worker import Launcher, prepare_fork_server
from msframework.serving.descriptors import hold_standard
from msframework.serving.run import run
from msframework.serving.signals import stopping_the_start


@click.command()
@click.option("--host", help="Address to listen on (HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (PORT).")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes (WORKERS).")
@click.option("--reload", is_flag=True, help="Start again when a file of the project changes.")
@click.option("--no-migrate", is_flag=True, help="Leave pending migrations alone.")
@click.pass_obj
@stopping_the_start()
def command(
    project: Project,
    host: str | None,
    port: int | None,
    workers: int | None,
    reload: bool,
    no_migrate: bool,
) -> None:
    """Serve the installed apps over HTTP."""
    hold_standard()
    project.override({"HOST": host, "PORT": port, "WORKERS": workers})
    check_files(project.settings)
    for line in find_warnings(project.settings):
        say(f"Warning: {line}", fg="yellow", err=True)
    settings = ensure_database(project.settings, say)
    if project.settings.database.url is None:
        # The workers read the settings anew, and are to find the server that was started here.
        project.override({"DATABASE_URL": settings.database.url})
    prepare_database(settings, migrate=not no_migrate)
    # NOTE: Sanic would advise options of its own command line, on every terminal.
    os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "true"
    with listening(settings) as sock:
        if settings.server.workers is not None or reload:
            serve_many(settings, sock, reload=reload, migrate=not no_migrate)
        else:
            serve_one(settings, sock)


def serve_one(settings: Settings, sock: socket.socket) -> None:
    """Serve in this process, until it is told to stop."""
    service = build(settings)

    def announce() -> None:
        _announce(settings, sock, operations)

    with listening_for_operations(settings) as operations:
        code = run(
            service,
            sock,
            on_serving=announce,
            operations=operations,
            owns_socket=not is_inherited(sock),
        )
    if code:
        sys.exit(code)


def serve_many(settings: Settings, sock: socket.socket, *, reload: bool, migrate: bool) -> None:
    """Serve in workers, which a supervisor in this process starts, replaces, renews and stops."""
    with ExitStack() as stack:
        operations = stack.enter_context(listening_for_operations(settings))
        metrics = stack.enter_context(sharing_metrics(settings))
        prepare_fork_server()
        setup_logging(settings)
        service = create_app(settings)
        watch = Watch([project_root(settings)]) if reload else None
        listeners = stack.enter_context(MainProcessListeners(service, reload=reload))

        def announce() -> None:
            _announce(settings, sock, operations)
            listeners.begin_watching()

        shown = is_loopback(settings.server.host)
        start = Start(settings.module, service.name, reload, migrate, shown, settings.tls)
        supervisor = Supervisor(
            settings.server.workers or 1,
            Launcher(start, sock, listeners.shared_context),
            sock,
            announce,
            find_changes=None if watch is None else watch.changed,
            on_change=listeners.call_around_change,
        )
        stack.enter_context(answering(operations, supervisor, metrics))
        supervisor.run()
    if supervisor.failure is not None:
        raise ImproperlyConfigured(supervisor.failure)


def _announce(settings: Settings, sock: socket.socket, operations: socket.socket | None) -> None:
    is_unix = sock.family == socket.AF_UNIX
    scheme = "https" if settings.tls.cert is not None else "http"
    root = name_of(sock) if is_unix else f"{scheme}://{name_of(sock)}"
    prefix = settings.server.url_prefix
    workers = settings.server.workers
    label = "1 process" if workers in (None, 1) else f"{workers} workers"
    where = root if is_unix else f"{root}{prefix}/"
    lines = [f"{settings.service_name} serves at {where} in {label} (pid {os.getpid()})"]
    if settings.openapi.enabled and settings.openapi.docs_url is not None and not is_unix:
        lines.append(f"Documentation: {root}{prefix}{settings.openapi.docs_url}")
    if operations is not None:
        lines.append(f"Probes and metrics: {place_of_probes(operations)}")
    say("\n".join(lines))
