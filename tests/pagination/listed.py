"""A table whose columns a listing may be sorted by, and its rows."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from msframework.models import (
    BlobField,
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    DateTimeTZField,
    DecimalField,
    DoubleField,
    IntegerField,
    Model,
    TimeField,
    UUIDField,
    fn,
)


class Listed(Model):
    name = CharField(null=True)
    rank = IntegerField()
    price = DecimalField(max_digits=20, decimal_places=6, null=True)
    moment = DateTimeTZField(null=True)
    local = DateTimeField()
    token = UUIDField(null=True)
    flag = BooleanField(null=True)
    day = DateField(null=True)
    hour = TimeField(null=True)
    ratio = DoubleField(null=True)
    data = BlobField(null=True)
    note = CharField(null=True)

    class Meta:
        table_name = "listed"


CREATE = """
CREATE TABLE listed (
    id serial PRIMARY KEY, name varchar(255), rank int NOT NULL, price numeric(20, 6),
    moment timestamptz, local timestamp NOT NULL, token uuid, flag boolean, day date, hour time,
    ratio double precision, data bytea, note varchar(255)
)
"""
# By which a listing is sorted: with and without NULLs.
KEYS = {
    "name": Listed.name,
    "rank": Listed.rank,
    "price": Listed.price,
    "moment": Listed.moment,
    "local": Listed.local,
    "token": Listed.token,
    "flag": Listed.flag,
    "day": Listed.day,
    "hour": Listed.hour,
    "ratio": Listed.ratio,
    "data": Listed.data,
    "lower": fn.LOWER(Listed.name),
    "coalesced": fn.COALESCE(Listed.price, 0),
    "sum": Listed.rank + Listed.id,
}
COLLATED = ("name", "lower")
_START = datetime(2024, 2, 29, 23, 59, 59, 999_998, UTC)
_NAMES = (
    "Ada",
    "ada",
    "ADA",
    "Zoë",
    "zoe",
    "Ünal",
    "",
    " ",
    "a b",
    "a-b",
    "ab",
    "日本",
    "\U0001f600",
)


def make_row(source: random.Random) -> dict:
    """Return a row of few values, so that many rows are alike in each of them."""

    def some(value):
        return None if source.random() < 0.25 else value

    number = source.randrange(5)
    moment = _START + timedelta(microseconds=number)
    return {
        "name": some(source.choice(_NAMES)),
        "rank": source.randrange(-2, 3),
        "price": some(Decimal(source.choice(("0", "10000", "-0.000001", "12.5", "NaN")))),
        "moment": some(moment),
        "local": moment.replace(tzinfo=None),
        "token": some(UUID(int=number << 100)),
        "flag": some(source.random() < 0.5),
        "day": some(moment.date() + timedelta(days=number % 2)),
        "hour": some(moment.time()),
        "ratio": some(
            source.choice((0.1, 0.30000000000000004, float("inf"), float("nan"), -1e300))
        ),
        "data": some(bytes((number, 0, 255))),
        "note": None,
    }


def make_order(source: random.Random) -> list:
    """Return one to three sort keys, each in a direction of its own."""
    order = []
    for name in source.sample(sorted(KEYS), source.randint(1, 3)):
        key = KEYS[name]
        options = {"nulls": source.choice((None, None, "first", "last"))}
        if name in COLLATED and source.random() < 0.4:
            options["collation"] = source.choice(('"C"', '"pg_c_utf8"'))
        order.append((key.asc if source.random() < 0.5 else key.desc)(**options))
    return order
