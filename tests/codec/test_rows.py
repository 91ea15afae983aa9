"""Rows become bytes through structs, and what is odd in them does not change the bytes."""

import datetime as dt
import enum
import uuid
from collections import OrderedDict
from decimal import Decimal

import asyncpg
import pytest

from msframework.codec import compile_schema
from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.schemas import Reference, Schema, fields
from msframework.strict_json import dumps
from msframework.table import Table
from tests.processes import fresh_database

ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))


class RowSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    score = fields.Float()
    balance = fields.Decimal(as_string=True)
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime()
    day = fields.Date()
    at = fields.Time()
    city_id = Reference({"id": int})


ROW = {
    "id": 1,
    "name": 'Zoë "Z"\n\x7f\u2028',
    "score": 0.1,
    "balance": Decimal("12.50"),
    "uid": uuid.UUID(int=7),
    "is_active": True,
    "create_time": dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=dt.UTC),
    "day": dt.date(2024, 2, 29),
    "at": dt.time(1, 2, 3),
    "city_id": 5,
    "password": "not a field",
}


class Mixed(enum.StrEnum):
    A = "a"

    def __str__(self):
        return "Mixed.A"


class Ticket(uuid.UUID):
    def __str__(self):
        return "a ticket"


class Clock(dt.datetime):
    def isoformat(self, *args):
        return "now"


@pytest.fixture
def records():
    found = compile_schema(RowSchema())._rows
    assert found is not None
    return found


def reference(obj, many=False):
    return dumps(RowSchema().dump(obj, many=many))


USUAL = [
    {},
    {"id": 2**70},
    {"id": -(2**63)},
    {"score": -0.0},
    {"score": 1e-7},
    {"score": 3},
    {"balance": Decimal("1E+2")},
    {"balance": Decimal("1E-9")},
    {"balance": Decimal("NaN")},
    {"create_time": dt.datetime(1, 1, 1)},
    {"create_time": dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)},
    *({name: None} for name in RowSchema().fields),
]


@pytest.mark.parametrize("change", USUAL, ids=str)
def test_usual_rows_are_written_through_structs(records, change):
    row = ROW | change

    assert records.write_one(row) == reference(row)
    assert records.write_many([ROW, row]) == reference([ROW, row], many=True)


ODD = [
    {"id": True},
    {"id": "1"},
    {"id": 1.0},
    {"name": Mixed.A},
    {"name": b"x"},
    {"name": "\ud800"},
    {"score": 1e16},
    {"score": float("nan")},
    {"score": "1.5"},
    {"balance": 1.5},
    {"balance": "1.50"},
    {"score": 2**80},
    {"uid": "x"},
    {"uid": Ticket(int=1)},
    {"day": dt.datetime(2024, 1, 1)},
    {"create_time": Clock(2024, 1, 1)},
    {"is_active": 1},
    {"create_time": dt.datetime(2024, 1, 1, tzinfo=ZONE)},
    {"at": dt.time(1, tzinfo=dt.UTC)},
    {"city_id": {"id": 5, "more": 1}},
]


@pytest.mark.parametrize("change", ODD, ids=str)
def test_odd_values_go_another_way_to_the_same_bytes(records, change):
    row = ROW | change

    assert records.write_one(row) is None
    assert records.write_many([ROW, row]) is None
    assert compile_schema(RowSchema()).dump_json(row) == reference(row)
    assert compile_schema(RowSchema(many=True)).dump_json([row]) == reference([row], many=True)


def test_absent_values_are_left_out(records):
    row = {"id": 1}

    assert records.write_one(row) is None
    assert compile_schema(RowSchema()).dump_json(row) == b'{"id":1}'


@pytest.mark.parametrize("rows", [[], (), [ROW], (ROW, ROW)])
def test_lists_and_tuples_are_lists(rows):
    assert compile_schema(RowSchema()).dump_json(rows, many=True) == reference(rows, many=True)


def test_rows_are_left_as_they_are(records):
    row = dict(ROW)

    records.write_one(row)
    records.write_many([row])

    assert row == ROW
    assert isinstance(row["balance"], Decimal)


@pytest.mark.parametrize(
    "field",
    [
        fields.Integer(as_string=True),
        fields.Integer(data_key='an "other"'),
        fields.Integer(attribute="other.one"),
        fields.Decimal(),
        fields.Decimal(places=2, as_string=True),
        fields.DateTime(format="rfc"),
        fields.Raw(),
        fields.List(fields.Integer()),
        fields.Function(lambda obj: 1),
    ],
)
def test_other_fields_make_no_structs(field):
    assert compile_schema(Schema.from_dict({"a": field})())._rows is None


def test_a_schema_without_fields_makes_no_structs():
    compiled = compile_schema(Schema.from_dict({})())

    assert compiled._rows is None
    assert compiled.dump_json({"a": 1}) == b"{}"
    assert compiled.load_json(b"{}") == {}


class TimesSchema(Schema):
    Z = fields.String()
    first = fields.DateTime()
    balance = fields.Decimal(as_string=True)
    name = fields.String()
    last = fields.DateTime()


MOMENT = dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=dt.UTC)
NAIVE = MOMENT.replace(tzinfo=None)
NAMED = MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(0), "GMT"))
TIMES = {"Z": "", "first": MOMENT, "balance": Decimal("1.50"), "name": "", "last": MOMENT}
MENDED = [
    {},
    {"name": "Z"},
    {"Z": "Z", "name": "a Z"},
    {"name": 'Z","last":'},
    {"name": 'Z"}'},
    {"first": None},
    {"first": None, "name": "Z"},
    {"first": None, "Z": "Z", "name": "Z", "last": None},
    {"first": NAIVE},
    {"first": NAIVE, "name": "Z"},
    {"first": NAIVE, "last": NAIVE},
    {"first": NAMED, "name": "Z"},
    {"name": "E"},
    {"name": "E+5", "balance": None},
    {"balance": Decimal("0E-8")},
    {"balance": Decimal("1E+5"), "name": "ZE"},
    {"balance": Decimal("-Infinity")},
]


@pytest.mark.parametrize("change", MENDED, ids=str)
def test_moments_and_decimals_are_mended_in_the_bytes(change):
    written = compile_schema(TimesSchema())._rows
    rows = [TIMES | change, TIMES, TIMES | change]

    assert written.write_many(rows) == dumps(TimesSchema().dump(rows, many=True))
    assert compile_schema(TimesSchema()).dump_json(rows[0]) == dumps(TimesSchema().dump(rows[0]))


@pytest.mark.parametrize(
    "change",
    [
        {"first": MOMENT.replace(tzinfo=ZONE)},
        {"last": MOMENT.replace(tzinfo=ZONE), "name": "Z"},
        {"last": MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(seconds=20)))},
        {"first": Clock(2024, 1, 1)},
        {"name": Mixed.A},
        {"name": "\ud800"},
    ],
    ids=str,
)
def test_odd_values_among_many_go_another_way(change):
    compiled = compile_schema(TimesSchema(many=True))
    rows = [TIMES, TIMES | change]

    assert compiled._rows.write_many(rows) is None
    assert compiled.dump_json(rows) == dumps(TimesSchema().dump(rows, many=True))


@pytest.mark.parametrize("key", ["é", "\x7f", "\u2028", 'a"b', "\n", "\\"])
def test_any_key_may_follow_a_moment(key):
    schema = Schema.from_dict({"at": fields.DateTime(), key: fields.String()})(many=True)
    rows = [{"at": MOMENT, key: "Z"}]

    assert compile_schema(schema).dump_json(rows) == dumps(schema.dump(rows))


class RenamedSchema(Schema):
    number = fields.Integer(attribute="id", data_key="ID")
    name = fields.String(dump_default="nobody")
    at = fields.DateTime(attribute="create_time", data_key="é")
    again = fields.DateTime(attribute="create_time", dump_only=True)
    size = fields.Integer(attribute="")
    _schema = fields.String(attribute="name", dump_only=True)


RENAMED = {"id": 1, "name": "Z", "create_time": MOMENT, "": 2, "more": 3}


@pytest.mark.parametrize(
    "change", [{}, {"name": None}, {"create_time": None}, {"create_time": NAIVE}], ids=str
)
def test_renamed_columns_are_written_through_structs_too(change):
    written = compile_schema(RenamedSchema())._rows
    rows = [RENAMED | change, RENAMED]

    assert written.write_many(rows) == dumps(RenamedSchema().dump(rows, many=True))
    assert written.write_one(rows[0]) == dumps(RenamedSchema().dump(rows[0]))


@pytest.mark.parametrize(
    "row", [{"id": 1}, RENAMED | {"id": True}, RENAMED | {"name": Mixed.A}, OrderedDict(RENAMED)]
)
def test_renamed_columns_that_are_odd_go_another_way(row):
    compiled = compile_schema(RenamedSchema())
    rows = [RENAMED, row]

    assert compiled._rows.write_one(row) is None
    assert compiled._rows.write_many(rows) is None
    assert compiled.dump_json(row) == dumps(RenamedSchema().dump(row))
    assert compiled.dump_json(rows, many=True) == dumps(RenamedSchema().dump(rows, many=True))


def test_a_default_stands_where_a_column_is_absent():
    rows = [RENAMED, {key: value for key, value in RENAMED.items() if key != "name"}]
    expected = dumps(RenamedSchema().dump(rows, many=True))

    assert b'"nobody"' in expected
    assert compile_schema(RenamedSchema()).dump_json(rows, many=True) == expected


COLUMNS = {
    "id": "1::int",
    "name": "CASE WHEN n = 2 THEN NULL ELSE 'Z' || n END",
    "score": "0.5::float8",
    "balance": "1.50::numeric",
    "uid": "'00000000-0000-0000-0000-000000000007'::uuid",
    "is_active": "true",
    "create_time": "'2024-02-29 01:02:03+00'::timestamptz",
    "day": "'2024-02-29'::date",
    "at": "'01:02:03'::time",
    "city_id": "n",
}


def select(columns):
    listed = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    return f"SELECT {listed} FROM generate_series(1, 3) AS n"


# Two columns of one name: asyncpg gives such records, the data layer refuses the statement.
ALIKE = select(COLUMNS).replace(" FROM", ", 7 AS id FROM")
TABLES = [
    select(COLUMNS),
    select(COLUMNS | {"name": "'one'"}),
    select(dict(reversed(COLUMNS.items()))),
    select({"more": "n", **COLUMNS, "other": "'x'"}),
    select(dict.fromkeys(COLUMNS, "NULL::int")),
    select(COLUMNS | {"score": "'NaN'::float8"}),
    select(COLUMNS | {"id": "n > 1"}),
    select(COLUMNS | {"create_time": "'infinity'::timestamptz"}),
    select(COLUMNS | {"name": "n"}),
    select({name: value for name, value in COLUMNS.items() if name != "day"}),
    select(COLUMNS) + " WHERE false",
]


async def test_the_records_of_one_statement_are_written_by_columns():
    with fresh_database("records") as url:
        conn = await asyncpg.connect(url)
        compiled, only = compile_schema(RowSchema()), compile_schema(RowSchema(only=("id",)))
        for sql in (*TABLES, ALIKE):
            rows = await conn.fetch(sql)
            expected = reference(rows, many=True)
            assert compiled.dump_table(Table(rows)) == expected, sql
            assert compiled.dump_json(rows, many=True) == expected, sql
            assert compiled.dump_json(list(map(dict, rows)), many=True) == expected, sql
            several = dumps(only.schema.dump(rows, many=True))
            assert only.dump_table(Table(rows)) == several, sql
            assert only.dump_json(rows, many=True) == several, sql
        renamed = compile_schema(RenamedSchema(exclude=("size",)))
        rows = await conn.fetch(TABLES[0])
        expected = dumps(renamed.schema.dump(rows, many=True))
        assert renamed._rows.write_table(Table(rows)) == expected
        assert renamed._rows.write_many(rows) == expected
        assert renamed._rows.write_one(rows[0]) == dumps(renamed.schema.dump(rows[0]))
        assert compiled._rows.write_table(Table(await conn.fetch(TABLES[0]))) is not None
        assert compiled._rows.write_table(Table(await conn.fetch(TABLES[3]))) is not None
        assert compiled._rows.write_table(Table(await conn.fetch(TABLES[9]))) is None
        await conn.close()


NUMERALS = ("0", "-0.0", "1e-7", "1e30", "-12345678901234567890.1234567890", "NaN", "Infinity")


class LooseSchema(Schema):
    balance = fields.String()
    uid = fields.String()


class BalanceSchema(Schema):
    balance = fields.Decimal(as_string=True)


class TwiceSchema(BalanceSchema):
    label = fields.String(attribute="balance", dump_only=True)


async def test_texts_of_a_table_are_written_as_what_they_are_elsewhere():
    tables = [
        *TABLES,
        *(select(COLUMNS | {"balance": f"'{text}'::numeric"}) for text in NUMERALS),
        select(COLUMNS | {"balance": "10000::numeric"}),
        *(select(COLUMNS | {"balance": f"'{text}'::numeric(20,5)"}) for text in NUMERALS[:3]),
        select(COLUMNS | {"balance": "NULL::numeric", "uid": "NULL::uuid"}),
        select(COLUMNS | {"balance": "CASE WHEN n = 2 THEN 1.10 END"}),
        select(COLUMNS | {"balance": "'1.5'"}),
        select(COLUMNS | {"id": "1::numeric"}),
        select(COLUMNS | {"name": f"'{UID}'::uuid"}),
        select(COLUMNS | {"more": "ARRAY[1.5]"}),
        select(COLUMNS | {"more": "1.5", "other": f"'{UID}'::uuid"}),
    ]
    schemas = [
        RowSchema(),
        RowSchema(only=("id", "uid")),
        LooseSchema(),
        BalanceSchema(),
        TwiceSchema(),
    ]
    with fresh_database("texts") as url:
        db = Database(DatabaseSettings(url=url, max_size=1, statement_cache_size=1000))
        await db.start()
        try:
            async with db.acquire() as cur:
                for sql in tables:
                    table, rows = await cur.table(sql), await cur.records(sql)
                    for schema in schemas:
                        expected = outcome(lambda: dumps(schema.dump(rows, many=True)))  # noqa: B023
                        found = outcome(lambda: compile_schema(schema).dump_table(table))  # noqa: B023
                        assert found == expected, (sql, schema)
                usual = await cur.table(TABLES[0])
        finally:
            await db.stop()

    assert [name for name, _ in usual.texts] == ["balance", "uid"]
    assert compile_schema(RowSchema())._rows.write_table(usual) is not None
    assert compile_schema(BalanceSchema())._rows.write_table(usual) is not None
    assert compile_schema(LooseSchema())._rows.write_table(usual) is None


UID = "12345678-9abc-def0-1234-56789abcdef0"


def outcome(call):
    """Return what *call* gives, or the class of what it raises."""
    try:
        return call()
    except Exception as exc:
        return type(exc)


async def test_records_of_several_statements_are_rows_too():
    with fresh_database("records") as url:
        conn = await asyncpg.connect(url)
        rows = [record for sql in TABLES for record in await conn.fetch(sql)]
        await conn.close()

    assert compile_schema(RowSchema()).dump_json(rows, many=True) == reference(rows, many=True)


async def test_records_that_no_struct_takes_are_dumped_all_the_same():
    schema = Schema.from_dict({"id": fields.Integer(data_key="ID"), "a": fields.Raw()})()
    with fresh_database("records") as url:
        conn = await asyncpg.connect(url)
        rows = await conn.fetch("SELECT 1 AS id")
        await conn.close()

    assert compile_schema(schema).dump_table(Table(rows)) == b'[{"ID":1}]'


async def test_asyncpg_records_are_rows():
    select = (
        "SELECT 1 AS id, 'x' AS name, 0.5::float8 AS score, 1.50::numeric AS balance,"
        " '00000000-0000-0000-0000-000000000007'::uuid AS uid, true AS is_active,"
        " '2024-02-29 01:02:03+00'::timestamptz AS create_time, '2024-02-29'::date AS day,"
        " '01:02:03'::time AS at, NULL::int AS city_id FROM generate_series(1, 3)"
    )
    with fresh_database("records") as url:
        conn = await asyncpg.connect(url)
        rows = await conn.fetch(select)
        await conn.close()
    compiled = compile_schema(RowSchema())

    assert compiled._rows is not None
    assert compiled._rows.write_one(rows[0]) == reference(rows[0])
    assert compiled.dump_json(rows, many=True) == reference(rows, many=True)
    assert compiled.dump(rows, many=True) == RowSchema().dump(rows, many=True)
    assert compiled.dump_json([rows[0], dict(rows[0])], many=True) == reference(rows[:2], many=True)
