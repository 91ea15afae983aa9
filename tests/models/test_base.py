from datetime import UTC, datetime, timedelta

import peewee
import pytest

from msframework.models import CharField, DateTimeTZField, JSONField, Model, render, utcnow


class UserGroup(Model):
    name = CharField()
    data = JSONField(null=True)
    at = DateTimeTZField(null=True)


def test_a_model_is_bound_to_no_connection():
    assert UserGroup._meta.database is None
    with pytest.raises(Exception, match="bound to a database"):
        UserGroup.select().execute()


def test_tables_are_named_in_words():
    assert UserGroup._meta.table_name == "user_group"


def test_now_has_its_zone():
    assert utcnow().tzinfo is UTC
    assert abs(utcnow() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_point_in_time_is_a_timestamptz_column():
    assert UserGroup.at.field_type == "TIMESTAMPTZ"
    assert UserGroup.at.db_value("2026-01-02T03:04:05+02:00").utcoffset() == timedelta(hours=2)
    assert UserGroup.at.db_value(None) is None


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), "2026-01-01T00:00:00", "no time"])
def test_a_point_in_time_without_a_zone_is_refused(value):
    with pytest.raises(ValueError, match=r"at: .* has no time zone|Invalid isoformat"):
        UserGroup.at.db_value(value)


@pytest.mark.parametrize("value", [[1], {"a": 1}, "x", 5, True])
def test_a_json_value_is_one_argument_as_it_is(value):
    assert render(UserGroup.insert(name="a", data=value))[1] == ("a", value)
    assert render(UserGroup.update(data=value))[1] == (value,)
    assert render(UserGroup.select().where(UserGroup.data == value))[1] == (value,)


def test_a_json_column_has_peewee_s_expressions():
    data = UserGroup.data
    case = peewee.Case(None, [(UserGroup.name == "x", data.case_value({"a": 1}))], data)

    assert render(UserGroup.update(data=data["a"].set([1])))[1] == ([1], True)
    assert render(UserGroup.update(data=case))[1] == ("x", {"a": 1})
    assert data.python_value({"a": 1}) == {"a": 1}


def test_a_model_that_is_bound_for_a_migration_comes_back():
    database = peewee.SqliteDatabase(":memory:")
    with database.bind_ctx([UserGroup]):
        assert UserGroup._meta.database is database
    assert render(UserGroup.insert(name="a", data=[1]))[1] == ("a", [1])
