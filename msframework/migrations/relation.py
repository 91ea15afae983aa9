"""The tables of a database, read from PostgreSQL's catalog. Runs at start-up.

The number of statements does not depend on the number of tables. Expressions are in PostgreSQL's
own words (`pg_get_expr`, `pg_get_constraintdef`, `pg_get_indexdef`), names as the connection's
search path makes them. What the catalog of one version only has is asked for through `to_jsonb`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from peewee import PostgresqlDatabase

from msframework.migrations.index_clause import read_index
from msframework.migrations.scanner import tidy
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Identity,
    Index,
    SchemaState,
    Table,
)
from msframework.migrations.sql import quote
from msframework.migrations.types import canonical

OWN_TABLES: Final = ("migrate_record", "migrate_progress")

_FIND_ALL: Final = """
SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> ALL(%s)
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                  AND refclassid = 'pg_extension'::regclass AND deptype = 'e')"""
_FIND_NAMED: Final = """
SELECT asked.name, c.oid FROM unnest(%s::text[], %s::text[]) AS asked (name, quoted)
JOIN pg_class c ON c.oid = to_regclass(asked.quoted) AND c.relkind IN ('r', 'p')"""
_RELATIONS: Final = """
SELECT c.oid, n.nspname, c.relname, pg_table_is_visible(c.oid) AS visible,
       obj_description(c.oid, 'pg_class') AS comment, c.reloptions AS options,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       CASE WHEN NOT c.relispartition THEN ARRAY(
           SELECT inhparent::regclass::text FROM pg_inherits
           WHERE inhrelid = c.oid ORDER BY inhseqno
       ) END AS parents
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s::oid[]) ORDER BY n.nspname, c.relname"""
_COLUMNS: Final = """
SELECT a.attrelid AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       NOT a.attnotnull AS null, pg_get_expr(d.adbin, d.adrelid, true) AS default,
       a.attidentity AS identity, a.attgenerated AS generated,
       col_description(a.attrelid, a.attnum) AS comment,
       CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
           AS collation,
       EXISTS (
           SELECT FROM pg_depend used
           JOIN pg_depend owned ON owned.classid = 'pg_class'::regclass AND owned.deptype = 'a'
               AND owned.objid = used.refobjid AND owned.refclassid = 'pg_class'::regclass
               AND owned.refobjid = a.attrelid AND owned.refobjsubid = a.attnum
           WHERE used.classid = 'pg_attrdef'::regclass AND used.objid = d.oid
               AND used.refclassid = 'pg_class'::regclass
       ) AS owns_sequence
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
ORDER BY a.attrelid, a.attnum"""
_CONSTRAINTS: Final = """
SELECT k.conrelid AS oid, k.conname AS name, k.contype AS kind,
       pg_get_constraintdef(k.oid, true) AS definition,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number
             ORDER BY key.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS key (number, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.number
             ORDER BY key.place) AS target_columns,
       k.confrelid AS target, n.nspname, c.relname, pg_table_is_visible(c.oid) AS visible,
       k.confdeltype AS on_delete, k.confupdtype AS on_update, k.confmatchtype AS match,
       k.condeferrable AS deferrable, k.condeferred AS deferred,
       COALESCE((to_jsonb(k) ->> 'conperiod')::boolean, false) AS period,
       ARRAY(SELECT a.attname::text FROM jsonb_array_elements_text(
                 COALESCE(NULLIF(to_jsonb(k) -> 'confdelsetcols', 'null'), '[]')) AS key (number)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number::int
            ) AS set_columns
FROM pg_constraint k JOIN pg_class own ON own.oid = k.conrelid
LEFT JOIN pg_class c ON c.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.conrelid = ANY(%s::oid[]) AND k.contype IN ('p', 'u', 'c', 'x', 'f')
  AND (k.conislocal OR own.relispartition)
  AND (k.contype <> 'f' OR k.conparentid = 0 OR own.relispartition)
ORDER BY k.conrelid, position(k.contype::text IN 'puxcf'), k.conname"""
# NOTE: an index that is not valid is none: what an attempt to build it CONCURRENTLY left behind.
_INDEXES: Final = """
SELECT i.indrelid AS oid, pg_get_indexdef(i.indexrelid, 0, true) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY(%s::oid[]) AND i.indislive AND i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
                  AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.indrelid, c.relname"""
_ENUMS: Final = """
SELECT t.oid, n.nspname, t.typname AS relname, pg_type_is_visible(t.oid) AS visible,
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
             ORDER BY enumsortorder) AS values
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND (t.oid IN (
    SELECT COALESCE(NULLIF(e.typelem, 0), e.oid) FROM pg_attribute a
    JOIN pg_type e ON e.oid = a.atttypid
    WHERE a.attrelid = ANY(%s::oid[]) AND NOT a.attisdropped
)) ORDER BY n.nspname, t.typname"""

_NAMED_ENUMS: Final = """
SELECT asked.name, ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
                         ORDER BY enumsortorder) AS values
FROM unnest(%s::text[], %s::text[]) AS asked (name, quoted)
JOIN pg_type t ON t.oid = to_regtype(asked.quoted) AND t.typtype = 'e' ORDER BY asked.name"""

_ACTIONS: Final = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}
_IDENTITIES: Final[dict[str, Identity]] = {"a": "always", "d": "by default"}
_NEXT_VALUE: Final = re.compile(r"nextval\('.*'::regclass\)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One row of a statement, by the names of its columns."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def table(self) -> str:
        """The name of the table or type, with its schema where the search path hides it."""
        return self["relname"] if self["visible"] else f"{self['nspname']}.{self['relname']}"


def find_tables(
    database: PostgresqlDatabase, names: Collection[str] | None = None
) -> dict[int, str | None]:
    """Return the oids of tables, with the name that each was asked for by.

    Args:
        names: as `Table.name` has them; `None` for every table but the system's, those of
            extensions, partitions, and the record of migrations.
    """
    if names is None:
        return {row["oid"]: None for row in rows(database, _FIND_ALL, list(OWN_TABLES))}
    asked = sorted(names)
    found = rows(database, _FIND_NAMED, asked, list(map(_in_quotes, asked)))
    return {row["oid"]: row["name"] for row in found}


def find_enums(database: PostgresqlDatabase, names: Collection[str]) -> tuple[EnumType, ...]:
    """Return the enumerated types of these *names* that there are, as `EnumType.name` has them."""
    asked = sorted(names)
    found = rows(database, _NAMED_ENUMS, asked, list(map(_in_quotes, asked))) if asked else []
    return tuple(EnumType(row["name"], tuple(row["values"])) for row in found)


def name_tables(database: PostgresqlDatabase, oids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return the schema of each table, and its name as `Table.name` has it."""
    found = rows(database, _RELATIONS, list(oids))
    return {row["oid"]: (row["nspname"], row.table) for row in found}


def read_tables(
    database: PostgresqlDatabase,
    found: Mapping[int, str | None],
    targets: Mapping[int, str | None] | None = None,
) -> SchemaState:
    """Return the tables *found*, each under the name that it was asked for by.

    Args:
        targets: how other tables that foreign keys point to are called.
    """
    oids, known = list(found), {**(targets or {}), **found}
    parts: dict[str, defaultdict[int, list[CatalogRow]]] = {}
    for part, statement in (
        ("columns", _COLUMNS),
        ("constraints", _CONSTRAINTS),
        ("indexes", _INDEXES),
    ):
        parts[part] = defaultdict(list)
        for row in rows(database, statement, oids):
            parts[part][row["oid"]].append(row)
    tables = tuple(
        Table(
            found[row["oid"]] or row.table,
            tuple(_read_column(each) for each in parts["columns"][row["oid"]]),
            constraints=tuple(_read_constraint(k, known) for k in parts["constraints"][row["oid"]]),
            indexes=tuple(_read_index(each) for each in parts["indexes"][row["oid"]]),
            comment=row["comment"],
            storage=_read_storage(row),
        )
        for row in rows(database, _RELATIONS, oids)
    )
    enums = rows(database, _ENUMS, oids)
    return SchemaState(
        tables, enums=tuple(EnumType(row.table, tuple(row["values"])) for row in enums)
    )


def rows(database: PostgresqlDatabase, statement: str, *parameters: object) -> list[CatalogRow]:
    """Run *statement*, and return its rows."""
    cursor: Any = database.execute_sql(statement, parameters)  # type: ignore[no-untyped-call]
    names = [column[0] for column in cursor.description]
    return [CatalogRow(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _in_quotes(name: str) -> str:
    parts = [part.replace('"', '""') for part in name.split(".", 1)]
    return ".".join(f'"{part}"' for part in parts)


def _read_column(row: CatalogRow) -> Column:
    column = Column(
        row["name"],
        canonical(row["type"]),
        null=row["null"],
        identity=_IDENTITIES.get(row["identity"]),
        collation=row["collation"],
        comment=row["comment"],
    )
    default = row["default"]
    if row["generated"]:
        return replace(column, generated=default)
    if default is not None and row["owns_sequence"] and _NEXT_VALUE.match(default):
        return replace(column, serial=True)
    return replace(column, default=default)


def _read_constraint(row: CatalogRow, asked: Mapping[int, str | None]) -> Constraint | ForeignKey:
    kind, definition = row["kind"], row["definition"]
    if kind in ("p", "u"):
        definition = tidy(definition)
    if kind != "f" or row["match"] != "s" or row["period"]:
        return Constraint(row["name"], definition)
    on_delete = _ACTIONS.get(row["on_delete"])
    if row["set_columns"]:
        on_delete = f"{on_delete} ({', '.join(map(quote, row['set_columns']))})"
    deferral: Literal["immediate", "deferred"] = "deferred" if row["deferred"] else "immediate"
    return ForeignKey(
        row["name"],
        tuple(row["columns"]),
        asked.get(row["target"]) or row.table,
        tuple(row["target_columns"]),
        on_delete=on_delete,
        on_update=_ACTIONS.get(row["on_update"]),
        deferrable=deferral if row["deferrable"] else None,
    )


def _read_index(row: CatalogRow) -> Index:
    return read_index(row["definition"]).index


def _read_storage(row: CatalogRow) -> tuple[str, ...]:
    parts = []
    if row["parents"]:
        parts.append(f"INHERITS ({', '.join(row['parents'])})")
    if row["partition_key"]:
        parts.append(f"PARTITION BY {row['partition_key']}")
    if row["options"]:
        parts.append(f"WITH ({_shown_options(row['options'])})")
    return tuple(parts)


def _shown_options(options: Sequence[str]) -> str:
    return ", ".join(each.replace("=", " = ", 1) for each in options)
