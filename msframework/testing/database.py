"""A database of the tests' own: created, migrated, put back after each test, dropped at the end.

Runs in tests. Services commit their writes, so nothing can be rolled back for them; a test
leaves the tables as the migrations left them because the rows of those it changed are put back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from msframework._imports import exists
from msframework.conf.address import read_address, replace_database
from msframework.conf.settings import Settings
from msframework.db.embedded import ensure_database
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import Runner
from msframework.migrations.connection import opened
from msframework.migrations.declared import describe, read_models
from msframework.migrations.difference import find_operations
from msframework.migrations.execute import Execution
from msframework.migrations.operations.program import read_phases
from msframework.migrations.renames import GivenAnswers
from msframework.migrations.schema import SchemaState
from msframework.testing.server import LoopThread
from msframework.testing.snapshot import DatabaseSnapshot
from msframework.testing.template import (
    TemplateDatabase,
    TestServer,
    claim,
    connect,
    digest_of,
    drop,
    run_id,
)


class TestDatabase:
    """The database `<name>_test_<process id>` beside the one that *settings* name.

    Under pytest-xdist the name of the worker stands before the id. A number follows where the name
    is taken, by a database of the same process or of another machine's. Without a database in the
    settings, and with `DEBUG` on, it lies on the embedded server.

    Args:
        echo: told when the embedded server is started.
        reuse: copy a template that is kept for further runs with the same migrations and models.
        anew: make that template anew.
    """

    __test__ = False

    def __init__(
        self,
        settings: Settings,
        echo: Callable[[str], None] = print,
        *,
        reuse: bool = False,
        anew: bool = False,
    ) -> None:
        self._settings, self._echo = settings, echo
        self._reuse, self._anew = reuse, anew
        self._thread: LoopThread | None = None
        self._server: TestServer | None = None
        self._conn: Any = None
        self._snapshot: DatabaseSnapshot | None = None
        self.url = self.name = ""

    @staticmethod
    def wanted(settings: Settings) -> bool:
        """Tell whether *settings* give a service a database."""
        return settings.database.url is not None or settings.debug

    def create(self) -> None:
        """Create the database and its tables.

        Raises:
            ImproperlyConfigured: the server cannot be reached, an app is not there, or a migration
                is wrong.
        """
        demand_apps(self._settings.installed_apps)
        settings = ensure_database(self._settings, self._echo)
        assert settings.database.url is not None
        apps = settings.installed_apps
        self._server = server = TestServer(settings.database.url)
        template = self._find_template(server, apps)
        self._thread = LoopThread("msframework-test-database")
        self._thread.run(self._make(server, template, settings.database.url, apps))
        if template is None:
            build_tables(self.url, apps)
        self._thread.run(self._remember())

    def _find_template(self, server: TestServer, apps: Iterable[str]) -> TemplateDatabase | None:
        """Return the template to copy; `None` where copying saves nothing."""
        if self._reuse:
            return TemplateDatabase(server.named(f"template_{digest_of(apps)}"), True, self._anew)
        if "PYTEST_XDIST_WORKER" in os.environ:
            # NOTE: a run has several sets of apps where a test runs tests of its own, or makes a
            # second service.
            name = server.named(f"template_{run_id()}_{digest_of(apps)}")
            return TemplateDatabase(name, False, False)
        return None

    async def _make(
        self, server: TestServer, template: TemplateDatabase | None, url: str, apps: Iterable[str]
    ) -> None:
        """Create the database; the template, too, where it is not there."""
        async with server.managing() as conn:
            await server.sweep(conn)
            if template is not None and not await server.has(conn, template, run_id()):
                await server.create(conn, template.name, None)
                # NOTE: the loop has nothing else to do; its lock keeps other processes waiting.
                build_tables(replace_database(url, template.name), apps)
                await server.finish(conn, template, run_id())
            self.name = await server.free_name(conn)
            self.url = replace_database(url, self.name)
            await server.create(conn, self.name, None if template is None else template.name)
            self._conn = await connect(
                read_address(self.url), lock_timeout="10s", application_name="msframework tests"
            )
            await claim(self._conn)

    def point(self, settings: Settings) -> Settings:
        """Return *settings* with this database, and without replicas."""
        database = replace(settings.database, url=self.url, replicas=())
        return replace(settings, database=database)

    def reset(self) -> None:
        """Put every table back to the rows of the migrations, and every sequence to its value."""
        if self._thread is not None and self._snapshot is not None:
            self._thread.run(self._snapshot.restore())

    def drop(self) -> None:
        """Drop the database."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._remove())
            finally:
                thread.stop()

    async def _remember(self) -> None:
        self._snapshot = DatabaseSnapshot(self._conn)
        await self._snapshot.take()

    async def _remove(self) -> None:
        if self._conn is not None:
            await self._conn.close()
        assert self._server is not None
        async with self._server.managing() as conn:
            if self.name:
                await drop(conn, self.name)
            await self._server.sweep(conn)


def demand_apps(apps: Iterable[str]) -> None:
    """Raise ImproperlyConfigured where one of *apps* is not there."""
    lacking = [app for app in apps if not exists(app)]
    if lacking:
        raise ImproperlyConfigured(
            f"INSTALLED_APPS names {', '.join(lacking)}, which cannot be imported here, so the "
            "tests have no tables. Correct the name, or run the tests where the package is."
        )


def build_tables(url: str, apps: Iterable[str]) -> None:
    """Migrate *apps* at *url*; an app without migrations gets the tables of its models."""
    names = list(apps)
    migrated = [app for app in names if exists(f"{app}.migrations")]
    if migrated:
        Runner(url, migrated).migrate()
    models = [model for app in names if app not in migrated for model in read_models(app)]
    if models:
        operations = find_operations(SchemaState(), describe(models), GivenAnswers())
        program = read_phases(operations, online=False)
        with opened(url) as database, Execution(database) as execution:
            execution.run_together("the tables of models", program, lambda: None)
