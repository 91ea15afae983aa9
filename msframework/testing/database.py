"""A database of the tests' own: created, migrated, emptied after each test, dropped at the end.

Runs in tests. Services commit their writes, so nothing can be rolled back for them; a test
leaves the tables as the migrations left them because those it changed are truncated.
"""

from __future__ import annotations

import importlib
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from graphlib import TopologicalSorter
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from msframework.conf.settings import Settings
from msframework.db.embedded import ensure_database
from msframework.migrations import Runner
from msframework.migrations.connection import opened
from msframework.models import Model
from msframework.testing.server import LoopThread

_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'migrate_record'
      AND n.nspname NOT IN ('information_schema', 'pg_catalog') AND n.nspname NOT LIKE 'pg\\_t%'
    ORDER BY 1"""
_REFERENCES = """
    SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text
    FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid"""
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences"


class TestDatabase:
    """The database `<name>_test_<process id>` beside the one that *settings* name.

    A further one of the same process has a number at its end.
    Without one in the settings, and with `DEBUG` on, it lies on the embedded server.

    Args:
        echo: told when the embedded server is started.
    """

    __test__ = False
    _numbers = itertools.count(1)

    def __init__(self, settings: Settings, echo: Callable[[str], None] = print) -> None:
        self._settings, self._echo = settings, echo
        self._thread: LoopThread | None = None
        self._admin_url = self.url = self.name = ""
        self._conn: Any = None
        self._number = next(self._numbers)
        self._tables: list[str] = []
        self._seeds: dict[str, tuple[str, list[Any]]] = {}
        self._sequences: dict[str, int | None] = {}

    @staticmethod
    def wanted(settings: Settings) -> bool:
        """Tell whether *settings* give a service a database."""
        return settings.database.url is not None or settings.debug

    def create(self) -> None:
        """Create the database and its tables.

        Raises:
            ImproperlyConfigured: the server cannot be reached, or a migration is wrong.
        """
        settings = ensure_database(self._settings, self._echo)
        assert settings.database.url is not None
        self._admin_url = settings.database.url
        self.name = f"{database_of(self._admin_url)}_test_{os.getpid()}"
        if self._number > 1:
            self.name += f"_{self._number}"
        self.url = with_database(self._admin_url, self.name)
        self._thread = LoopThread("msframework-test-database")
        self._thread.run(self._recreate())
        build_tables(self.url, settings.installed_apps)
        self._thread.run(self._remember())

    def point(self, settings: Settings) -> Settings:
        """Return *settings* with this database, and without replicas."""
        database = replace(settings.database, url=self.url, replicas=())
        return replace(settings, database=database)

    def reset(self) -> None:
        """Put every table back to the rows of the migrations, and every sequence to its value."""
        if self._thread is not None:
            self._thread.run(self._restore())

    def drop(self) -> None:
        """Drop the database."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._remove())
            finally:
                thread.stop()

    async def _recreate(self) -> None:
        conn = await asyncpg.connect(self._admin_url, timeout=10)
        try:
            await conn.execute(f"DROP DATABASE IF EXISTS {_quoted(self.name)} WITH (FORCE)")
            await conn.execute(f"CREATE DATABASE {_quoted(self.name)}")
        finally:
            await conn.close()

    async def _remove(self) -> None:
        if self._conn is not None:
            await self._conn.close()
        conn = await asyncpg.connect(self._admin_url, timeout=10)
        try:
            await conn.execute(f"DROP DATABASE IF EXISTS {_quoted(self.name)} WITH (FORCE)")
        finally:
            await conn.close()

    async def _remember(self) -> None:
        """Note the state after the migrations: rows, and values of sequences."""
        settings = {"lock_timeout": "10s", "application_name": "msframework tests"}
        self._conn = await asyncpg.connect(self.url, timeout=10, server_settings=settings)
        names = [row[0] for row in await self._conn.fetch(_TABLES)]
        edges = [tuple(row) for row in await self._conn.fetch(_REFERENCES)]
        self._tables = _in_order(names, edges)
        for table in self._tables:
            print_, rows = await self._print_of(table)
            if rows:
                self._seeds[table] = print_, await self._conn.fetch(f"SELECT * FROM {table}")  # noqa: S608
        self._sequences = dict(await self._conn.fetch(_SEQUENCES))

    async def _print_of(self, table: str) -> tuple[str, int]:
        """Return a fingerprint of the rows of *table*, and their number."""
        # The names of tables come from pg_class, quoted by format('%I').
        query = f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')), count(*) FROM {table} t"  # noqa: S608, E501
        row = await self._conn.fetchrow(query)
        return row[0], row[1]

    async def _restore(self) -> None:
        changed = await self._changed()
        if changed:
            async with self._conn.transaction():
                await self._conn.execute(f"TRUNCATE {', '.join(changed)} CASCADE")
                for table in self._tables:
                    await self._seed(table)
        for name, last in await self._conn.fetch(_SEQUENCES):
            if name in self._sequences and last != self._sequences[name]:
                await self._set_sequence(name, self._sequences[name])

    async def _changed(self) -> list[str]:
        """Return the tables that have changed."""
        plain = [table for table in self._tables if table not in self._seeds]
        query = " UNION ALL ".join(
            f"SELECT {number} WHERE EXISTS (SELECT FROM {table})"  # noqa: S608
            for number, table in enumerate(plain)
        )
        changed = [plain[row[0]] for row in await self._conn.fetch(query)] if plain else []
        for table, (known, _) in self._seeds.items():
            if (await self._print_of(table))[0] != known:
                changed.append(table)
        return changed

    async def _seed(self, table: str) -> None:
        """Insert the rows of the migrations into *table*, if TRUNCATE took them."""
        if table not in self._seeds or (await self._print_of(table))[1]:
            return
        rows = self._seeds[table][1]
        columns = ", ".join(map(_quoted, rows[0].keys()))
        marks = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
        insert = f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})"  # noqa: S608
        await self._conn.executemany(insert, [tuple(row) for row in rows])

    async def _set_sequence(self, name: str, last: int | None) -> None:
        if last is None:
            await self._conn.execute(f"ALTER SEQUENCE {name} RESTART")
        else:
            await self._conn.execute("SELECT setval($1::text::regclass, $2)", name, last)


def _in_order(names: list[str], edges: Iterable[tuple[str, ...]]) -> list[str]:
    """Return *names*, those that are referred to before those that refer."""
    # NOTE: regclass leaves the schema out where it is on the search path.
    known = {name.removeprefix("public."): name for name in names}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for source, target in edges:
        if source in known and target in known:
            graph[known[source]].add(known[target])
    return list(TopologicalSorter(graph).static_order())


def build_tables(url: str, apps: Iterable[str]) -> None:
    """Migrate *apps* at *url*; an app without migrations gets the tables of its models."""
    names = [app for app in apps if find_spec(app) is not None]
    migrated = [app for app in names if find_spec(f"{app}.migrations") is not None]
    if migrated:
        Runner(url, migrated).migrate()
    models = [model for app in names if app not in migrated for model in models_of(app)]
    if models:
        with opened(url) as database, database.bind_ctx(models):
            database.create_tables(models)


def models_of(app: str) -> list[type[Model]]:
    """Return the models that `<app>.models` defines."""
    if find_spec(f"{app}.models") is None:
        return []
    module = importlib.import_module(f"{app}.models")
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Model)
        and value.__module__ == module.__name__
    ]


def database_of(url: str) -> str:
    """Return the name of the database that *url* leads to; the user's, when it names none."""
    parts = urlsplit(url)
    return unquote(parts.path.lstrip("/")) or unquote(parts.username or "") or "postgres"


def with_database(url: str, name: str) -> str:
    """Return *url* with another database."""
    # NOTE: without a host urlunsplit would drop the empty authority of postgresql:///name?host=/run.
    parts = urlsplit(url)
    made = urlunsplit(parts._replace(netloc=parts.netloc or "@", path=f"/{quote(name, safe='')}"))
    return made.replace("://@/", ":///") if not parts.netloc else made


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
