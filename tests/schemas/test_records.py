"""Rows become bytes through structs, and what is odd in them does not change the bytes."""

import datetime as dt
import enum
import uuid
from decimal import Decimal

import asyncpg
import pytest

from msframework.schemas import Reference, Schema, compile_schema, fields
from msframework.strict_json import dumps
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


@pytest.fixture
def records():
    found = compile_schema(RowSchema())._records
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

    assert records.one(row) == reference(row)
    assert records.several([ROW, row]) == reference([ROW, row], many=True)


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
    {"uid": "x"},
    {"is_active": 1},
    {"create_time": dt.datetime(2024, 1, 1, tzinfo=ZONE)},
    {"at": dt.time(1, tzinfo=dt.UTC)},
    {"city_id": {"id": 5, "more": 1}},
]


@pytest.mark.parametrize("change", ODD, ids=str)
def test_odd_values_go_another_way_to_the_same_bytes(records, change):
    row = ROW | change

    assert records.one(row) is None
    assert records.several([ROW, row]) is None
    assert compile_schema(RowSchema()).dump_json(row) == reference(row)
    assert compile_schema(RowSchema(many=True)).dump_json([row]) == reference([row], many=True)


def test_absent_values_are_left_out(records):
    row = {"id": 1}

    assert records.one(row) is None
    assert compile_schema(RowSchema()).dump_json(row) == b'{"id":1}'


@pytest.mark.parametrize("rows", [[], (), [ROW], (ROW, ROW)])
def test_lists_and_tuples_are_lists(rows):
    assert compile_schema(RowSchema()).dump_json(rows, many=True) == reference(rows, many=True)


def test_rows_are_left_as_they_are(records):
    row = dict(ROW)

    records.one(row)
    records.several([row])

    assert row == ROW
    assert isinstance(row["balance"], Decimal)


@pytest.mark.parametrize(
    "field",
    [
        fields.Integer(as_string=True),
        fields.Integer(data_key="other"),
        fields.Integer(attribute="other"),
        fields.Integer(dump_default=1),
        fields.Decimal(),
        fields.Decimal(places=2, as_string=True),
        fields.DateTime(format="rfc"),
        fields.Raw(),
        fields.List(fields.Integer()),
        fields.Function(lambda obj: 1),
    ],
)
def test_other_fields_make_no_structs(field):
    assert compile_schema(Schema.from_dict({"a": field})())._records is None


def test_a_schema_without_fields_makes_no_structs():
    compiled = compile_schema(Schema.from_dict({})())

    assert compiled._records is None
    assert compiled.dump_json({"a": 1}) == b"{}"
    assert compiled.load_json(b"{}") == {}


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

    assert compiled._records is not None
    assert compiled._records.one(rows[0]) == reference(rows[0])
    assert compiled.dump_json(rows, many=True) == reference(rows, many=True)
    assert compiled.dump(rows, many=True) == RowSchema().dump(rows, many=True)
    assert compiled.dump_json([rows[0], dict(rows[0])], many=True) == reference(rows[:2], many=True)
