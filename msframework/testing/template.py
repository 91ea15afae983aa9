"""The databases of test runs on one server: their names, who uses them, and their template.

A template is made once and copied by each process of a run, and kept for later runs where they ask
for that. What a run that crashed has left is dropped by the next one. Runs in tests.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import asyncpg

from msframework.conf.address import read_address
from msframework.db.opening import AddressOpener
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.declared import describe, read_models
from msframework.migrations.sql import quote

_MOST_BYTES: Final = 63  # of a name in PostgreSQL
_CONNECT_TIMEOUT: Final = 60  # seconds
_TRIES: Final = 5
_MARK: Final = "msframework test"
_LOCK: Final = 0x6D73_6672_7465_7374  # "msfrtest": held while databases are made and dropped
_USED: Final = 0x6D73_6672_7573_6564  # "msfrused": held, in a database, by the process that uses it
_LEFT: Final = f"""
    SELECT d.datname, shobj_description(d.oid, 'pg_database') AS mark, EXISTS (
      SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.database = d.oid
      AND l.classid = {_USED >> 32} AND l.objid = {_USED & 0xFFFF_FFFF} AND l.objsubid = 1) AS used
    FROM pg_database d
    WHERE starts_with(shobj_description(d.oid, 'pg_database'), $1)
      AND pg_has_role(d.datdba, 'USAGE')"""  # noqa: S608 - two numbers


@dataclass(frozen=True, slots=True)
class TemplateDatabase:
    """The template of a run.

    Args:
        name: its name.
        kept: whether it outlives the run, for others with the same digest.
        anew: whether one that an earlier run has left is thrown away first.
    """

    name: str
    kept: bool
    anew: bool


class TestServer:
    """The server that the databases of tests lie on.

    Args:
        url: where it is; the name of the database there begins those of the tests.
    """

    __test__ = False

    def __init__(self, url: str) -> None:
        self._address = read_address(url)
        self.base = self._address.database

    @asynccontextmanager
    async def managing(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect; no other process makes or drops databases of tests meanwhile."""
        conn = await connect(self._address)
        try:
            await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
            yield conn
        finally:
            await conn.close()

    def mark(self, kind: str, detail: str) -> str:
        """Return the comment by which a database is known as one of these tests."""
        return f"{_MARK} of {self.base}: {kind} {detail}".rstrip(" ")

    async def sweep(self, conn: Any) -> None:
        """Drop what no process uses: databases, and templates that nobody keeps."""
        found = await conn.fetch(_LEFT, self.mark("", ""))
        wanted = {row["mark"] for row in found if row["used"]}
        kept = self.mark("template kept by", "")
        for row in found:
            template = row["mark"] == self.mark("template", row["datname"])
            copied = self.mark("copy of", row["datname"]) in wanted
            if not row["used"] and not (template and copied) and not row["mark"].startswith(kept):
                await drop(conn, row["datname"])

    async def has(self, conn: Any, template: TemplateDatabase, run: str) -> bool:
        """Tell whether *template* is there, finished; others that were kept are dropped if not."""
        rows = await conn.fetch(_LEFT, self.mark("", ""))
        marks = {row["datname"]: row["mark"] for row in rows}
        found = marks.get(template.name)
        if not template.kept:
            return found == self.mark("template", template.name)
        start = f"{self.mark('template kept by', '')} "
        fits = found is not None and found.startswith(start)
        if fits and (not template.anew or found == f"{start}{run}"):
            return True
        for name, mark in marks.items():
            if mark.startswith(start):
                await drop(conn, name)
        return False

    async def finish(self, conn: Any, template: TemplateDatabase, run: str) -> None:
        """Mark *template* as finished; nothing connects to it any more."""
        name = quote(template.name)
        await conn.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        kind, detail = ("template kept by", run) if template.kept else ("template", template.name)
        await self.note(conn, template.name, self.mark(kind, detail))

    async def free_name(self, conn: Any) -> str:
        """Return a name for a database of this process that no database has."""
        taken = {row["datname"] for row in await conn.fetch("SELECT datname FROM pg_database")}
        name = self.named(tail := process_name())
        numbers = itertools.count(2)
        while name in taken:
            name = self.named(f"{tail}_{next(numbers)}")
        return name

    async def create(self, conn: Any, name: str, template: str | None) -> None:
        """Make the database *name*, empty or as a copy; one of that name is dropped."""
        await drop(conn, name)
        copied = "" if template is None else f" TEMPLATE {quote(template)}"
        await _insist(conn, f"CREATE DATABASE {quote(name)}{copied}")
        await self.note(conn, name, self.mark("copy of", template or "nothing"))

    @staticmethod
    async def note(conn: Any, name: str, mark: str) -> None:
        """Write *mark* as the comment of the database *name*."""
        text = mark.replace("'", "''")
        await conn.execute(f"COMMENT ON DATABASE {quote(name)} IS '{text}'")

    def named(self, tail: str) -> str:
        """Return the name of a database of these tests, short enough to be one."""
        whole = f"{self.base}_test_{tail}"
        if len(whole.encode()) <= _MOST_BYTES:
            return whole
        tail = f"_{hashlib.sha256(self.base.encode()).hexdigest()[:8]}_test_{tail}"
        start = self.base.encode()[: _MOST_BYTES - len(tail.encode())].decode(errors="ignore")
        return f"{start}{tail}"


async def connect(address: Any, **session: str) -> asyncpg.Connection:
    """Return a connection to *address*."""
    return await AddressOpener(address, _CONNECT_TIMEOUT).open(server_settings=session)


async def claim(conn: Any) -> None:
    """Let the database of *conn* count as used until it is closed, or its process is gone."""
    await conn.execute("SELECT pg_advisory_lock($1)", _USED)


async def drop(conn: Any, name: str) -> None:
    """Drop the database *name*, whoever is connected."""
    await _insist(conn, f"DROP DATABASE IF EXISTS {quote(name)} WITH (FORCE)")


async def _insist(conn: Any, query: str) -> None:
    """Run *query*, though sessions of the database end more slowly than PostgreSQL waits (5 s)."""
    for _ in range(_TRIES):
        with suppress(asyncpg.ObjectInUseError):
            await conn.execute(query)
            return
    await conn.execute(query)


def digest_of(apps: Iterable[str]) -> str:
    """Return a digest of all that the tables of *apps* come from: migrations and models."""
    found = hashlib.sha256()
    for app in apps:
        for part in ("models", "migrations"):
            for path in _sources(f"{app}.{part}"):
                found.update(f"\0{app}.{part}/{path.name}\0".encode() + path.read_bytes())
        try:
            # NOTE: also what models take from elsewhere, such as a base in another package.
            found.update(repr(describe(read_models(app))).encode())
        except ImproperlyConfigured:
            found.update(b"unknown")  # the text above is all that can be said of it
    return found.hexdigest()[:12]


def _sources(name: str) -> list[Path]:
    spec = find_spec(name)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        roots = [Path(root) for root in spec.submodule_search_locations]
        return sorted(path for root in roots for path in root.rglob("*.py"))
    return [Path(spec.origin)] if spec.origin else []


def run_id() -> str:
    """Return the identifier of a run, which all of its processes share."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")[:12]


def process_name() -> str:
    """Return the end of the names of this process's databases."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{worker}_{os.getpid()}" if worker else f"{os.getpid()}"
