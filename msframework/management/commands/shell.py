"""`shell`: a Python prompt inside the running service, with `await`. Runs on the command line."""

from __future__ import annotations

import readline
import rlcompleter
import signal
import sys
from typing import Any

import click

from msframework.app import Service, create_app
from msframework.db.embedded import ensure_database
from msframework.management.project import Project
from msframework.management.session import Prompt, ShellSession, run_source
from msframework.migrations.declared import read_models


@click.command()
@click.option("-c", "--command", "source", metavar="CODE", help="Run CODE and leave.")
@click.pass_obj
def command(project: Project, source: str | None) -> None:
    """Open a Python prompt in the running service; `await` works, and piped input is run."""
    quiet = source is not None or not sys.stdin.isatty()
    settings = ensure_database(project.settings, lambda line: project.echo(line, err=quiet))
    service = create_app(settings)
    scope = read_scope(service)
    with ShellSession(service) as session:
        if source is not None:
            run_source(session, source, scope)
        elif quiet:
            run_source(session, sys.stdin.read(), scope)
        else:
            _prompt(session, scope)


def read_scope(service: Service) -> dict[str, Any]:
    """Return the names that code in the shell finds: `app`, `db`, and the models of all apps."""
    scope: dict[str, Any] = {"__name__": "__console__", "app": service, "db": service.db}
    for app in service.settings.installed_apps:
        scope |= {model.__name__: model for model in read_models(app)}
    return scope


def _prompt(session: ShellSession, scope: dict[str, Any]) -> None:
    # NOTE: whatever started this may ignore or block it; a person has no other way out of a wait.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    readline.set_completer(rlcompleter.Completer(scope).complete)
    readline.parse_and_bind("tab: complete")
    names = ", ".join(name for name in scope if not name.startswith("_"))
    banner = f"Python {sys.version.split()[0]}, await works. In scope: {names}."
    Prompt(session, scope).interact(banner=banner, exitmsg="")
