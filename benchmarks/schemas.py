"""What a compiled schema costs, beside marshmallow's own dump and load with orjson.

`python -m benchmarks.schemas [--rounds N]` prints one JSON object: for each row the median CPU time
of one call in µs, and how many times as fast as marshmallow it is (median over the rounds, each of
which runs all candidates in turn). Rows are those of the `users` table that the side-by-side
benchmark lists, as the data layer gives them: dicts with asyncpg's own UUIDs and UTC; the same as
asyncpg's Records, as a page of a listing holds them, when `BENCH_DSN` names a database.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import decimal
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import orjson
from asyncpg.pgproto.pgproto import UUID
from marshmallow import Schema, ValidationError, fields, validate

from msframework.codec import compile_schema
from msframework.strict_json import parse
from msframework.table import Table


class UserOut(Schema):
    """Eleven columns."""

    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    age = fields.Integer()
    sex = fields.String()
    balance = fields.Decimal(as_string=True)
    city_id = fields.Integer()
    role_id = fields.Integer()
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime(format="iso")


class UserIn(Schema):
    """Seven fields."""

    name = fields.String(required=True, validate=validate.Length(1, 128))
    email = fields.Email(required=True)
    age = fields.Integer(required=True, validate=validate.Range(0, 150))
    sex = fields.String(required=True, validate=validate.OneOf(["male", "female", "other"]))
    balance = fields.Decimal(required=True)
    city_id = fields.Integer(required=True)
    role_id = fields.Integer(required=True)


class RenamedOut(UserOut):
    """One column under another name, so that rows go through dicts instead of structs."""

    create_time = fields.DateTime(format="iso", data_key="createTime")


GOOD = (
    b'{"name":"New User 1","email":"new.user1@example.com","age":42,"sex":"female",'
    b'"balance":"1234.50","city_id":7,"role_id":3}'
)
BAD = (
    b'{"name":"","email":"not-an-email","age":200,"sex":"unknown","balance":"10.00",'
    b'"city_id":1,"role_id":1}'
)
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
ROWS: list[dict[str, Any]] = [
    {
        "id": number,
        "name": f"User Number {number}",
        "email": f"user.number.{number}@example.com",
        "age": 18 + number % 80,
        "sex": ("male", "female", "other")[number % 3],
        "balance": decimal.Decimal(number * 73313 % 10_000_000).scaleb(-2),
        "city_id": 1 + number % 100,
        "role_id": 1 + number % 10,
        "uid": UUID(f"{number * 7919:032x}"),
        "is_active": number % 7 != 0,
        "create_time": START + number * dt.timedelta(seconds=61.123457),
    }
    for number in range(1, 101)
]

SELECT = """
    SELECT * FROM unnest(
        $1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::numeric[], $7::int[],
        $8::int[], $9::uuid[], $10::bool[], $11::timestamptz[]
    ) AS rows (id, name, email, age, sex, balance, city_id, role_id, uid, is_active, create_time)
"""


async def fetch_records() -> list[Any]:
    """Return the rows as a database gives them."""
    conn = await asyncpg.connect(os.environ["BENCH_DSN"])
    try:
        found: list[Any] = await conn.fetch(SELECT, *zip(*map(dict.values, ROWS), strict=True))
        return found
    finally:
        await conn.close()


Case = tuple[str, str, int, Callable[[], Any]]


def refused(load: Callable[[bytes], Any]) -> Callable[[], Any]:
    """Return the call of *load* with the wrong body; it gives the messages."""

    def call() -> Any:
        try:
            load(BAD)
        except ValidationError as exc:
            return exc.messages
        raise AssertionError("the wrong body was taken")

    return call


def cases() -> list[Case]:
    """Return the candidates: row, who, calls in one turn, call."""
    out, body, renamed = UserOut(), UserIn(), RenamedOut()
    fast_out, fast_in, fast_renamed = (compile_schema(s) for s in (out, body, renamed))
    found = [
        ("dump 100 rows", "marshmallow", 8, lambda: orjson.dumps(out.dump(ROWS, many=True))),
        ("dump 100 rows", "compiled", 100, lambda: fast_out.dump_json(ROWS, many=True)),
        ("dump 100 renamed", "marshmallow", 8, lambda: orjson.dumps(renamed.dump(ROWS, many=True))),
        ("dump 100 renamed", "compiled", 100, lambda: fast_renamed.dump_json(ROWS, many=True)),
        ("dump 1 row", "marshmallow", 500, lambda: orjson.dumps(out.dump(ROWS[0]))),
        ("dump 1 row", "compiled", 3000, lambda: fast_out.dump_json(ROWS[0])),
        ("load", "marshmallow", 300, lambda: body.load(orjson.loads(GOOD))),
        ("load", "marshmallow, strict JSON", 300, lambda: body.load(parse(GOOD))),
        ("load", "compiled", 3000, lambda: fast_in.load_json(GOOD)),
        ("load errors", "marshmallow", 150, refused(lambda b: body.load(orjson.loads(b)))),
        ("load errors", "compiled", 1000, refused(fast_in.load_json)),
        ("load errors", "compiled, read", 1000, lambda: fast_in.read_json(BAD).messages),
    ]
    if "BENCH_DSN" in os.environ:
        rows, name = asyncio.run(fetch_records()), "dump 100 Records"
        found += [
            (name, "marshmallow", 8, lambda: orjson.dumps(out.dump(map(dict, rows), many=True))),
            (name, "compiled", 100, lambda: fast_out.dump_table(Table(rows))),
        ]
    return found


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Run *rounds* turns of all candidates, and return their figures by row."""
    candidates = cases()
    answers: dict[str, Any] = {}
    for row, who, _, call in candidates:
        assert answers.setdefault(row, call()) == call(), f"{who} answers otherwise in {row!r}"
    times: dict[tuple[str, str], list[float]] = {(row, who): [] for row, who, _, _ in candidates}
    gc.collect()
    for _ in range(rounds):
        for row, who, calls, call in candidates:
            start = time.process_time()
            for _ in range(calls):
                call()
            times[row, who].append((time.process_time() - start) / calls * 1e6)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (row, who), own in times.items():
        ratios = [base / one for base, one in zip(times[row, "marshmallow"], own, strict=True)]
        figures = {"us": statistics.median(own), "times": statistics.median(ratios)}
        found.setdefault(row, {})[who] = {name: round(value, 2) for name, value in figures.items()}
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    print(json.dumps(measure(parser.parse_args().rounds), indent=1))


if __name__ == "__main__":
    main()
