"""Comparison of existing tables with those that models describe. Runs at start-up.

Two SQL texts are equal if PostgreSQL parses them to the same; the models' text is then kept. What
the models do not declare is left out: indexes (except those with a name as peewee gives),
constraints, comments, defaults and generated columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from peewee import PostgresqlDatabase

from msframework.migrations.index_text import generated_name, plain_columns
from msframework.migrations.left_alone import find_undeclared
from msframework.migrations.operations.ddl import constraint_definition, create_index
from msframework.migrations.relation import find_enums, find_tables, read_tables
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)
from msframework.migrations.scratch import as_postgres_says
from msframework.migrations.sql import canonical_words

_TEXTS: Final = ("type", "default", "generated", "collation")

Part = TypeVar("Part", Column, Constraint, ForeignKey, Index, Constraint | ForeignKey)
PartKind = Literal["constraint", "index"]
Forms = Mapping[tuple[str, ...], set[tuple[str, ...] | None]]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The existing ones of the tables that models describe.

    Args:
        state: those tables and types, in the models' SQL where both are equal.
        missing: the described tables that do not exist.
        differences: a line for each difference, by the name of the table or type.
        undeclared: a line for each part that the models do not have, and `state` leaves out.
    """

    state: SchemaState
    missing: tuple[str, ...]
    differences: Mapping[str, tuple[str, ...]]
    undeclared: tuple[str, ...]


def find_adopted(database: PostgresqlDatabase, models_state: SchemaState) -> Adopted:
    """Return which tables of *models_state* exist, and how they differ from it."""
    described = {table.name: table for table in models_state.tables}
    targets = {key.target for table in models_state.tables for key in table.foreign_keys}
    standing = find_tables(database, described)
    found = read_tables(database, standing, find_tables(database, targets))
    tables = _reconcile_all(database, models_state, found.tables)
    lines = {each.name: tuple(differences(described[each.name], each)) for each in tables}
    wanted = {enum.name: enum for enum in models_state.enums}
    enums = find_enums(database, wanted)
    lines |= {each.name: tuple(_enum_differences(wanted[each.name], each)) for each in enums}
    return Adopted(
        SchemaState(tables, enums=enums),
        tuple(name for name in described if name not in standing.values()),
        {name: found_lines for name, found_lines in lines.items() if found_lines},
        tuple(
            line
            for one, other in zip(found.tables, tables, strict=True)
            for line in find_undeclared(one, other)
        ),
    )


def _reconcile_all(
    database: PostgresqlDatabase, models_state: SchemaState, standing: Sequence[Table]
) -> tuple[Table, ...]:
    """Return *standing* with the models' SQL where both are equal.

    What differs at first is parsed once more: PostgreSQL's text of `a IN ('x', 'y')` is parsed to
    yet another text.
    """
    described = {table.name: table for table in models_state.tables}
    found: dict[str, Table] = {}
    theirs: dict[str, list[Table]] = {t.name: [described[t.name]] for t in standing}
    ours: dict[str, list[Table]] = {t.name: [t] for t in standing}
    left = list(standing)
    for again in (False, True):
        for words in (theirs, ours) if again else (theirs,):
            state = SchemaState(tuple(words[t.name][-1] for t in left), enums=models_state.enums)
            for table in as_postgres_says(database, state).tables:
                words[table.name].append(table)
        for table in left:
            comparison = _Comparison(theirs[table.name], ours[table.name])
            found[table.name] = comparison.reconcile(described[table.name], table)
        left = [t for t in left if any(True for _ in differences(described[t.name], found[t.name]))]
    return tuple(found[table.name] for table in standing)


class _Comparison:
    """One table in several SQL texts: those of the models, and those of the database."""

    def __init__(self, theirs: Iterable[Table], ours: Iterable[Table]) -> None:
        self._theirs, self._ours = _forms(theirs), _forms(ours)

    def reconcile(self, described: Table, standing: Table) -> Table:
        """Return *standing* with the SQL of the models where both are equal."""
        columns = {column.name: column for column in described.columns}
        bare = standing.name.rpartition(".")[2]
        kept = [c for c in standing.columns if c.name in columns or c.generated is None]
        has_key = any(map(is_key, described.constraints))
        found = tuple(self._column(columns.get(column.name), column) for column in kept)
        return replace(
            standing,
            columns=_in_order(found, described.columns),
            constraints=self._parts(
                "constraint",
                described.constraints,
                standing.constraints,
                lambda each: has_key and is_key(each),
            ),
            indexes=self._parts(
                "index", described.indexes, standing.indexes, lambda each: _is_generated(bare, each)
            ),
            comment=standing.comment if described.comment else None,
            storage=_storage(described, standing),
        )

    def _column(self, described: Column | None, standing: Column) -> Column:
        if described is None:
            return standing
        column = replace(standing, client_default=described.client_default)
        for name in _TEXTS:
            key = ("column", standing.name, name)
            if self._theirs[key] & self._ours[key]:
                column = replace(column, **{name: getattr(described, name)})
        if described.comment is None:
            column = replace(column, comment=None)
        if described.default is None and not described.serial:
            column = replace(column, default=None)
        return column

    def _parts(
        self,
        kind: PartKind,
        described: Sequence[Part],
        standing: Sequence[Part],
        keeps: Callable[[Part], bool],
    ) -> tuple[Part, ...]:
        """Return the parts that the models have too, under this name or another."""
        wanted = {each.name: each for each in described}
        missing = [each for each in described if each.name not in {s.name for s in standing}]
        found = []
        for each in standing:
            twin = wanted.get(each.name)
            if twin is None:
                twin = next((m for m in missing if self._is_same(kind, m.name, each.name)), None)
                if twin is not None:
                    missing.remove(twin)
                    found.append(replace(twin, name=each.name))
                elif keeps(each):
                    found.append(each)
            else:
                found.append(twin if self._is_same(kind, each.name, each.name) else each)
        return _in_order(found, described)

    def _is_same(self, kind: PartKind, described: str, standing: str) -> bool:
        return bool(self._theirs[(kind, described)] & self._ours[(kind, standing)])


def differences(described: Table, standing: Table) -> Iterator[str]:
    """Yield a line for each difference of *standing* from *described*."""
    yield from _part_differences("column", described.columns, standing.columns)
    yield from _part_differences("constraint", described.constraints, standing.constraints)
    yield from _part_differences("index", described.indexes, standing.indexes)
    if described.comment != standing.comment:
        yield f"comment: {_compare(described.comment, standing.comment)}"
    if described.storage != standing.storage:
        yield f"storage: {_compare(described.storage, standing.storage)}"


def _part_differences(
    label: str, described: Sequence[Part], standing: Sequence[Part]
) -> Iterator[str]:
    want = {each.name: each for each in described}
    have = {each.name: each for each in standing}
    left = {name: each for name, each in have.items() if name not in want}
    for name, wanted in want.items():
        found = have.get(name)
        if found is None:
            other = next(
                (n for n, each in left.items() if replace(each, name=name) == wanted), None
            )
            if other is not None:
                del left[other]
                yield f"{label} {name}: called {other} in the database"
                continue
        if wanted != found:
            yield f"{label} {name}: {_compare(wanted, found)}"
    for name, extra in left.items():
        yield f"{label} {name}: {_compare(None, extra)}"


def _enum_differences(described: EnumType, standing: EnumType) -> Iterator[str]:
    if described.values != standing.values:
        yield f"values: {_compare(described.values, standing.values)}"


def _compare(wanted: object, found: object) -> str:
    if not found:
        return "not in the database"
    if not wanted:
        return "not in the models"
    return f"the models say {_show(wanted)}, the database {_show(found)}"


def _show(part: object) -> str:
    if isinstance(part, Column):
        return " ".join(filter(None, _column_words(part)))
    if isinstance(part, (Constraint, ForeignKey)):
        return define(part)
    if isinstance(part, Index):
        head, _, rest = create_index("t", replace(part, name="n")).partition(" n ON t ")
        return f"{head} {rest}"
    return ", ".join(part) if isinstance(part, tuple) else repr(part)


def _column_words(column: Column) -> Iterator[str | None]:
    yield column.type
    yield f"COLLATE {column.collation}" if column.collation else None
    yield "NULL" if column.null else "NOT NULL"
    yield f"DEFAULT {column.default}" if column.default is not None else None
    yield "SERIAL" if column.serial else None
    yield f"GENERATED {column.identity.upper()} AS IDENTITY" if column.identity else None
    yield f"GENERATED ALWAYS AS ({column.generated})" if column.generated else None
    yield f"COMMENT {column.comment!r}" if column.comment else None


def define(constraint: Constraint | ForeignKey) -> str:
    """Return the definition of *constraint* as SQL, without its name."""
    return constraint_definition(replace(constraint, name="n")).removeprefix("CONSTRAINT n ")


def _in_order(found: Iterable[Part], described: Iterable[Part]) -> tuple[Part, ...]:
    """Return *found* in the order in which the models have them, then the others."""
    places = {each.name: place for place, each in enumerate(described)}
    return tuple(sorted(found, key=lambda each: places.get(each.name, len(places))))


def is_key(constraint: Constraint | ForeignKey | Index) -> bool:
    """Say whether *constraint* is the primary key."""
    return isinstance(constraint, Constraint) and constraint.definition.startswith("PRIMARY KEY")


def _forms(tables: Iterable[Table]) -> Forms:
    """Return the SQL of each part of a table, as each of *tables* has it."""
    forms: defaultdict[tuple[str, ...], set[tuple[str, ...] | None]] = defaultdict(set)
    for table in tables:
        for column in table.columns:
            for name in _TEXTS:
                forms[("column", column.name, name)].add(_words(getattr(column, name)))
        for each in table.constraints:
            text = define(each)
            # What a key includes, and when it is checked, is left as it stands.
            text = text.partition(")")[0] + ")" if is_key(each) else text
            forms[("constraint", each.name)].add(_words(text))
        for index in table.indexes:
            forms[("index", index.name)].add(_words(create_index("t", replace(index, name="i"))))
    return forms


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else canonical_words(text)


def _storage(described: Table, standing: Table) -> tuple[str, ...]:
    """Return the storage parameters, if the models declare any."""
    if not described.storage:
        return ()
    theirs, ours = (_words(" ".join(table.storage)) for table in (described, standing))
    return described.storage if theirs == ours else standing.storage


def _is_generated(table: str, index: Index) -> bool:
    """Say whether peewee has named *index*, as it does where a model declares one."""
    columns = plain_columns(index.elements)
    return columns is not None and index.name == generated_name(table, columns)
