"""Times that PostgreSQL holds and Python does not are read as texts; others stay what they are."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from msframework.db.beyond import _ORDINAL, _date_of

BEYOND = [
    ("'10000-01-01'::date", "10000-01-01"),
    ("'5874897-12-31'::date", "5874897-12-31"),
    ("'0044-03-15 BC'::date", "0044-03-15 BC"),
    ("'4713-01-01 BC'::date", "4713-01-01 BC"),
    ("'10000-01-01 12:30:00.5'::timestamp", "10000-01-01T12:30:00.500000"),
    ("'0044-03-15 BC'::timestamp", "0044-03-15T00:00:00 BC"),
    ("'10000-01-01 00:00+02'::timestamptz", "9999-12-31T22:00:00+00:00"),
    ("'10000-01-01 00:00+00'::timestamptz", "10000-01-01T00:00:00+00:00"),
    ("'0001-01-01 00:00+14'::timestamptz", "0001-12-31T10:00:00+00:00 BC"),
    ("'infinity'::interval", "infinity"),
    ("'-infinity'::interval", "-infinity"),
    ("'24:00'::time", "24:00:00"),
    ("'24:00+02'::timetz", "24:00:00+02:00"),
]
USUAL = [
    ("'2024-02-29'::date", date(2024, 2, 29)),
    ("'infinity'::date", date.max),
    ("'-infinity'::date", date.min),
    ("'2024-02-29 12:30:00.5'::timestamp", datetime(2024, 2, 29, 12, 30, 0, 500000)),
    ("'infinity'::timestamp", datetime.max),
    ("'2024-02-29 12:30+02'::timestamptz", datetime(2024, 2, 29, 10, 30, tzinfo=UTC)),
    ("'-infinity'::timestamptz", datetime.min),
    ("'1 year 2 mons 3 days 4.5 secs'::interval", timedelta(days=428, seconds=4.5)),
    ("'-1 year -2 mons'::interval", timedelta(days=-425)),
    ("'12:30:00.5'::time", time(12, 30, 0, 500000)),
    ("'12:30+02'::timetz", None),
    ("1.50::numeric", None),
    ("'00000000-0000-0000-0000-000000000005'::uuid", None),
    ("NULL::date", None),
]


@pytest.mark.parametrize(("expression", "text"), BEYOND)
async def test_a_time_that_python_does_not_hold_is_a_text(db, expression, text):
    if text.startswith("9999"):
        text = datetime(9999, 12, 31, 22, tzinfo=UTC)
    async with db.acquire() as cur:
        for _ in range(2):
            assert await cur.fetchval(f"SELECT {expression}") == text
        assert await cur.fetch(f"SELECT {expression} AS a, 1 AS b") == [{"a": text, "b": 1}]
        assert (await cur.table(f"SELECT {expression} AS a, 1.5 AS n")).rows()[0]["a"] == text


async def test_a_comment_before_the_statement_does_no_harm(db):
    async with db.acquire() as cur:
        assert await cur.fetchval("-- why\nSELECT '10000-01-01'::date") == "10000-01-01"


async def test_it_stays_what_asyncpg_says_of_it_where_codecs_cannot_be_lent(db, monkeypatch):
    monkeypatch.setattr("msframework.db.beyond.missing_names", lambda library: ("a name",))
    async with db.acquire() as cur:
        with pytest.raises((OverflowError, ValueError)):
            await cur.fetchval("SELECT '10000-01-01'::date")


@pytest.mark.parametrize(("expression", "value"), USUAL)
async def test_what_stands_beside_it_is_what_it_always_is(db, expression, value):
    async with db.acquire() as cur:
        alone = await cur.fetchval(f"SELECT {expression}")
        beside = await cur.fetchrow(f"SELECT {expression} AS a, '10000-01-01'::date AS b")
        after = await cur.fetchval(f"SELECT {expression}")
        listed = await cur.table(f"SELECT {expression} AS a, '10000-01-01'::date AS b")

    assert beside == {"a": alone, "b": "10000-01-01"}
    assert type(beside["a"]) is type(alone) is type(after)
    assert listed.rows() == [beside]
    assert value is None or alone == value


@pytest.mark.parametrize(
    "value",
    [
        ("date", date(2024, 2, 29)),
        ("date", date.max),
        ("timestamp", datetime(1999, 12, 31, 23, 59, 59, 999999)),
        ("timestamp", datetime.min),
        ("timestamptz", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("timestamptz", datetime.max),
        ("interval", timedelta(days=-3, microseconds=5)),
        ("time", time(3, 4, 5, 6)),
        ("timetz", time(3, 4, 5, tzinfo=UTC)),
    ],
)
async def test_arguments_of_such_a_statement_are_sent_as_ever(db, value):
    kind, sent = value
    async with db.acquire() as cur:
        row = await cur.fetchrow(f"SELECT $1::{kind} AS a, '10000-01-01'::date AS b", sent)

    assert row == {"a": sent, "b": "10000-01-01"}


async def test_in_a_transaction_it_is_read_too_and_the_transaction_goes_on(db, admin):
    async with db.transaction() as cur:
        assert await cur.fetchval("SELECT '10000-01-01'::date") == "10000-01-01"
        await cur.execute("INSERT INTO items (name) VALUES ('after')")
        assert await cur.fetchval("SELECT '0044-03-15 BC'::date") == "0044-03-15 BC"

    assert await admin.fetchval("SELECT count(*) FROM items") == 1


async def test_a_statement_that_writes_is_never_run_twice(db, admin):
    sql = "INSERT INTO items (name) VALUES ('once') RETURNING '10000-01-01'::date AS a"
    with pytest.raises((OverflowError, ValueError)):
        async with db.transaction() as cur:
            await cur.fetchrow(sql)

    assert await admin.fetchval("SELECT count(*) FROM items") == 0


def test_dates_are_those_of_the_gregorian_calendar():
    for number in range(1, date.max.toordinal(), 997):
        assert _date_of(number - _ORDINAL) == date.fromordinal(number).isoformat()
    assert _date_of(date.max.toordinal() - _ORDINAL + 1) == "10000-01-01"
    assert _date_of(-_ORDINAL) == "0001-12-31 BC"
