"""`check`: builds everything a server would, and serves nothing. Runs on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from msframework._imports import exists, explain, import_module
from msframework.app import Service, create_app
from msframework.conf.catalogue import declarations
from msframework.conf.findings import shown
from msframework.conf.tls import check_files
from msframework.exceptions import ImproperlyConfigured
from msframework.log import setup_logging
from msframework.management.advice import find_advice
from msframework.management.lint import find_deploy_advice
from msframework.management.project import Project
from msframework.migrations.files import read_steps
from msframework.migrations.lint_allow import check_allowed
from msframework.openapi.spec import build_document


@click.command()
@click.option(
    "--verbose",
    is_flag=True,
    help="Also list the settings that are not the default, and what schemas do not compile.",
)
@click.option(
    "--deploy",
    is_flag=True,
    help="Also ask the database what is pending, and what that locks or breaks.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@click.pass_obj
def command(project: Project, verbose: bool, deploy: bool, strict: bool) -> None:
    """Read settings and declarations, compile every handler, and report all mistakes.

    Everything runs that a start runs, short of opening a socket; only --deploy connects to the
    database. A mistake, which would stop a start, exits with 1; warnings are printed, and exit with
    0 unless --strict is given.
    """
    settings = project.settings
    if settings.log.config is not None:
        setup_logging(settings)
    service = create_app(settings)
    check_files(settings)
    _import_rest(settings.installed_apps)
    paths = 0
    if settings.openapi.enabled:
        paths = len(build_document(service.operations, settings)["paths"])
    if verbose:
        _echo_all(project, service)
    advice = find_advice(service)
    if deploy:
        advice += find_deploy_advice(settings)
    asyncio.run(service.rehearse())
    for line in advice:
        project.echo(f"Warning: {line}", fg="yellow", err=True)
    found = f"{len(advice)} warning{'s' * (len(advice) > 1)}" if advice else "no mistakes found"
    project.echo(
        f"{settings.module}: {len(service.operations)} operations compiled, "
        f"{paths} paths documented, {found}.",
        fg="yellow" if advice else "green",
    )
    if advice and strict:
        click.get_current_context().exit(1)


def _import_rest(apps: Sequence[str]) -> None:
    """Import the migrations, which a server that does not migrate leaves alone.

    Raises:
        ImproperlyConfigured: with every mistake in models and migrations.
    """
    problems: list[str] = []
    for app in apps:
        if exists(f"{app}.models"):
            import_module(f"{app}.models", problems)
    try:
        check_allowed(read_steps(apps))
    except ImproperlyConfigured as exc:
        problems += exc.problems
    except Exception as exc:
        problems.append(explain(exc, "the migrations cannot be imported"))
    if problems:
        raise ImproperlyConfigured.of(problems)


def _echo_all(project: Project, service: Service) -> None:
    settings = service.settings
    rows = [
        (name, _shown(declared.read(settings), secret=declared.secret))
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


def _shown(value: object, *, secret: bool) -> str:
    """Return *value*, which its declaration took, as the table shows it: a tuple of texts, too."""
    is_texts = isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    # NOTE: an address among the texts may hold a password.
    is_plain = is_texts and not secret and "@" not in str(value)
    return str(value) if is_plain else shown(value, secret=secret)


def _fallbacks(service: Service) -> list[str]:
    """List the parts of the service's schemas that marshmallow still does itself, and why."""
    found = sorted({reason for schema in service.endpoints.schemas for reason in schema.fallbacks})
    if not found:
        return [f"{len(service.endpoints.schemas)} schemas, all of them compiled."]
    return ["Left to marshmallow:", *(f"  {reason}" for reason in found)]
