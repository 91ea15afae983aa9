"""`DatabaseSnapshot`: rows and sequences of a database, and the way back to them. Runs in tests.

Rows are copied back while triggers, rules and foreign keys are silent, so no order of the tables is
needed; a role that may not silence foreign keys drops and adds those that form a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from io import BytesIO
from typing import Any, Final

import asyncpg

from msframework.migrations.sql import quote

_TABLES: Final = """
    SELECT c.oid, n.nspname, c.relname, c.relkind = 'p' AS parted,
      array(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)::text[] AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname NOT IN ('migrate_record', 'migrate_progress')
      AND n.nspname NOT IN ('information_schema', 'pg_catalog') AND n.nspname NOT LIKE 'pg\\_t%'
    ORDER BY 2, 3"""
_FOREIGN_KEYS: Final = """
    SELECT conrelid AS child, confrelid AS parent, quote_ident(conname) AS name,
      pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"""
_TRIGGERS: Final = """
    SELECT tgrelid AS relation, quote_ident(tgname) AS name, tgenabled::text AS state
    FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 AND tgenabled <> 'D'"""
_SEQUENCES: Final = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY 1"""
_SET_SEQUENCES: Final = """
    SELECT setval(name::regclass, value, called)
    FROM unnest($1::text[], $2::bigint[], $3::bool[]) AS t (name, value, called)"""
_SILENCE: Final = "SET LOCAL session_replication_role = replica"
_ENABLED: Final = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
_MANY: Final = 10_000  # deleted rows that are worth a VACUUM, as every later look meets them


@dataclass(frozen=True, slots=True)
class SnapshotTable:
    """One table: its name, quoted and in parts, and the columns that hold what was written."""

    oid: int
    schema: str
    name: str
    parted: bool
    columns: tuple[str, ...]

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def rows(self) -> str:
        """The name as SQL that means its own rows, without those of tables that inherit from it."""
        return self.quoted if self.parted else f"ONLY {self.quoted}"


class DatabaseSnapshot:
    """The state of a database; `restore` brings it back.

    Args:
        conn: a connection to it, for the snapshot alone.
    """

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn
        self._tables: list[SnapshotTable] = []
        self._seeds: dict[int, bytes] = {}  # the rows of tables that have some, as COPY gives them
        self._marks: dict[int, tuple[int, str]] = {}
        self._keys: list[Any] = []
        self._triggers: list[Any] = []
        self._sequences: list[tuple[str, int, bool]] = []
        self._silent = False
        self._look = self._look_at_sequences = ""

    async def take(self) -> None:
        """Remember the state of now."""
        conn = self._conn
        self._tables = [
            SnapshotTable(row[0], row[1], row[2], row[3], tuple(row[4]))
            for row in await conn.fetch(_TABLES)
        ]
        self._keys = await conn.fetch(_FOREIGN_KEYS)
        self._triggers = await conn.fetch(_TRIGGERS)
        self._silent = await self._may_silence()
        for table in self._tables:
            if await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table.rows})"):  # noqa: S608
                self._seeds[table.oid] = await self._copy(table)
        self._look = " UNION ALL ".join(map(self._look_at, self._tables))
        self._marks = {oid: mark for oid, mark in (await self._state()).items() if mark[0]}
        names = [row[0] for row in await conn.fetch(_SEQUENCES)]
        self._look_at_sequences = " UNION ALL ".join(
            f"SELECT {number}, last_value, is_called FROM {name}"  # noqa: S608
            for number, name in enumerate(names)
        )
        self._sequences = [
            (names[row[0]], row[1], row[2]) for row in await self._fetch(self._look_at_sequences)
        ]

    async def _may_silence(self) -> bool:
        with suppress(asyncpg.InsufficientPrivilegeError):
            async with self._conn.transaction():
                await self._conn.execute(_SILENCE)
                return True
        return False

    async def _copy(self, table: SnapshotTable) -> bytes:
        target = BytesIO()
        columns = ", ".join(map(quote, table.columns))
        query = f"SELECT {columns} FROM {table.rows}"  # noqa: S608
        await self._conn.copy_from_query(query, output=target, format="binary")
        return target.getvalue()

    def _look_at(self, table: SnapshotTable) -> str:
        """Return the query that tells whether *table* has changed.

        A row that is written has the number of its transaction in `xmin`, so that number and sum
        stay the same only as long as all rows are the same versions.
        """
        if table.oid in self._seeds:
            return f"SELECT {table.oid}, count(*), sum(xmin::text::bigint)::text FROM {table.rows}"  # noqa: S608
        return f"SELECT {table.oid}, 1::bigint, '' WHERE EXISTS (SELECT FROM {table.rows})"  # noqa: S608

    async def _fetch(self, query: str) -> list[Any]:
        return list(await self._conn.fetch(query)) if query else []

    async def _state(self) -> dict[int, tuple[int, str]]:
        return {row[0]: (row[1], row[2]) for row in await self._fetch(self._look)}

    async def restore(self) -> None:
        """Put the rows of every table that changed back, and the value of every sequence."""
        state = await self._state()
        changed = [
            table for table in self._tables if state.get(table.oid) != self._marks.get(table.oid)
        ]
        if changed:
            crowded = await (self._put_back(changed) if self._silent else self._rebuild(changed))
            for table in crowded:
                await self._conn.execute(f"VACUUM {table.quoted}")
        await self._restore_sequences()

    async def _put_back(self, changed: list[SnapshotTable]) -> list[SnapshotTable]:
        """Replace the rows of *changed*, and nothing else; return the tables to be vacuumed."""
        crowded = []
        oids = {table.oid for table in changed}
        before, after = self._triggers_off(oids, "AR")  # which fire in a replica, too
        async with self._conn.transaction():
            # NOTE: whoever still writes to one of them is waited for, within lock_timeout.
            names = ", ".join(table.rows for table in changed)
            await self._conn.execute(
                f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE; {_SILENCE}; {before}"
            )
            for table in changed:
                # PERF: TRUNCATE makes files, and takes a hundred times as long for a few rows.
                said = await self._conn.execute(f"DELETE FROM {table.rows}")  # noqa: S608
                if int(said.split()[-1]) > _MANY:
                    crowded.append(table)
            for table in changed:
                await self._fill(table)
            if after:
                await self._conn.execute(after)
            await self._remark(changed)
        return crowded

    async def _rebuild(self, changed: list[SnapshotTable]) -> list[SnapshotTable]:
        """Do the same as a role that cannot silence foreign keys: with all that refers to them."""
        oids = self._with_referring({table.oid for table in changed})
        tables = [table for table in self._tables if table.oid in oids]
        before, after = self._triggers_off(oids, "OAR")
        names = ", ".join(table.rows for table in tables)
        async with self._conn.transaction():
            await self._conn.execute(f"{before} TRUNCATE {names}")
            order, circle = self._order([table for table in tables if table.oid in self._seeds])
            quoted = {table.oid: table.quoted for table in self._tables}
            for key in circle:
                name = quoted[key["child"]]
                await self._conn.execute(f"ALTER TABLE {name} DROP CONSTRAINT {key['name']}")
            for table in order:
                await self._fill(table)
            for key in circle:
                added = f"ADD CONSTRAINT {key['name']} {key['definition']}"
                await self._conn.execute(f"ALTER TABLE {quoted[key['child']]} {added}")
            if after:
                # NOTE: checks that are deferred stand in the way of ALTER TABLE.
                await self._conn.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {after}")
            await self._remark(tables)
        return []

    def _with_referring(self, oids: set[int]) -> set[int]:
        found = set(oids)
        while more := {key["child"] for key in self._keys if key["parent"] in found} - found:
            found |= more
        return found

    def _order(self, tables: list[SnapshotTable]) -> tuple[list[SnapshotTable], list[Any]]:
        """Return *tables* as they can be filled, and the keys to be dropped meanwhile.

        A table may refer to itself: what COPY writes is checked at its end.
        """
        known = {table.oid: table for table in tables}
        keys = [
            key
            for key in self._keys
            if key["child"] in known and key["parent"] in known and key["child"] != key["parent"]
        ]
        graph: dict[int, set[int]] = {oid: set() for oid in known}
        for key in keys:
            graph[key["child"]].add(key["parent"])
        try:
            return [known[oid] for oid in TopologicalSorter(graph).static_order()], []
        except CycleError:
            return tables, keys

    def _triggers_off(self, oids: Collection[int], states: str) -> tuple[str, str]:
        """Return the SQL that silences the triggers of the tables *oids*, and its reverse."""
        off, on = [], []
        names = {table.oid: table.quoted for table in self._tables if table.oid in oids}
        for relation, name, state in self._triggers:
            if relation in names and state in states:
                off.append(f"ALTER TABLE {names[relation]} DISABLE TRIGGER {name};")
                on.append(f"ALTER TABLE {names[relation]} {_ENABLED[state]} TRIGGER {name};")
        return " ".join(off), " ".join(on)

    async def _fill(self, table: SnapshotTable) -> None:
        rows = self._seeds.get(table.oid)
        if rows is not None:
            await self._conn.copy_to_table(
                table.name,
                schema_name=table.schema,
                columns=table.columns,
                source=BytesIO(rows),
                format="binary",
            )

    async def _remark(self, tables: Iterable[SnapshotTable]) -> None:
        """Note the rows that were written back as those that the snapshot holds."""
        for table in tables:
            if table.oid in self._seeds:
                row = await self._conn.fetchrow(self._look_at(table))
                self._marks[table.oid] = (row[1], row[2])

    async def _restore_sequences(self) -> None:
        found = {row[0]: (row[1], row[2]) for row in await self._fetch(self._look_at_sequences)}
        wrong = [
            each for number, each in enumerate(self._sequences) if found.get(number) != each[1:]
        ]
        if wrong:
            await self._conn.execute(_SET_SEQUENCES, *map(list, zip(*wrong, strict=True)))
