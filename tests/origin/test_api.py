"""Chapter API: what the decorators note is what the Swagger document says, and what is checked."""

from dataclasses import replace

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator

from msframework import Blueprint, Service, doc
from msframework.conf.loader import load_settings
from msframework.openapi.pattern import NO_NUL
from msframework.testing import TestClient

ARGUMENTS = (
    "在consumes和produces中传入的参数可以是peewee的model,会解析model生成API数据, "
    "在field字段的help_text参数来表示引用对象"
)
ADDRESS = "http://host:ip/openapi/spec.json 获取生成的json数据"
SWAGGER = "api文档使用swagger标准。"


@pytest.fixture
async def document(client):
    """The document of the service, in Swagger 2.0 as its settings say."""
    return (await client.get("/openapi/spec.json")).json


def data_of(operation, status="200"):
    """Return the schema of the data in an answer of *operation*."""
    return operation["responses"][status]["schema"]["properties"]["data"]


@pytest.mark.origin(SWAGGER, ADDRESS, "使用swagger做API标准，能自动生成API文档。")
async def test_the_document_is_swagger_2_where_the_settings_say_so(document):
    assert document["swagger"] == "2.0"
    assert list(OpenAPIV2SpecValidator(document).iter_errors()) == []
    assert document["paths"].keys() >= {"/users", "/users/{id}"}


@pytest.mark.origin(SWAGGER, ADDRESS)
async def test_it_is_openapi_3_1_otherwise(mysite, served, serve):
    from service.users import user_bp

    settings = load_settings("mysite.configs")
    database = replace(settings.database, url=None)
    service = Service(
        replace(settings, openapi=replace(settings.openapi, version="3.1"), database=database)
    )
    service.blueprint(user_bp)

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            found = (await client.get("/openapi/spec.json")).json

    assert found["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []
    assert found["paths"]["/users"]["post"]["summary"] == "create user"


@pytest.mark.origin(SWAGGER)
async def test_the_swagger_settings_are_in_it(document):
    assert document["info"] == {
        "title": "USER API",
        "version": "1.2.3",
        "description": "users and their cities",
        "termsOfService": "https://example.com/terms",
        "contact": {"email": "team@example.com"},
    }


@pytest.mark.origin(SWAGGER)
async def test_swagger_ui_shows_it(client):
    page = await client.get("/docs")

    assert page.status == 200
    assert "swagger-ui" in page.text


@pytest.mark.origin(
    "API, code 1",
    "summary: api概要",
    "description: 详细描述",
    "consumes: request的body数据",
    "produces: response的返回数据",
)
async def test_create_user_is_described_as_printed(document):
    operation = document["paths"]["/users"]["post"]
    (body,) = operation["parameters"]

    assert operation["summary"] == "create user"
    assert operation["description"] == "create user info"
    assert (body["in"], body["schema"]) == ("body", {"$ref": "#/definitions/UsersIn"})
    assert data_of(operation)["properties"] == {"id": {"type": "integer"}}


@pytest.mark.origin("tag: API标签")
async def test_operations_are_filed_under_their_tags(document):
    assert document["paths"]["/users"]["get"]["tags"] == ["people"]
    assert document["paths"]["/users"]["post"]["tags"] == ["user"]  # the blueprint's name


@pytest.mark.origin("API, code 1", ARGUMENTS)
async def test_a_model_becomes_a_definition(document):
    definition = document["definitions"]["UsersIn"]
    columns = definition["properties"]

    assert columns["name"]["type"] == "string"
    assert (columns["name"]["maxLength"], columns["name"]["title"]) == (128, "user's name")
    assert columns["age"]["type"] == "integer"
    assert set(definition["required"]) == {"name", "age", "sex", "city_id", "role_id"}
    assert "id" not in columns


@pytest.mark.origin("produces: response的返回数据", ARGUMENTS)
async def test_a_list_of_a_model_is_an_array(document):
    listed = data_of(document["paths"]["/users"]["get"])

    assert listed == {"type": "array", "items": {"$ref": "#/definitions/Users"}}


@pytest.mark.origin(ARGUMENTS)
async def test_help_text_refers_to_another_service_s_object(document):
    column = document["definitions"]["Users"]["properties"]["city_id"]
    city = document["definitions"]["City"]["properties"]

    assert {"$ref": "#/definitions/City"} in column["x-anyOf"]
    assert city["name"] == {
        "type": "string",
        "description": "city name",
        "pattern": NO_NUL,
    }
    assert city["province"] == {"$ref": "#/definitions/Province"}
    province = document["definitions"]["Province"]["properties"]
    assert province["name"]["description"] == "province name"


@pytest.mark.origin("consumes: request的body数据", ARGUMENTS)
async def test_the_body_is_checked_against_the_model(client, person):
    del person["sex"]
    refused = await client.create_user(json={**person, "age": "old", "shoe": 1})
    too_long = await client.create_user(json={**person, "sex": "x" * 33})

    assert refused.status == 422
    assert refused.json["error"]["body"].keys() == {"age", "sex", "shoe"}
    assert too_long.json["error"]["body"].keys() == {"sex"}


@pytest.mark.origin("API, code 1")
async def test_create_user_works_as_printed(client, person, app):
    answer = await client.create_user(json=person)

    assert answer.json == {"code": 0, "data": {"id": 1}}
    (row,) = (await client.list_users()).json["data"]
    assert {**row, "create_time": None} == {**person, "id": 1, "create_time": None}


@pytest.mark.origin("consumes: request的body数据", "produces: response的返回数据", ARGUMENTS)
async def test_api_classes_and_plain_types_serve_in_both_directions(make_service, serve):
    class ProvinceApi:
        name = doc.String("province")

    class CityApi:
        name = doc.String("city")
        province = ProvinceApi
        streets = doc.List(doc.String("street"))

    cities = Blueprint("cities")

    @cities.post("/cities")
    @doc.consumes(CityApi)
    @doc.produces(CityApi)
    async def create_city(request):
        return {**request["data"], "more": "is left out"}

    @cities.post("/many")
    @doc.consumes([CityApi])
    @doc.produces([{"name": str}])
    async def create_many(request, body):
        return body

    service = make_service(openapi={"version": "2.0"})
    service.blueprint(cities)
    city = {"name": "shanghai", "province": {"name": "huadong"}, "streets": ["Nanjing Lu"]}

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}", service.operations) as client:
            one = await client.create_city(json=city)
            many = await client.create_many(json=[city, city])
            wrong = await client.create_city(json={**city, "province": {"name": 1}})
            found = (await client.get("/openapi/spec.json")).json

    assert one.json["data"] == city
    assert many.json["data"] == [{"name": "shanghai"}] * 2
    assert wrong.json["error"]["body"] == {"province": {"name": ["Not a valid string."]}}
    assert data_of(found["paths"]["/cities"]["post"]) == {"$ref": "#/definitions/City"}
    items = data_of(found["paths"]["/many"]["post"])["items"]
    assert items["properties"] == {"name": {"type": "string", "pattern": NO_NUL}}
