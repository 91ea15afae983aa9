"""`sqlmigrate`: prints the SQL of a migration. Runs on the command line, without a database."""

from __future__ import annotations

from collections.abc import Sequence

import click

from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.files import read_steps
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.custom import Run
from msframework.migrations.operations.program import check_operations
from msframework.migrations.plan import target_of
from msframework.migrations.script import write_script
from msframework.migrations.step import MigrationStep, label


@click.command()
@click.argument("app")
@click.argument("name")
@click.option("--backwards", is_flag=True, help="The SQL that takes it back.")
@click.pass_obj
def command(project: Project, app: str, name: str, backwards: bool) -> None:
    """Print the SQL of the migration NAME of APP (or the beginning of its name), for psql.

    Python that a migration calls stands in comments, as its SQL is known only when it runs.
    """
    apps = project.settings.installed_apps
    step = target_of(read_steps(apps), apps, app, name).step
    if step is None:
        raise ImproperlyConfigured(f"{name!r} is no migration. Name one of {app}, as 0001.")
    title = f"{label(step)}{' backwards' if backwards else ''}"
    project.echo(write_script(title, _operations_of(step, backwards), step.atomic).rstrip())


def _operations_of(step: MigrationStep, backwards: bool) -> Sequence[MigrationOperation]:
    """Return what *step* consists of, in the order of a run.

    Raises:
        ImproperlyConfigured: it is a class, or has no way back.
    """
    module = getattr(step, "module", None)
    found = getattr(module, "operations", None)
    if found is None:
        function = getattr(module, "down" if backwards else "up", None)
        if function is None:
            raise ImproperlyConfigured(
                f"{label(step)} has no operations{' and no down' * backwards}, so there is no SQL "
                "to print. `manage.py migrate` applies it."
            )
        return (Run(function),)
    operations = check_operations(label(step), found)
    if not backwards:
        return operations
    taken_back = []
    for each in reversed(operations):
        operation = each.reverse()
        if operation is None:
            raise ImproperlyConfigured(
                f"{label(step)} cannot be taken back: '{each.describe()}' has no way back. Give "
                "Run a second argument, backward."
            )
        taken_back.append(operation)
    return taken_back
