"""The checks of readiness that belong to no part: other services, and pending migrations.

Built at start-up; run per probe of `/readyz`.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import Task
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg

from msframework.client import Client
from msframework.db.probe import PrimaryProbe, Rows
from msframework.health import Readiness
from msframework.problem import list_names

_MOST_NAMES: Final = 3
_APPLIED: Final = "SELECT app, name FROM migrate_record"


def add_checks(service: Any, readiness: Readiness) -> None:
    """Add the checks that the settings of *service* ask for to *readiness*."""
    settings = service.settings
    if settings.database.url is not None and settings.installed_apps:
        readiness.add("migrations", Migrations(service, settings.installed_apps).ready)
    for name in settings.operations.ready_services:
        readiness.add(f"service {name}", Reach(service, name).ready)


class Reach:
    """Checks that another service accepts a connection, and sends it no request."""

    def __init__(self, service: Any, name: str) -> None:
        self._service, self._name = service, name

    async def ready(self) -> str | None:
        """Return the reason why the service cannot be reached; `None` when it can."""
        clients: Mapping[str, Client] = self._service.clients
        origin = clients[self._name].address.origin
        try:
            _, writer = await asyncio.open_connection(origin.host, origin.port)
        except OSError as exc:
            return f"no connection: {_reason_of(exc)}"
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return None


def _reason_of(exc: OSError) -> str:
    """Return the operating system's text for *exc*, without the address."""
    if exc.errno is not None and exc.errno > 0:
        return os.strerror(exc.errno)
    return exc.strerror or type(exc).__name__


class Migrations:
    """Checks that the database has all migrations of the apps, until it once has."""

    def __init__(self, service: Any, apps: Sequence[str]) -> None:
        self._service, self._apps = service, tuple(apps)
        self._known: tuple[tuple[str, str], ...] | None = None
        self._done = False
        self._asking: Task[str | None] | None = None

    async def ready(self) -> str | None:
        """Return the pending migrations in one line; `None` when there are none."""
        if self._done:
            return None
        # NOTE: as `PrimaryProbe.ready`, a question goes on when its asker is cancelled.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> str | None:
        probe = getattr(self._service.db, "probe", None)
        if not isinstance(probe, PrimaryProbe):  # another part took the place of the database
            return None
        if self._known is None:
            try:
                self._known = await asyncio.to_thread(read_names, self._apps)
            except Exception as exc:
                return f"cannot be read ({type(exc).__name__}): see manage.py showmigrations"
        try:
            applied = await _read_applied(probe) if self._known else []
        except Exception as exc:
            return f"migrate_record cannot be read ({type(exc).__name__})"
        pending = [f"{app}.{name}" for app, name in self._known if (app, name) not in applied]
        self._done = not pending
        if not pending:
            return None
        return f"{len(pending)} pending: {list_names(pending, _MOST_NAMES)}"


async def _read_applied(probe: PrimaryProbe) -> Rows:
    try:
        return await probe.fetch(_APPLIED)
    except asyncpg.UndefinedTableError:
        return []


def read_names(apps: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return app and name of each migration of *apps*; none without the extra `migrations`."""
    try:
        from msframework.migrations.files import read_steps
    except ImportError:
        return ()
    return tuple((step.app, step.name) for step in read_steps(apps))
