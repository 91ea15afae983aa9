"""Which members every answer of a schema has."""

from __future__ import annotations

import pytest
from marshmallow import Schema, fields

from apps.regions.schemas import CitySchema
from apps.users.schemas import UserSchema
from msframework import ModelSchema
from msframework.models import CharField, ForeignKeyField, IntegerField, Model
from msframework.schemas.presence import is_always_answered


class Owner(Model):
    name = CharField()


class Thing(Model):
    name = CharField()
    note = CharField(null=True)
    count = IntegerField(default=0)
    old = CharField(column_name="former")
    owner = ForeignKeyField(Owner)


class ThingSchema(ModelSchema):
    note = fields.String(allow_none=True)  # declared anew, still a column
    size = fields.Integer()
    twice = fields.Function(lambda row: 2 * row["count"])
    kind = fields.Constant("thing")
    score = fields.Integer(dump_default=0)
    title = fields.String(attribute="name", dump_only=True)
    owner = fields.Nested(ModelSchema.of(Owner))

    class Meta:
        model = Thing
        exclude = ("name",)


class PlainSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True)
    kind = fields.Constant("plain")


def answered(schema):
    return {n for n, field in schema.dump_fields.items() if is_always_answered(schema, n, field)}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (
            ThingSchema(),
            {"id", "title", "note", "count", "old", "owner_id", "kind", "score"},
        ),
        (ThingSchema(only=("note", "size")), {"note"}),
        (PlainSchema(), {"name", "kind"}),
        (PlainSchema(partial=True), {"kind"}),
        (PlainSchema(partial=("id",)), {"name", "kind"}),
        (ThingSchema(partial=("note",), only=("note", "count")), {"count"}),
        (UserSchema(), {"id", "name", "email", "age", "city_id", "role_id", "create_time"}),
        (CitySchema(), {"id", "name", "create_time"}),
    ],
)
def test_an_answer_has_what_is_required_fixed_or_a_column(schema, names):
    assert answered(schema) == names
