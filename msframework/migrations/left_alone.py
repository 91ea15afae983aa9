"""What a database has, and no model: of unknown origin, so it is named and left alone.

An app whose files carry no state is compared with the database. A constraint there may be one that
a model declared once, or one that was made by hand and must stay. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from peewee import PostgresqlDatabase

from msframework.migrations.operations.ddl import constraint_definition, create_index
from msframework.migrations.relation import find_tables, name_tables
from msframework.migrations.schema import Table


def find_undeclared(standing: Table, compared: Table) -> Iterator[str]:
    """Yield a line for each part of *standing* that was left out of *compared*."""
    columns = {column.name: column for column in compared.columns}
    for column in standing.columns:
        where = f"{standing.name}.{column.name}"
        other = columns.get(column.name)
        if other is None:
            yield f"{where} ({column.type} GENERATED ALWAYS AS ({column.generated}))"
        elif other.default is None and column.default is not None:
            yield f"DEFAULT {column.default} of {where}"
        elif other.comment is None and column.comment is not None:
            yield f"the comment of {where}"
    constraints = {each.name for each in compared.constraints}
    for constraint in standing.constraints:
        if constraint.name not in constraints:
            yield f"{constraint_definition(constraint)} of {standing.name}"
    indexes = {each.name for each in compared.indexes}
    for index in standing.indexes:
        if index.name not in indexes:
            yield create_index(standing.name, index).removeprefix("CREATE ")
    if standing.comment and not compared.comment:
        yield f"the comment of {standing.name}"
    if standing.storage and not compared.storage:
        yield f"{' '.join(standing.storage)} of {standing.name}"


def find_tables_without_models(
    database: PostgresqlDatabase, known: Collection[str]
) -> Iterator[str]:
    """Yield the tables beside those called *known*, in the search path and the schemas of those."""
    ours = find_tables(database, known).keys()
    others = name_tables(database, find_tables(database).keys() - ours)
    schemas = {"", *(name.rpartition(".")[0] for name in known)}
    for _, name in sorted(others.values()):
        if name.rpartition(".")[0] in schemas:
            yield f"the table {name}"
