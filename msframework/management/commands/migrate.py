"""`migrate`: brings the database up to date, or back. Runs on the command line."""

from __future__ import annotations

from collections.abc import Callable

import click

from msframework.conf.settings import Settings
from msframework.db.embedded import ensure_database
from msframework.management.project import Project
from msframework.migrations.connection import database_url
from msframework.migrations.runner import Runner


@click.command()
@click.argument("app", required=False)
@click.argument("target", required=False)
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@click.option("--fake", is_flag=True, help="Change the record only, not the tables.")
@click.pass_obj
def command(project: Project, app: str | None, target: str | None, plan: bool, fake: bool) -> None:
    """Apply pending migrations, or go to one of them.

    Without arguments everything pending is applied; with APP, that app and what it depends on. With
    TARGET (a name, or its beginning) the app goes up to that migration, or back to it where it is
    applied; TARGET "zero" takes all of them back.
    """
    settings = ensure_database(project.settings, project.echo)
    runner = Runner(database_url(settings), settings.installed_apps, project.echo)
    done = runner.migrate(app, target, plan=plan, fake=fake)
    if not done:
        project.echo("Nothing to migrate.")


def apply_pending(settings: Settings, echo: Callable[[str], None]) -> None:
    """Apply what is pending, and say so; says nothing when there is nothing.

    Raises:
        ImproperlyConfigured: see `Runner.migrate`.
    """
    done = Runner(database_url(settings), settings.installed_apps, echo).migrate()
    if done:
        echo(f"Applied {len(done)} pending migration{'s' if len(done) > 1 else ''}.")
