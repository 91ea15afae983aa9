from datetime import UTC, datetime, timedelta

import peewee
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.models import CharField, DateTimeTZField, JSONField, Model, render, utcnow


class UserGroup(Model):
    name = CharField()
    data = JSONField(null=True)
    at = DateTimeTZField(null=True)


def test_a_model_is_bound_to_no_connection():
    assert UserGroup._meta.database is None
    with pytest.raises(Exception, match="bound to a database"):
        UserGroup.select().execute()


def test_options_of_a_meta_that_nothing_reads_are_refused():
    with pytest.raises(ImproperlyConfigured) as caught:

        class Wrong(Model):
            a = CharField()

            class Meta:
                unique_together = ("a",)
                ordering = ("a",)

    assert caught.value.problems == (
        f"{__name__}.Wrong.Meta: nothing reads its 'ordering'. Was order_by(…) of a query, or "
        "default_sort of a collection meant?",
        f"{__name__}.Wrong.Meta: nothing reads its 'unique_together'. Was indexes = (((…), True),) "
        "meant?",
    )


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


class Stamped(Model):
    name = CharField()
    create_time = DateTimeTZField(auto_now_add=True)
    update_time = DateTimeTZField(auto_now=True)

    class Meta:
        table_name = "stamped"


class Heir(Stamped):
    seen = DateTimeTZField(auto_now=True, null=True)


def test_an_insert_sets_what_is_automatic():
    sql, arguments = render(Stamped.insert(name="a"))

    assert sql.startswith('INSERT INTO "stamped" ("name", "create_time", "update_time")')
    assert all(utcnow() - each < timedelta(minutes=1) for each in arguments[1:])


@pytest.mark.parametrize("changed", [{"name": "a"}, {Stamped.name: Stamped.name + "b"}])
def test_an_update_sets_what_has_auto_now(changed):
    sql, arguments = render(Stamped.update(changed).where(Stamped.id == 1))

    assert '"update_time" = $2 WHERE' in sql
    assert "create_time" not in sql
    assert utcnow() - arguments[1] < timedelta(minutes=1)


def test_an_update_may_say_another_time():
    then = datetime(2026, 1, 2, tzinfo=UTC)

    assert render(Stamped.update(update_time=then))[1] == (then,)
    assert render(Heir.update(update_time=then, seen=None))[1] == (then, None)


def test_a_derived_model_has_its_own_and_those_of_its_parent():
    assert [field.name for field in Stamped._meta.auto_now] == ["update_time"]
    assert {field.name for field in Heir._meta.auto_now} == {"update_time", "seen"}
    assert UserGroup._meta.auto_now == []
    assert all(field.model is Heir for field in Heir._meta.auto_now)


def test_an_update_of_nothing_stays_empty():
    with pytest.raises(ValueError, match="an UPDATE of Stamped without columns"):
        render(Stamped.update())


def test_an_automatic_time_has_no_other_default():
    with pytest.raises(TypeError, match="has no other default"):
        DateTimeTZField(auto_now_add=True, default=utcnow)


def test_auto_now_needs_a_model_that_knows_of_it():
    with pytest.raises(TypeError, match=r"Foreign.at has auto_now, .* msframework.models.Model"):

        class Foreign(peewee.Model):
            at = DateTimeTZField(auto_now=True)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("constraints", peewee.SQL("UNIQUE (name)"), "its constraints are one, not a list"),
        ("primary_key", "name", "its primary_key is a text"),
    ],
)
def test_an_option_that_cannot_be_read_is_told_with_its_model(option, value, said):
    with pytest.raises(ImproperlyConfigured, match=rf"Wrong\.Meta: {said}"):
        type("Wrong", (Model,), {"Meta": type("Meta", (), {option: value})})
