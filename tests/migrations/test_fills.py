"""What old rows get in a new column."""

import datetime
import decimal
import enum
import functools
import uuid

import peewee
import playhouse.fields
import psycopg
import pytest
from playhouse.postgres_ext import ArrayField

from msframework.migrations.backfill import adapted
from msframework.migrations.fills import as_sql, fill_of, model_fills
from msframework.models import DateTimeTZField, JSONField, Model, utcnow


def maker():
    return "made"


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("field", "sql"),
    [
        (peewee.IntegerField(default=0), "0"),
        (peewee.IntegerField(default=-7), "-7"),
        (peewee.BooleanField(default=False), "false"),
        (peewee.CharField(default=""), "''"),
        (peewee.CharField(default="it's \\ %s"), None),
        (peewee.TextField(default=Colour.RED), "'red'"),
        (peewee.DecimalField(default=decimal.Decimal("1.50")), "1.50"),
        (peewee.FloatField(default=1.5), "1.5"),
        (JSONField(default={"a": ["it's"]}), None),
        (JSONField(default=dict), "'{}'"),
        (JSONField(default=list), "'[]'"),
        (ArrayField(peewee.TextField, default=list), "'{}'"),
        (ArrayField(peewee.IntegerField, default=[1, 2]), None),
        (peewee.UUIDField(default=uuid.UUID(int=7)), "'00000000-0000-0000-0000-000000000007'"),
        (peewee.DateField(default=datetime.date(2024, 5, 6)), "'2024-05-06'"),
        (peewee.BlobField(default=b"\x00'"), None),
        (
            DateTimeTZField(default=datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)),
            "'2024-05-06 00:00:00+00:00'",
        ),
    ],
    ids=str,
)
def test_a_constant_is_sql_that_means_it(field, sql, server_url):
    class Thing(Model):
        value = field

    fill = fill_of(Thing.value)
    if sql is not None:
        assert fill == sql
    kind = {"JSON": "jsonb", "BLOB": "bytea"}.get(field.field_type, "text")
    if isinstance(field.default, list):
        kind = "int[]"
    with psycopg.connect(server_url) as connection:
        (found,) = connection.execute(f"SELECT ({fill})::{kind}").fetchone()
    if field.field_type in ("JSON", "BLOB") and not callable(field.default):
        assert found == field.default
    if sql is None and isinstance(field.default, (str, list)):
        assert found == field.default


@pytest.mark.parametrize("function", [uuid.uuid4, utcnow, maker, datetime.datetime.now])
def test_a_function_of_a_module_is_called_for_each_row(function):
    assert fill_of(peewee.TextField(default=function)) == function


@pytest.mark.parametrize(
    "function", [lambda: 1, functools.partial(int, "7"), peewee.TextField().bind]
)
def test_a_function_without_a_name_gives_no_value(function):
    assert fill_of(peewee.TextField(default=function)) is None


def test_no_default_gives_no_value():
    assert fill_of(peewee.TextField()) is None


def test_fills_are_found_by_table_and_column():
    class Owner(Model):
        pass

    class Pet(Model):
        age = peewee.IntegerField(default=3)
        owner = peewee.ForeignKeyField(Owner, default=1)
        name = peewee.TextField()

    found = model_fills([Owner, Pet], lambda model: model._meta.table_name)
    assert found == {("pet", "age"): "3", ("pet", "owner_id"): "1"}


def test_the_default_of_a_foreign_key_is_a_value_of_its_target():
    class Owner(Model):
        key = peewee.UUIDField(primary_key=True)

    class Pet(Model):
        owner = peewee.ForeignKeyField(Owner, default=uuid.UUID(int=1))

    assert as_sql(Pet.owner, uuid.UUID(int=1)) == "'00000000-0000-0000-0000-000000000001'"


class Shouted(peewee.TextField):
    def db_value(self, value):
        return value.upper()


@pytest.mark.parametrize(
    "field",
    [
        Shouted(default=maker),
        peewee.IPField(default=maker),
        peewee.TimestampField(default=maker),
        playhouse.fields.PickleField(default=maker),
    ],
    ids=lambda field: type(field).__name__,
)
def test_a_function_whose_values_the_field_converts_gives_no_value(field):
    assert fill_of(field) is None


def test_a_constant_that_the_field_converts_is_converted():
    class Dated(peewee.DateField):
        def db_value(self, value):
            return value.year

    assert fill_of(Dated(default=datetime.date(2024, 5, 6))) == "2024"


@pytest.mark.parametrize("utc", [False, True])
def test_a_timestamp_has_the_time_of_the_migration(utc, server_url):
    field = peewee.TimestampField(utc=utc, resolution=1000)
    with psycopg.connect(server_url) as connection:
        (found,) = connection.execute(f"SELECT {fill_of(field)}").fetchone()

    assert abs(found - field.db_value(field.default())) < 60_000


def test_a_uuid_is_bytes_where_they_are_stored():
    assert adapted(uuid.UUID(int=7), "bytea") == uuid.UUID(int=7).bytes
