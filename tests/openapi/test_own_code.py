"""Schemas with a load or dump of their own: the document makes no claim about their data."""

from dataclasses import replace

import pytest

from msframework import Schema, doc
from msframework.openapi.spec import build_document
from msframework.schemas import fields


class Animal(Schema):
    """One of several, as marshmallow-oneofschema writes it."""

    def load(self, data, **options):
        return data

    def dump(self, obj, *, many=None):
        return {"type": "cat", **obj}


class Named(Schema):
    """A schema that only dumps in a way of its own."""

    name = fields.String(required=True)

    class Meta:
        title = "A named thing"

    def dump(self, obj, *, many=None):
        return [obj["name"]]


class Zoo(Schema):
    """A schema that nests them."""

    animal = fields.Nested(Animal)
    animals = fields.List(fields.Nested(Animal))
    named = fields.Nested(Named)


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_nothing_is_claimed_of_what_own_code_reads_and_writes(make_service, version):
    service = make_service()

    @service.post("/animals")
    @doc.consumes(Animal)
    @doc.produces(Animal)
    async def create(request, body): ...

    @service.get("/animals")
    @doc.produces(Animal(many=True))
    async def several(request): ...

    @service.post("/named")
    @doc.consumes(Named)
    @doc.produces(Named)
    async def name(request, body): ...

    @service.get("/zoo")
    @doc.produces(Zoo)
    async def zoo(request): ...

    openapi = replace(service.settings.openapi, version=version)
    document = build_document(service.operations, replace(service.settings, openapi=openapi))
    schemas = document["definitions"] if version == "2.0" else document["components"]["schemas"]

    assert schemas["Animal"] == {}
    assert schemas["Named"] == {"title": "A named thing"}
    assert schemas["NamedIn"]["properties"]["name"]["type"] == "string"
    assert schemas["Zoo"]["properties"].keys() == {"animal", "animals", "named"}
