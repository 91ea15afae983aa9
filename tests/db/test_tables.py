"""Tables: rows on their way to JSON, in which decimals and UUIDs stay texts."""

import asyncio
import uuid
from decimal import Decimal

import asyncpg
import pytest

from msframework.models import DecimalField, Model, UUIDField
from msframework.table import Table
from tests.db.conftest import cancel_everywhere, lend_all
from tests.db.test_openings import warm_up
from tests.db.test_transaction import names

PRICES = "SELECT n, n * 1.50 AS price, gen_random_uuid() AS uid FROM generate_series(1, 3) AS n"
UID = "12345678-9abc-def0-1234-56789abcdef0"
ONE = f"SELECT '{UID}'::uuid AS uid, 1.10 AS price, NULL::numeric AS no, ROW(1.5) AS both_"
ROW = {"uid": uuid.UUID(UID), "price": Decimal("1.10"), "no": None, "both_": (Decimal("1.5"),)}
NUMBERS = [
    "0",
    "0.0",
    "0.000",
    "-0.0",
    "1",
    "-1",
    "10",
    "1000",
    "10000",
    "12340000",
    "100000000",
    "-120000000000",
    "1e30",
    "-1e31",
    "1e32",
    "1e33",
    "1.0",
    "10000.0",
    "-10000.00",
    "0.1",
    "-0.00001",
    "1e-30",
    "99990000.5000",
    "1e100",
    "NaN",
    "Infinity",
    "-Infinity",
]
NATIVE = {
    "a numeric as an argument": ("SELECT $1::numeric AS price", (Decimal("1.5"),)),
    "an array of numerics as an argument": ("SELECT 1.5 AS p, $1::numeric[] AS n", ([0.1, 1],)),
    "a range as an argument": (
        "SELECT 1.5 AS p, lower($1::numrange) AS n",
        (asyncpg.Range(1, 2),),
    ),
    "an array": ("SELECT 1.5 AS price, ARRAY[1.5] AS prices", ()),
    "a range": ("SELECT 1.5 AS price, numrange(1, 2) AS prices", ()),
    "neither": ("SELECT 1 AS price", ()),
}


@pytest.fixture
def pool_kind():
    return "light"


async def test_numeric_and_uuid_are_texts_until_rows_are_asked_for(open_database):
    async with open_database(max_size=1) as db, db.acquire() as cur:
        for _ in range(2):
            table = await cur.table(ONE)
            assert table.records[0]["price"] == "1.10"
            assert table.records[0]["uid"] == UID
            (row,) = table.rows()
            (usual,) = await cur.fetch(ONE)
            assert row == usual == ROW
            assert list(map(type, row.values())) == list(map(type, usual.values()))


async def test_other_statements_of_the_connection_keep_their_types(open_database):
    array = "SELECT ARRAY[1.5, 2.5] AS prices, ARRAY[gen_random_uuid()] AS ids"
    async with open_database(max_size=1) as db, db.acquire() as cur:
        await cur.table(PRICES)
        for _ in range(2):
            row = await cur.fetchrow(ONE)
            assert row == ROW
            assert (await cur.fetchrow(array))["prices"] == [Decimal("1.5"), Decimal("2.5")]
            assert isinstance((await cur.fetchrow(array))["ids"][0], uuid.UUID)
            assert await cur.fetchval("SELECT $1::numeric", Decimal("2.5")) == Decimal("2.5")
            with pytest.raises(asyncpg.DataError):
                await cur.fetchval("SELECT $1::numeric + 1", "no number")


async def test_decimals_are_those_of_other_statements_to_their_exponent(open_database):
    query = "SELECT " + ", ".join(
        f"'{text}'::numeric AS n{number}" for number, text in enumerate(NUMBERS)
    )
    async with open_database(max_size=1) as db, db.acquire() as cur:
        (row,), usual = (await cur.table(query)).rows(), await cur.fetchrow(query)

    assert len(row) == len(NUMBERS)
    assert list(map(repr, row.values())) == list(map(repr, usual.values()))


@pytest.mark.parametrize("case", NATIVE)
async def test_what_would_change_beside_them_keeps_its_type(open_database, case):
    query, args = NATIVE[case]
    async with open_database(max_size=1) as db, db.acquire() as cur:
        for _ in range(2):
            table = await cur.table(query, *args)
            assert table == Table(await cur.records(query, *args))
            assert table.rows() == await cur.fetch(query, *args)


async def test_arguments_of_other_types_are_taken(open_database):
    class Price(Model):
        price = DecimalField()
        uid = UUIDField()

    async with open_database(max_size=1) as db:
        async with db.transaction() as cur:
            await cur.execute("CREATE TEMP TABLE price (id serial, price numeric, uid uuid)")
            await cur.execute("INSERT INTO price (price) VALUES (1.5), (2.5), (NULL)")
            query = Price.select(Price.price).where(Price.id > 1).order_by(Price.id)
            table = await cur.table(query)
            assert table.texts == (("price", Decimal),)
            assert [tuple(record) for record in table.records] == [("2.5",), (None,)]


async def test_it_is_what_a_transaction_may_begin_with(open_database, table):
    query = "INSERT INTO items (name) VALUES ($1) RETURNING name, 1.5 AS price"
    async with open_database(max_size=1) as db:
        for name in ("a", "b"):
            async with db.transaction() as cur:
                assert (await cur.table(query, name)).rows() == [
                    {"name": name, "price": Decimal("1.5")}
                ]
        assert await names(db) == ["a", "b"]


@pytest.mark.parametrize("begins", [False, True])
async def test_a_table_may_be_altered_under_it(open_database, admin, table, begins):
    query = "SELECT * FROM items"
    await admin.execute("INSERT INTO items (name) VALUES ('a')")
    async with open_database(max_size=1) as db:
        await warm_up(db)
        await admin.execute("INSERT INTO items (name) VALUES ('b')")
        for number in range(3):
            block = db.transaction() if begins else db.acquire()
            async with block as cur:
                row = (await cur.table(query)).rows()[0]
                assert row.get("more1") == (Decimal(1) if number else None)
            await admin.execute(f"ALTER TABLE items ADD COLUMN more{number + 1} numeric DEFAULT 1")


async def test_arrays_of_other_types_are_taken_as_arguments(open_database):
    query = "SELECT n, n * 1.5 AS price FROM generate_series(1, 9) AS n WHERE n = ANY($1::int[])"
    async with open_database(max_size=1) as db, db.acquire() as cur:
        for _ in range(2):
            table = await cur.table(query, [2, 4])
            assert [tuple(record) for record in table.records] == [(2, "3.0"), (4, "6.0")]


async def test_rows_know_their_texts_when_the_schema_changes_meanwhile(open_database):
    query = f"SELECT 1.50 AS price, '{UID}'::uuid AS uid, pg_sleep(0.3)::text"
    async with open_database(max_size=1) as db, db.acquire() as cur:
        for _ in range(2):
            running = asyncio.create_task(cur.table(query))
            async with asyncio.timeout(30):
                while not any(lease.statements.texts for lease in db._pool._leases):
                    await asyncio.sleep(0.01)
            db._pool.refresh()
            (row,) = (await running).rows()
            assert (row["price"], row["uid"]) == (Decimal("1.50"), uuid.UUID(UID))


async def test_records_in_kept_rows_are_read_all_the_same(open_database):
    query = "SELECT ROW(ARRAY[1.5]) AS r, ARRAY[1.5] AS a"
    async with open_database(max_size=1) as db, db.acquire() as cur:
        before = await cur.fetchrow(query)
        await cur.table("SELECT 1.5 AS price")
        assert await cur.fetchrow(query) == before


async def test_no_more_are_kept_than_the_setting_says(open_database):
    async with open_database(max_size=1, statement_cache_size=3) as db:
        for number in range(10):
            async with db.acquire() as cur:
                table = await cur.table(f"SELECT {number}.5 AS price")
                assert table.records[0]["price"] == f"{number}.5"
        (lease,) = db._pool._leases
        kept = lease.statements
        assert len(kept.tables) == 3
        assert kept.tables.keys() == kept.texts.keys()


async def test_a_borrower_cancelled_anywhere_leaves_the_types_as_they_were(open_database):
    async with open_database(max_size=1) as db:
        texts = iter(range(1000))

        async def work():
            async with db.acquire() as cur:
                await cur.table(f"SELECT 1.5 AS price, {next(texts)} AS n")

        async def check(cancelled):
            await lend_all(db, 1)
            async with db.acquire() as cur:
                row = await cur.fetchrow(PRICES)
                assert (row["price"], type(row["uid"]).__name__) == (Decimal("1.50"), "UUID")
                assert (await cur.table(PRICES)).rows()[0]["price"] == Decimal("1.50")

        assert await cancel_everywhere(work, check) >= 3


async def test_types_of_the_users_own_stay_on_a_connection(open_database):
    async with open_database(max_size=1) as db, db.acquire() as cur:
        conn = await cur.connection()
        await conn.set_type_codec(
            "numeric", schema="pg_catalog", format="text", encoder=str, decoder=float
        )
        assert (await cur.table("SELECT 1.5 AS price")).rows() == [{"price": 1.5}]
        assert await cur.fetchval("SELECT 2.5") == 2.5


@pytest.mark.parametrize(
    "changes", [{"pool": "asyncpg"}, {"statement_cache_size": 0}], ids=["asyncpg", "none kept"]
)
async def test_where_nothing_is_kept_there_are_no_texts(open_database, changes):
    async with open_database(max_size=1, **changes) as db, db.acquire() as cur:
        table = await cur.table(ONE)
        assert table.texts == ()
        assert table.rows() == [ROW]
