"""`sqlmigrate`: prints the SQL of a migration. Runs on the command line, without a database."""

from __future__ import annotations

from collections.abc import Sequence

import click

from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.files import app_label, read_apps
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.custom import Run
from msframework.migrations.operations.program import reverse_operations
from msframework.migrations.plan import target_of
from msframework.migrations.script import write_script
from msframework.migrations.step import FileStep, MigrationStep, label


@click.command()
@click.argument("app")
@click.argument("name")
@click.option("--backwards", is_flag=True, help="Print the SQL that takes the migration back.")
@click.pass_obj
def command(project: Project, app: str, name: str, backwards: bool) -> None:
    """Print the SQL of the migration NAME of APP (or the beginning of its name), for psql.

    Python functions that it calls appear as comments: their SQL is known only when they run.
    """
    step = _find(project.settings.installed_apps, app, name)
    title = f"{label(step)}{' backwards' if backwards else ''}"
    project.echo(write_script(title, _program(step, backwards), step.atomic).rstrip())


def _find(apps: Sequence[str], app: str, name: str) -> MigrationStep:
    """Return the migration *name* of *app*, whether those of other apps can be read or not.

    Raises:
        ImproperlyConfigured: there is none, or the app's migrations cannot be read.
    """
    found = read_apps(apps)
    problems = [
        problem
        for each, ones in found.problems.items()
        if app_label(each) == app_label(app)
        for problem in ones
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)
    step = target_of(found.steps, apps, app, name).step
    if step is None:
        raise ImproperlyConfigured(f"{name!r} is no migration. Name one of {app}, as 0001.")
    return step


def _program(step: MigrationStep, backwards: bool) -> Sequence[MigrationOperation]:
    """Return the operations of *step* in the order of a run; `Run` for an `up` or `down`.

    Raises:
        ImproperlyConfigured: it is a class, or not reversible.
    """
    if not isinstance(step, FileStep):
        raise ImproperlyConfigured(
            f"{label(step)} is a version of a class, and its SQL is known only when it runs. "
            "`manage.py migrate` applies it."
        )
    if backwards and step.obstacle is not None:
        raise ImproperlyConfigured(f"{label(step)} cannot be taken back: {step.obstacle}.")
    function = getattr(step.module, "down" if backwards else "up", None)
    if not step.operations and function is not None:
        return (Run(function),)
    return (reverse_operations(step.operations) or ()) if backwards else step.operations
