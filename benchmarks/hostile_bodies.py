"""What hostile bodies cost: CPU for each 100 kB, and what their refusal weighs.

`python -m benchmarks.hostile_bodies` prints a row a kind, of loading alone, without a server.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from decimal import Decimal

from msframework.codec import compile_schema
from msframework.codec.errors import Rejected
from msframework.exceptions import ServiceException
from msframework.schemas import Schema, as_schema, fields
from msframework.strict_json import dumps

UNIT = 100_000
THING = {
    "id": int,
    "name": str,
    "price": Decimal,
    "tags": [int],
    "prices": [Decimal],
    "deep": [fields.List(fields.List(fields.Integer()))],
    "map": fields.Dict(fields.String(), fields.Integer()),
    "rows": [{"id": int, "price": Decimal}],
    "anything": dict,
}


class Overriding(Schema):
    """A schema that marshmallow loads by itself."""

    tags = fields.List(fields.Integer())

    def load(self, *args, **kwargs):
        return super().load(*args, **kwargs)


def repeat(before: bytes, item: bytes, after: bytes, size: int) -> bytes:
    """Return a body of about *size* bytes: *item* as often as it fits, with commas."""
    return before + b",".join([item] * max(1, (size - len(before)) // (len(item) + 1))) + after


def keyed(before: bytes, value: bytes, after: bytes, size: int) -> bytes:
    """Return a body of about *size* bytes whose keys all differ."""
    count = max(1, size // (len(value) + 12))
    return before + b",".join(b'"k%07d":%b' % (number, value) for number in range(count)) + after


def bodies(size: int) -> Iterator[tuple[str, type[Schema] | None, bytes]]:
    """Yield kind, schema (the usual one when `None`) and body."""
    yield "wrong items of a list", None, repeat(b'{"tags":[', b'"x"', b"]}", size)
    yield "wrong items, nested", None, repeat(b'{"deep":[', b'[["x","x"]]', b"]}", size)
    yield "wrong objects", None, repeat(b'{"rows":[', b'{"id":"x"}', b"]}", size)
    yield "unknown keys of objects", None, repeat(b'{"rows":[', b'{"a":1,"b":2}', b"]}", size)
    yield "unknown keys", None, keyed(b"{", b"1", b"}", size)
    yield "wrong values of a mapping", None, keyed(b'{"map":{', b'"x"', b"}}", size)
    yield "one long key", None, b'{"%b":1}' % (b"k" * size)
    yield "one long string", None, b'{"id":"%b"}' % (b"9" * size)
    yield "escapes", None, b'{"id":"%b"}' % (b"\\u003a" * (size // 6))
    yield "decimals as numbers", None, repeat(b'{"prices":[', b"1.5", b"]}", size)
    yield "long numbers", None, repeat(b'{"tags":[', b"1234567890123456789", b"]}", size)
    yield "one long number", None, b'{"price":%b}' % (b"9" * size)
    yield "a number of many decimals", None, b'{"price":0.%b}' % (b"9" * size)
    yield "integers as 5.0", None, repeat(b'{"tags":[', b"5.0", b"]}", size)
    yield "a key twice, late", None, keyed(b'{"anything":{', b"1", b',"a":1,"a":2}}', size)
    yield "a lone surrogate", None, keyed(b'{"anything":{', b"1", b',"a":"\\ud800"}}', size)
    yield "colons in strings", None, repeat(b'{"anything":{"a":[', b'":\\u003a"', b"]}}", size)
    yield "open brackets", None, b'{"anything":{"a":' + b"[" * size
    yield "nested objects", None, b'{"a":' * (size // 10) + b"1" + b"}" * (size // 10)
    yield "wrong items, by marshmallow", Overriding, repeat(b'{"tags":[', b'"x"', b"]}", size)


def measure(schema: type[Schema] | None, body: bytes, rounds: int) -> tuple[float, int, str]:
    """Return the best CPU time in seconds, the bytes of the refusal, and what it is."""
    thing = as_schema(THING, where="benchmark", for_load=False) if schema is None else schema()
    read = compile_schema(thing).read_json
    best, size, said = float("inf"), 0, ""
    for _ in range(rounds):
        begun = time.process_time()
        try:
            found = read(body)
        except ServiceException as exc:
            found, said = exc, f"400 {exc.error}"
        written = dumps(found.messages) if isinstance(found, Rejected) else b""
        best = min(best, time.process_time() - begun)
        if not isinstance(found, ServiceException):
            said, size = ("422" if isinstance(found, Rejected) else "taken"), len(written)
    return best, size, said[:50]


def main() -> None:
    """Print a row for each kind of body, at two sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'body':30}{'ms/100 kB':>12}{'at 10 times':>12}{'answer, B':>12}  what")
    for small, large in zip(bodies(UNIT), bodies(10 * UNIT), strict=True):
        one, _, _ = measure(small[1], small[2], options.rounds)
        ten, size, said = measure(large[1], large[2], options.rounds)
        print(f"{small[0]:30}{one * 1e3:12.2f}{ten * 1e2:12.2f}{size:12}  {said}")


if __name__ == "__main__":
    main()
