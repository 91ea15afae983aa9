"""Names that one operation takes while something else of the same schema still has them.

Tables, indexes and the keys that stand on an index share one set of names within a schema, tables
and types another (PostgreSQL's catalogs pg_class and pg_type). Runs when a migration is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import operations as ops
from msframework.migrations.effects import apply_operations, has_index, indexed_parts
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.ddl import schema_of
from msframework.migrations.schema import SchemaState, Table

_Name = tuple[str, str | None, str]  # the set of names, the schema, the name


def are_taken(drops: Iterable[MigrationOperation], takers: Iterable[MigrationOperation]) -> bool:
    """Say whether any of *takers* takes a name of a table that is dropped."""
    given = {name for each in drops if isinstance(each, ops.DropTable) for name in _of(each.table)}
    return any(name in given for each in takers for name in _takes(each))


def refuse_collisions(old: SchemaState, operations: Sequence[MigrationOperation]) -> None:
    """Refuse *operations* of which one takes a name that something has until a later one.

    Raises:
        ImproperlyConfigured: there is one.
    """
    held = set(_names(old))
    if not any(name in held for each in operations for name in _takes(each)):
        return
    for each in operations:
        old = apply_operations(old, (each,))
        twice = [name for name, count in Counter(_names(old)).items() if count > 1]
        if twice:
            raise ImproperlyConfigured(
                f"{each.describe()}: something else has the name {twice[0][2]} until a later "
                "operation. Choose another name, or change the models in two steps, with a "
                "migration of each: first what gives the name up, then what takes it."
            )


def refuse_taken(
    others: Mapping[str, SchemaState], operations: Sequence[MigrationOperation]
) -> None:
    """Refuse *operations* of which one takes a name that something of another app has.

    Args:
        others: the last states of the apps that the operations are not for.

    Raises:
        ImproperlyConfigured: one does.
    """
    held = {name: app for app, state in others.items() for name in _names(state)}
    for each in operations:
        for name in _takes(each):
            if name in held:
                raise ImproperlyConfigured(
                    f"{each.describe()}: something of {held[name]} has the name {name[2]}, and "
                    "tables, indexes and keys share one set of names. Choose another name, or run "
                    "`manage.py makemigrations` without an app, where that one gives it up."
                )


def _takes(operation: MigrationOperation) -> Iterator[_Name]:
    """Yield the names that *operation* takes."""
    match operation:
        case ops.CreateTable(table):
            yield from _of(table)
        case ops.RenameTable(_, new):
            yield from _of(Table(new, ()))
        case ops.CreateEnum(enum):
            yield _type_name(enum.name)
        case ops.CreateIndex(table, index):
            yield "relation", schema_of(table), index.name
        case ops.AddConstraint(table, constraint) if has_index(constraint):
            yield "relation", schema_of(table), constraint.name
        case ops.RenameIndex(table, _, new) | ops.RenameConstraint(table, _, new):
            yield "relation", schema_of(table), new


def _names(state: SchemaState) -> Iterator[_Name]:
    for table in state.tables:
        yield from _of(table)
    for enum in state.enums:
        yield _type_name(enum.name)


def _of(table: Table) -> Iterator[_Name]:
    """Yield the names that *table* takes, with its indexes and keys."""
    schema = schema_of(table.name)
    yield "relation", schema, table.name.split(".", 1)[-1]
    yield _type_name(table.name)
    for each in indexed_parts(table):
        yield "relation", schema, each.name


def _type_name(name: str) -> _Name:
    return "type", schema_of(name), name.split(".", 1)[-1]
