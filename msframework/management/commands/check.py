"""`check`: builds everything a server would, and opens nothing. Runs on the command line."""

from __future__ import annotations

import click

from msframework.app import Service, create_app
from msframework.conf.catalogue import declarations
from msframework.conf.findings import shown
from msframework.management.project import Project
from msframework.openapi.spec import build_document


@click.command()
@click.option(
    "--verbose",
    is_flag=True,
    help="Also list the settings that are not the default, and what schemas do not compile.",
)
@click.pass_obj
def command(project: Project, verbose: bool) -> None:
    """Read settings and declarations, compile every handler, and report all mistakes."""
    settings = project.settings
    service = create_app(settings)
    paths = 0
    if settings.openapi.enabled:
        paths = len(build_document(service.operations, settings)["paths"])
    if verbose:
        rows = [
            (name, shown(declared.read(settings), secret=declared.secret))
            for name, declared in declarations().items()
            if declared.read(settings) != declared.default
        ]
        project.table(("setting", "value"), rows)
        project.echo()
        for operation in service.operations:
            project.echo(f"{operation.method.upper():8}{operation.path}  {operation.id}")
        project.echo()
        for line in _fallbacks(service):
            project.echo(line)
    project.echo(
        f"{settings.module}: {len(service.operations)} operations compiled, "
        f"{paths} paths documented, no mistakes found.",
        fg="green",
    )


def _fallbacks(service: Service) -> list[str]:
    """Say what of the service's schemas marshmallow still does itself, and why."""
    found = sorted({reason for schema in service.endpoints.schemas for reason in schema.fallbacks})
    if not found:
        return [f"{len(service.endpoints.schemas)} schemas, all of them compiled."]
    return ["Left to marshmallow:", *(f"  {reason}" for reason in found)]
