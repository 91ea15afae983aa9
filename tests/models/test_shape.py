"""What the list of nodes and attributes doesn't know has no shape, and is rendered by peewee."""

from types import SimpleNamespace

import peewee
import pytest

from msframework.models import Model, TextField
from msframework.models import shape as shape_module
from msframework.models.layout import NoShape, Shape, build_reader, find_class
from msframework.models.shape import read_shape
from msframework.models.sql import Renderer, complete
from tests.models.test_sql import QUERIES, SHAPELESS, User, as_peewee_renders, self_join


def query_of(name):
    query = QUERIES[name]()
    return complete(query) if isinstance(query, peewee.ModelInsert) else query


def nodes_of(query, monkeypatch):
    """Return the nodes that are read of *query*."""
    found = []

    def noting(reader):
        def note(shape, thing):
            found.append(thing)
            reader(shape, thing)

        return note

    readers = {kind: noting(reader) for kind, reader in shape_module._READERS.items()}
    with monkeypatch.context() as patch:
        patch.setattr(shape_module, "_READERS", readers)
        read_shape(query)
    return [each for each in found if isinstance(each, peewee.Node)]


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - SHAPELESS))
def test_an_attribute_that_nobody_knows_leaves_no_shape(name, monkeypatch):
    query = query_of(name)
    nodes = nodes_of(query, monkeypatch)

    assert nodes
    for node in nodes:
        node.__dict__["_novel"] = "it may stand in the text"
        with pytest.raises(NoShape, match="_novel"):
            read_shape(query)
        del node.__dict__["_novel"]
    read_shape(query)


def test_an_unknown_attribute_of_a_column_of_an_alias_leaves_no_shape():
    query = self_join()
    read_shape(query)
    column = next(each for each in query._returning if isinstance(each, peewee.FieldAlias))

    column.__dict__["_novel"] = 1

    with pytest.raises(NoShape, match="_novel"):
        read_shape(query)


def test_a_query_without_a_shape_is_rendered_each_time():
    renderer = Renderer()
    for number in range(3):
        query = User.select().where(User.id == number)
        query._novel = number
        assert renderer.render(query) == (as_peewee_renders(query)[0], (number,))

    assert (renderer.hits, renderer.misses) == (0, 3)


def test_every_class_of_the_list_is_read_by_some_query(monkeypatch):
    read = {
        type(node).__name__
        for name in QUERIES.keys() - SHAPELESS
        for node in nodes_of(query_of(name), monkeypatch)
    }

    # What is written only within these, and what has tests of its own.
    assert shape_module._NODES.keys() - read <= {"Entity", "QualifiedNames", "Star"}


def test_the_order_of_attributes_tells_shapes_apart():
    read = build_reader({"a": Shape.pin, "b": Shape.pin})
    keys = []
    for names in ("ab", "ba", "ab"):
        shape = Shape()
        read(shape, SimpleNamespace(**dict.fromkeys(names, None)))
        keys.append(shape.key)

    assert keys[0] == keys[2] != keys[1]


def test_a_class_that_peewee_lacks_or_keeps_in_slots_is_left_out():
    class Slotted(peewee.Node):
        __slots__ = ("hidden",)

    module = SimpleNamespace(Slotted=Slotted, function=print)

    assert [find_class(module, name) for name in ("Slotted", "function", "Gone")] == [None] * 3
    assert find_class(peewee, "Expression") is peewee.Expression


def test_without_a_tested_peewee_no_query_has_a_shape(monkeypatch):
    monkeypatch.setattr("msframework.models.sql.supports", lambda *_: False)
    renderer = Renderer()
    for number in range(2):
        query = User.select().where(User.id == number)
        assert renderer.render(query) == (as_peewee_renders(query)[0], (number,))

    assert (renderer.hits, renderer.misses) == (0, 2)


class Ways:
    """Methods of one object that all have one name."""

    once = lambda self, value: value  # noqa: E731
    twice = lambda self, value: 2 * value  # noqa: E731


def test_methods_of_one_name_tell_shapes_apart():
    renderer, ways = Renderer(), Ways()
    for _ in range(2):
        for way, expected in ((ways.once, 3), (ways.twice, 6)):
            query = User.select().where(User.age == peewee.Value(3, converter=way))
            assert renderer.render(query)[1] == (expected,)


def test_a_model_that_gets_another_table_or_schema_gets_another_text():
    class Tenant(Model):
        name = TextField()

    renderer, texts = Renderer(), []
    for schema in ("a", "b", "a"):
        Tenant._meta.schema = schema
        texts.append(renderer.render(Tenant.select(Tenant.id))[0])
    Tenant._meta.set_table_name("others")
    texts.append(renderer.render(Tenant.select(Tenant.id))[0])

    tables = [f'SELECT "t1"."id" FROM "{name}"."tenant" AS "t1"' for name in "aba"]
    assert texts == [*tables, 'SELECT "t1"."id" FROM "a"."others" AS "t1"']


class Spelt(TextField):
    """Some of whose values become SQL, of one and the same value."""

    def db_value(self, value):
        return peewee.fn.LOWER(peewee.Value(value, converter=False)) if value.isupper() else value


@pytest.mark.parametrize("values", ["ABab", "abAB", "aAbB", "AaBb"])
def test_a_value_that_becomes_sql_makes_no_text_of_others(values):
    class Word(Model):
        text = Spelt()

    renderer = Renderer()
    for value in values * 2:
        query = Word.select(Word.id).where(Word.text == value)
        assert renderer.render(query) == as_peewee_renders(query)


def test_the_parts_of_all_remembered_shapes_are_bounded(monkeypatch):
    monkeypatch.setattr("msframework.models.sql._MOST_PARTS", 1500)
    monkeypatch.setattr("msframework.models.sql._LONGEST", 400)
    renderer, longest = Renderer(), 0
    for number in range(100):
        query = User.select(User.id).where(User.id.in_(list(range(number))))
        assert renderer.render(query) == as_peewee_renders(query)
        longest = max(longest, sum(map(len, renderer.texts)))

    assert 1000 < longest <= 1500
    assert max(map(len, renderer.texts)) <= 400
