"""The models of all apps together, and the mistakes of the apps whose models cannot be read.

Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import peewee

from msframework._imports import explain
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.declared import describe, read_enums, read_models, table_name
from msframework.migrations.files import app_label
from msframework.migrations.model_search import import_models, may_be_base
from msframework.migrations.schema import SchemaState

ModelClasses = Mapping[str, Sequence[type[peewee.Model]]]
Mistakes = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AppModels:
    """The models of all apps, and the apps that own their tables and types.

    Args:
        classes: by the label of the app.
        owners: the labels of the apps of tables, by name.
        enum_owners: likewise, of types.
        state: of the apps without mistakes.
        problems: the mistakes of the others, by label.
    """

    classes: ModelClasses
    owners: Mapping[str, str]
    enum_owners: Mapping[str, str]
    state: SchemaState
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, app: str) -> SchemaState:
        """Return the state that the models of one app describe."""
        return SchemaState(
            tuple(each for each in self.state.tables if self.owners.get(each.name) == app),
            enums=tuple(
                each for each in self.state.enums if self.enum_owners.get(each.name) == app
            ),
        )


def read_all_models(apps: Iterable[str]) -> AppModels:
    """Return the models of each of *apps*, whether those of the others can be read or not."""
    problems: Mistakes = {}
    classes = _read_classes(list(apps), problems)
    owners: dict[str, str] = {}
    enum_owners: dict[str, str] = {}
    for app, models in classes.items():
        for model in models:
            owners.setdefault(table_name(model), app)
            for _, enum in read_enums(model):
                enum_owners.setdefault(enum.name, app)
    return AppModels(classes, owners, enum_owners, _describe_readable(classes, problems), problems)


def _read_classes(apps: Sequence[str], problems: Mistakes) -> ModelClasses:
    """Return the models of the apps that can be imported; all are, before any is read."""
    for app in apps:
        try:
            import_models(app)
        except (Exception, SystemExit) as exc:
            problems[app_label(app)] = _mistakes(exc, f"the models of {app} cannot be imported")
    labels = {app_label(app): app for app in apps}
    missing = [app for label, app in labels.items() if label in problems]
    found = {n: [] if n in problems else read_models(app) for n, app in labels.items()}
    for label, models in found.items() if missing else ():
        bases = [each.__name__ for each in models if may_be_base(each)]
        if bases:
            problems[label] = (
                f"{label}: {bases[0]} has nothing but a key, so whether it has a table depends on "
                f"the models of {missing[0]}, which may derive from it.",
            )
    return found


def _describe_readable(classes: ModelClasses, problems: Mistakes) -> SchemaState:
    """Return the state of all models but for those of apps with mistakes in one.

    Of two apps whose models do not go together, the later one has the mistake.
    """
    every = list(dict.fromkeys(model for models in classes.values() for model in models))
    try:
        return describe(every)
    except Exception:  # noqa: S110 - the apps are tried one by one
        pass
    kept: list[type[peewee.Model]] = []
    state = SchemaState()
    for app, models in classes.items():
        tried = list(dict.fromkeys([*kept, *models]))
        try:
            state = describe(tried, every)
        except Exception as exc:
            problems[app] = _mistakes(exc, f"the models of {app} cannot be read")
        else:
            kept = tried
    return state


def _mistakes(exc: BaseException, subject: str) -> tuple[str, ...]:
    return exc.problems if isinstance(exc, ImproperlyConfigured) else (explain(exc, subject),)
