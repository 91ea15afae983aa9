"""`test`: runs the tests of the project. Runs on the command line."""

from __future__ import annotations

from typing import Any

import click

from msframework.db.embedded import ensure_database
from msframework.management.project import Project
from msframework.testing import run


class ProcessCount(click.ParamType[str]):
    """A number of processes of at least 1, or `auto`."""

    name = "processes"

    def convert(self, value: str, param: Any, ctx: click.Context | None) -> str:
        """Return *value* as it was given."""
        if value != "auto" and not (value.isdecimal() and int(value) > 0):
            self.fail(f"{value!r} is neither a number of at least 1 nor `auto`.", param, ctx)
        return value


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", metavar="[PYTEST ARGUMENTS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--parallel",
    type=ProcessCount(),
    metavar="N",
    help="Share the test files among so many processes; `auto`: one for each core.",
)
@click.option(
    "--reuse-db",
    is_flag=True,
    help="Copy the database from a template, which is kept while models and migrations stay.",
)
@click.option("--create-db", is_flag=True, help="With --reuse-db: make the template anew.")
@click.pass_context
def command(
    ctx: click.Context,
    arguments: tuple[str, ...],
    parallel: str | None,
    reuse_db: bool,
    create_db: bool,
) -> None:
    """Run the tests on a database of their own; what follows goes to pytest.

    Without --settings and SANIC_CONFIG_MODULE the settings are settings.test, where a project has
    that module.
    """
    project: Project = ctx.obj
    project.prefer_settings("settings.test")
    ensure_database(project.settings, project.echo)
    options = ["--reuse-db"] * reuse_db + ["--create-db"] * create_db
    ctx.exit(run(list(arguments), parallel=parallel, options=options))
