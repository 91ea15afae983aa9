"""A listing by cursors gives each row once, whatever happens to other rows meanwhile."""

import json
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from itertools import product

import asyncpg
import pytest
import pytest_asyncio
from playhouse.postgres_ext import IntervalField

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.exceptions import InvalidInput
from msframework.models import (
    SQL,
    BlobField,
    CharField,
    CompositeKey,
    DateField,
    DateTimeField,
    DateTimeTZField,
    DecimalField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
    fn,
)
from msframework.pagination import CursorPage, position
from msframework.pagination.keyset import read_keyset
from msframework.pagination.position import CursorSide, read_cursor, write_cursor
from tests.pagination.listed import CREATE, Listed, make_order, make_row
from tests.processes import fresh_database

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Author(Model):
    name = CharField()

    class Meta:
        table_name = "authors"


class Book(Model):
    author = ForeignKeyField(Author)
    title = CharField()

    class Meta:
        table_name = "books"


class Seat(Model):
    row = IntegerField()
    number = IntegerField()
    kind = CharField()

    class Meta:
        table_name = "seats"
        primary_key = CompositeKey("row", "number")


class Loose(Model):
    kind = CharField()

    class Meta:
        table_name = "seats"
        primary_key = False


class Wide(Model):
    text = TextField(null=True)
    data = BlobField()
    num = DecimalField()
    kind = IntegerField()
    moment = DateTimeTZField()
    span = IntervalField()
    # It is none, as models may say something else of a column than the table does.
    token = CharField()

    class Meta:
        table_name = "wide"


OTHERS = """
CREATE TABLE wide (
    id serial PRIMARY KEY, text text, data bytea NOT NULL, num numeric NOT NULL, kind int NOT NULL,
    moment timestamptz NOT NULL, span interval NOT NULL, token uuid NOT NULL
);
INSERT INTO wide (text, data, num, kind, moment, span, token)
SELECT CASE WHEN n < 10 THEN repeat('é' || n % 4, 9000) ELSE 'short' || n END,
       convert_to(repeat('d' || n % 5, 9000), 'UTF8'),
       (repeat('1' || n % 3, 9000) || '.50')::numeric, n % 2,
       (ARRAY['infinity', '-infinity', '2024-01-01'])[1 + n % 3]::timestamptz,
       n % 4 * interval '40 days 1 microsecond', lpad(n % 6 || '', 32, '0')::uuid
FROM generate_series(1, 11) n;
INSERT INTO wide SELECT 12, NULL, '', 0, 1, now(), '-1 day', repeat('f', 32)::uuid;
CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE books (id serial PRIMARY KEY, author_id int NOT NULL, title text NOT NULL);
CREATE TABLE seats (row int, number int, kind text NOT NULL, PRIMARY KEY (row, number));
INSERT INTO authors (name) SELECT 'a' || n % 3 FROM generate_series(1, 7) n;
INSERT INTO books (author_id, title) SELECT 1 + n % 5, 't' || n % 4 FROM generate_series(1, 23) n;
INSERT INTO seats SELECT n % 5, n, 'k' || n % 2 FROM generate_series(1, 17) n;
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def db():
    with fresh_database("cursors") as url:
        db = Database(replace(DatabaseSettings(), url=url), tracer=None, debug=False)
        await db.start()
        async with db.transaction() as cur:
            await cur.execute(CREATE)
            await cur.execute(OTHERS)
        yield db
        await db.stop()


async def walk(cur, query, per_page, *args, start=None, back=False, between=None, **options):
    """Return the rows of all pages from *start* on, in the order of the listing, and the last."""
    found, cursor = [], start
    while True:
        page = await CursorPage(per_page, cursor).fetch(cur, query, *args, **options)
        rows, said = list(page.rows), page.pagination
        assert len(rows) <= per_page
        assert not any(name.startswith("__") for row in rows for name in row)
        found = rows + found if back else found + rows
        following = said["prev" if back else "next"]
        if following is None:
            return found, said
        cursor = read_cursor(following)
        assert cursor is not None
        if between is not None:
            await between(rows)


class Traffic:
    """What others do to the table between two pages.

    Attributes:
        touched: the rows that came, went, or were moved within the order.
    """

    def __init__(self, cur, source):
        self.cur, self.source, self.touched = cur, source, set()

    async def __call__(self, rows):
        cur, source = self.cur, self.source
        for _ in range(source.randrange(3)):
            row = await cur.fetchrow(Listed.insert(**make_row(source)).returning(Listed.id))
            self.touched.add(row["id"])
        # The rows at the edges of the page are those that cursors were made of.
        gone = [row["id"] for row in rows[:: max(len(rows) - 1, 1)] if source.random() < 0.5]
        if source.random() < 0.1:
            gone = [row["id"] for row in rows]
        ids = await cur.fetchval("SELECT array_agg(id) FROM listed") or [0]
        gone.append(source.choice(ids))
        await cur.execute("DELETE FROM listed WHERE id = ANY($1)", gone)
        moved = source.choice(ids)
        values = make_row(source)
        await cur.fetch(Listed.update(**values).where(Listed.id == moved).returning(Listed.id))
        self.touched |= {*gone, moved}
        await cur.execute("UPDATE listed SET note = 'n' WHERE id % 3 = $1", source.randrange(3))


async def check_walk(db, seed):
    source = random.Random(seed)
    order, per_page = make_order(source), source.randint(1, 7)
    query = Listed.select() if source.random() < 0.5 else Listed.select(Listed.id, Listed.note)
    query = query.where(Listed.id != 0).order_by(*order)
    tie = Listed.id.desc() if order[-1].direction == "DESC" else Listed.id.asc()
    async with db.transaction() as cur:
        await cur.execute("TRUNCATE listed RESTART IDENTITY")
        await cur.fetch(
            Listed.insert_many([make_row(source) for _ in range(16)]).returning(Listed.id)
        )
        for back in (False, True):
            start = None
            if back:  # from the end, which is the last page of a walk that nobody disturbs
                _, said = await walk(cur, query, per_page)
                start = said["prev"] and read_cursor(said["prev"])
                if start is None:
                    continue
            before = [row["id"] for row in await cur.fetch(query.order_by(*order, tie))]
            traffic = Traffic(cur, source)
            rows, _ = await walk(cur, query, per_page, start=start, back=back, between=traffic)
            seen = [row["id"] for row in rows]
            still = [id for id in before if id not in traffic.touched]
            found = [id for id in seen if id not in traffic.touched]
            if back:  # the last page itself is not before its own cursor
                still = still[: len(found)]
            assert found == still, seed
            assert len(found) >= len(before) - per_page - len(traffic.touched), seed
            stays = [id for id in seen if id in before]
            assert len(set(stays) - traffic.touched) == len(found), seed


async def test_no_row_is_lost_or_repeated_while_others_change(db):
    for seed in range(8):
        await check_walk(db, seed)


@pytest.mark.acceptance
async def test_no_row_is_lost_or_repeated_in_many_orders(db):
    for seed in range(1000, 1300):
        await check_walk(db, seed)


# The order, and what a walk forwards and back gives: all rows, as PostgreSQL orders them.
SHAPES = {
    "foreign key joined": lambda: (
        Book.select(Book, Author.name).join(Author).order_by(Author.name.desc(), Book.title)
    ),
    "left joined": lambda: (
        Author.select(Author.name, Book.id.alias("book"))
        .join(Book, "LEFT OUTER JOIN")
        .order_by(Book.title.desc(), Author.name)
    ),
    "rows multiplied": lambda: (
        Author.select(Author.id, Book.title).join(Book).order_by(Author.name)
    ),
    "grouped": lambda: (
        Book.select(Book.author, fn.COUNT(Book.id).alias("n"))
        .group_by(Book.author)
        .order_by(SQL("n").desc())
    ),
    "grouped by what is not selected": lambda: (
        Book.select(fn.COUNT(Book.id).alias("n")).group_by(Book.author).order_by(fn.COUNT(Book.id))
    ),
    "distinct": lambda: (
        Author.select(Author.id, Author.name).join(Book).distinct().order_by(Author.name.desc())
    ),
    "window": lambda: Book.select(
        Book.id,
        fn.ROW_NUMBER().over(partition_by=[Book.author], order_by=[Book.id]).alias("number"),
    ).order_by(SQL("number"), Book.title.desc()),
    "union": lambda: (
        Author.select(Author.id, Author.name)
        .where(Author.id < 4)
        .union(Author.select(Author.id, Author.name).where(Author.id > 2))
        .order_by(SQL("name").desc())
    ),
    "composite key": lambda: Seat.select().order_by(Seat.kind.desc()),
    "composite key in part": lambda: Seat.select(Seat.kind).order_by(Seat.row.desc()),
    "no order": lambda: Seat.select(Seat.kind),
    "alias": lambda: _aliased(),
    "alias of a column": lambda: Book.select(Book.title.alias("called"), Book.id).order_by(
        SQL("called").desc()
    ),
}


def _aliased():
    other = Author.alias()
    return other.select(other.name).order_by(other.name)


def as_set(rows):
    return sorted(map(repr, rows))


@pytest.mark.parametrize("name", SHAPES)
async def test_a_query_of_any_shape_is_walked_forwards_and_back(db, name):
    query = SHAPES[name]()
    async with db.acquire() as cur:
        whole = [dict(row) for row in await cur.fetch(query)]
        once = await CursorPage(100).fetch(cur, query)
        forwards, said = await walk(cur, query, 3)
        last = await CursorPage(3, read_cursor(said["prev"])).fetch(cur, query)
        back, _ = await walk(cur, query, 3, start=read_cursor(said["prev"]), back=True)

    assert as_set(once.rows) == as_set(whole)
    assert forwards == once.rows
    assert back == forwards[: len(back)]
    assert len(back) >= len(forwards) - 3
    assert last.pagination["next"] is not None


async def test_a_text_is_ordered_by_names(db):
    text = "SELECT id, title, author_id FROM books WHERE author_id < $1 -- all of them"
    async with db.acquire() as cur:
        whole = await cur.fetch(f"SELECT * FROM ({text}\n) x ORDER BY title DESC, id", 4)
        forwards, said = await walk(cur, text, 4, 4, order=("-title", "id"))
        start = read_cursor(said["prev"])
        back, _ = await walk(cur, text, 4, 4, order=("-title", "id"), start=start, back=True)

    assert forwards == whole
    assert back == whole[: len(back)]


async def test_an_emptied_page_leads_back_to_where_it_was(db):
    query = Book.select(Book.id).order_by(Book.id)
    async with db.transaction() as cur:
        first = await CursorPage(3).fetch(cur, query.where(Book.id <= 4))
        there = read_cursor(first.pagination["next"])
        await cur.execute("DELETE FROM books WHERE id = 4")
        empty = await CursorPage(3, there).fetch(cur, query.where(Book.id <= 4))
        again = await CursorPage(3, read_cursor(empty.pagination["prev"])).fetch(cur, query)
        await cur.execute("INSERT INTO books VALUES (4, 1, 't')")

    assert (empty.rows, empty.pagination["next"]) == ([], None)
    assert again.rows == first.rows == [{"id": 1}, {"id": 2}, {"id": 3}]


REFUSED = {
    "no primary key": lambda: Loose.select().order_by(Loose.kind),
    "text with a direction": lambda: Book.select().order_by(SQL("title DESC")),
    "number": lambda: Book.select().order_by(1),
    "locks": lambda: Book.select().for_update(),
    "distinct on": lambda: Book.select().distinct(Book.title).order_by(Book.title),
    "distinct without its key": lambda: Book.select(Book.title).distinct().order_by(Book.title),
    "update": lambda: Book.update(title="x"),
    "text without order": lambda: "SELECT 1",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_query_whose_order_cannot_be_told_is_refused(db, name):
    async with db.acquire() as cur:
        with pytest.raises(TypeError, match=r"listing by cursors|order=\(\)"):
            await CursorPage(3).fetch(cur, REFUSED[name]())


async def test_a_value_that_no_cursor_can_hold_is_refused(db):
    async with db.acquire() as cur:
        with pytest.raises(TypeError, match="values of list, which a cursor cannot hold"):
            await CursorPage(3).fetch(cur, Book.select().order_by(SQL("ARRAY[1]")))


# What the server itself may have to put into a cursor.

WIDE = {
    "text": lambda: Wide.select().order_by(Wide.text.desc()),
    "text and others": lambda: Wide.select(Wide.id).order_by(Wide.kind, Wide.text.desc(), Wide.num),
    "bytes": lambda: Wide.select().order_by(Wide.data),
    "number": lambda: Wide.select().order_by(Wide.num.desc(), Wide.kind),
    "expression": lambda: Wide.select(Wide.id).order_by(fn.LOWER(Wide.text).desc(nulls="last")),
    "collation": lambda: Wide.select(Wide.id).order_by(Wide.text.asc(collation='"C"')),
    "grouped": lambda: Wide.select(Wide.text, fn.COUNT(Wide.id).alias("n")).group_by(Wide.text),
    "distinct": lambda: Wide.select(fn.LOWER(Wide.text).alias("t"), Wide.data).distinct(),
    "many": lambda: Wide.select(
        *(fn.LEFT(Wide.text, 900 + n).alias(f"t{n}") for n in range(50))
    ).distinct(),
    "moment": lambda: Wide.select(Wide.id).order_by(Wide.moment.desc(), Wide.kind),
    "interval": lambda: Wide.select(Wide.id).order_by(Wide.span, Wide.kind.desc()),
    "token": lambda: Wide.select(Wide.id).order_by(Wide.token),
}
TIMES = """
CREATE TABLE times (id serial PRIMARY KEY, day date, moment timestamptz, stamp timestamp NOT NULL);
INSERT INTO times (day, moment, stamp) VALUES
    (NULL, 'infinity', '0044-03-15 BC'), ('0044-03-15 BC', NULL, '20024-01-01'),
    ('2024-01-01', '0044-03-15 BC', '-infinity'), ('20024-01-01', '20024-01-01 12:00', 'now'),
    ('infinity', '2024-01-01', '30024-01-01')
"""


class Times(Model):
    day = DateField(null=True)
    moment = DateTimeTZField(null=True)
    stamp = DateTimeField()

    class Meta:
        table_name = "times"


@pytest.mark.parametrize("name", ["day", "moment", "stamp"])
async def test_years_that_python_does_not_hold_are_walked_through(db, name):
    async with db.acquire() as cur:
        if await cur.fetchval("SELECT to_regclass('times')") is None:
            async with db.transaction() as tx:
                await tx.execute(TIMES)
        for column in (getattr(Times, name), getattr(Times, name).desc()):
            query = Times.select(Times.id).order_by(column)
            whole = await cur.fetch(query)
            there, said = await walk(cur, query, 1)
            back, _ = await walk(cur, query, 1, start=read_cursor(said["prev"]), back=True)

            assert len(whole) == 5
            assert there == whole
            assert back == whole[:-1]


WIDE_TEXT = "SELECT * FROM wide WHERE id > $1"


@pytest.mark.parametrize("name", [*WIDE, "SQL text"])
async def test_values_of_any_width_and_kind_are_walked(db, name):
    args, options = (), {}
    query = WIDE_TEXT if name == "SQL text" else WIDE[name]()
    if name == "SQL text":
        args, options = (0,), {"order": ("-text", "num", "id")}
    async with db.acquire() as cur:
        once = await CursorPage(100).fetch(cur, query, *args, **options)
        forwards, said = await walk(cur, query, 2, *args, **options)
        start = read_cursor(said["prev"])
        back, _ = await walk(cur, query, 2, *args, start=start, back=True, **options)

    assert forwards == once.rows
    assert back == forwards[: len(back)]
    assert len(back) >= len(forwards) - 2 > 2


async def test_a_cursor_of_a_long_value_ends_with_its_row(db):
    query = Wide.select(Wide.id).order_by(Wide.text)
    async with db.transaction() as cur:
        first = await CursorPage(3).fetch(cur, query)
        there = read_cursor(first.pagination["next"])
        last = first.rows[-1]["id"]
        assert len((await CursorPage(3, there).fetch(cur, query)).rows) == 3
        await cur.execute("UPDATE wide SET num = 0 WHERE id = $1", last)
        assert len((await CursorPage(3, there).fetch(cur, query)).rows) == 3
        await cur.execute("UPDATE wide SET text = text || '!' WHERE id = $1", last)
        with pytest.raises(InvalidInput) as changed:
            await CursorPage(3, there).fetch(cur, query)
        await cur.execute("UPDATE wide SET text = rtrim(text, '!') WHERE id = $1", last)
        gone = query.where(Wide.id != last)
        with pytest.raises(InvalidInput) as missing:
            await CursorPage(3, there).fetch(cur, gone)

    told = {
        "query": {
            "cursor": ["The row that this page begins at is gone, or has changed. Begin again."]
        }
    }
    assert changed.value.error == missing.value.error == told


async def test_an_emptied_page_beside_a_long_value_leads_back(db):
    query = Wide.select(Wide.id).order_by(Wide.text)
    async with db.acquire() as cur:
        whole = (await CursorPage(100).fetch(cur, query)).rows
        first = await CursorPage(3).fetch(cur, query)
        cut = query.where(Wide.id.in_([row["id"] for row in whole[:3]]))
        empty = await CursorPage(3, read_cursor(first.pagination["next"])).fetch(cur, cut)
        again = await CursorPage(3, read_cursor(empty.pagination["prev"])).fetch(cur, query)

    assert (empty.rows, again.rows) == ([], first.rows)


async def test_digests_stand_for_long_values_alone(db):
    """A made-up digest of a key would have all rows read for one."""
    query = Wide.select().order_by(Wide.text)
    digest = read_keyset(query).digest
    async with db.acquire() as cur:
        for values in ([["long", "00" * 32], ["long", "00" * 32]], [["long", "x"], 1]):
            assert await outcome_of(cur, query, forge(digest, "after", values)) == "refused"
        text = forge(digest, "after", [["long", "00" * 32], 1])
        with pytest.raises(InvalidInput, match="gone"):
            await CursorPage(3, read_cursor(text)).fetch(cur, query)


class Slogan(Model):
    text = TextField(unique=True)


async def test_a_unique_column_may_hold_long_values_that_compress_well(db):
    query = Slogan.select().order_by(Slogan.text)
    texts = ["\x01" * 1500, "a" * 20_000, "b" * 9000, "c"]
    async with db.transaction() as cur:
        await cur.execute("CREATE TEMPORARY TABLE slogan (id serial PRIMARY KEY, text text UNIQUE)")
        await cur.execute(Slogan.insert_many([{"text": text} for text in reversed(texts)]))
        rows, _ = await walk(cur, query, 1)
        assert [row["text"] for row in rows] == texts
        text = forge(read_keyset(query).digest, "after", [["long", "00" * 32]])
        with pytest.raises(InvalidInput, match="gone"):
            await CursorPage(3, read_cursor(text)).fetch(cur, query)


# Cursors that are not ours.

ORDERS = {
    "id": lambda: Listed.select().order_by(Listed.id),
    "all": lambda: Listed.select().order_by(
        Listed.name, Listed.price.desc(), Listed.moment, Listed.token, Listed.flag, Listed.day
    ),
    "more": lambda: Listed.select().order_by(
        Listed.local, Listed.hour, Listed.ratio.desc(), Listed.data, fn.LOWER(Listed.name)
    ),
    "other direction": lambda: Listed.select().order_by(Listed.id.desc()),
}
WRONG = "Not a cursor of this listing."
ODD = (
    *(
        None,
        True,
        0,
        -1,
        2**31,
        2**63 - 1,
        2**63,
        10**40,
        1.5,
        "",
        "a",
        "a\0b",
        "\ud800",
        "\U0001f600",
    ),
    *(
        [],
        {},
        ["decimal", "1e999999"],
        ["decimal", "1e131072"],
        ["decimal", "x"],
        ["decimal", "sNaN"],
    ),
    *(["decimal", "Infinity"], ["uuid", "x"], ["uuid", "0" * 32], ["datetime", "2024-01-01T00:00"]),
    *(
        ["zoned", "0001-01-01T00:00:00+14:00"],
        ["zoned", "9999-12-31T23:59:59-14:00"],
        ["zoned", ""],
    ),
    *(["zoned", "2024-01-01"], ["date", "0000-00-00"], ["date", "2024-01-01"], ["time", "25:00"]),
    *(
        ["time", "10:00+01:00"],
        ["float", "nan"],
        ["float", "1e999"],
        ["bytes", "zz"],
        ["bytes", ""],
    ),
    *(["nothing", "1"], ["decimal"], ["decimal", 1], ["uuid", None], [1, 2], ["decimal", "1", "2"]),
)


async def outcome_of(cur, query, text):
    """Return the name of how a request with the cursor *text* ends; each but "found" is a 422."""
    cursor = read_cursor(text)
    if cursor is None:
        return "unread"
    try:
        await CursorPage(2, cursor).fetch(cur, query)
    except InvalidInput as exc:
        assert exc.error == {"query": {"cursor": [WRONG]}}  # noqa: PT017
        return "refused"
    except asyncpg.DataError:
        return "refused by the database"
    return "found"


async def test_whatever_is_sent_as_a_cursor_is_a_place_or_a_422(db):
    source = random.Random(7)
    async with db.transaction() as cur:
        await cur.execute("TRUNCATE listed RESTART IDENTITY")
        await cur.fetch(
            Listed.insert_many([make_row(source) for _ in range(9)]).returning(Listed.id)
        )
    queries = {name: make() for name, make in ORDERS.items()}
    async with db.acquire() as cur:
        cursors = {
            name: (await CursorPage(4).fetch(cur, query)).pagination["next"]
            for name, query in queries.items()
        }
        for name, query in queries.items():
            for other, text in cursors.items():
                expected = "found" if other == name else "refused"
                assert await outcome_of(cur, query, text) == expected
            for text in altered(cursors[name], source):
                assert await outcome_of(cur, query, text) in ("unread", "refused"), text


def altered(text, source):
    """Yield texts that are almost the cursor *text*."""
    yield from (
        "",
        "a",
        "AQ",
        "é",
        text + "A",
        text[:-1],
        text + "=",
        text * 2,
        " " + text,
        "A" * 7000,
    )
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/%=\n"
    for _ in range(80):
        place = source.randrange(len(text))
        changed = text[:place] + source.choice(alphabet) + text[place + 1 :]
        if changed != text:
            yield changed
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for _ in range(40):
        place, bit = source.randrange(len(raw)), 1 << source.randrange(8)
        changed = raw[:place] + bytes((raw[place] ^ bit,)) + raw[place + 1 :]
        yield urlsafe_b64encode(changed).rstrip(b"=").decode()


async def test_a_cursor_that_somebody_made_himself_is_a_place_or_a_422(db, monkeypatch):
    source = random.Random(11)
    # The digest is right, as whoever reads the code can make it.
    monkeypatch.setattr("msframework.pagination.position.LONGEST", 50_000)
    found = set()
    async with db.acquire() as cur:
        for query in (ORDERS["id"](), ORDERS["all"](), ORDERS["more"]()):
            keyset = read_keyset(query)
            good = [None] * (len(keyset.keys) - 1) + [1]
            for place in range(len(keyset.keys)):
                for odd in ODD:
                    values = [*good[:place], odd, *good[place + 1 :]]
                    text = forge(keyset.digest, source.choice(list(CursorSide)).value, values)
                    found.add(await outcome_of(cur, query, text))
            for content in (
                None,
                [],
                ["after"],
                ["after", []],
                ["sideways", good],
                ["after", good * 2],
            ):
                text = forge_content(keyset.digest, json.dumps(content).encode())
                assert await outcome_of(cur, query, text) == "refused"
            for content in (b"", b"[", b"\xff", b"[" * 5000, b'["after",[' + b"9" * 5000 + b"]]"):
                assert (
                    await outcome_of(cur, query, forge_content(keyset.digest, content)) == "refused"
                )

    assert found >= {"found", "refused"}


def forge(digest, side, values):
    return forge_content(digest, json.dumps([side, values]).encode())


def forge_content(digest, content):
    raw = b"\x01" + position._digest(digest, content) + content
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_a_cursor_of_another_version_is_refused():
    text = write_cursor(b"digest", CursorSide.AFTER, [1])
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))

    assert read_cursor(text) is not None
    assert read_cursor(urlsafe_b64encode(b"\x02" + raw[1:]).rstrip(b"=").decode()) is None


# Indexes.

HUNDRED_THOUSAND = """
CREATE TABLE many (
    id int PRIMARY KEY, name text NOT NULL, rank int NOT NULL, price numeric,
    moment timestamptz NOT NULL
);
INSERT INTO many
SELECT n, 'name' || n % 5000, n % 10, CASE WHEN n % 7 > 0 THEN n % 1000 END,
       timestamptz '2024-01-01' + n % 50000 * interval '1 microsecond'
FROM generate_series(1, 100000) n;
CREATE INDEX ON many (name, id);
CREATE INDEX ON many (moment DESC, id DESC);
CREATE INDEX ON many (rank, name DESC, id DESC);
CREATE INDEX ON many (price, id);
CREATE INDEX ON many (rank DESC, price, id);
ANALYZE many;
"""


class Many(Model):
    id = IntegerField(primary_key=True)
    name = CharField()
    rank = IntegerField()
    price = DecimalField(null=True)
    moment = DateTimeTZField()

    class Meta:
        table_name = "many"


# Places in the listings: among NULLs where these are first, among values, among NULLs at the end.
DEPTHS = (5_000, 70_000, 99_500)
INDEXED = {
    "primary key": [Many.id],
    "primary key descending": [Many.id.desc()],
    "one way": [Many.name],
    "moments descending": [Many.moment.desc()],
    "mixed directions": [Many.rank, Many.name.desc()],
    "with NULLs last": [Many.price],
    "with NULLs first": [Many.price.desc()],
    "mixed directions with NULLs": [Many.rank.desc(), Many.price],
}


def nodes_of(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


@pytest.mark.acceptance
async def test_a_page_deep_in_a_listing_is_found_by_an_index(db):
    async with db.transaction() as cur:
        await cur.execute(HUNDRED_THOUSAND, timeout=120)
    async with db.acquire() as cur:
        nulls = 0
        for name, order in INDEXED.items():
            query = Many.select().order_by(*order)
            keyset = read_keyset(query)
            by_key = query.order_by(*(key.ordering for key in keyset.keys))
            for side, depth in product(CursorSide, DEPTHS):
                (deep,) = await cur.fetch(by_key.limit(1).offset(depth))
                values = [deep[key.name] for key in keyset.keys]
                nulls += None in values
                sql, args = keyset.render((side, values), 21)
                said = await cur.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *args)
                plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
                nodes = list(nodes_of(plan))
                kinds = {node["Node Type"] for node in nodes}
                scanned = sum(
                    node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    for node in nodes
                    if "Scan" in node["Node Type"]
                )
                assert "Seq Scan" not in kinds, (name, side, kinds)
                assert kinds & {"Index Scan", "Index Only Scan"}, (name, side, kinds)
                assert scanned < 300, (name, side, depth, scanned)
        assert nulls == 3 * len(CursorSide)
