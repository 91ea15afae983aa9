import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import peewee
import psycopg
import pytest
from peewee import SQL, Model, fn

from msframework.migrations.nodes import constant, write_column, write_node
from msframework.migrations.scanner import Unreadable


class Thing(Model):
    name = peewee.CharField(max_length=3)
    on = peewee.BooleanField(default=False)
    code = peewee.UUIDField(null=True)


def test_a_column_is_written_as_peewee_writes_it():
    assert write_column(Thing.name) == '"name" VARCHAR(3) NOT NULL'


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Thing.on == True, '("on" = true)'),  # noqa: E712
        (Thing.name.contains("50%"), "(\"name\" ILIKE E'%50\\\\%%' ESCAPE E'\\\\')"),
        (Thing.name == "it's 50%", "(\"name\" = 'it''s 50%')"),
        (Thing.code == uuid.UUID(int=1), f"(\"code\" = '{uuid.UUID(int=1).hex}')"),
        (Thing.name.in_(["a", "b"]), "(\"name\" IN ('a', 'b'))"),
        (Thing.code.is_null(), '("code" IS NULL)'),
        (fn.lower(Thing.name) == Thing.name, '(lower("name") = "name")'),
        (SQL("a > %s AND b <> %s", [3, "50%"]), "a > 3 AND b <> '50%'"),
        (SQL("a LIKE 'b%%'"), "a LIKE 'b%'"),
        (SQL("a % 2 = 1"), "a % 2 = 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "node",
)
def test_values_stand_in_the_text(node, text):
    assert write_node(Thing, node) == text


CONSTANTS = [
    None,
    True,
    7,
    Decimal("1.50"),
    "it's \\ 50%",
    b"\x00\xff",
    date(2024, 5, 6),
    datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    timedelta(days=-3, hours=4, microseconds=5),
    uuid.UUID(int=7),
    {"a": ["it's", None]},
]
TYPES = ["text", "bool", "int", "numeric", "text", "bytea", "date", "timestamptz", "interval"]
TYPES += ["uuid", "jsonb"]


def test_a_constant_is_the_value_in_postgresql(server_url):
    columns = [f"{constant(value)}::{kind}" for value, kind in zip(CONSTANTS, TYPES, strict=True)]
    with psycopg.connect(server_url) as connection:
        row = connection.execute(f"SELECT {', '.join(columns)}").fetchone()

    assert list(row) == CONSTANTS


def test_a_value_without_a_constant_is_refused():
    with pytest.raises(Unreadable, match="a range cannot be written as a constant"):
        constant(range(3))
