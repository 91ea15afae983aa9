"""`squashmigrations`: writes one migration for several. Runs on the command line."""

from __future__ import annotations

import os

import click

from msframework.management.project import Project
from msframework.migrations.draft_file import write_drafts
from msframework.migrations.squash import draft_squash


@click.command()
@click.argument("app")
@click.argument("first")
@click.argument("last")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the text of the file.")
@click.pass_obj
def command(project: Project, /, app: str, first: str, last: str, dry_run: bool) -> None:
    """Write one migration of APP in the place of those from FIRST to LAST.

    Where all of them are applied, the new one is only recorded; where none is, it runs. When every
    database has it, delete the files that it replaces.
    """
    draft = draft_squash(project.settings.installed_apps, app, first, last)
    if not dry_run:
        write_drafts([draft])
    project.echo(f"{'Would write' if dry_run else 'Wrote'} {os.path.relpath(draft.path)}")
    for line in draft.summary:
        project.echo(f"  {line}")
    if dry_run:
        project.echo(draft.text)
