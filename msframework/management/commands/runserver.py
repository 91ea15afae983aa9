"""`runserver`: serves the installed apps over HTTP. Runs on the command line."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import click
from sanic import Sanic
from sanic.worker.loader import AppLoader

from msframework.app import create_app
from msframework.conf.rules import is_loopback
from msframework.conf.settings import Settings
from msframework.conf.tls import check_files, find_warnings, names_files
from msframework.db.embedded import ensure_database, project_root
from msframework.management.project import Project
from msframework.management.sockets import (
    is_inherited,
    listening,
    listening_for_operations,
    name_of,
)
from msframework.management.start import Start, build, prepare_database
from msframework.management.watch import Watch
from msframework.management.workers import Workers, shielded
from msframework.serving.run import run


@click.command()
@click.option("--host", help="Address to listen on (HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (PORT).")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes (WORKERS).")
@click.option("--reload", is_flag=True, help="Start again when a file of the project changes.")
@click.option("--no-migrate", is_flag=True, help="Leave pending migrations alone.")
@click.pass_obj
def command(
    project: Project,
    host: str | None,
    port: int | None,
    workers: int | None,
    reload: bool,
    no_migrate: bool,
) -> None:
    """Serve the installed apps over HTTP."""
    project.override({"HOST": host, "PORT": port, "WORKERS": workers})
    check_files(project.settings)
    for line in find_warnings(project.settings):
        project.echo(f"Warning: {line}", fg="yellow", err=True)
    settings = ensure_database(project.settings, project.echo)
    if project.settings.database.url is None:
        # The workers read the settings anew, and are to find the server that was started here.
        project.override({"DATABASE_URL": settings.database.url})
    prepare_database(settings, migrate=not no_migrate)
    # NOTE: Sanic would advise options of its own command line, on every terminal.
    os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "true"
    with listening(settings) as sock:
        if settings.server.workers > 1 or reload:
            serve_many(settings, sock, project, reload=reload, migrate=not no_migrate)
        else:
            serve_one(settings, sock, project)


def serve_one(settings: Settings, sock: socket.socket, project: Project) -> None:
    """Serve in this process, until it is told to stop."""
    service = build(settings)

    def announce() -> None:
        _announce(settings, sock, project)

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


def serve_many(
    settings: Settings, sock: socket.socket, project: Project, *, reload: bool, migrate: bool
) -> None:
    """Serve in processes of their own, which Sanic starts, watches and stops."""
    service = create_app(settings)
    shown = is_loopback(settings.server.host)
    loader = AppLoader(
        factory=Start(settings.module, service.name, reload, migrate, shown, settings.tls)
    )

    def announce() -> None:
        _announce(settings, sock, project)

    async def take_over(*_: Any) -> None:
        Workers.take_over(
            service.manager,
            reloads=reload,
            has_files=names_files(settings),
            announce=announce,
        )
        lift()
        if reload:
            Watch.take_over(service.manager.durable["Reloader"].serve)

    service.register_listener(take_over, "main_process_ready")
    folders = [str(project_root(settings))] if reload else None
    service.prepare(
        sock=sock,
        workers=settings.server.workers,
        auto_reload=reload,
        reload_dir=folders,
        **_address(sock),
    )
    with shielded() as lift:
        Sanic.serve(primary=service, app_loader=loader)


def _address(sock: socket.socket) -> dict[str, Any]:
    host, port = None, None
    if sock.family != socket.AF_UNIX:
        host, port = sock.getsockname()[:2]
    return {"host": host, "port": port, "motd": False, "access_log": False}


def _announce(settings: Settings, sock: socket.socket, project: Project) -> None:
    is_unix = sock.family == socket.AF_UNIX
    scheme = "https" if settings.tls.cert is not None else "http"
    root = name_of(sock) if is_unix else f"{scheme}://{name_of(sock)}"
    prefix = settings.server.url_prefix
    workers = settings.server.workers
    label = f"{workers} workers" if workers > 1 else "1 process"
    where = root if is_unix else f"{root}{prefix}/"
    project.echo(f"{settings.service_name} serves at {where} in {label} (pid {os.getpid()})")
    if settings.openapi.enabled and settings.openapi.docs_url is not None and not is_unix:
        project.echo(f"Documentation: {root}{prefix}{settings.openapi.docs_url}")
