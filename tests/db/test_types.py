"""Values go to PostgreSQL and come back as they were."""

import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_network

import asyncpg
import pytest

from msframework.models import EnumField, Model

PARIS = timezone(timedelta(hours=2))
VALUES = [
    ("timestamptz", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("timestamptz", datetime(2026, 1, 2, 3, 4, 5, tzinfo=PARIS)),
    ("timestamp", datetime(2026, 1, 2, 3, 4, 5)),
    ("date", date(2026, 1, 2)),
    ("time", time(3, 4, 5)),
    ("timetz", time(3, 4, 5, tzinfo=UTC)),
    ("interval", timedelta(days=3, seconds=4, microseconds=5)),
    ("jsonb", {"a": [1, None, True, "é", 1.5], "b": {}}),
    ("jsonb", [1, 2]),
    ("jsonb", "text"),
    ("jsonb", 5),
    ("jsonb", False),
    ("jsonb", 123456789012345678901234567890),
    ("json", {"b": 1, "a": 2}),
    ("json", 123456789012345678901234567890),
    ("jsonb[]", [{"a": 1}, {"b": [2]}]),
    ("int[]", [1, None, 3]),
    ("int[][]", [[1, 2], [3, 4]]),
    ("text[]", ["a", "b,c", '"']),
    ("numeric", Decimal("12345678901234567890.123456789")),
    ("uuid", uuid.UUID(int=5)),
    ("bytea", b"\x00\xff"),
    ("inet", ip_address("10.0.0.1")),
    ("cidr", ip_network("10.0.0.0/8")),
    ("int4range", asyncpg.Range(1, 5)),
    ("tstzrange", asyncpg.Range(datetime(2026, 1, 1, tzinfo=UTC), None)),
    ("int4multirange", [asyncpg.Range(1, 5), asyncpg.Range(7, 9)]),
    ("mood", "glad"),
    ("mood[]", ["glad", "sad"]),
    ("bool", True),
    ("float8", 0.1),
    ("bigint", 2**62),
]


@pytest.fixture
async def types(admin):
    await admin.execute(
        "DROP TYPE IF EXISTS place, mood CASCADE;"
        "CREATE TYPE mood AS ENUM ('glad', 'sad');"
        "CREATE TYPE place AS (name text, floor int, feel mood)"
    )


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda item: str(item)[:40])
async def test_a_value_comes_back_as_it_went(db, types, kind, value):
    async with db.acquire() as cur:
        back = await cur.fetchval(f"SELECT $1::{kind}", value)

    assert back == value
    assert isinstance(back, type(value))


async def test_a_point_in_time_keeps_its_zone(db):
    async with db.acquire() as cur:
        await cur.execute("SET timezone TO 'America/New_York'")
        back = await cur.fetchval("SELECT '2026-07-01 12:00+02'::timestamptz")

    assert back.tzinfo is not None
    assert back == datetime(2026, 7, 1, 10, tzinfo=UTC)


async def test_a_composite_is_a_record(db, types):
    async with db.acquire() as cur:
        back = await cur.fetchval("SELECT $1::place", ("hall", 2, "sad"))

    assert isinstance(back, asyncpg.Record)
    assert dict(back) == {"name": "hall", "floor": 2, "feel": "sad"}


@pytest.mark.parametrize(
    "value",
    [object(), {1: {2}}, float("nan"), [float("inf")], {"a": [None, {"b": float("-inf")}]}],
)
async def test_what_is_no_json_is_refused(db, value):
    async with db.acquire() as cur:
        with pytest.raises(TypeError, match=r"parameter \$1"):
            await cur.fetchval("SELECT $1::jsonb", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e400", "1e400"),
        ('{"a": -1e999999999}', {"a": "-1e999999999"}),
        ("1" * 5000, "1" * 5000),
        ('{"a": null, "b": 1.5}', {"a": None, "b": 1.5}),
    ],
)
async def test_a_number_of_json_that_python_does_not_hold_is_a_text(db, text, value):
    async with db.acquire() as cur:
        assert await cur.fetchval(f"SELECT '{text}'::json") == value


async def test_null_and_json_null_stay_apart(db):
    async with db.acquire() as cur:
        row = await cur.fetchrow(
            "SELECT $1::jsonb IS NULL AS sql, 'null'::jsonb AS json, $1::jsonb AS none", None
        )

    assert row == {"sql": True, "json": None, "none": None}


# The embedded server has no contrib modules. What travels is hstore's wire format, which a type of
# that name stores and gives back as it is.
HSTORE = """
DROP SCHEMA IF EXISTS extra CASCADE; CREATE SCHEMA extra; CREATE TYPE extra.hstore;
CREATE FUNCTION extra.i(cstring) RETURNS extra.hstore AS 'byteain' LANGUAGE internal STRICT;
CREATE FUNCTION extra.o(extra.hstore) RETURNS cstring AS 'byteaout' LANGUAGE internal STRICT;
CREATE FUNCTION extra.r(internal) RETURNS extra.hstore AS 'bytearecv' LANGUAGE internal STRICT;
CREATE FUNCTION extra.s(extra.hstore) RETURNS bytea AS 'byteasend' LANGUAGE internal STRICT;
CREATE TYPE extra.hstore (INPUT = extra.i, OUTPUT = extra.o, RECEIVE = extra.r, SEND = extra.s);
"""


async def test_hstore_is_a_dict_in_whatever_schema_it_lies(open_database, admin):
    await admin.execute(HSTORE)
    try:
        async with open_database() as db, db.acquire() as cur:
            back = await cur.fetchval("SELECT $1::extra.hstore", {"a": "1", "b": None})
    finally:
        await admin.execute("DROP SCHEMA extra CASCADE")

    assert back == {"a": "1", "b": None}


async def test_a_column_of_an_enumerated_type_takes_members_and_gives_values(db, types):
    class Mood(enum.Enum):
        GLAD = "glad"
        SAD = "sad"

    class Feeling(Model):
        mood = EnumField(Mood)

    async with db.transaction() as cur:
        await cur.execute("CREATE TEMPORARY TABLE feeling (id serial, mood mood) ON COMMIT DROP")
        for value in (Mood.GLAD, "sad"):
            await cur.execute(Feeling.insert(mood=value))
        rows = await cur.fetch(Feeling.select(Feeling.mood).where(Feeling.mood >= Mood.SAD))

    assert [row["mood"] for row in rows] == ["sad"]
