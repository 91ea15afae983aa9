"""The values of a path, and of a bulk action's keys, are those that the columns take."""

from dataclasses import replace

import asyncpg
import pytest
from sanic import Sanic

from msframework import ModelResource, ModelSchema, NotFound
from msframework.collection import names
from msframework.collection.declaration import Paths, read_collection
from msframework.collection.path_value import read_path_values
from msframework.conf.settings import DatabaseSettings
from msframework.models import CharField, ForeignKeyField, Model
from msframework.testing.client import TestClient
from msframework.testing.server import BackgroundServer
from tests.collection import key_types
from tests.conftest import new_service


@pytest.fixture(scope="module")
def key_types_service(shop_url):
    Sanic._app_registry.clear()
    service = new_service(database=replace(DatabaseSettings(), url=shop_url, max_size=4))
    for blueprint in key_types.BLUEPRINTS:
        service.blueprint(blueprint)
    return service


@pytest.fixture(scope="module")
def key_types_server(key_types_service):
    with BackgroundServer(key_types_service) as server:
        yield server


@pytest.fixture
async def client(shop_url, key_types_server, key_types_service):
    conn = await asyncpg.connect(shop_url)
    if await conn.fetchval("SELECT to_regclass('key_types.days')") is None:
        await conn.execute(key_types.TABLES)
    await conn.close()
    async with TestClient(key_types_server.url, key_types_service.operations) as client:
        yield client


KEYS = {
    "days": ("day", "2024-02-29", "2024-02-29"),
    "moments": ("moment", "2024-01-01T02:00:00+02:00", "2024-01-01T00%3A00%3A00%2B00%3A00"),
    "colours": ("colour", "red", "red"),
    "codes": ("code", "ab", "ab%20%20%20%20"),
}


@pytest.mark.parametrize("path", KEYS)
async def test_a_row_is_found_by_a_key_of_any_type(client, path):
    name, key, segment = KEYS[path]
    made = await client.post(f"/key_types/{path}", json={name: key, "name": "a"})
    place = made.headers["location"]

    assert (made.status, place) == (201, f"/key_types/{path}/{segment}")
    assert (await client.get(place)).json["data"]["name"] == "a"
    assert (await client.patch(place, json={"name": "b"})).json["data"]["name"] == "b"
    several = await client.patch(f"/key_types/{path}/bulk", json=[{name: key, "name": "c"}])
    assert [each["name"] for each in several.json["data"]] == ["c"]
    assert (await client.delete(f"/key_types/{path}/bulk", params={name: key})).status == 204
    assert (await client.delete(place)).status == 404


@pytest.mark.parametrize("value", ["x", "1.5", "0001-01-01", "9999-12-31T23:59:59-01:00", "1" * 40])
@pytest.mark.parametrize("path", [*KEYS, "numbers", "numbers/x/parts", "cars/x"])
async def test_a_value_that_its_column_cannot_hold_is_no_rows(client, path, value):
    place = f"/key_types/{path}/{value}"

    assert (await client.get(place)).status == 404
    assert (await client.patch(place, json={})).status == 404
    assert (await client.delete(place)).status == 404


async def test_a_text_in_the_path_of_an_integer_key_is_read_as_one(client):
    made = await client.post("/key_types/numbers", json={"name": "a"})

    assert made.headers["location"] == f"/key_types/numbers/{made.json['data']['id']}"
    assert (await client.get(made.headers["location"])).json["data"] == made.json["data"]


async def test_what_lies_below_a_value_that_is_none_is_not_found(client):
    assert (await client.get("/key_types/numbers/x/parts")).status == 404
    assert (await client.post("/key_types/numbers/x/parts", json={})).status == 404


async def test_columns_may_be_called_as_what_the_methods_reach(client):
    made = await client.post("/key_types/cars", json={"model": "T", "quote": "2024-01-01"})

    assert (made.status, made.headers["location"]) == (201, "/key_types/cars/T/2024-01-01")
    assert (await client.get(made.headers["location"])).json["data"]["model"] == "T"


async def test_too_long_a_key_of_a_fixed_length_is_not_cut_off(client):
    await client.post("/key_types/codes", json={"code": "abcdef", "name": "a"})

    for method in (client.get, client.delete):
        assert (await method("/key_types/codes/abcdefg")).status == 404
    assert (await client.patch("/key_types/codes/abcdefg", json={"name": "b"})).status == 404
    assert (await client.get("/key_types/codes/abcdef")).json["data"]["name"] == "a"


async def test_a_parameter_may_be_called_field_id(client):
    """As in generated methods the column of `id` was: a PATCH of one row changed all of them."""
    fields = [await client.post("/key_types/fields", json={"name": "a"}) for _ in "123"]
    place = fields[1].headers["location"]
    crops = [await client.post(f"{place}/crops", json={"name": "a"}) for _ in "123"]
    changed = [await client.patch(each.headers["location"], json={"name": "b"}) for each in crops]

    assert [each.status for each in changed] == [200] * 3
    assert (await client.patch(place, json={"name": "b"})).json["data"]["name"] == "b"
    names = [each["name"] for each in (await client.get("/key_types/fields")).json["data"]]
    assert sorted(names) == ["a", "a", "b"]


def test_what_a_method_reaches_bears_no_name_of_a_parameter(shop_service, key_types_service):
    for operation in (*shop_service.operations, *key_types_service.operations):
        method = getattr(operation.handler, "__func__", operation.handler)
        if method.__code__.co_filename.startswith("<msframework "):
            reached = {name for name in method.__code__.co_names if name in method.__globals__}
            assert all(name[:4].isupper() for name in reached - names.LOCALS), operation.name


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_null_that_postgresql_refuses_is_told_at_its_member(client, method):
    made = await client.post("/key_types/labels/bulk", json=[{"label": "a"}, {"label": "b"}])
    body = [made.json["data"][0], made.json["data"][1] | {"label": None}]
    if method == "POST":
        body = [{"label": row["label"]} for row in body]

    response = await client.request(method, "/key_types/labels/bulk", json=body)

    assert response.status == 422, response.text
    assert response.json["error"] == {"body": {"1": {"label": ["Field may not be null."]}}}


class Language(Model):
    code = CharField(max_length=2, primary_key=True)


class Word(Model):
    language = ForeignKeyField(Language)
    text = CharField()


class WordSchema(ModelSchema):
    class Meta:
        model = Word
        fields = ("id", "text")


def test_a_text_that_no_parent_can_have_is_none_for_new_rows_too():
    class Words(ModelResource):
        schema = WordSchema

    problems = []
    paths = Paths("", "/<language>", "/<language>/<id:int>", "/<language>/bulk")
    collection = read_collection(Words, paths, "words", problems)

    assert problems == []
    assert read_path_values(collection, collection.parents) == {}
    read = read_path_values(collection, collection.parents, creates=True)["language"].read
    assert read("en") == "en"
    with pytest.raises(NotFound):
        read("english")
