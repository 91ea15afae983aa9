"""What SENSITIVE_FIELDS names is dumped by no schema that the framework derives by itself."""

import peewee
import pytest

from msframework import (
    Blueprint,
    Expansion,
    ImproperlyConfigured,
    ModelResource,
    Reference,
    Schema,
    doc,
)
from msframework.models import CharField, IntegerField, Model
from msframework.schemas import ModelSchema, as_schema, fields
from msframework.schemas.disclosure import find_disclosures
from tests.conftest import new_service

SENSITIVE = ("password", "ssn")


class City(Model):
    name = CharField()
    ssn = CharField()


class Person(Model):
    ssn = CharField()
    password = CharField()
    city_id = IntegerField(help_text=City)


class Order(Model):
    owner = peewee.ForeignKeyField(Person)
    payer_id = IntegerField(help_text=Person)


class OrderSchema(ModelSchema):
    class Meta:
        model = Order
        fields = ("id", "owner")


class PayerSchema(ModelSchema):
    class Meta:
        model = Order
        fields = ("id", "payer_id")


class TreeSchema(Schema):
    parent = fields.Nested(lambda: TreeSchema(only=("parent", "orders")))
    orders = fields.List(fields.Nested(OrderSchema), required=True)


class OrderApi:
    by_name = doc.Dictionary(OrderSchema)


class KeptSchema(ModelSchema):
    owner = fields.Nested(ModelSchema.of(Person, sensitive=SENSITIVE))
    payer_id = Reference(ModelSchema.of(City, sensitive=SENSITIVE))

    class Meta:
        model = Order
        fields = ("id", "owner", "payer_id")


class KeptIdSchema(ModelSchema):
    class Meta:
        model = Order
        fields = ("id", "owner_id")


class NamedSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ("id", "ssn")


class DeclaredSchema(ModelSchema.of(City)):
    ssn = fields.String()


class LeftOutSchema(ModelSchema):
    owner = fields.Nested(ModelSchema.of(Person), only=("id",))

    class Meta:
        model = Order
        fields = ("id", "owner")


def found_in(thing):
    schema = as_schema(thing, where="", for_load=False)
    return [
        f"{each.outer}.{each.member} {each.model}.{each.column}"
        for each in find_disclosures(schema, SENSITIVE)
    ]


OWNER = "OrderSchema.owner Person.ssn"
CITY = "PersonSchema.city_id City.ssn"


@pytest.mark.parametrize(
    ("thing", "found"),
    [
        (OrderSchema, [OWNER, CITY]),
        (PayerSchema, ["PayerSchema.payer_id Person.ssn", CITY]),
        ([OrderSchema], [OWNER, CITY]),
        ({"orders": [OrderSchema()]}, [OWNER, CITY]),
        (OrderApi, [OWNER, CITY]),
        (TreeSchema, [OWNER, CITY]),
        (ModelSchema.of(City), ["CitySchema. City.ssn"]),
        (LeftOutSchema, []),
        (KeptSchema, []),
        (NamedSchema, []),
        (DeclaredSchema, []),
        (OrderSchema(only=("id",)), []),
    ],
    ids=[
        *("key", "reference", "list", "dict", "api_class", "tree", "of"),
        *("left_out", "kept", "named", "declared", "only"),
    ],
)
def test_columns_that_nobody_named_are_found_wherever_they_are(thing, found):
    assert found_in(thing) == found


def test_a_plucked_column_is_named():
    plucks = {"number": fields.Pluck(ModelSchema.of(City), "ssn")}

    assert found_in(plucks) == []


def test_a_field_of_an_own_kind_is_looked_into():
    class Boxed(fields.Field):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.schema = inner, ModelSchema.of(City)()

    found = found_in({"box": Boxed(fields.Nested(OrderSchema))})

    assert sorted(found) == sorted([OWNER, CITY, "GeneratedSchema.box City.ssn"])


def mount(thing, **changes):
    service = new_service(**changes)

    async def get(request):
        return []

    service.get("/orders")(doc.produces(thing)(get))
    return service


def test_the_start_refuses_a_schema_that_would_tell():
    with pytest.raises(ImproperlyConfigured) as raised:
        mount(OrderSchema, sensitive_fields=SENSITIVE).compile()

    first, second = raised.value.problems
    assert first.found == (
        "OrderSchema.owner derives its fields from the model Person, and would answer 'ssn', which "
        "SENSITIVE_FIELDS keeps out of answers"
    )
    assert first.advice == (
        "Declare it in OrderSchema: owner = fields.Nested(ModelSchema.of(Person, "
        "sensitive=('password', 'ssn'))), or by a schema that says its fields."
    )
    assert "city_id = Reference(ModelSchema.of(City, sensitive=" in second


def test_the_start_refuses_what_was_made_of_a_model_without_the_setting():
    with pytest.raises(ImproperlyConfigured, match=r"Pass City itself, or ModelSchema\.of\(City, "):
        mount(ModelSchema.of(City), sensitive_fields=SENSITIVE).compile()


@pytest.mark.parametrize("thing", [OrderSchema, PayerSchema], ids=["key", "reference"])
def test_the_usual_names_need_no_word(thing):
    service = mount(thing)
    service.compile()

    schema = service.operations[0].answers[0].schema
    (member,) = set(schema.fields) - {"id"}
    assert "password" not in schema.fields[member].schema.dump_fields


def test_what_is_read_as_input_first_is_refused_as_an_answer():
    service = new_service(sensitive_fields=SENSITIVE)

    @service.post("/orders")
    @doc.consumes(OrderSchema)
    @doc.produces(OrderSchema)
    async def post(request, body):
        """Never called."""

    with pytest.raises(ImproperlyConfigured, match=r"OrderSchema\.owner"):
        service.compile()


def test_each_is_told_once_of_a_collection():
    class Orders(ModelResource):
        model = Order
        schema = OrderSchema
        actions = ("list", "read")

    service = new_service(sensitive_fields=SENSITIVE)
    blueprint = Blueprint("orders", url_prefix="/orders")
    blueprint.collection("/", item="/<id:int>")(Orders)
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured) as raised:
        service.compile()

    assert [text.found.split()[0] for text in raised.value.problems] == [
        "OrderSchema.owner",
        "PersonSchema.city_id",
    ]


def test_objects_of_an_expansion_are_looked_into():
    class Orders(ModelResource):
        model = Order
        schema = KeptIdSchema
        expand = {"owner": Expansion(ModelSchema.of(Person), scope=None)}  # noqa: RUF012
        actions = ("list",)

    service = new_service(sensitive_fields=SENSITIVE)
    blueprint = Blueprint("orders", url_prefix="/orders")
    blueprint.collection("/")(Orders)
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured, match=r"\.owner derives .* Person, .*'ssn'"):
        service.compile()


def test_what_only_loads_tells_nothing():
    service = new_service(sensitive_fields=SENSITIVE)

    @service.post("/orders")
    @doc.consumes(ModelSchema.of(City))
    async def post(request, body):
        """Never called."""

    service.compile()


def test_the_schema_of_a_model_hands_the_setting_down():
    schema = as_schema(Order, where="", for_load=False, sensitive=["ssn"])
    city = {"id": 3, "name": "Rome", "ssn": "1"}
    payer = {"id": 2, "ssn": "1", "password": "x", "city_id": city}

    dumped = schema.dump({"id": 1, "owner_id": 2, "payer_id": payer})

    assert dumped["payer_id"] == {"id": 2, "city_id": {"id": 3, "name": "Rome"}}
    assert not [*find_disclosures(schema, SENSITIVE)]
