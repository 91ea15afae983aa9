"""Compiled schemas answer as marshmallow does: value, type, key order, and error tree.

`HYPOTHESIS_EXAMPLES` sets the number of examples of each of the five properties; it is 1,000 in
`make acceptance`. `HYPOTHESIS_SHRINK` makes a difference that was found smaller, which takes time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, ValidationError

from msframework.codec import CompiledSchema, compile_schema
from msframework.codec.errors import Rejected
from msframework.codec.exact import read_places
from msframework.exceptions import MalformedJSON
from msframework.strict_json import dumps, parse
from tests.codec.strategies import (
    all_schemas,
    json_for,
    objects_for,
    row_schemas,
    rows_for,
    shape,
)
from tests.examples import EXAMPLES

pytestmark = pytest.mark.timeout(300 + EXAMPLES)
many_examples = settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate, *([Phase.shrink] if "HYPOTHESIS_SHRINK" in os.environ else [])],
    deadline=None,
    report_multiple_bugs=False,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def outcome(call: Callable[[], Any]) -> Any:
    """Return what *call* gives or how it fails, comparably."""
    try:
        return ("value", shape(call()))
    except ValidationError as exc:
        return ("refused", shape(exc.messages), shape(exc.valid_data), shape(exc.data))
    except MalformedJSON as exc:
        return ("malformed", str(exc))
    except Exception as exc:
        return ("failed", type(exc))


def make(data: st.DataObject) -> Schema:
    schema = data.draw(all_schemas)(
        many=data.draw(st.sampled_from((None, None, None, True))),
        partial=data.draw(st.sampled_from((None, None, None, True, ("a", "b.c")))),
    )
    note(f"{schema.fields}")
    return schema


def one_or_many(data: st.DataObject, schema: Schema, one: st.SearchStrategy[Any]) -> Any:
    if schema.many:
        return data.draw(st.lists(one, max_size=3) | one)
    return data.draw(one)


@given(data=st.data())
@many_examples
def test_load_gives_what_marshmallow_gives(data: st.DataObject) -> None:
    schema = make(data)
    compiled = compile_schema(schema)
    value = one_or_many(data, schema, json_for(schema))
    options = {
        "partial": data.draw(st.sampled_from((None, None, True, False, ("a",), ["b.a", "c"]))),
        "unknown": data.draw(st.sampled_from((None, None, RAISE, EXCLUDE, INCLUDE))),
    }

    assert outcome(lambda: compiled.load(value, **options)) == outcome(
        lambda: schema.load(value, **options)
    )
    assert not compiled.calls.fallback


@given(data=st.data())
@many_examples
def test_load_json_gives_what_marshmallow_gives_for_strict_json(data: st.DataObject) -> None:
    schema = make(data)
    compiled = compile_schema(schema, max_depth=4)
    body = dumps(one_or_many(data, schema, json_for(schema)))
    if data.draw(st.integers(0, 3)) == 0:
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.sampled_from(_SPLINTERS)) + body[at:]
    options = {"partial": data.draw(st.sampled_from((None, None, True)))}

    expected = outcome(lambda: schema.load(parse(body, max_depth=4), **options))
    assert outcome(lambda: compiled.load_json(body, **options)) == expected
    if (places := read_places(schema)) is not None:
        # marshmallow gets what the JSON says: every digit of a number that stands for a decimal.
        expected = outcome(
            lambda: schema.load(places.mend(body, parse(body, max_depth=4), 4), **options)
        )
    found = outcome(lambda: read(compiled, body, **options))
    if expected[0] == "refused":  # a request gets the messages, and none of the data
        found, expected = found[:2], expected[:2]
    assert found == expected
    assert not compiled.calls.fallback


def read(compiled: CompiledSchema, body: bytes, partial: Any) -> Any:
    """Return what a request reads, or raise what it is refused for."""
    found = compiled.read_json(body, partial)
    if isinstance(found, Rejected):
        raise ValidationError(found.messages, data=found.data, valid_data=found.valid)
    return found


_SPLINTERS = (b"0", b"123456789012345678901", b"[", b"[[[[[[", b"}", b",", b'"', b"\\ud800", b"NaN")


@given(data=st.data())
@many_examples
def test_dump_gives_what_marshmallow_gives(data: st.DataObject) -> None:
    schema = make(data)
    compiled = compile_schema(schema)
    value = one_or_many(data, schema, objects_for(schema))
    if isinstance(value, dict) and data.draw(st.integers(0, 3)) == 0:
        value = SimpleNamespace(**{str(key): item for key, item in value.items()})

    assert outcome(lambda: compiled.dump(value)) == outcome(lambda: schema.dump(value))
    assert not compiled.calls.fallback


@given(data=st.data())
@many_examples
def test_dump_json_writes_what_marshmallow_gives(data: st.DataObject) -> None:
    schema = make(data)
    compiled = compile_schema(schema)
    value = one_or_many(data, schema, objects_for(schema))

    assert outcome(lambda: compiled.dump_json(value)) == outcome(lambda: dumps(schema.dump(value)))
    assert not compiled.calls.fallback


@given(data=st.data())
@many_examples
def test_lists_of_rows_are_written_as_marshmallow_gives_them(data: st.DataObject) -> None:
    schema = data.draw(row_schemas)(many=True)
    note(f"{schema.fields}")
    compiled = compile_schema(schema)
    value = data.draw(st.lists(rows_for(schema), max_size=4))
    expected = outcome(lambda: dumps(schema.dump(value)))

    assert outcome(lambda: compiled.dump_json(value)) == expected
    assert not compiled.calls.fallback
    for row in value:
        assert outcome(lambda row=row: compiled.dump_json(row, False)) == outcome(  # type: ignore[misc]
            lambda row=row: dumps(schema.dump(row, many=False))  # type: ignore[misc]
        )


def test_strict_json_reads_what_orjson_reads() -> None:
    body = b'{"a": [1, 2.5, "x", null, true]}'

    assert parse(body) == orjson.loads(body)
