"""`makemigrations`: writes migrations to the tables of the models. Runs on the command line."""

from __future__ import annotations

import os

import click

from msframework.db.embedded import ensure_database
from msframework.management.project import Project
from msframework.migrations.connection import database_url
from msframework.migrations.draft import Draft, draft_changes, draft_empty
from msframework.migrations.runner import Runner


@click.command()
@click.argument("app", required=False)
@click.option("--empty", is_flag=True, help="Write one that does nothing yet, for APP.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if something is missing.")
@click.option("--name", help="What the migration is called, after its number.")
@click.pass_obj
def command(project: Project, app: str | None, empty: bool, check: bool, name: str | None) -> None:
    """Write migrations from the difference between models and database.

    The database counts as if everything pending were applied to it. Only new and dropped columns,
    indexes and new tables are seen; a renamed column is seen as one added and one dropped.
    """
    if empty:
        if app is None or check:
            raise click.UsageError("--empty needs an APP, and goes without --check.")
        _write(project, draft_empty(project.settings.installed_apps, app, name))
        return
    settings = ensure_database(project.settings, project.echo)
    runner = Runner(database_url(settings), settings.installed_apps, project.echo)
    drafts = draft_changes(runner, app, name)
    if not drafts:
        project.echo("The models and the migrations agree.")
    for draft in drafts:
        if check:
            project.echo(f"Missing: {_shown(draft)}")
            for line in draft.summary:
                project.echo(f"  {line}")
        else:
            _write(project, draft)
    if check and drafts:
        click.get_current_context().exit(1)


def _write(project: Project, draft: Draft) -> None:
    draft.write()
    project.echo(f"Wrote {_shown(draft)}")
    for line in draft.summary:
        project.echo(f"  {line}")
    for todo in draft.todos:
        project.echo(f"  to do by hand: {todo}", fg="yellow")


def _shown(draft: Draft) -> str:
    return os.path.relpath(draft.path)
