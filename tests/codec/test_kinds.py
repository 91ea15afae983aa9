"""What is an object and what a list to a schema, and how what is neither is named."""

from collections import OrderedDict, deque, namedtuple

import pytest
from asyncpg import Record
from asyncpg.protocol.protocol import _create_record

from msframework import NotFound
from msframework.codec import compile_schema
from msframework.codec.kinds import WrongKind, is_data, is_list, is_object, name_kind
from msframework.models import CharField, Model
from msframework.schemas import Schema, fields


class Row(Model):
    title = CharField()


class Thing(Schema):
    id = fields.Integer()


Pair = namedtuple("Pair", "id other")


async def fetch(): ...


async def stream():
    yield 1


@pytest.mark.parametrize("kind", [dict, OrderedDict, Record, Row, Pair, Thing])
def test_objects(kind):
    assert is_object(kind)
    assert not is_list(kind)
    assert is_data(kind)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, deque, range, type({}.values())])
def test_lists(kind):
    assert is_list(kind)
    assert not is_object(kind)
    assert is_data(kind)


@pytest.mark.parametrize(
    "kind", [type(None), str, bytes, int, bool, float, type(fetch), type, NotFound]
)
def test_what_is_neither(kind):
    assert not is_list(kind)
    assert not is_object(kind)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (fetch, "a coroutine that was not awaited (await it)"),
        (stream, "an async_generator that was not iterated"),
        (lambda: None, "None"),
        (lambda: "secret", "a text"),
        (lambda: 5, "an int"),
        (lambda: {"secret": 1}, "a dict"),
        (lambda: NotFound("secret"), "the exception NotFound (raise it)"),
        (lambda: Row, "a class"),
        (lambda: Row.select(), "a query that was not run (ModelSelect)"),
        (lambda: Row(title="secret"), "a Row"),
        (lambda: _create_record({"id": 0}, (1,)), "a row (Record)"),
    ],
)
def test_a_value_is_named_without_what_it_holds(make, said):
    assert name_kind(make()) == said


def test_rows_of_asyncpg_are_objects():
    row = _create_record({"id": 0}, (7,))

    one = compile_schema(Thing(), checks_kinds=True)
    several = compile_schema(Thing(many=True), checks_kinds=True)

    assert one.dump_json(row) == b'{"id":7}'
    assert several.dump_json([row]) == b'[{"id":7}]'
    with pytest.raises(WrongKind, match="expected a list of objects"):
        several.dump_json(row)


@pytest.mark.parametrize("value", ["a text", 5, [1], object(), NotFound("no")])
def test_kinds_are_checked_only_where_that_is_asked_for(value):
    assert compile_schema(Thing()).dump_json(value) == b"{}"
    with pytest.raises(WrongKind, match="expected an object"):
        compile_schema(Thing(), checks_kinds=True).dump_json(value)


def test_the_method_is_named_once():
    exc = WrongKind("got a text")
    exc.place("resources.py:7 Things.get")
    exc.place("resources.py:7 Things.get")

    assert str(exc) == "resources.py:7 Things.get: got a text"
