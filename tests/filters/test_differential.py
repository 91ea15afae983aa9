"""Every operator gives the rows that the same filter in Python gives, on a real PostgreSQL."""

import json
import random

import pytest
import pytest_asyncio

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from tests.filters.rows import (
    MAKERS,
    TABLE,
    Thing,
    ThingFilters,
    holds_whole,
    make_rows,
    make_text,
    matches,
    parameters,
    write,
    write_value,
)
from tests.processes import fresh_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
READER = ThingFilters.reader()
LOAD = READER.compile()
CASES = [
    (name, operator) for name, operators in ThingFilters.filters.items() for operator in operators
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def db():
    with fresh_database("filters") as url:
        db = Database(DatabaseSettings(url=url, max_size=1))
        await db.start()
        yield db
        await db.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rows(db):
    """All rows, as they came back from the table."""
    async with db.transaction() as cur:
        await cur.execute(TABLE)
        await cur.fetch(Thing.insert_many(make_rows(7, 80)).returning(Thing.id))
    async with db.acquire() as cur:
        return await cur.fetch("SELECT * FROM things ORDER BY id")


async def run(db, filters):
    """Return the ids of both ways to use the filters, which are the same."""
    sql, args = filters.where(2)
    text = (
        f"SELECT t.id FROM things AS t, generate_series(1, $1) WHERE {sql} ORDER BY"
        f" {filters.order(alias='t')}"
    )
    async with db.acquire() as cur:
        built = [row["id"] for row in await cur.fetch(filters.apply(Thing.select(Thing.id)))]
        assert [row["id"] for row in await cur.fetch(text, 1, *args)] == built
        sql, args = filters.where(alias="t")
        aliased = await cur.fetch(f"SELECT id FROM things t WHERE {sql} ORDER BY id", *args)
        assert sorted(built) == [row["id"] for row in aliased]
    return built


def load(pairs):
    errors = {}
    found = LOAD(parameters(write(pairs)), errors)
    assert errors == {}
    return found


def make_wanted(choose, name, operator, rows):
    """Return a value to filter by and its text; it is that of a row more often than not."""

    def one():
        held = [row[name] for row in rows if row[name] is not None]
        if name == "id" or (name not in ("data", "labels") and choose.random() < 0.7):
            return choose.choice(held)
        return MAKERS[name](choose)

    if operator == "isnull":
        wanted = choose.random() < 0.5
    elif operator in ("in", "range"):
        wanted = [one() for _ in range(2 if operator == "range" else choose.randint(1, 4))]
        return wanted, [write_value(each) for each in wanted]
    elif name == "data":
        wanted = choose.choice(({"a": 1}, {"b": ["x"]}, [2], 5, "text", {"a": {}}, {}, 1))
        return wanted, [json.dumps(wanted)]
    elif name in ("labels", "numbers"):
        wanted = one() or [1 if name == "numbers" else "a"]
        return wanted, [",".join(map(str, wanted))]
    elif operator in ("contains", "icontains", "startswith", "istartswith"):
        wanted = choose.choice((make_text(choose, 2), one()[:2]))
    else:
        wanted = one()
    return wanted, [write_value(wanted)]


@pytest.mark.parametrize(("name", "operator"), CASES)
async def test_an_operator_gives_the_rows_that_it_gives_in_python(db, rows, name, operator):
    choose = random.Random(f"{name} {operator}")
    test = holds_whole if (name, operator) == ("data", "contains") else None
    found = 0
    for _ in range(12):
        wanted, texts = make_wanted(choose, name, operator, rows)
        key = name if operator == "eq" else f"{name}__{operator}"
        joined = [",".join(texts)] if len(texts) > 1 and name not in ("name", "note") else texts
        if len(texts) == 1 and operator == "in" and "," in texts[0]:
            continue  # a comma in one text parts two items
        if operator == "range" and len(texts) == 1:
            continue
        filters = load([(key, text) for text in joined])

        expected = [
            row["id"]
            for row in rows
            if (
                (row[name] is not None and test(row[name], wanted))
                if test
                else matches(operator, row[name], wanted)
            )
        ]
        assert await run(db, filters) == expected, (wanted, texts)
        found += len(expected)
    assert found


async def test_several_filters_must_all_hold(db, rows):
    filters = load([("age__gte", "0"), ("name__icontains", "a"), ("done", "true")])

    assert await run(db, filters) == [
        row["id"]
        for row in rows
        if row["done"]
        and (row["age"] or 0) >= 0
        and row["age"] is not None
        and "a" in row["name"].lower()
    ]


async def test_all_words_of_a_search_stand_in_one_of_its_columns(db, rows):
    choose = random.Random(3)
    for _ in range(25):
        text = " ".join(make_text(choose, 2) for _ in range(choose.randint(1, 3)))
        columns = [[row["name"], row["note"] or ""] for row in rows]
        expected = [
            row["id"]
            for row, held in zip(rows, columns, strict=True)
            if all(any(word.lower() in each.lower() for each in held) for word in text.split())
        ]
        assert await run(db, load([("q", text)])) == expected


def sort_key(row, name):
    """Return a key that sorts as PostgreSQL does: NULL after all values."""
    return (row[name] is None, 0 if row[name] is None else row[name])


async def test_rows_are_sorted_as_python_sorts_them(db, rows):
    choose = random.Random(11)
    names = [name.removeprefix("-") for name in ThingFilters.sort]
    for _ in range(40):
        chosen = choose.sample(names, choose.randint(1, 3))
        signs = [choose.choice(("", "-")) for _ in chosen]
        expected = sorted(rows, key=lambda row: row["id"], reverse=signs[-1] == "-")
        for name, sign in reversed(list(zip(chosen, signs, strict=True))):
            expected.sort(key=lambda row, name=name: sort_key(row, name), reverse=sign == "-")
        text = ",".join(sign + name for name, sign in zip(chosen, signs, strict=True))
        assert await run(db, load([("sort", text)])) == [row["id"] for row in expected], text


HOSTILE = (
    *("'; DROP TABLE things; --", "' OR '1'='1", '"', '";--', "$1", "$2::text", "%s", "{0}", "\\"),
    *("%", "_", "\\%", "a\\", "%_\\%", "é%", "\u2028", "NULL", "true", "-1", "1e400", "٣", "0x1f"),
    *("9" * 400, "-" + "9" * 19, "1e-400", "nan", "infinity", "-0", "", " ", ",", ",,", "[", "{}"),
    *('{"a":' * 20, "null", '"\\ud800"', '{"a":1e999}', "0001-01-01", "9999-12-31", "99999-01-01"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-02-30", "24:00", "\x7f"),
    *("id", "name) OR (1=1", "name DESC", "-name;", "things.name", "password", "pg_sleep(9)"),
)


async def test_nothing_that_a_caller_sends_becomes_sql(db, rows):
    """Each text of a query is refused or an argument; the SQL is known before."""
    choose = random.Random(5)
    names = [*READER.document_parameters(), "name__", "__", "id__foo", "sort__eq", "'", '"; --']
    accepted = 0
    for name in names:
        for text in HOSTILE:
            errors = {}
            found = LOAD(parameters(write([(name, text)])), errors)
            if found is None:
                assert list(errors) == ["query"]
                continue
            sql, args = found.where()
            accepted += 1
            assert not any(part in sql for part in ("DROP", "OR '", "sleep", ";", "--", "password"))
            assert found.order().count('"') in (2, 4, 6)
            if args and choose.random() < 0.15:
                assert isinstance(await run(db, found), list)
    assert accepted > 300
    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT count(*) FROM things") == len(rows)


@pytest.mark.parametrize("name", ["name__contains", "name__startswith", "name__icontains"])
async def test_patterns_of_like_are_text(db, rows, name):
    test = str.startswith if "starts" in name else str.__contains__
    for text in ("%", "_", "\\", "b%", "%b", "\\%", "__"):
        expected = [row["id"] for row in rows if test(row["name"].lower(), text)]
        exact = [row["id"] for row in rows if test(row["name"], text)]
        assert await run(db, load([(name, text)])) == (expected if "__i" in name else exact)
