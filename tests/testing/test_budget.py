"""The statements of a block, of a request, and of a listing that grows."""

import asyncio
from dataclasses import replace

import pytest

from msframework import Blueprint
from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.cursor import ReadCursor
from msframework.db.session import Session
from msframework.models import SQL, Model
from msframework.testing import (
    BackgroundServer,
    BudgetExceeded,
    TestClient,
    assert_steady,
    budget,
    serving,
)
from msframework.testing.budget import request_budget, watched

RUNS = (Session.run, Session.guard, ReadCursor._run)


class Thing(Model):
    class Meta:
        table_name = "pg_class"
        primary_key = False


@pytest.fixture(autouse=True)
def as_before():
    yield
    assert (Session.run, Session.guard, ReadCursor._run) == RUNS


@pytest.fixture
async def db(server_url):
    db = Database(replace(DatabaseSettings(), url=server_url, max_size=2))
    await db.start()
    yield db
    await db.stop()


async def test_each_statement_of_the_block_counts(db):
    with budget(statements=6) as spent:
        async with db.transaction() as cur:
            assert await cur.fetchval("SELECT 1") == 1
            await cur.execute("SET LOCAL application_name = 'a'")
            await cur.fetch(Thing.select(SQL("relname")).limit(1))
            async with cur.transaction():
                await cur.table("SELECT 2")
            statement = await cur.prepare("SELECT 3")
            await statement.fetchval()
        async with db.acquire():
            pass

    texts = [each.sql for each in spent.statements]
    assert texts[:2] == ["SELECT 1", "SET LOCAL application_name = 'a'"]
    assert texts[2].startswith('SELECT relname FROM "pg_class"')
    assert texts[3:] == ["SELECT 2", "SELECT 3", "SELECT 3"]
    assert {each.place.split(":")[0] for each in spent.statements} == {
        "tests/testing/test_budget.py"
    }


async def test_too_many_are_listed_with_their_places(db):
    with pytest.raises(BudgetExceeded) as caught, budget(statements=2):
        async with db.acquire() as cur:
            await cur.fetchval("SELECT   1")
            for number in range(3):
                await cur.fetchval("SELECT $1::int", number)

    said = str(caught.value).splitlines()
    assert said[0] == "the block ran 4 statements, and may run 2:"
    assert [line.partition("tests/")[0] for line in said[1:]] == ["  1 x ", "  3 x "]
    assert [line.partition(": ")[2] for line in said[1:]] == ["SELECT 1", "SELECT $1::int"]


async def test_many_statements_make_no_endless_list(db):
    with pytest.raises(BudgetExceeded, match=r"\n  and 5 others$"), budget(0):
        async with db.acquire() as cur:
            for number in range(25):
                await cur.fetchval(f"SELECT {number}")


async def test_cursors_that_are_open_already_count(db):
    async with db.transaction() as tx, db.acquire() as cur:
        with budget() as spent:
            await tx.fetchval("SELECT 1")
            await cur.fetchval("SELECT 2")
        await tx.fetchval("SELECT 3")

    assert [each.sql for each in spent.statements] == ["SELECT 1", "SELECT 2"]


async def test_a_budget_counts_its_own_context(db):
    async def run(sql):
        async with db.acquire() as cur:
            await cur.fetchval(sql)

    begun = asyncio.Event()

    async def other():
        await begun.wait()
        await run("SELECT 'other'")

    task = asyncio.create_task(other())
    with budget() as outer:
        with budget() as inner:
            begun.set()
            await task
            await asyncio.gather(run("SELECT 1"), run("SELECT 2"))
        await run("SELECT 3")

    assert sorted(each.sql for each in inner.statements) == ["SELECT 1", "SELECT 2"]
    assert len(outer) == 3


async def test_a_failure_of_the_block_is_not_hidden(db):
    with pytest.raises(ZeroDivisionError), budget(0):
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 1")
            raise ZeroDivisionError


def test_budgets_may_end_in_any_order():
    first, second = watched(print), watched(repr)
    for block in (first, second):
        block.__enter__()
    for block in (first, second):
        assert RUNS[0] is not Session.run
        block.__exit__(None, None, None)


ROWS = [1]


@pytest.fixture
def service(make_service, server_url):
    """A service that runs one statement for each of its rows at `/naive`."""
    service = make_service(database={"url": server_url})
    listing = Blueprint("listing")

    @listing.get("/steady")
    async def steady(request, cur):
        return await cur.fetch("SELECT unnest($1::int[]) AS id", ROWS)

    @listing.get("/naive")
    async def naive(request):
        async with request.app.db.acquire() as cur:
            return [await cur.fetchrow("SELECT $1::int AS id", id) for id in ROWS]

    service.blueprint(listing)
    ROWS[:] = [1]
    return service


async def add_rows():
    ROWS.extend([2, 3])


async def test_a_listing_whose_statements_grow_fails(service):
    async with serving(service) as server, TestClient(server.url, service.operations) as client:
        await assert_steady(lambda: client.get("/steady"), add_rows)
        ROWS[:] = [1]
        with pytest.raises(BudgetExceeded) as caught:
            await assert_steady(lambda: client.get("/naive"), add_rows)
        with pytest.raises(AssertionError, match="had 3 rows and then 3"):
            await assert_steady(lambda: client.get("/naive"), lambda: asyncio.sleep(0))
        with pytest.raises(AssertionError, match="the listing failed"):
            await assert_steady(lambda: client.get("/nothing"), add_rows)

    said = str(caught.value).splitlines()
    assert said[0] == "1 rows took 1 statements, and 3 rows took 3:"
    assert said[1].startswith("  3 x tests/testing/test_budget.py:")


@pytest.mark.budget(statements=1)
async def test_a_marker_holds_each_request(service, db):
    async with db.acquire() as cur:
        for _ in range(3):
            await cur.fetchval("SELECT 1")  # the test's own
    with BackgroundServer(service) as server:
        async with TestClient(server.url, service.operations) as client:
            for _ in range(2):
                assert (await client.get("/steady")).status == 200


async def test_requests_are_told_apart(service):
    with pytest.raises(BudgetExceeded) as caught, request_budget(1):
        async with serving(service) as server, TestClient(server.url, service.operations) as client:
            for _ in range(5):
                await client.get("/steady")
            await add_rows()
            await client.get("/naive")

    assert str(caught.value).startswith("GET /naive ran 3 statements, and may run 1:\n  3 x ")


@pytest.mark.xfail(raises=BudgetExceeded, reason="as it should")
@pytest.mark.budget(statements=1)
async def test_a_marker_fails_a_request_of_more(service):
    await add_rows()
    async with serving(service) as server, TestClient(server.url, service.operations) as client:
        await client.get("/steady")
        await client.get("/naive")
