"""The `SchemaState` of models: what peewee's `create_tables` would create. Needs no database.

peewee writes the SQL of each column, constraint and index, which is parsed, so that every field
class and every clause means here what it means there. Runs at start-up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import peewee
from playhouse.postgres_ext import ArrayField

from msframework._place import full_name
from msframework._tested import demand
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.clauses import (
    ConstraintClause,
    build_constraint,
    name_constraints,
    read_column,
    read_constraint,
)
from msframework.migrations.defaults import describe_default
from msframework.migrations.index_clause import read_index
from msframework.migrations.model_search import (
    find_target,
    inherited_meta,
    is_abstract,
    read_models,
    read_models_of,
)
from msframework.migrations.naming import clip
from msframework.migrations.nodes import write_column, write_node
from msframework.migrations.scanner import Scanner, Unreadable
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)
from msframework.models.enums import EnumField
from msframework.problem import Problem

__all__ = ["describe", "read_enums", "read_models", "read_models_of", "table_name"]


INDEX_ADVICE: Final = (
    'Write `((("name", "age"), True),)`: names of fields, and whether it is unique.'
)


def table_name(model: type[peewee.Model]) -> str:
    """Return the name of the table of *model*, with its schema if it declares one."""
    meta = model._meta
    bare = clip(meta.table_name)
    return f"{clip(meta.schema)}.{bare}" if meta.schema else bare


def describe(
    models: Sequence[type[peewee.Model]], among: Collection[type[peewee.Model]] | None = None
) -> SchemaState:
    """Return the state of the tables of *models*, in the order of *models*.

    Args:
        among: the models that foreign keys may point to; *models* if it is `None`.

    Raises:
        ImproperlyConfigured: a declaration cannot be read; all such places are listed.
    """
    problems: list[Problem] = []
    tables: dict[str, Table] = {}
    for model in models:
        table = _Description(model, models if among is None else among, problems).table()
        known = tables.setdefault(table.name, table)
        if known != table:
            problems.append(
                Problem(
                    _where(model),
                    f"another model has the table {table.name} too, with other columns or options",
                    advice="Give one of them `abstract = True` in its Meta, or another table.",
                )
            )
    problems += _find_homonyms(list(tables.values()))
    enums = _describe_enums(models, tables, problems)
    if problems:
        raise ImproperlyConfigured(*dict.fromkeys(problems))
    return SchemaState(tuple(tables.values()), enums=enums)


def _describe_enums(
    models: Sequence[type[peewee.Model]], tables: Collection[str], problems: list[Problem]
) -> tuple[EnumType, ...]:
    enums: dict[str, EnumType] = {}
    for model in models:
        for field, enum in read_enums(model):
            if enums.setdefault(enum.name, enum) != enum:
                problems.append(
                    Problem(
                        _where(model, field),
                        f"another enum has the type {enum.name} too, with other values",
                        advice="Give one of the fields another `enum_type`.",
                    )
                )
            if enum.name in tables:
                problems.append(
                    Problem(
                        _where(model, field),
                        f"its type {enum.name} has the name of a table, which is a type too",
                        advice="Give the field an `enum_type`.",
                    )
                )
    return tuple(enums.values())


def _where(model: type[peewee.Model], field: str | None = None) -> str:
    place = full_name(model)
    return f"{place}.{field}" if field else place


def _key_fields(model: type[peewee.Model]) -> tuple[peewee.Field, ...]:
    meta: Any = model._meta
    fields: tuple[peewee.Field, ...] = meta.get_primary_keys()
    return fields


def read_enums(model: type[peewee.Model]) -> Iterator[tuple[str, EnumType]]:
    """Yield the enumerated types that *model* declares, each with the name of its field.

    Those of a foreign key's target belong to the target.
    """
    for field in model._meta.sorted_fields:
        inner = field
        if isinstance(field, ArrayField):
            demand("peewee", "an array column")
            inner = field._ArrayField__field  # there is no public way to it
        if isinstance(inner, EnumField):
            yield field.name, EnumType(inner.enum_type, inner.enum_values)


def _find_homonyms(tables: Sequence[Table]) -> Iterator[Problem]:
    """Find tables and indexes of one name in one schema, which PostgreSQL would refuse."""
    owners: dict[str, str] = {}
    for table in tables:
        schema, _, bare = table.name.rpartition(".")
        keys = [c for c in table.constraints if isinstance(c, Constraint)]
        names = [bare, *(each.name for each in table.indexes)]
        names += [c.name for c in keys if c.definition.startswith(("PRIM", "UNIQ", "EXCL"))]
        for name in names:
            full = f"{schema}.{name}"
            if full in owners:
                yield Problem(
                    table.name,
                    f"its {name} has the name of a table, key or index of {owners[full]}",
                    advice="Names are unique within a schema: give one of them another.",
                )
            owners[full] = table.name


def read_index_nodes(model: type[peewee.Model]) -> list[peewee.Node]:
    """Return the indexes of *model* as peewee makes them.

    Raises:
        Unreadable: its `Meta.indexes` name no fields, or have another form.
    """
    try:
        return list(model._meta.fields_to_index())
    except (KeyError, TypeError, ValueError) as exc:
        text = f"there is no field {exc}" if isinstance(exc, KeyError) else str(exc)
        raise Unreadable(text) from exc


class _Description:
    """The reader of one model."""

    def __init__(
        self,
        model: type[peewee.Model],
        models: Collection[type[peewee.Model]],
        problems: list[Problem],
    ) -> None:
        self._model = model
        self._models = models
        self._problems = problems
        self._clauses: list[ConstraintClause] = []

    def table(self) -> Table:
        """Return the table."""
        model, meta = self._model, self._model._meta
        if "." in meta.table_name:
            self._refuse(None, f"the name of its table, {meta.table_name}, holds a dot", "")
        if meta.options:
            self._refuse(None, "PostgreSQL takes no Meta.options", "Write Meta.table_settings.")
        fields = [self._resolved(field) for field in meta.sorted_fields]
        if meta.composite_key:
            names = [field.column_name for field in _key_fields(model)]
            quoted = ", ".join(f'"{name}"' for name in names)
            self._clauses.append(read_constraint(f"PRIMARY KEY ({quoted})"))
        columns = [column for field in fields if (column := self._column(field)) is not None]
        for name, count in Counter(column.name for column in columns).items():
            if count > 1:
                advice = "Give one another `column_name`; of a name 63 bytes count."
                self._refuse(None, f"{count} of its fields have the column {name}", advice)
        for node in meta.constraints or ():
            self._read_table_constraint(node)
        keys = {c for clause in self._clauses if clause.label == "pkey" for c in clause.columns}
        columns = [replace(c, null=False) if c.name in keys else c for c in columns]
        settings = meta.table_settings or ()
        return Table(
            table_name(model),
            tuple(columns),
            constraints=tuple(self._constraints([column.name for column in columns])),
            indexes=tuple(self._indexes()),
            comment=_own_comment(model),
            storage=(settings,) if isinstance(settings, str) else tuple(settings),
        )

    def _refuse(self, field: str | None, found: str, advice: str) -> None:
        self._problems.append(Problem(_where(self._model, field), found, advice=advice))

    def _resolved(self, field: peewee.Field) -> peewee.Field:
        """Return the foreign key that a deferred one stands for, if its target is declared."""
        if not isinstance(field, peewee.DeferredForeignKey):
            return field
        target = find_target(field, self._models)
        if target is None:
            return field
        peewee.DeferredForeignKey.resolve(target)
        resolved: peewee.Field = self._model._meta.fields[field.name]
        return resolved

    def _column(self, field: peewee.Field) -> Column | None:
        if isinstance(field, peewee.DeferredForeignKey):
            self._refuse(
                field.name,
                f"there is no model {field.rel_model_name!r} that it could point to",
                "Import the module that declares it in the app's models.",
            )
            return None
        if isinstance(field, peewee.ForeignKeyField) and not self._has_target(field):
            return None
        try:
            clause = read_column(write_column(field))
        except Unreadable as exc:
            self._refuse(
                field.name,
                f"its column cannot be read: {exc}",
                "Write a type and clauses that CREATE TABLE takes.",
            )
            return None
        self._clauses += clause.constraints
        if isinstance(field, peewee.ForeignKeyField):
            node = field.foreign_key_constraint(explicit_name=bool(field.deferred))
            try:
                self._clauses.append(read_constraint(write_node(self._model, node)))
            except Unreadable as exc:
                actions = "CASCADE, RESTRICT, SET NULL, SET DEFAULT or NO ACTION"
                advice = f"Let on_delete and on_update be {actions}."
                self._refuse(field.name, f"its foreign key cannot be read: {exc}", advice)
        return replace(
            clause.column,
            comment=field.help_text if isinstance(field.help_text, str) else None,
            client_default=describe_default(field.default),
        )

    def _has_target(self, field: peewee.ForeignKeyField) -> bool:
        """Say whether *field* points to one column of a table."""
        target = field.rel_model
        if is_abstract(target):
            self._refuse(field.name, f"it points to {target.__name__}, which has no table", "")
        elif isinstance(field.rel_field, peewee.CompositeKey) or not field.rel_field:
            self._refuse(
                field.name,
                f"it points to {target.__name__}, whose primary key is not one field",
                "Name a unique field of it: `field=`.",
            )
        else:
            return True
        return False

    def _read_table_constraint(self, node: object) -> None:
        try:
            for text in Scanner(write_node(self._model, node)).items():
                self._clauses.append(read_constraint(text))
        except Unreadable as exc:
            self._refuse(
                None,
                f"one of its Meta.constraints cannot be read: {exc}",
                'Write `SQL("CONSTRAINT name CHECK (…)")`, or another one of CREATE TABLE\'s.',
            )

    def _constraints(self, columns: Collection[str]) -> Iterator[Constraint | ForeignKey]:
        bare = clip(self._model._meta.table_name)
        for name, clause in name_constraints(bare, columns, self._clauses):
            target = ".".join(clause.target)
            if clause.label == "fkey" and not clause.target_columns:
                clause = self._with_key(name, clause, target)
            yield build_constraint(name, clause, target)

    def _with_key(self, name: str, clause: ConstraintClause, target: str) -> ConstraintClause:
        """Return *clause* with the primary key of its target, if it names no columns of it."""
        for model in self._models:
            if table_name(model) == target:
                keys = tuple(field.column_name for field in _key_fields(model))
                return replace(clause, target_columns=keys)
        self._refuse(
            None,
            f"{name} points to {target}, which is no table of these models",
            f"Name the columns: REFERENCES {target} (…).",
        )
        return clause

    def _indexes(self) -> Iterator[Index]:
        """Yield the indexes; of two equal ones only the first, as peewee does."""
        meta = self._model._meta
        found: dict[str, Index] = {}
        try:
            nodes = read_index_nodes(self._model)
        except Unreadable as exc:
            self._refuse(None, f"its Meta.indexes cannot be read: {exc}", INDEX_ADVICE)
            return
        for node in nodes:
            try:
                clause = read_index(write_node(self._model, node))
            except Unreadable as exc:
                self._refuse(
                    None,
                    f"one of its indexes cannot be read: {exc}",
                    'Write `SQL("CREATE INDEX name ON table (…)")`.',
                )
                continue
            index = clause.index
            if clause.table[-1] != clip(meta.table_name):
                self._refuse(None, f"its index {index.name} is on {clause.table[-1]}", "")
            elif index.unique and index.method in ("gin", "gist", "hash", "brin", "spgist"):
                self._refuse(
                    None,
                    f"its index {index.name} is unique, which an index by {index.method} cannot be",
                    'Leave out `unique`, or name the method: `index_type="BTREE"`.',
                )
            elif found.setdefault(index.name, index) != index:
                self._refuse(
                    None,
                    f"it has two indexes of the name {index.name}",
                    "Drop `index=True` or `unique=True` of the field, or name the other one.",
                )
        yield from found.values()


def _own_comment(model: type[peewee.Model]) -> str | None:
    """Return `Meta.comment`, unless it is that of a base."""
    comment = getattr(model._meta, "comment", None)
    inherited = any(getattr(meta, "comment", None) == comment for meta in inherited_meta(model))
    return comment if comment and not inherited else None
