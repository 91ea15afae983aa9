"""The report of a lint of migrations, as `migrate --lint` prints it. Runs on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.connection import database_url
from msframework.migrations.files import read_steps
from msframework.migrations.lint import LintFinding, LintReport, lint_pending
from msframework.migrations.runner import Runner


def tell_lint(project: Project, report: LintReport) -> None:
    """Print *report*, and exit with 1 if it holds a finding that no file allows."""
    for finding in report.findings:
        _tell_finding(project.echo, finding)
    for note in report.notes:
        project.echo(_shorten(note), fg="cyan")
    project.echo(_summary(report), fg="red" if report.told else "green")
    if report.told:
        click.get_current_context().exit(1)


def _tell_finding(echo: Callable[..., None], finding: LintFinding) -> None:
    head = f"{_shorten(finding.place)}: {finding.operation}"
    if finding.allowed is not None:
        echo(head)
        echo(f"  {finding.rule} is allowed: {finding.allowed}", fg="green")
        return
    echo(head, bold=True)
    echo(f"  {finding.rule}: {finding.text}", fg="yellow")
    if finding.advice:
        echo(f"  {finding.advice}")


def _summary(report: LintReport) -> str:
    if not report.migrations:
        return "Nothing to migrate."
    count, allowed = len(report.told), len(report.findings) - len(report.told)
    pending = len(report.migrations)
    server = f" for PostgreSQL {report.server_version}" if report.server_version else ""
    return (
        f"{count or 'No'} finding{'s' * (count != 1)} in {pending} pending "
        f"migration{'s' * (pending > 1)}{server}{f', {allowed} allowed' if allowed else ''}."
    )


def _shorten(place: str) -> str:
    return place.removeprefix(f"{Path.cwd()}/")


def find_deploy_advice(settings: Settings) -> Iterator[str]:
    """Yield the warnings of `check --deploy`: what is pending, and what that locks or breaks.

    Raises:
        ImproperlyConfigured: the migrations are wrong, or PostgreSQL cannot be reached.
    """
    apps = settings.installed_apps
    if settings.database.url is None:
        if read_steps(apps):
            yield "DATABASE_URL is not set, so that nobody can say which migrations are pending."
        return
    url = database_url(settings)
    pending = Runner(url, apps).pending()
    if not pending:
        return
    yield (
        f"{len(pending)} migration{'s are' if len(pending) > 1 else ' is'} pending: "
        f"{', '.join(pending)}. Apply {'them' if len(pending) > 1 else 'it'} by "
        "`manage.py migrate` before this code serves."
    )
    try:
        report = lint_pending(url, apps)
    except ImproperlyConfigured as exc:
        yield from exc.problems
        return
    for each in report.told:
        yield f"{_shorten(each.place)}: {each.operation}: {each.rule}: {each.text} {each.advice}"
