import asyncio
from contextlib import suppress
from decimal import Decimal

import asyncpg
import pytest

from msframework.db.model_statements import _CHUNK
from msframework.exceptions import NotFound
from msframework.models import (
    EXCLUDED,
    SQL,
    CharField,
    CompositeKey,
    DateTimeTZField,
    DecimalField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    fn,
    nest,
)


class Shop(Model):
    name = CharField(unique=True)

    class Meta:
        table_name = "shops"


class Good(Model):
    slug = CharField(column_name="slug_text", unique=True)
    shop = ForeignKeyField(Shop)
    price = DecimalField(default=Decimal("1.50"))
    facts = JSONField(null=True)
    sold = IntegerField(default=0)

    class Meta:
        table_name = "goods"


class Note(Model):
    text = CharField(unique=True)
    made = DateTimeTZField(auto_now_add=True)
    changed = DateTimeTZField(auto_now=True)

    class Meta:
        table_name = "notes"


class Stock(Model):
    shop = ForeignKeyField(Shop)
    good = IntegerField()
    amount = IntegerField(default=0)

    class Meta:
        table_name = "stocks"
        primary_key = CompositeKey("shop", "good")


class Log(Model):
    text = CharField()

    class Meta:
        table_name = "logs"
        primary_key = False


TABLES = """
DROP TABLE IF EXISTS shops, goods, stocks, logs, notes CASCADE;
CREATE TABLE shops (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE goods (id serial PRIMARY KEY, slug_text text NOT NULL UNIQUE, shop_id int NOT NULL,
  price numeric NOT NULL, facts jsonb, sold int NOT NULL);
CREATE TABLE stocks (shop_id int, good int, amount int NOT NULL, PRIMARY KEY (shop_id, good));
CREATE TABLE logs (text text NOT NULL);
CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL UNIQUE, made timestamptz NOT NULL,
  changed timestamptz NOT NULL);
INSERT INTO shops (name) VALUES ('north'), ('south');
INSERT INTO goods (slug_text, shop_id, price, sold) VALUES ('pen', 1, 2, 0), ('ink', 2, 3, 5);
INSERT INTO stocks VALUES (1, 1, 10), (1, 2, 20);
"""
PEN = {"id": 1, "slug_text": "pen", "shop_id": 1, "price": Decimal(2), "facts": None, "sold": 0}


class Undone(Exception):
    """Ends a test's transaction."""


@pytest.fixture(scope="module")
def tables(url):
    """The tables, with the rows that every test finds."""

    async def create():
        conn = await asyncpg.connect(url)
        await conn.execute(TABLES)
        await conn.close()

    asyncio.run(create())


@pytest.fixture
def pool_kind():
    return "light"


@pytest.fixture
async def db(open_database, tables):
    async with open_database(max_size=1) as db:
        yield db


@pytest.fixture
async def cur(db):
    """A transaction that is rolled back after the test."""
    with suppress(Undone):
        async with db.transaction() as cur:
            yield cur
            raise Undone


async def test_one_row_is_returned(cur):
    assert await cur.one(Good.select().where(Good.id == 1)) == PEN
    assert await cur.one("SELECT id FROM shops WHERE name = $1", "south") == {"id": 2}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Good.select().where(Good.id == 7), "no Good with id 7"),
        (Good.select().where((Good.sold > 1) & (Good.id == 7)), "no Good with id 7"),
        (Good.select().join(Shop).where(Shop.id == 7, Good.sold == 3), "no Good"),
        (Good.select().where((Good.id == 7) | (Good.id == 8)), "no Good"),
        (Good.select().where(Good.slug == "hidden"), "no Good"),
        (
            Stock.select().where(Stock.shop == 7, Stock.good == 8),
            "no Stock with shop 7, good 8",
        ),
        (Stock.update(amount=1).where(Stock.shop == 7).returning(Stock.good), "no Stock"),
        ("SELECT 1 WHERE false", None),
    ],
    ids=["key", "and", "other-model", "or", "no-key", "composite", "part", "text"],
)
async def test_one_names_model_and_key_of_a_row_that_is_not_there(cur, query, error):
    with pytest.raises(NotFound) as caught:
        await cur.one(query)

    assert caught.value.error == error


async def test_one_takes_an_error_of_ones_own(cur):
    with pytest.raises(NotFound) as caught:
        await cur.one("SELECT 1 WHERE $1::bool", False, error={"slug": ["unknown"]})

    assert caught.value.error == {"slug": ["unknown"]}


async def test_update_gives_the_new_row(cur):
    assert await cur.update(Good, 1, {"sold": 4}) == PEN | {"sold": 4}
    assert await cur.update(Good, {"slug": "pen"}, {Good.sold: Good.sold + 1}) == PEN | {"sold": 5}
    assert await cur.update(Good, 1, {"facts": {"a": [1]}}, returning=["facts"]) == {
        "facts": {"a": [1]}
    }
    assert await cur.update(Stock, (1, 2), {"amount": 21}) == {
        "shop_id": 1,
        "good": 2,
        "amount": 21,
    }
    assert await cur.fetchval(Stock.select(Stock.amount).where(Stock.good == 1)) == 10


async def test_update_without_values_reads_the_row(cur):
    assert await cur.update(Good, 1, {}) == PEN
    assert await cur.update(Stock, {"shop_id": 1, "good": 1}, {}, returning=Stock.amount) == {
        "amount": 10
    }
    with pytest.raises(NotFound):
        await cur.update(Good, 3, {})


@pytest.mark.parametrize("values", [{}, {"sold": 1}], ids=["empty", "values"])
async def test_a_row_outside_of_where_is_not_found(cur, values):
    with pytest.raises(NotFound) as caught:
        await cur.update(Good, 1, values, where=(Good.shop == 2) | (Good.shop == 3))
    with pytest.raises(NotFound) as other:
        await cur.update(Good, {"slug": "paper"}, values, error="sold out")

    assert caught.value.error == "no Good with id 1"
    assert other.value.error == "sold out"


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        (Good, {"shop": 1}, r"several rows of Good may have the same \(shop\)"),
        (Good, {"colour": 1}, "Good has no field 'colour'; it has facts, id, price"),
        (Stock, 1, r"the key of Stock is \(shop, good\), and was given one value"),
        (Stock, (1, 2, 3), r"the key of Stock is \(shop, good\), and was given 3"),
        (Log, 1, "Log has no primary key"),
    ],
    ids=["not-unique", "unknown", "one-of-two", "three-of-two", "none"],
)
async def test_a_key_means_one_row(cur, model, key, said):
    with pytest.raises(ValueError, match=said):
        await cur.update(model, key, {})


async def test_an_unknown_field_is_named_without_the_values(cur):
    for write in (cur.update(Good, 1, {"pw": "secret"}), cur.upsert(Good, {"pw": "secret"})):
        with pytest.raises(ValueError, match="no field 'pw'") as caught:
            await write
        assert "secret" not in str(caught.value)


async def test_upsert_inserts_or_updates(cur):
    new = await cur.upsert(Good, {"slug": "cap", "shop": 1, "sold": 2}, on=Good.slug)
    old = await cur.upsert(Good, {"slug": "pen", "shop": 2, "sold": 2}, on="slug")
    kept = await cur.upsert(Stock, {"shop": 1, "good": 1, "amount": 11})

    assert (new["slug_text"], new["price"], new["sold"]) == ("cap", Decimal("1.50"), 2)
    assert old == PEN | {"shop_id": 2, "sold": 2}  # the default of price is for a new row
    assert kept == {"shop_id": 1, "good": 1, "amount": 11}


async def test_upsert_updates_what_it_is_told(cur):
    values = {"slug": "pen", "shop": 2, "sold": 2}
    assert await cur.upsert(Good, values, on="slug", update=["sold"]) == PEN | {"sold": 2}
    added = {"sold": Good.sold + EXCLUDED.sold}
    assert (await cur.upsert(Good, values, on="slug", update=added))["sold"] == 4
    assert await cur.upsert(Good, values, on="slug", update=(), returning=[Good.sold]) == {
        "sold": 4
    }
    assert await cur.upsert(Stock, {"shop": 1, "good": 2}) == {
        "shop_id": 1,
        "good": 2,
        "amount": 20,
    }


async def test_upsert_needs_the_values_that_it_finds_the_row_by(cur):
    with pytest.raises(ValueError, match=r"finds the row by \(id\), which needs a value"):
        await cur.upsert(Good, {"slug": "pen"})
    with pytest.raises(ValueError, match=r"finds the row by \(\), which needs a value"):
        await cur.upsert(Log, {"text": "a"})


async def test_many_rows_are_inserted_in_their_order(cur):
    rows = ({"slug": f"good {number}", "shop": 1} for number in range(_CHUNK + 3))
    inserted = await cur.insert_many(Good, rows, returning=["slug", "price"])
    count = await cur.fetchval("SELECT count(*) FROM goods")

    assert count == _CHUNK + 5
    assert [row["slug_text"] for row in inserted] == [f"good {n}" for n in range(_CHUNK + 3)]
    assert inserted[-1]["price"] == Decimal("1.50")


async def test_rows_may_differ_in_their_columns(cur):
    shop = {"shop_id": 1}
    rows = [
        {"slug": "a", "facts": {"x": 1}, **shop},
        {"slug": "b", **shop},
        {"facts": None, "slug": "c", **shop},
        {"slug": "d", "sold": 9, "facts": [1], **shop},
    ]
    inserted = await cur.insert_many(Good, rows, returning=("slug", "facts", "sold"))
    assert await cur.insert_many(Log, [{"text": "a"}, {"text": "b"}]) == []
    assert await cur.insert_many(Log, []) == []

    assert inserted == [
        {"slug_text": "a", "facts": {"x": 1}, "sold": 0},
        {"slug_text": "b", "facts": None, "sold": 0},
        {"slug_text": "c", "facts": None, "sold": 0},
        {"slug_text": "d", "facts": [1], "sold": 9},
    ]


async def test_insert_many_is_refused_outside_of_a_transaction(db):
    async with db.acquire() as cur:
        with pytest.raises(RuntimeError, match=r"insert_many.. of Log .* of transaction"):
            await cur.insert_many(Log, [{"text": "a"}])


async def test_many_rows_take_effect_together(db):
    def rows():
        for number in range(_CHUNK):
            yield {"slug": f"{number}", "shop": 1}
        yield {"slug": "pen", "shop": 1}

    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction() as cur:
            await cur.insert_many(Good, rows())
    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT count(*) FROM goods") == 2


async def test_insert_many_takes_no_expressions(cur):
    for value in (SQL("now()"), fn.lower("A"), Log.text):
        with pytest.raises(TypeError, match=r"Log.text: insert_many.. takes values"):
            await cur.insert_many(Log, [{"text": value}])


async def test_automatic_times_follow_each_write(cur):
    await cur.insert_many(Note, [{"text": "a"}])
    first = await cur.one(Note.select())
    read = await cur.update(Note, first["id"], {})
    updated = await cur.update(Note, first["id"], {"text": "b"})
    kept = await cur.upsert(Note, {"text": "b"}, on="text", update=())
    replaced = await cur.upsert(Note, {"text": "b"}, on="text", update=["text"])
    forced = await cur.upsert(Note, {"text": "b"}, on="text", update={"changed": first["changed"]})

    assert read == first
    assert first["changed"] < updated["changed"] < replaced["changed"]
    assert kept == updated
    assert forced["changed"] == first["changed"]
    assert {row["made"] for row in (updated, kept, replaced, forced)} == {first["made"]}


async def test_a_joined_row_is_an_object(cur):
    shop = nest(Shop.id, Shop.name, has=Good.sold > 0).alias("shop")
    query = Good.select(Good.slug, shop).join(Shop).order_by(Good.id)
    missing = nest(Shop.id, optional=True).alias("shop")

    assert await cur.fetch(query) == [
        {"slug_text": "pen", "shop": {"id": 1, "name": "north", "has": False}},
        {"slug_text": "ink", "shop": {"id": 2, "name": "south", "has": True}},
    ]
    joined = Good.select(missing).join(Shop, "LEFT OUTER JOIN", on=Shop.name == Good.slug)
    assert await cur.fetch(joined) == [{"shop": None}, {"shop": None}]
    good = nest(Good.price).alias("good")
    assert await cur.one(Shop.select(good).join(Good).where(Good.id == 1)) == {
        "good": {"price": "2"}
    }
