import pytest

from msframework.codec import compile_schema
from msframework.exceptions import ImproperlyConfigured
from msframework.models import CharField, ForeignKeyField, IntegerField, Model
from msframework.schemas import ALL, ModelSchema, Schema, fields
from msframework.schemas.naming import camel_case


class Town(Model):
    full_name = CharField(column_name="name_text")


class Person(Model):
    first_name = CharField()
    home_town = ForeignKeyField(Town)
    shoe_size = IntegerField(null=True)


class PersonSchema(ModelSchema):
    shoe_size = fields.Integer(data_key="shoes")

    class Meta:
        model = Person
        fields = ALL
        naming = "camel"


class HeirSchema(PersonSchema):
    nick_name = fields.String()

    class Meta(PersonSchema.Meta):
        pass


class NestSchema(Schema):
    the_heir = fields.Nested(HeirSchema, required=True)
    some_parts = fields.List(fields.Nested(Schema.from_dict({"part_name": fields.String()})))

    class Meta:
        naming = "camel"


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("name", "name"),
        ("create_time", "createTime"),
        ("a_b_c", "aBC"),
        ("isbn_13", "isbn13"),
        ("_own_part", "_ownPart"),
        ("last_", "last"),
        ("alreadyCamel", "alreadyCamel"),
        ("__", "__"),
    ],
)
def test_underscores_become_capitals(name, spelled):
    assert camel_case(name) == spelled


def test_fields_are_loaded_and_dumped_by_their_names_on_the_wire():
    schema, row = PersonSchema(), {"id": 1, "first_name": "Ada", "home_town_id": 2, "shoe_size": 3}
    wire = {"firstName": "Ada", "homeTownId": 2, "shoes": 3}
    compiled = compile_schema(schema)

    assert schema.dump(row) == wire | {"id": 1}
    assert compiled.dump(row) == wire | {"id": 1}
    assert schema.load(wire) == {key: row[key] for key in row if key != "id"}
    assert compiled.load(wire) == schema.load(wire)


def test_errors_have_the_names_on_the_wire():
    assert NestSchema().validate({"theHeir": {"firstName": 1, "first_name": "a"}}) == {
        "theHeir": {
            "firstName": ["Not a valid string."],
            "homeTownId": ["Missing data for required field."],
            "first_name": ["Unknown field."],
        }
    }


def test_a_meta_is_inherited_and_others_are_left_alone():
    assert HeirSchema().fields["nick_name"].data_key == "nickName"
    assert NestSchema().load({"theHeir": {"firstName": "a", "homeTownId": 1}, "someParts": [{}]})
    assert NestSchema().fields["some_parts"].inner.schema.fields["part_name"].data_key is None
    assert PersonSchema._declared_fields["shoe_size"].data_key == "shoes"
    assert PersonSchema._declared_fields["first_name"].data_key is None


@pytest.mark.parametrize("base", [Schema, ModelSchema])
def test_options_that_nothing_reads_are_refused(base):
    said = {"fields": ALL, "model": Town} if base is ModelSchema else {}
    meta = type("Meta", (), {**said, "read_only_fields": ("id",), "write_only": ("id",)})

    with pytest.raises(ImproperlyConfigured) as caught:
        type("Wrong", (base,), {"Meta": meta})

    assert caught.value.problems == (
        "Meta: nothing reads its 'read_only_fields'. Was dump_only meant?",
        "Meta: nothing reads its 'write_only'. Was load_only meant?",
    )


def test_an_unknown_naming_is_refused():
    with pytest.raises(ImproperlyConfigured, match="naming is 'kebab', expected one of 'camel'"):

        class Wrong(Schema):
            class Meta:
                naming = "kebab"
