"""Operations in steps, broken off at each of their statements, and gone on with by the next run."""

from __future__ import annotations

import psycopg
import pytest

from msframework.migrations.connection import connect
from msframework.migrations.execute import Execution
from msframework.migrations.operations.program import read_phases, wants_steps
from msframework.migrations.record import Progress
from tests.migrations.catalog_rows import empty, read_rows, reverse, run
from tests.migrations.support import own_database
from tests.migrations.test_operations import CASES, first_values, made_of

IN_EVERY_RUN = ("a deferrable unique constraint", "an index less")
# A sequence gives no number twice, so that those of a batch that was taken back are left out.
NUMBERED = {
    "a serial column",
    "an identity column",
    "from NULL to identity",
    "from NULL to serial",
}


class Broken(Exception):
    """The end of a run, at a statement."""


class BreakingDatabase:
    """Breaks a run of the database off behind the statement *number*, counted from 1."""

    def __init__(self, database, number: int) -> None:
        self._database, self._number = database, number
        self._count = 0

    def __enter__(self) -> None:
        real = self._database.execute_sql

        def execute(*arguments):
            self._count += 1
            result = real(*arguments)
            if self._count == self._number:
                raise Broken
            return result

        self._database.execute_sql = execute

    def __exit__(self, *exc_info: object) -> None:
        del self._database.execute_sql


@pytest.fixture(scope="module")
def database_url(server_url):
    """The address of a database that the module has for itself."""
    with own_database(server_url, "broken_off") as url:
        yield url


@pytest.fixture(scope="module")
def connection(database_url):
    """A connection that looks on."""
    options = "-c timezone=Asia/Tokyo -c client_min_messages=warning -c jit=off"
    with psycopg.connect(database_url, autocommit=True, options=options) as opened:
        yield opened


@pytest.fixture(scope="module")
def database(database_url):
    """The database that migrations run on."""
    opened = connect(database_url)
    opened.connect()
    opened.execute_sql("SET timezone TO 'Asia/Tokyo'")
    yield opened
    opened.close()


def run_apart(database, operations, backwards=False) -> None:
    """Do *operations* as a migration with `atomic = False` does."""
    progress = Progress("users", "0002_change", backwards, 0, "")
    with Execution(database) as execution:
        execution.run_apart(
            "users.0002_change", read_phases(operations, online=True), lambda: None, progress
        )


def own_rows(connection) -> dict:
    """Return the catalog without the table of progress."""
    return {
        part: [row for row in rows if "migrate_progress" not in repr(row)]
        for part, rows in read_rows(connection).items()
    }


def break_off_everywhere(connection, database, name: str) -> int:
    """Try the case *name*, broken off at each statement; return how many there are."""
    case = CASES[name]
    empty(connection)
    run(connection, made_of(case.after) or [*made_of(case.before), *case.operations])
    wanted = read_rows(connection)
    number = 0
    while True:
        number += 1
        empty(connection)
        run(connection, made_of(case.before))
        connection.execute(case.rows or "SELECT 1")
        before = read_rows(connection)
        finished = True
        for operations, end in ((case.operations, wanted), (reverse(case.operations), before)):
            try:
                with BreakingDatabase(database, number):
                    run_apart(database, operations, end is before)
            except Broken:
                finished = False
                run_apart(database, operations, end is before)
            assert own_rows(connection) == end, (name, number)
            if end is wanted and name not in NUMBERED:
                assert first_values(connection, case.kept[0]) == case.kept[1]
        if finished:
            return number - 1


@pytest.mark.parametrize("name", IN_EVERY_RUN)
def test_what_was_broken_off_at_a_statement_is_gone_on_with(connection, database, name):
    assert break_off_everywhere(connection, database, name) > 5


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if wants_steps(case.operations)]
)
def test_whatever_was_broken_off_is_gone_on_with(connection, database, name):
    break_off_everywhere(connection, database, name)
