"""The files that `makemigrations` writes: their app, path and text.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.collisions import refuse_taken
from msframework.migrations.constants import missing_quotes
from msframework.migrations.declared import table_name
from msframework.migrations.difference import find_operations
from msframework.migrations.draft_file import Draft, next_path
from msframework.migrations.drafting import Drafting
from msframework.migrations.effects import reach
from msframework.migrations.files import app_label, read_apps
from msframework.migrations.fills import model_fills
from msframework.migrations.history import read_history, recorded_owners
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.renames import Fill, GivenAnswers, SilentAnswers
from msframework.migrations.schema import EnumType, SchemaState, Table
from msframework.migrations.step import FileStep, label
from msframework.migrations.survey import Rehearsal, Survey, choose_apps, survey
from msframework.migrations.titles import slug

Fills = Mapping[tuple[str, str], Fill]

_EMPTY = '''"""{title}."""

from msframework.migrations import Run
{depends}
# atomic = False  # for what cannot run in a transaction, as CREATE INDEX CONCURRENTLY


def forward(db):
    """Change the data; `db` is a peewee database."""


def backward(db):
    """Take it back; without this function the migration cannot be taken back."""


operations = (Run(forward, backward),)
'''


@dataclass(frozen=True, slots=True)
class Comparison:
    """The missing migrations, and the survey by which they were found."""

    drafts: tuple[Draft, ...]
    survey: Survey
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def draft_empty(apps: Sequence[str], app: str, name: str | None) -> Draft:
    """Return a migration of *app* with a `Run` to fill in.

    Raises:
        ImproperlyConfigured: no such app; its migrations are classes, or have mistakes.
    """
    (chosen,) = choose_apps(apps, app)
    title = slug(name or "custom")
    reading = read_apps(apps)
    if problems := reading.problems.get(chosen):
        raise ImproperlyConfigured.of(problems)
    leaf = read_history(reading.steps, app_label(chosen)).leaf()
    depends = f'\ndepends = ("{label(leaf)}",)\n' if leaf else ""
    text = _EMPTY.format(title=title.replace("_", " ").capitalize(), depends=depends)
    return Draft(app_label(chosen), next_path(chosen, title), text)


def draft_changes(runner: Rehearsal, app: str | None, name: str | None) -> list[Draft]:
    """Return the missing migrations, without asking anything.

    Raises:
        ImproperlyConfigured: see `compare`.
    """
    found = compare(runner, app, name, lambda fills: SilentAnswers(defaults=fills))
    if found.survey.problems:
        raise ImproperlyConfigured.of(list(found.survey.problems))
    return list(found.drafts)


def compare(
    rehearsal: Rehearsal,
    app: str | None,
    name: str | None,
    answers: Callable[[Fills], GivenAnswers],
) -> Comparison:
    """Return the migrations that lead from the last ones to the models.

    The database is read only for apps whose files carry no state, after their pending migrations
    were applied in a transaction that is rolled back.

    Raises:
        ImproperlyConfigured: no such app; a question without an answer; a pending migration fails.
    """
    found = survey(rehearsal, app)
    fills = {
        key: fill
        for each in found.apps
        for key, fill in model_fills(found.models.classes[each], table_name).items()
    }
    chosen = answers(fills)
    old = _without_moved(found, _joined(found.old.values()))
    new = _joined(found.models.of(each) for each in found.apps)
    operations = find_operations(old, new, chosen)
    chosen.finish()
    if problems := list(missing_quotes(operations, old, new)):
        raise ImproperlyConfigured.of(problems)
    if app is not None:
        _check_sources(found, new)
        _check_targets(found, operations)
        refuse_taken(_states_of_others(found), operations)
    return Comparison(tuple(Drafting(found, name).drafts(old, operations)), found)


def _joined(states: Iterable[SchemaState]) -> SchemaState:
    tables: dict[str, Table] = {}
    enums: dict[str, EnumType] = {}
    for state in states:
        tables |= {table.name: table for table in state.tables}
        enums |= {enum.name: enum for enum in state.enums}
    return SchemaState(tuple(tables.values()), enums=tuple(enums.values()))


def _without_moved(found: Survey, old: SchemaState) -> SchemaState:
    """Return *old* without the tables whose models have gone to apps that keep classes.

    Raises:
        ImproperlyConfigured: a model has gone to another app that is not compared.
    """
    moved = set()
    for table in old.tables:
        owner = found.models.owners.get(table.name)
        if owner is None or owner in found.apps:
            continue
        steps = [step for step in found.reading.steps if step.app == owner]
        if not steps or any(isinstance(step, FileStep) for step in steps):
            raise ImproperlyConfigured(
                f"The model of the table {table.name} is in {owner} now, which is not compared. "
                "Run `manage.py makemigrations` without an app, when the files of both are right."
            )
        moved.add(table.name)
    return replace(old, tables=tuple(each for each in old.tables if each.name not in moved))


def _check_sources(found: Survey, new: SchemaState) -> None:
    """Refuse tables that migrations of an app which is not compared have made.

    Raises:
        ImproperlyConfigured: there is one.
    """
    owners = recorded_owners(found.reading.steps)
    for table in new.tables:
        owner = owners.get(table.name)
        if owner is not None and owner not in found.apps:
            raise ImproperlyConfigured(
                f"The table {table.name} was made by migrations of {owner}, which is not compared. "
                "Run `manage.py makemigrations` without an app, for both."
            )


def _states_of_others(found: Survey) -> dict[str, SchemaState]:
    """Return the last state of each app that is not compared, where its files carry one."""
    states = {}
    for app in {step.app for step in found.reading.steps}.difference(found.apps):
        history = found.history(app)
        state = history.state(history.leaves[-1]) if history.leaves else None
        if state is not None:
            states[app] = state
    return states


def _check_targets(found: Survey, operations: Sequence[MigrationOperation]) -> None:
    """Refuse foreign keys to tables that migrations of other apps are still to make.

    Raises:
        ImproperlyConfigured: there is one.
    """
    for each in operations:
        for table in sorted(reach(each, ()).needed):
            owner = found.models.owners.get(table)
            if owner is None or owner in found.apps:
                continue
            history = found.history(owner)
            state = history.state(history.leaves[0]) if history.leaves else None
            if state is not None and state.table(table) is None:
                raise ImproperlyConfigured(
                    f"{each.describe()}: needs {table} of {owner}, which no migration makes yet. "
                    "Run `manage.py makemigrations` without an app, for both."
                )
