"""`test`: runs the tests of the project. Runs on the command line."""

from __future__ import annotations

import click

from msframework.db.embedded import ensure_database
from msframework.management.project import Project
from msframework.testing import run


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", metavar="[PYTEST ARGUMENTS]", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the tests on a database of their own; what follows goes to pytest.

    Without --settings and SANIC_CONFIG_MODULE the settings are settings.test, where a project has
    that module.
    """
    project: Project = ctx.obj
    project.prefer_settings("settings.test")
    ensure_database(project.settings, project.echo)
    ctx.exit(run(list(arguments)))
