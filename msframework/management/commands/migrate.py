"""`migrate`: brings the database up to date, or back. Runs on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import click

from msframework.conf.settings import Settings
from msframework.db.embedded import ensure_database
from msframework.exceptions import ImproperlyConfigured
from msframework.management.lint import tell_lint
from msframework.management.project import Project
from msframework.migrations.connection import database_url
from msframework.migrations.draft import draft_changes
from msframework.migrations.lint import lint_pending
from msframework.migrations.runner import Runner
from msframework.migrations.step import label
from msframework.migrations.waiting import LockPolicy
from msframework.problem import list_names

_MOST_NAMES: Final = 3


@click.command()
@click.argument("app", required=False)
@click.argument("target", required=False)
@click.option("--plan", is_flag=True, help="Change nothing; print what would be done.")
@click.option("--fake", is_flag=True, help="Change only the record, not the tables.")
@click.option(
    "--check",
    is_flag=True,
    help="Change nothing; exit with 1 if anything is pending.",
)
@click.option(
    "--lint",
    is_flag=True,
    help="Change nothing; report what pending ones lock or break.",
)
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait of each statement for its locks (MIGRATION_LOCK_TIMEOUT).",
)
@click.pass_obj
def command(
    project: Project,
    app: str | None,
    target: str | None,
    plan: bool,
    fake: bool,
    check: bool,
    lint: bool,
    lock_timeout: float | None,
) -> None:
    """Apply pending migrations, or take some back.

    Without arguments all pending migrations are applied; with APP, those of that app and of what it
    depends on. With TARGET (a name, or its beginning) the app goes forward to that migration, or
    back to it if it is applied; TARGET "zero" takes all migrations of the app back.
    """
    if check and (target is not None or plan or fake):
        raise click.UsageError("--check goes without a TARGET, --plan and --fake.")
    if lint and (target is not None or plan or fake or check):
        raise click.UsageError("--lint goes without a TARGET, --plan, --fake and --check.")
    settings = ensure_database(project.settings, partial(project.echo, err=True))
    if lint:
        tell_lint(project, lint_pending(database_url(settings), settings.installed_apps, app))
        return
    policy = LockPolicy.of(settings.database)
    runner = Runner(
        database_url(settings),
        settings.installed_apps,
        project.echo,
        policy if lock_timeout is None else replace(policy, timeout=lock_timeout),
        sys.stdout if sys.stdout.isatty() else None,
    )
    if check:
        _check(project, runner, app)
        return
    done = runner.migrate(app, target, plan=plan, fake=fake)
    if not done:
        project.echo("Nothing to migrate.")
        if settings.debug and target is None:
            _tell_ahead(runner, partial(project.echo, fg="yellow", err=True))


def _check(project: Project, runner: Runner, app: str | None) -> None:
    """List what is pending, and exit with 1 if anything is."""
    pending = runner.pending_steps(app)
    for step in pending:
        project.echo(f"Pending: {label(step)}")
        for line in step.describe():
            project.echo(f"  {line}")
    if pending:
        click.get_current_context().exit(1)
    project.echo("Nothing to migrate.")


def apply_pending(settings: Settings, echo: Callable[[str], None]) -> None:
    """Apply pending migrations, and say so; says nothing when there are none.

    Raises:
        ImproperlyConfigured: see `Runner.migrate`.
    """
    policy = LockPolicy.of(settings.database)
    done = Runner(database_url(settings), settings.installed_apps, echo, policy).migrate()
    if done:
        echo(f"Applied {len(done)} pending migration{'s' if len(done) > 1 else ''}.")


def tell_missing(settings: Settings, echo: Callable[[str], None]) -> None:
    """Say in one line which migrations are pending, and at a desk in another which are unwritten.

    This never keeps a server from starting: the start itself shows the faults of a database.
    """
    runner = Runner(database_url(settings), settings.installed_apps)
    try:
        if pending := runner.pending():
            count = f"{len(pending)} migration{'s are' if len(pending) > 1 else ' is'}"
            names = list_names(pending, _MOST_NAMES)
            echo(f"{count} pending ({names}): `python manage.py migrate` applies them.")
        if settings.debug:
            _tell_ahead(runner, echo)
    except ImproperlyConfigured:  # no migrations to be read, no driver for them, no database
        return
    except Exception as exc:  # a role that may not look, and whatever else a mere hint meets
        echo(f"It cannot be told whether migrations are pending: {type(exc).__name__}.")


def _tell_ahead(runner: Runner, echo: Callable[[str], None]) -> None:
    """Say in one line which apps have models that no migration has followed yet."""
    try:
        drafts = draft_changes(runner, None, None)
    except ImproperlyConfigured:  # `makemigrations` says it
        return
    if drafts:
        apps = list_names([draft.app for draft in drafts], _MOST_NAMES)
        echo(f"Models are ahead of the migrations ({apps}): `python manage.py makemigrations`.")
