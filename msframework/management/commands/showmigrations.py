"""`showmigrations`: lists migrations and when they were applied. Runs on the command line."""

from __future__ import annotations

from functools import partial

import click

from msframework.db.embedded import ensure_database
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.connection import database_url
from msframework.migrations.files import app_label
from msframework.migrations.runner import MigrationStatus, Runner


@click.command()
@click.argument("app", required=False)
@click.pass_obj
def command(project: Project, app: str | None) -> None:
    """List all migrations, or those of APP: applied [x], pending [ ], file missing [?]."""
    settings = ensure_database(project.settings, partial(project.echo, err=True))
    labels = [app_label(each) for each in settings.installed_apps]
    if app is not None:
        if app_label(app) not in labels:
            raise ImproperlyConfigured(
                f"There is no app {app!r}; INSTALLED_APPS has {', '.join(labels) or 'none'}."
            )
        labels = [app_label(app)]
    runner = Runner(database_url(settings), settings.installed_apps)
    lines = runner.status()
    for label in labels:
        project.echo(label)
        own = [line for line in lines if line.app == label]
        for line in own:
            project.echo(f"  {_describe(line)}")
        if not own:
            project.echo("  (no migrations)")
    for fork in runner.forks():
        project.echo(fork, fg="yellow", err=True)


def _describe(line: MigrationStatus) -> str:
    part = "" if line.phases is None else f"  (interrupted: {line.phases} phases done)"
    if line.entry is None:
        return f"[ ] {line.name}{part}"
    by = f"  {line.entry.author}" if line.entry.author else ""
    time = line.entry.time.isoformat(" ", "seconds")
    return f"[{'x' if line.known else '?'}] {line.name}  {time}{by}{part}"
