"""`makemigrations`: writes migrations for changed models. Runs on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import click
from peewee import PostgresqlDatabase

from msframework.db.embedded import ensure_database
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.adopt import draft_adoption
from msframework.migrations.connection import database_url, opened
from msframework.migrations.draft import (
    Comparison,
    Fills,
    compare,
    draft_empty,
)
from msframework.migrations.draft_file import Draft, write_drafts
from msframework.migrations.history import recorded_owners
from msframework.migrations.merge import draft_merges
from msframework.migrations.renames import AskedAnswers, GivenAnswers, SilentAnswers
from msframework.migrations.runner import Runner
from msframework.migrations.standing import find_standing
from msframework.migrations.survey import Survey

_MOST_LINES: Final = 20
_ANSWERS = (
    ("--rename", "OLD:NEW", "A column, table or value of an enum was renamed: users.nick:handle."),
    ("--drop", "NAME", "Not renamed: drop the column, table or value, with its data: users.nick."),
    ("--fill", "NAME=SQL", "Value of existing rows, as SQL: users.age=18."),
    ("--using", "NAME=SQL", "Conversion to a new type, as SQL: users.age=age::integer."),
)


def _with_answers(function: Callable[..., None]) -> Callable[..., None]:
    for option, form, text in reversed(_ANSWERS):
        function = click.option(option, multiple=True, metavar=form, help=text)(function)
    return function


@click.command()
@click.argument("app", required=False)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a migration is missing.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the text of the files.")
@click.option("--empty", is_flag=True, help="Write a migration of APP to fill in by hand.")
@click.option("--merge", is_flag=True, help="Join the last migrations of two branches.")
@click.option("--adopt", is_flag=True, help="Write a first migration for existing tables.")
@click.option("--name", metavar="NAME", help="Name of the migration, after its number.")
@click.option("--no-input", is_flag=True, help="Never ask, not even on a terminal.")
@_with_answers
@click.pass_obj
def command(
    project: Project,
    /,
    app: str | None,
    check: bool,
    dry_run: bool,
    empty: bool,
    merge: bool,
    adopt: bool,
    name: str | None,
    no_input: bool,
    **answers: Sequence[str],
) -> None:
    """Write the migrations for what has changed in the models since the last ones.

    Renames, values of existing rows and conversions are never guessed: on a terminal you are asked,
    elsewhere you give them by --rename, --drop, --fill and --using, each as often as needed.
    """
    if sum((check, dry_run)) > 1 or sum((empty, merge, adopt)) > 1:
        raise click.UsageError(
            "Give only one of --check and --dry-run, and only one of --empty, --merge and --adopt."
        )
    apps = project.settings.installed_apps
    output = _Output(project, check, dry_run)
    if empty:
        if app is None or check:
            raise click.UsageError("--empty needs an APP, and goes without --check.")
        output.show([draft_empty(apps, app, name)])
    elif merge:
        output.show(draft_merges(apps, app, name), "Nothing to merge: each app has one last file.")
    elif adopt:
        with _Database(project).opened() as database:
            output.show(draft_adoption(apps, app, name, database))
    else:
        choose = _answers(check, no_input, answers)
        found = compare(_Database(project), app, name, choose)
        output.compared(found, _standing(project, found))


def _answers(
    check: bool, no_input: bool, given: dict[str, Sequence[str]]
) -> Callable[[Fills], GivenAnswers]:
    """Return the maker of answers: those of `--check`, of a terminal, or of options alone."""
    asked = not no_input and sys.stdin.isatty() and sys.stdout.isatty()
    kind = SilentAnswers if check else AskedAnswers if asked else GivenAnswers
    return lambda fills: kind(
        given["rename"], given["drop"], given["fill"], given["using"], defaults=fills
    )


class _Database:
    """The database of the settings, started and looked at only when it is needed."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.apps = project.settings.installed_apps

    @contextmanager
    def opened(self) -> Iterator[PostgresqlDatabase]:
        settings = ensure_database(self._project.settings, partial(self._project.echo, err=True))
        with opened(database_url(settings)) as database:
            yield database

    @contextmanager
    def rehearsed(self) -> Iterator[PostgresqlDatabase]:
        settings = ensure_database(self._project.settings, partial(self._project.echo, err=True))
        runner = Runner(database_url(settings), self.apps, self._project.echo)
        with runner.rehearsed() as database:
            yield database


def _standing(project: Project, found: Comparison) -> dict[str, tuple[str, ...]]:
    """Return the tables of apps without a migration that exist already, if it can be told.

    A table that migrations of another app have made is left out: its model has moved.
    """
    survey = found.survey
    new = [app for app in survey.apps if not survey.history(app).steps]
    url = project.settings.database.url
    if not new or url is None:
        return {}
    try:
        with opened(url) as database:
            standing = find_standing(database, {app: survey.models.of(app) for app in new})
    except ImproperlyConfigured:  # no driver, or no server: it cannot be asked
        return {}
    made = recorded_owners(survey.reading.steps)
    left = {app: tuple(n for n in names if n not in made) for app, names in standing.items()}
    return {app: names for app, names in left.items() if names}


class _Output:
    """The output of the command: its lines, and the files."""

    def __init__(self, project: Project, check: bool, dry_run: bool) -> None:
        self._echo, self._check, self._dry_run = project.echo, check, dry_run

    def compared(self, found: Comparison, standing: dict[str, tuple[str, ...]]) -> None:
        """Write what is missing, and say what was looked at.

        Raises:
            ImproperlyConfigured: the files of other apps have mistakes, or tables exist already.
        """
        drafts = [draft for draft in found.drafts if draft.app not in standing]
        if not drafts and not standing and not found.survey.problems:
            self._echo(_nothing(found.survey))
        else:
            self.show(drafts, leave=not (standing or found.survey.problems))
        for line in _left_alone(found.survey):
            self._echo(line)
        problems = [*found.survey.problems, *(_exist(*each) for each in standing.items())]
        if problems:
            raise ImproperlyConfigured.of(problems)

    def show(self, drafts: Sequence[Draft], nothing: str = "", leave: bool = True) -> None:
        """Write *drafts*, or print them; exit with 1 where they are missing and only looked for."""
        if not drafts and nothing:
            self._echo(nothing)
        if not self._check and not self._dry_run:
            write_drafts(drafts)
        for draft in drafts:
            path = os.path.relpath(draft.path)
            verb = "Missing: " if self._check else "Would write " if self._dry_run else "Wrote "
            self._echo(f"{verb}{path}")
            for line in draft.summary:
                self._echo(f"  {line}", fg="yellow" if line in draft.losses else None)
            if self._dry_run:
                self._echo(draft.text)
        if drafts and self._check and leave:
            click.get_current_context().exit(1)


def _nothing(survey: Survey) -> str:
    """Return the line for no changes: the apps that were compared, and those that were not."""
    count = len(survey.apps)
    text = "No changes: the models are as the last migrations leave them "
    text += f"({count} app{'' if count == 1 else 's'})."
    if not count:
        text = "Nothing was compared."
    if survey.by_database:
        text += (
            " Compared with the database, as none of their files has a state: "
            f"{', '.join(survey.by_database)}."
        )
    if survey.skipped:
        text += f" Not looked at: {', '.join(f'{a} ({why})' for a, why in survey.skipped.items())}."
    return text


def _left_alone(survey: Survey) -> Iterator[str]:
    """Yield the lines on what the database has and no model, where only it was compared with."""
    if not survey.left_alone:
        return
    yield (
        f"No model has the following, and no file says who made it, as those of "
        f"{', '.join(survey.by_database)} carry no state. It is left alone; what models had once, "
        "drop in a migration of `makemigrations --empty APP`:"
    )
    yield from (f"  {line}" for line in survey.left_alone[:_MOST_LINES])
    if (more := len(survey.left_alone) - _MOST_LINES) > 0:
        yield f"  and {more} more"


def _exist(app: str, tables: Sequence[str]) -> str:
    return (
        f"{app} has no migrations, and these of its tables exist already: {', '.join(tables)}. "
        f"`manage.py makemigrations --adopt {app}` writes a migration for them, which `migrate` "
        "only records where they exist."
    )
