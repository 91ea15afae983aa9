"""The transaction in which a refused row was looked for: nothing of it is stored."""

from dataclasses import replace

import asyncpg
import pytest

from msframework.collection.refusal import RowStatement, find_refused
from msframework.conf.settings import DatabaseSettings
from msframework.db import Database, translate
from msframework.exceptions import Conflict, TransactionAborted, UnprocessableEntity

INSERT = "INSERT INTO tags (slug) VALUES ($1)"
ROWS = [("new",), ("taken",)]


@pytest.fixture(params=[False, True], ids=["", "debug"])
async def db(shop_url, admin, request):
    """A database; with `DEBUG`, only transactions that say READ WRITE write."""
    await admin.execute("INSERT INTO tags (slug) VALUES ('taken')")
    db = Database(replace(DatabaseSettings(), url=shop_url, max_size=1), debug=request.param)
    await db.start()
    yield db
    await db.stop()


async def slugs(admin):
    return [row["slug"] for row in await admin.fetch("SELECT slug FROM tags ORDER BY slug")]


async def insert(tx, first=None):
    """Insert the rows, and look for the one that is refused; *first* is done between."""
    try:
        await tx.fetchmany(INSERT, ROWS)
    except asyncpg.PostgresError as exc:
        if first is not None:
            await first()
        await find_refused(
            tx, exc, [RowStatement(index, INSERT, row) for index, row in enumerate(ROWS)]
        )
        raise


async def test_a_failure_that_is_caught_stores_nothing(db, admin):
    with pytest.raises(TransactionAborted):
        async with db.transaction() as tx:
            with pytest.raises(asyncpg.UniqueViolationError) as caught:
                await insert(tx)

    assert translate(caught.value).error["index"] == 1
    assert await slugs(admin) == ["taken"]


async def test_a_row_that_is_not_refused_again_is_not_told_nor_stored(db, admin):
    async def give_way():
        await admin.execute("DELETE FROM tags")

    with pytest.raises(TransactionAborted):
        async with db.transaction() as tx:
            with pytest.raises(asyncpg.UniqueViolationError) as caught:
                await insert(tx, give_way)

    assert "index" not in translate(caught.value).error
    assert await slugs(admin) == []


async def test_what_was_done_before_a_savepoint_stays(db, admin):
    async with db.transaction() as tx:
        await tx.execute(INSERT, "before")
        with pytest.raises(asyncpg.UniqueViolationError) as caught:
            async with tx.transaction():
                await insert(tx)

    assert translate(caught.value).error["index"] == 1
    assert await slugs(admin) == ["before", "taken"]


async def test_another_failure_of_the_same_constraint_is_not_told(db, admin):
    """What a seam wrote is undone, and rows that refer to it are refused for another reason."""
    statement = "INSERT INTO taggings (tag_id) VALUES ($1)"
    with pytest.raises(asyncpg.ForeignKeyViolationError) as caught:
        async with db.transaction() as tx:
            seam = await tx.fetchval("INSERT INTO tags (slug) VALUES ('seam') RETURNING id")
            rows = [(seam,), (99,)]
            try:
                await tx.fetchmany(statement, rows)
            except asyncpg.PostgresError as exc:
                each = [RowStatement(index, statement, row) for index, row in enumerate(rows)]
                await find_refused(tx, exc, each)
                raise

    assert "index" not in translate(caught.value).error


class Silent(UnprocessableEntity):
    message = "No"


class Talking(Conflict):
    error = {"see": "there"}


@pytest.mark.parametrize(
    ("exception", "error"),
    [(Silent, {"body": {"1": {"_schema": ["No"]}}}), (Talking, {"see": "there"})],
)
async def test_an_exception_of_the_service_says_the_index_where_it_says_nothing(
    db, exception, error
):
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        async with db.transaction() as tx:
            await insert(tx)

    assert translate(caught.value, {"tags_slug": exception}).error == error


DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION 'in turn' USING ERRCODE = 'deadlock_detected'; END $$"


async def insert_after_deadlock(db):
    """Insert the rows where a deadlock, as over their unique values, came first."""
    async with db.transaction() as tx:
        try:
            await tx.execute(DEADLOCK)
        except asyncpg.PostgresError as exc:
            rows = [RowStatement(index, INSERT, row) for index, row in enumerate(ROWS)]
            await find_refused(tx, exc, rows)
            raise


async def test_a_deadlock_over_unique_values_is_the_conflict_with_these(db, admin):
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await insert_after_deadlock(db)

    assert translate(caught.value).error["index"] == 1
    assert await slugs(admin) == ["taken"]


async def test_a_deadlock_without_such_values_stays_one_and_stores_nothing(db, admin):
    await admin.execute("DELETE FROM tags")

    with pytest.raises(asyncpg.DeadlockDetectedError):
        await insert_after_deadlock(db)

    assert await slugs(admin) == []
