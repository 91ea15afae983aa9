"""`Reference`: an id in, an id or the object out."""

import uuid
from types import SimpleNamespace

import pytest
from marshmallow import ValidationError, validate

from msframework.schemas import Reference, Schema, fields


class CitySchema(Schema):
    id = fields.Integer()
    name = fields.String()


class HomeSchema(Schema):
    city = Reference(CitySchema, required=True)
    owner = Reference({"id": str}, fields.UUID(), allow_none=True)
    floor = Reference(CitySchema(many=True), fields.Integer(validate=validate.Range(1, 9)))


def test_it_loads_an_id_and_nothing_else():
    owner = uuid.uuid4()

    assert HomeSchema().load({"city": 1, "owner": str(owner)}) == {"city": 1, "owner": owner}
    with pytest.raises(ValidationError) as caught:
        HomeSchema().load({"city": {"id": 1}, "owner": 5, "floor": 10})
    assert caught.value.messages == {
        "city": ["Not a valid integer."],
        "owner": ["Not a valid UUID."],
        "floor": ["Must be greater than or equal to 1 and less than or equal to 9."],
    }


def test_presence_and_null_are_its_own():
    with pytest.raises(ValidationError) as caught:
        HomeSchema().load({"owner": None, "floor": None})

    assert caught.value.messages == {
        "city": ["Missing data for required field."],
        "floor": ["Field may not be null."],
    }


@pytest.mark.parametrize(
    ("value", "dumped"),
    [
        (1, 1),
        ("2", 2),
        (None, None),
        ({"id": 3, "name": "Rome", "size": 1}, {"id": 3, "name": "Rome"}),
        (SimpleNamespace(id=4), {"id": 4}),
    ],
)
def test_it_dumps_an_id_or_the_object(value, dumped):
    assert HomeSchema().dump({"city": value}) == {"city": dumped}


def test_its_target_may_be_a_list():
    assert HomeSchema().dump({"floor": [{"id": 1}]}) == {"floor": [{"id": 1}]}
