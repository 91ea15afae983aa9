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

TABLES = """
CREATE SCHEMA odd;
SET search_path = odd;
CREATE TYPE odd.colour AS ENUM ('red', 'green');
CREATE TABLE days (day date PRIMARY KEY, name text NOT NULL);
CREATE TABLE moments (moment timestamptz PRIMARY KEY, name text NOT NULL);
CREATE TABLE colours (colour odd.colour PRIMARY KEY, name text NOT NULL);
CREATE TABLE codes (code char(6) PRIMARY KEY, name text NOT NULL);
CREATE TABLE numbers (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE cars (model varchar(10), quote date, PRIMARY KEY (model, quote));
CREATE TABLE parts (id serial PRIMARY KEY, number_id integer NOT NULL REFERENCES numbers);
"""


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Odd(Model):
    class Meta:
        abstract = True
        schema = "odd"


class Day(Odd):
    day = DateField(primary_key=True)
    name = TextField()

    class Meta:
        table_name = "days"


class Moment(Odd):
    moment = DateTimeTZField(primary_key=True)
    name = TextField()

    class Meta:
        table_name = "moments"


class ColourName(Odd):
    colour = EnumField(Colour, "odd.colour", primary_key=True)
    name = TextField()

    class Meta:
        table_name = "colours"


class Code(Odd):
    code = FixedCharField(max_length=6, primary_key=True)
    name = TextField()

    class Meta:
        table_name = "codes"


class Number(Odd):
    name = TextField()

    class Meta:
        table_name = "numbers"


class Car(Odd):
    model = CharField(max_length=10)
    quote = DateField()

    class Meta:
        table_name = "cars"
        primary_key = CompositeKey("model", "quote")


class Part(Odd):
    number = ForeignKeyField(Number)

    class Meta:
        table_name = "parts"


ALL_ACTIONS = (*ModelResource.actions, "bulk_create", "bulk_patch", "bulk_delete")
odd = Blueprint("odd", url_prefix="/odd")


def mount(model, path, item, actions=ALL_ACTIONS):
    """Mount a collection of all columns of *model*."""
    members = {"schema": ModelSchema.of(model), "actions": actions, "__doc__": model.__name__}
    cls = type(f"{model.__name__}s", (ModelResource,), members)
    odd.collection(path, item=f"{path}/{item}")(cls)


mount(Day, "/days", "<day>")
mount(Moment, "/moments", "<moment>")
mount(ColourName, "/colours", "<colour>")
mount(Code, "/codes", "<code>")
mount(Number, "/numbers", "<id>")
mount(Car, "/cars", "<model>/<quote>", ModelResource.actions)
mount(Part, "/numbers/<number>/parts", "<id>")

BLUEPRINTS = (odd,)
