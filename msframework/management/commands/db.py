"""`db`: looks after the embedded PostgreSQL of this checkout. Runs on the command line."""

from __future__ import annotations

import click

from msframework.db.embedded import EmbeddedServer, project_root
from msframework.management.project import Project


@click.group()
def command() -> None:
    """Look after the embedded PostgreSQL of this checkout."""


@command.command()
@click.pass_obj
def status(project: Project) -> None:
    """Say whether it runs, and where it keeps its data."""
    project.echo(str(_server(project).status()))
    if project.settings.database.url is not None:
        project.echo("DATABASE_URL is set, so the services use that database instead.")


@command.command()
@click.pass_obj
def url(project: Project) -> None:
    """Print its address, as psql and others take it."""
    project.echo(_server(project).url)


@command.command()
@click.pass_obj
def stop(project: Project) -> None:
    """Stop it; the data stays."""
    stopped = _server(project).stop()
    project.echo("Stopped the embedded PostgreSQL." if stopped else "It was not running.")


@command.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def reset(project: Project, yes: bool) -> None:
    """Stop it and throw all its data away."""
    server = _server(project)
    data = server.status().data
    if data is None:
        project.echo("There is no embedded PostgreSQL here yet.")
        return
    if not yes:
        click.confirm(f"Throw away all data in {data}?", abort=True)
    server.reset()
    project.echo("The data is gone; the next start begins with an empty server.")


def _server(project: Project) -> EmbeddedServer:
    return EmbeddedServer(project_root(project.settings))
