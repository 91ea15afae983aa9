"""The models of an app that have tables, and the targets of deferred foreign keys.

Runs at start-up.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Iterator
from types import ModuleType

import peewee

from msframework.models.base import ModelMetadata


def read_models_of(apps: Iterable[str]) -> dict[str, list[type[peewee.Model]]]:
    """Return the models of each of *apps*.

    All are imported first: a base in one app may have its subclasses in another, and a deferred
    foreign key its target.
    """
    apps = list(apps)
    for app in apps:
        import_models(app)
    return {app: read_models(app) for app in apps}


def import_models(app: str) -> None:
    """Import the module or package `models` of *app*, if there is one."""
    list(_modules(f"{app}.models"))


def read_models(app: str) -> list[type[peewee.Model]]:
    """Return the models that *app* declares in its module or package `models`, and have a table.

    All modules of the package are read; models that peewee makes for many-to-many fields count too.
    A model has no table if its own Meta says `abstract = True` (subclasses do not inherit that) or
    `temporary = True`, or if it has nothing but a key and other models derive from it.
    """
    name = f"{app}.models"
    found: dict[type[peewee.Model], None] = {}
    for module in _modules(name):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, peewee.Model)
                and f"{value.__module__}.".startswith(f"{name}.")
            ):
                found[value] = None  # NOTE: a module may give a model a second name
    models = [model for model in found if has_table(model)]
    through = [each for model in models for each in _through_models(model)]
    return list(dict.fromkeys([*models, *through]))


def _modules(name: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name:
            raise
        return
    yield module
    # NOTE: the modules inside are imported first, as __init__ may give names to what they declare.
    for each in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        if not each.name.endswith(".__main__"):
            yield importlib.import_module(each.name)


def has_table(model: type[peewee.Model]) -> bool:
    """Say whether *model* has a table of its own that lasts."""
    meta = model._meta
    if meta.temporary or is_abstract(model):
        return False
    return not (_is_derived_from(model) and may_be_base(model))


def is_abstract(model: type[peewee.Model]) -> bool:
    """Say whether the Meta of *model* itself says `abstract = True`.

    peewee copies it to subclasses; an inherited value is told from an own one by whether other
    models derive from the class.
    """
    if not getattr(model._meta, "abstract", False):
        return False
    inherited = any(getattr(meta, "abstract", False) for meta in inherited_meta(model))
    return not inherited or _is_derived_from(model)


def inherited_meta(model: type[peewee.Model]) -> Iterator[object]:
    """Yield the Meta of each base that hands on to *model* all that peewee doesn't know."""
    if isinstance(model._meta, ModelMetadata):
        return
    for base in model.__bases__:
        if hasattr(base, "_meta"):
            yield base._meta


def may_be_base(model: type[peewee.Model]) -> bool:
    """Say whether *model* has a table only if no other model derives from it."""
    return _has_nothing_but_key(model) and not model._meta.backrefs


def _is_derived_from(model: type[peewee.Model]) -> bool:
    return bool(model.__subclasses__())


def _has_nothing_but_key(model: type[peewee.Model]) -> bool:
    meta = model._meta
    named = meta.table_name != (
        meta.table_function(model) if meta.table_function else meta.make_table_name()
    )
    only_key = all(field.primary_key for field in meta.sorted_fields)
    return only_key and not meta.composite_key and not named and not meta.manytomany


def _through_models(model: type[peewee.Model]) -> Iterator[type[peewee.Model]]:
    """Yield the models that peewee makes for the many-to-many fields of *model*."""
    for field in model._meta.manytomany.values():
        through: object = field.through_model
        if not isinstance(through, type) or through.__module__ != peewee.__name__:
            continue
        keys = [each for each in field.through_model._meta.sorted_fields if not each.primary_key]
        if keys[0].rel_model is model:  # the other one has the field by its backref
            yield field.through_model


def find_target(
    field: peewee.DeferredForeignKey, models: Collection[type[peewee.Model]]
) -> type[peewee.Model] | None:
    """Return the model that *field* names: one of its module, of *models*, or the only one."""
    named = [each for each in _all_models() if each.__name__.lower() == field.rel_model_name]
    same_module = [each for each in named if each.__module__ == field.model.__module__]
    chosen = same_module or [each for each in named if each in models] or named
    return chosen[-1] if same_module or len(chosen) == 1 else None


def _all_models() -> Iterator[type[peewee.Model]]:
    left = list(peewee.Model.__subclasses__())
    seen = set()
    while left:
        model = left.pop()
        if model not in seen:
            seen.add(model)
            yield model
            left += model.__subclasses__()
