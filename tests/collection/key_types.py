"""A service of collections whose keys are of other types than numbers and text."""

import enum

from msframework import Blueprint, ModelResource, ModelSchema
from msframework.models import (
    CharField,
    CompositeKey,
    DateField,
    DateTimeTZField,
    EnumField,
    FixedCharField,
    ForeignKeyField,
    Model,
    TextField,
)
from msframework.schemas import fields

TABLES = """
CREATE SCHEMA key_types;
SET search_path = key_types;
CREATE TYPE key_types.colour AS ENUM ('red', 'green');
CREATE TABLE days (day date PRIMARY KEY, name text NOT NULL);
CREATE TABLE moments (moment timestamptz PRIMARY KEY, name text NOT NULL);
CREATE TABLE colours (colour key_types.colour PRIMARY KEY, name text NOT NULL);
CREATE TABLE codes (code char(6) PRIMARY KEY, name text NOT NULL);
CREATE TABLE numbers (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE cars (model varchar(10), quote date, PRIMARY KEY (model, quote));
CREATE TABLE parts (id serial PRIMARY KEY, number_id integer NOT NULL REFERENCES numbers);
CREATE TABLE fields (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE crops (id serial PRIMARY KEY, field_id integer NOT NULL REFERENCES fields, name text);
"""


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class KeyTypesModel(Model):
    class Meta:
        abstract = True
        schema = "key_types"


class Day(KeyTypesModel):
    day = DateField(primary_key=True)
    name = TextField()

    class Meta:
        table_name = "days"


class Moment(KeyTypesModel):
    moment = DateTimeTZField(primary_key=True)
    name = TextField()

    class Meta:
        table_name = "moments"


class ColourName(KeyTypesModel):
    colour = EnumField(Colour, "key_types.colour", primary_key=True)
    name = TextField()

    class Meta:
        table_name = "colours"


class Code(KeyTypesModel):
    code = FixedCharField(max_length=6, primary_key=True)
    name = TextField()

    class Meta:
        table_name = "codes"


class Number(KeyTypesModel):
    name = TextField()

    class Meta:
        table_name = "numbers"


class Car(KeyTypesModel):
    model = CharField(max_length=10)
    quote = DateField()

    class Meta:
        table_name = "cars"
        primary_key = CompositeKey("model", "quote")


class Part(KeyTypesModel):
    number = ForeignKeyField(Number)

    class Meta:
        table_name = "parts"


class Field(KeyTypesModel):
    name = TextField()

    class Meta:
        table_name = "fields"


class Crop(KeyTypesModel):
    field = ForeignKeyField(Field)
    name = TextField(null=True)

    class Meta:
        table_name = "crops"


ALL_ACTIONS = (*ModelResource.actions, "bulk_create", "bulk_patch", "bulk_delete")
key_types = Blueprint("key_types", url_prefix="/key_types")


def mount(model, path, item, actions=ALL_ACTIONS):
    """Mount a collection of all columns of *model*."""
    members = {"schema": ModelSchema.of(model), "actions": actions, "__doc__": model.__name__}
    cls = type(f"{model.__name__}s", (ModelResource,), members)
    key_types.collection(path, item=f"{path}/{item}")(cls)


mount(Day, "/days", "<day>")
mount(Moment, "/moments", "<moment>")
mount(ColourName, "/colours", "<colour>")
mount(Code, "/codes", "<code>")
mount(Number, "/numbers", "<id>")
mount(Car, "/cars", "<model>/<quote>", ModelResource.actions)
mount(Part, "/numbers/<number>/parts", "<id>")
mount(Field, "/fields", "<field_id:int>")
mount(Crop, "/fields/<field_id:int>/crops", "<id:int>")


class LabelSchema(ModelSchema):
    """A number; the schema takes a null as its name, which PostgreSQL refuses."""

    name = fields.String(allow_none=True, data_key="label")

    class Meta:
        model = Number
        fields = ("id", "name")


@key_types.collection("/labels", item="/labels/<id>")
class Labels(ModelResource):
    """Numbers, by their labels."""

    schema = LabelSchema
    actions = ALL_ACTIONS


BLUEPRINTS = (key_types,)
