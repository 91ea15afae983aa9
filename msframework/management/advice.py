"""The warnings of `check`: declarations that work, but probably not as they were meant.

Runs on the command line.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import peewee
from sanic import Blueprint as SanicBlueprint

from msframework._place import full_name, short_path
from msframework.alike import find_nearest
from msframework.conf.tls import find_warnings
from msframework.exceptions import ImproperlyConfigured, ServiceException
from msframework.management.assignments import find_lost_settings
from msframework.management.exposure import find_exposure
from msframework.management.rates import find_rate_advice
from msframework.management.slips import find_slips
from msframework.management.ungiven import find_ungiven
from msframework.metrics.exposition import EXTRA, is_installed
from msframework.migrations.declared import INDEX_ADVICE, read_index_nodes, read_models
from msframework.migrations.files import app_directory
from msframework.migrations.scanner import Unreadable
from msframework.models import Model
from msframework.operation import Operation
from msframework.resource import misspelt_perhaps, resource_of
from msframework.routing import MODULES

_DOCUMENTED_BY: Final = {
    "around_data": "document_data",
    "around_page": "document_page",
    "numbers": "document_page",
    "error": "document_error",
}
_WORD: Final = re.compile(r"\w+")
_ASIDE: Final = frozenset(("tests", "migrations", "management", "__pycache__"))
# The names that PostgreSQL gives to constraints without one.
_ENDINGS: Final = ("fkey", "key", "check", "not_null", "excl", "idx")


def find_advice(service: Any) -> list[str]:
    """Return the warnings about *service*, which is built."""
    apps: Sequence[str] = service.settings.installed_apps
    operations: tuple[Operation, ...] = service.operations
    models = [model for app in apps for model in read_models(app)]
    return [
        *_misspelt_methods(operations),
        *find_ungiven(operations),
        *_unread_blueprints(apps, service.blueprints.values()),
        *_foreign_models(models),
        *find_slips(models),
        *_unknown_constraints(apps, operations, models),
        *_shared_codes(apps, operations),
        *_undocumented_envelopes(service._serving.failures.envelope, operations),
        *find_warnings(service.settings),
        *find_exposure(service),
        *find_rate_advice(service),
        *_unwritable_metrics(service.settings.debug),
        *find_lost_settings(service.settings.module),
    ]


def _unwritable_metrics(debug: bool) -> Iterator[str]:
    # NOTE: OPERATIONS_PORT without the package is a mistake, as a probe of production relies on it.
    if debug and not is_installed():
        yield (
            "/metrics, which DEBUG adds, is a 501, as the package 'prometheus-client' is not "
            f"installed. Install it: {EXTRA}."
        )


def _misspelt_methods(operations: Iterable[Operation]) -> Iterator[str]:
    for cls in dict.fromkeys(resource_of(operation.handler) for operation in operations):
        if cls is not None:
            yield from misspelt_perhaps(cls)


def _unread_blueprints(apps: Sequence[str], mounted: Iterable[SanicBlueprint]) -> Iterator[str]:
    known = {id(blueprint) for blueprint in mounted}
    for app in apps:
        directory = app_directory(app)
        for path in sorted(directory.rglob("*.py")) if directory is not None else ():
            parts = path.relative_to(directory).with_suffix("").parts  # type: ignore[arg-type]
            if not _ASIDE.isdisjoint(parts):
                continue
            module = ".".join((app, *parts)).removesuffix(".__init__")
            loaded = sys.modules.get(module)
            for name, line in _blueprints_in(path):
                if id(getattr(loaded, name, None)) not in known:
                    yield (
                        f"{short_path(str(path))}:{line}: nothing reads the blueprint {name!r}; "
                        f"blueprints are found in {' and '.join(f'{app}.{m}' for m in MODULES)}. "
                        "Import it there, or register it in the function that CONFIGURE names."
                    )


def _blueprints_in(path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and line of each blueprint that a file makes at its top level."""
    try:
        text = path.read_text(encoding="utf-8")
        body = ast.parse(text, str(path)).body if "Blueprint(" in text else []
    except (SyntaxError, UnicodeDecodeError):  # nothing imports it, or that was said before
        return
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if ast.unparse(node.value.func).endswith("Blueprint"):
                yield from (
                    (each.id, node.lineno) for each in targets if isinstance(each, ast.Name)
                )


def _foreign_models(models: Iterable[Any]) -> Iterator[str]:
    for model in models:
        is_through = model.__module__ == peewee.__name__  # made by peewee for a ManyToManyField
        if not issubclass(model, Model) and not is_through:
            yield (
                f"{full_name(model)} derives from {peewee.Model.__module__}."
                "Model, not from msframework.models.Model, so its table and its indexes have other "
                "names. Import Model from msframework.models, after any star import of playhouse."
            )


def _unknown_constraints(
    apps: Sequence[str], operations: Iterable[Operation], models: Sequence[Any]
) -> Iterator[str]:
    known = {name for model in models for name in _constraints_of(model)}
    written = {word for app in apps for word in _words_of_migrations(app)}
    if not known and not written:
        return
    said: dict[str, str] = {}
    for operation in operations:
        for failure in operation.failures:
            name = failure.constraint
            if name is not None and name not in known and name not in written:
                said.setdefault(name, operation.where)
    for name, where in said.items():
        close = find_nearest(name, known)
        advice = f"Did you mean {close!r}?" if close else "Correct the name, or drop it."
        yield (
            f"{where}: @doc.raises names the constraint {name!r}, which no model and no migration "
            f"has, so it is never raised. {advice}"
        )


def _constraints_of(model: Any) -> Iterator[str]:
    """Yield the names that constraints and indexes of *model* may have."""
    meta = model._meta
    table = meta.table_name
    yield from (f"{table}_pkey", f"{table}_check")
    for index in _indexes_of(model):
        yield from (
            _WORD.findall(_sql_of(index)) if isinstance(index, peewee.SQL) else (_sql_of(index),)
        )
    for thing in (*meta.indexes, *(meta.constraints or ())):
        yield from _WORD.findall(_sql_of(thing))
    for field in meta.sorted_fields:
        yield from (f"{table}_{field.column_name}_{ending}" for ending in _ENDINGS)
        for constraint in field.constraints or ():
            yield from _WORD.findall(_sql_of(constraint))
        if isinstance(field, peewee.ForeignKeyField):
            other = field.rel_model._meta.table_name
            yield f"fk_{table}_{field.column_name}_refs_{other}"
            if getattr(field, "constraint_name", None):
                yield str(field.constraint_name)


def _indexes_of(model: Any) -> list[Any]:
    """Return the indexes of *model*, whose mistakes stop `check` as they stop migrations."""
    try:
        return read_index_nodes(model)
    except Unreadable as exc:
        name = full_name(model)
        raise ImproperlyConfigured(
            f"{name}: its Meta.indexes cannot be read: {exc}. {INDEX_ADVICE}"
        ) from exc


def _sql_of(thing: Any) -> str:
    """Return the text of a constraint in SQL, or the name of an index."""
    if isinstance(thing, peewee.Index):
        return str(getattr(thing, "_name", ""))
    if isinstance(thing, peewee.Node):
        return str(peewee.Context().sql(thing).query()[0])  # type: ignore[no-untyped-call]
    return ""


def _words_of_migrations(app: str) -> Iterator[str]:
    directory = app_directory(app)
    if directory is None:
        return
    for path in (directory / "migrations.py", *directory.glob("migrations/*.py")):
        if path.is_file():
            yield from _WORD.findall(path.read_text(encoding="utf-8"))


def _shared_codes(apps: Sequence[str], operations: Iterable[Operation]) -> Iterator[str]:
    classes = {failure.exception for operation in operations for failure in operation.failures}
    starts = tuple(f"{app}." for app in apps)
    classes |= {
        each for each in _subclasses(ServiceException) if each.__module__.startswith(starts)
    }
    by_code: dict[Any, list[type[ServiceException]]] = {}
    for cls in sorted(classes, key=full_name):
        if cls.__dict__.get("code") is not None:
            by_code.setdefault(cls.__dict__["code"], []).append(cls)
    for code, same in by_code.items():
        others = [cls for cls in same[1:] if not issubclass(cls, same[0])]
        if others:
            names = " and ".join(full_name(cls) for cls in (same[0], *others))
            yield f"{names} share the code {code!r}, so callers cannot tell them apart. Change one."


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _undocumented_envelopes(default: Any, operations: Iterable[Operation]) -> Iterator[str]:
    envelopes = (default, *(operation.envelope for operation in operations))
    for cls in dict.fromkeys(type(envelope) for envelope in envelopes):
        lines = [vars(base) for base in cls.__mro__]
        for writes, documents in _DOCUMENTED_BY.items():
            # The class nearest to it that has either of them must have the other one, too.
            nearest: Any = next((own for own in lines if writes in own or documents in own), {})
            if writes in nearest and documents not in nearest:
                yield (
                    f"{full_name(cls)} writes `{writes}` itself and inherits `{documents}`, so "
                    "the document may say something else than it answers. Write both in one class."
                )
