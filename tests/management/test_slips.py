"""The warnings of `check` about models that peewee takes, and that mean something else."""

import uuid
from datetime import UTC, datetime

import marshmallow
import peewee
import pytest
from playhouse.postgres_ext import ArrayField

from msframework.management.slips import find_slips
from msframework.models import (
    CharField,
    DateTimeTZField,
    IntegerField,
    JSONField,
    Model,
    TextField,
    utcnow,
)


class Right(Model):
    id = peewee.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant = peewee.UUIDField(default=uuid.UUID(int=0))
    since = DateTimeTZField(default=datetime(2026, 1, 1, tzinfo=UTC))
    made = DateTimeTZField(default=utcnow)
    asked = DateTimeTZField(default=peewee.fn.now())
    size = IntegerField(null=True, default=0)
    name = CharField(max_length=20, index=True, unique=True)
    free = CharField(max_length=None)
    tags = ArrayField(TextField, default=list)
    data = JSONField(default=dict)
    kinds = (CharField, TextField)

    class Upper(CharField):
        pass

    class Meta:
        table_name = "rights"
        colour = "red"
        indexes = ((("name", "size"), True),)


class Wrong(Model):
    body = peewee.BlobField
    comma = (CharField(),)
    foreign = marshmallow.fields.String()
    made = DateTimeTZField(default=utcnow())
    token: CharField = CharField(default=uuid.uuid4().hex)
    key = peewee.UUIDField(default=uuid.uuid4())
    tags = ArrayField(TextField, default=[])
    data = JSONField(default={"a": 1})
    title = IntegerField("The title")
    number = IntegerField(primary_key=True, null=True)
    short = CharField(max_length="20")
    none = CharField(max_length=0)
    update = CharField()

    class meta:
        table_name = "wrongs"


class Base(Model):
    made = DateTimeTZField(default=utcnow())

    class Meta:
        abstract = True
        tabel_name = "x"


class One(Base):
    name = CharField()


class Two(Base):
    name = CharField()


def test_right_models_are_not_warned_of():
    assert find_slips([Right]) == []


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("body", "is the class BlobField, not a field, so the table has no such column. Write"),
        ("comma", "is a tuple with a field in it, so the table has no such column."),
        ("foreign", "is a field of a schema, so the table has no such column."),
        ("made", "its default utcnow() is called once, at the import"),
        ("token", "its default uuid.uuid4().hex is called once"),
        ("key", "its default uuid.uuid4() is called once, at the import"),
        ("tags", "all objects share its default [], and what one of them puts into it. Write `d"),
        ("data", "share its default {'a': 1}"),
        ("title", "'The title' stands where peewee takes `null`, so the column may be NULL."),
        ("number", "a primary key is never NULL. Drop `null=True`."),
        ("short", "its max_length is '20'. Write a number of at least 1"),
        ("none", "its max_length is 0."),
        ("update", "takes the place of the model's method update()."),
    ],
)
def test_a_slip_is_told_with_its_field(name, slip):
    said = [each for each in find_slips([Wrong]) if f"Wrong.{name}" in each]

    assert len(said) == 1
    assert slip in said[0]


def test_a_meta_with_a_small_letter_is_told():
    assert any("nothing reads its class 'meta'. Call it `Meta`." in s for s in find_slips([Wrong]))


def test_a_slip_of_a_base_is_told_once():
    default, option = sorted(find_slips([One, Two]), key=lambda slip: ".Meta" in slip)

    assert "Base.made: its default utcnow() is called once" in default
    assert "Base.Meta: nothing reads its 'tabel_name'. Was 'table_name' meant?" in option


def test_check_warns_of_models(check_models):
    assert "Thing.name is the class CharField" in check_models("name = CharField")


@pytest.fixture
def check_models(tmp_path, monkeypatch, run):
    """Return a function that runs `check` on an app of one model, and returns its warnings."""

    def check_models(field):
        app = tmp_path / "app_of_slips"
        app.mkdir()
        (app / "__init__.py").touch()
        (app / "resources.py").write_text("")
        (app / "models.py").write_text(
            "from msframework.models import CharField, Model\n\n\n"
            f"class Thing(Model):\n    {field}\n"
        )
        (tmp_path / "settings_of_slips.py").write_text(
            'DEBUG = True\nINSTALLED_APPS = ("app_of_slips",)\n'
        )
        monkeypatch.syspath_prepend(tmp_path)
        _, out, err = run("check", "--settings", "settings_of_slips")
        return out + err

    return check_models
