"""What `as_schema` takes: schemas, models, dicts, lists, API classes; and what it refuses."""

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Union

import peewee
import pytest
from marshmallow import ValidationError, validate

from msframework.models import Model
from msframework.schemas import ModelSchema, Schema, as_schema, fields
from msframework.schemas import api as doc
from msframework.schemas.columns import Base64


class ProvinceApi:
    """A province."""

    id = doc.Integer("its id")
    name = doc.String("its name", required=False, null=True, choices=["A", "B"])


class CityApi:
    id = doc.Integer("id")
    province = ProvinceApi
    capital = doc.Object(ProvinceApi, "the capital", name="capitalOf")
    twins = doc.List(ProvinceApi, "twins")
    words = doc.List(str)
    anything = doc.List()
    extra = doc.Dictionary(int)
    open = doc.Dictionary()
    since = doc.Date()
    changed = doc.DateTime()
    size = doc.Float()
    price = doc.Decimal()
    is_open = doc.Boolean()
    kind = fields.Integer(strict=True)
    tags = [str]  # noqa: RUF012 - a declaration, as in the origin's classes
    note = str | None
    _private = 1

    def method(self):
        """No member."""


class Point(Model):
    x = peewee.IntegerField()
    token = peewee.CharField()


class PlainSchema(Schema):
    a = fields.Integer()


class Color(enum.Enum):
    RED = "red"


def read(thing, for_load=False):
    return as_schema(thing, where="Things.get", for_load=for_load)


def test_a_schema_instance_is_itself():
    schema = PlainSchema(many=True)

    assert read(schema) is schema


def test_a_schema_class_gives_an_instance():
    assert isinstance(read(PlainSchema), PlainSchema)


@pytest.mark.parametrize("thing", [[PlainSchema], (PlainSchema(),), [PlainSchema(many=True)]])
def test_a_list_with_one_gives_many(thing):
    schema = read(thing)

    assert schema.many
    assert isinstance(schema, PlainSchema)


def test_a_list_leaves_its_schema_as_it_is():
    schema = PlainSchema()
    read([schema])

    assert not schema.many


def test_a_model_gives_its_schema_without_sensitive_columns():
    schema = read(Point)

    assert isinstance(schema, ModelSchema)
    assert list(schema.dump_fields) == ["id", "x"]


def test_what_is_sensitive_can_be_said():
    schema = as_schema(Point, where="", for_load=False, sensitive=["x"])

    assert list(schema.dump_fields) == ["id", "token"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (int, fields.Integer),
        (str, fields.String),
        (float, fields.Float),
        (bool, fields.Boolean),
        (decimal.Decimal, fields.Decimal),
        (uuid.UUID, fields.UUID),
        (dt.datetime, fields.DateTime),
        (dt.date, fields.Date),
        (dt.time, fields.Time),
        (dt.timedelta, fields.TimeDelta),
        (dict, fields.Dict),
        (list, fields.List),
        (Any, fields.Raw),
        (Color, fields.Enum),
        (fields.Email, fields.Email),
        ([int], fields.List),
        (list[int], fields.List),
        (int | None, fields.Integer),
        (Optional[int], fields.Integer),
        (Optional[Color], fields.Enum),
        (Optional[ProvinceApi], fields.Nested),
        (List[int], fields.List),
        (List, fields.List),
        (Sequence[int], fields.List),
        (tuple[int, ...], fields.List),
        (tuple[int, str], fields.Tuple),
        (Dict[str, int], fields.Dict),
        (dict[str, int], fields.Dict),
        (Dict, fields.Dict),
        (Mapping[str, Any], fields.Dict),
        (dict[str, ProvinceApi], fields.Dict),
        (Literal["a", "b"], fields.String),
        (Literal[1, 2, None], fields.Integer),
        (Literal[True], fields.Boolean),
        (Annotated[int, validate.Range(1)], fields.Integer),
        (NewType("UserId", int), fields.Integer),
        (bytes, Base64),
        ({"b": int}, fields.Nested),
        (PlainSchema, fields.Nested),
        (Point, fields.Nested),
        (ProvinceApi, fields.Nested),
        (doc.String(), fields.String),
    ],
)
def test_a_dict_describes_its_members(kind, field):
    assert isinstance(read({"a": kind}).fields["a"], field)


def test_members_of_a_dict_are_required_in_both_directions():
    assert read({"a": int}, for_load=True).fields["a"].required
    assert read({"a": int}).fields["a"].required
    assert read(ProvinceApi, for_load=True).fields["id"].required
    assert not read(ProvinceApi, for_load=True).fields["name"].required


def test_a_union_with_none_may_be_null():
    assert read({"a": int | None}, for_load=True).load({"a": None}) == {"a": None}


def test_an_api_class_loads_and_dumps_as_described():
    data = {
        "id": 1,
        "province": {"id": 2, "name": "A"},
        "capitalOf": {"id": 3, "name": None},
        "twins": [{"id": 4, "name": "B"}],
        "words": ["x"],
        "anything": [1, "x"],
        "extra": {"a": 1},
        "open": {"a": [1]},
        "since": "2024-01-01",
        "changed": "2024-01-01T00:00:00",
        "size": 1.5,
        "price": "1.50",
        "is_open": True,
        "kind": 1,
        "tags": ["t"],
        "note": None,
    }

    schema = read(CityApi, for_load=True)

    assert type(schema).__name__ == "CitySchema"
    assert schema.dump(schema.load(data)) == data
    assert schema.fields["capital"].metadata == {"description": "the capital"}


def test_choices_of_a_note_are_the_only_values():
    with pytest.raises(ValidationError) as caught:
        read(ProvinceApi).load({"name": "C"})

    assert caught.value.messages == {"name": ["Must be one of: A, B."]}


def test_an_api_class_inherits():
    class Small(ProvinceApi):
        size = int

    assert list(read(Small).fields) == ["id", "name", "size"]


def test_an_api_class_may_hold_itself():
    class TreeApi:
        name = doc.String()

    TreeApi.children = doc.List(TreeApi)
    schema = read(TreeApi)
    tree = {"name": "a", "children": [{"name": "b", "children": []}]}

    assert schema.dump(tree) == tree


def test_text_of_dicts_and_api_classes_can_be_stored():
    for schema in (read({"name": str}), read(ProvinceApi)):
        with pytest.raises(ValidationError):
            schema.load({"name": "\0"})


@pytest.mark.parametrize("thing", [3, None, [], [int], [PlainSchema, PlainSchema], object, int])
def test_what_is_no_schema_is_refused_with_its_place(thing):
    with pytest.raises(TypeError, match=r"Things\.get: .* is no schema\. Pass a Schema class"):
        read(thing)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ({1: int}, "1 is no key of a JSON object"),
        ({"a": int | str}, r"Write X or X \| None"),
        ({"a": 3}, r"a: 3 is no type of a field\. Write a type \(str, "),
        ({"a": {"b": 3}}, "b: 3 is no type of a field"),
        ({"a": None}, "a: None is no type of a field"),
        ({"a": "int"}, "a: 'int' is no type of a field"),
        ({"a": dt.timezone}, "a: <class 'datetime.timezone'> is no type of a field"),
        ({"a": complex}, "a: <class 'complex'> is no type of a field"),
        ({"a": Optional["int"]}, r"a: ForwardRef\('int'\) is no type of a field"),
        ({"a": Union[int, str]}, r"may be several\. Write X or X \| None"),
        ({"a": set[int]}, r"which has no sets\. Write list"),
        ({"a": frozenset[int]}, r"which has no sets\. Write list"),
        ({"a": dict[int, str]}, r"whose keys are strings\. Write dict\[str"),
        ({"a": Literal[1, "a"]}, "Its values must all be texts, all integers"),
        ({"a": Literal[1.5]}, "Its values must all be texts, all integers"),
        ({"a": Literal[None]}, "Its values must all be texts, all integers"),
        ({"a": Literal[Color.RED]}, r"Write the enum\."),
        ({"a": Annotated[int, object]}, "nothing would check this"),
        ({"a": Iterable[int]}, "is no type of a field"),
        ([Optional[int]], "is no schema"),
    ],
)
def test_what_is_no_member_is_refused_with_its_place(thing, text):
    with pytest.raises(TypeError, match=rf"Things\.get: .*{text}"):
        read(thing)


def test_an_object_note_must_describe_an_object():
    class Wrong:
        a = doc.Object(int)

    with pytest.raises(TypeError, match=r"doc\.Object got <class 'int'>"):
        read(Wrong)


def loaded(kind, value):
    """Return what a member of *kind* makes of *value*, or the messages."""
    try:
        return read({"a": kind}).load({"a": value})["a"]
    except ValidationError as exc:
        return exc.messages["a"]


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (Optional[int], None, None),
        (Optional[int], "5", ["Not a valid integer."]),
        (List[Optional[int]], [1, None], [1, None]),
        (List[int], [1, None], {1: ["Field may not be null."]}),
        (dict[str, list[int]], {"b": [1]}, {"b": [1]}),
        (dict[str, list[int]], {"b": ["x"]}, {"b": {"value": {0: ["Not a valid integer."]}}}),
        (Literal["a", "b"], "c", ["Must be one of: a, b."]),
        (Literal[1, 2], True, ["Not a valid integer."]),
        (Literal[1, None], None, None),
        (Annotated[int, validate.Range(1)], 0, ["Must be greater than or equal to 1."]),
        (tuple[int, str], [1, "x"], (1, "x")),
        (Optional[Color], "red", Color.RED),
        (bytes, "AP8=", b"\x00\xff"),
    ],
)
def test_members_written_with_typing_load_what_they_say(kind, value, found):
    assert loaded(kind, value) == found


def test_a_text_in_annotated_describes_the_member():
    assert read({"a": Annotated[int, "the age"]}).fields["a"].metadata == {"description": "the age"}


def test_a_list_of_typing_describes_many():
    for thing in (list[ProvinceApi], List[ProvinceApi]):
        assert read(thing).many


def test_an_api_class_may_use_typing():
    class PersonApi:
        nick = Optional[str]
        tags = List[str]
        kind = Literal["a"]

    assert read(PersonApi).fields.keys() == {"nick", "tags", "kind"}
