"""The async client, over TCP and over a unix socket."""

import pytest

from msframework.testing import TestClient, serving
from msframework.testing.calls import Operations


@pytest.fixture(params=["tcp", "unix"])
async def client(request, service, tmp_path):
    unix = tmp_path / "s" if request.param == "unix" else None
    async with (
        serving(service, unix) as server,
        TestClient(server.url, service.operations, unix=unix) as client,
    ):
        yield client


async def test_a_path_is_called_with_its_method(client):
    answer = await client.get("/visits/teapot")

    assert (answer.status, answer.text, answer.headers["x-a"]) == (418, "grüße", "b")
    assert "418" in repr(answer)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head", "options"])
async def test_every_method_is_there(client, method):
    answer = await getattr(client, method)("/visits/teapot")

    assert answer.status == (418 if method == "head" else 204 if method == "options" else 405)


async def test_query_and_cookies_are_sent(client):
    answer = await client.get("/visits/", params={"a": ["1", "2"]}, cookies={"c": "d"})

    assert answer.json["data"] == {"args": {"a": ["1", "2"]}, "cookies": {"c": ["d"]}}


async def test_json_is_sent_as_json(client):
    answer = await client.post("/visits/", json={"name": "a"})

    assert answer.json == {"code": 0, "data": {"name": "a"}}


async def test_a_content_type_of_the_test_counts(client):
    headers = {"content-type": "text/plain"}

    answer = await client.post("/visits/", json={"name": "a"}, headers=headers)

    assert answer.status == 415


async def test_an_operation_is_called_by_its_name(client):
    created = await client.create_visit(data={"name": "b"})
    form = await client.send_form(data={"name": "c"})
    listed = await client.list_visits(params={"q": "d"})

    assert created.json["data"] == {"name": "b"}
    assert form.json["data"] == {"name": "c"}
    assert listed.json["data"]["args"] == {"q": ["d"]}


async def test_the_methods_of_a_resource_are_operations(client):
    assert (await client.Thing.get(id=7)).json["data"] == {"id": 7}
    assert (await client.call("Thing.get", id=8)).json["data"] == {"id": 8}


@pytest.mark.parametrize("name", ["a/b", "ü x", "%41?#"])
async def test_path_parameters_are_encoded(client, name):
    assert (await client.get_name(name=name)).json["data"] == name


async def test_a_path_as_parameter_keeps_its_slashes(client):
    assert (await client.get_file(path="a/b")).json["data"] == "a/b"


async def test_a_path_that_needs_encoding_is_encoded(client):
    assert (await client.get("/visits/names/ü x")).json["data"] == "ü x"


async def test_an_unknown_operation_is_named(client):
    with pytest.raises(AttributeError, match=r"no operation 'get_nothing'; it has .*create_visit"):
        await client.get_nothing()
    with pytest.raises(AttributeError, match=r"Thing\.put"):
        await client.Thing.put(id=1)
    with pytest.raises(AttributeError):
        _ = client._private
    with pytest.raises(AttributeError):
        _ = client.Thing._private


async def test_an_operation_that_is_nearly_one_is_asked_for(client):
    with pytest.raises(AttributeError, match=r"Was create_visit meant\?"):
        await client.create_visits()
    with pytest.raises(AttributeError, match=r"Was client\.as_principal\(…\) meant\?"):
        await client.force_authenticate("ada")


async def test_arguments_of_an_operation_are_named(client):
    with pytest.raises(TypeError, match="get_city takes arguments by name, as in id=1"):
        await client.get_city(1)


async def test_a_name_that_several_blueprints_have_is_refused(service):
    @service.get("/again", name="again")
    async def get_visit(request):
        return "again"

    operations = Operations(service.operations)

    with pytest.raises(AttributeError, match=r"not one operation: .*/again.*/other"):
        operations.find("get_visit")


async def test_wrong_path_parameters_are_named(client):
    with pytest.raises(TypeError, match=r"takes the path parameters \['id'\], got \['name'\]"):
        await client.get_city(name=1)


async def test_an_answer_that_is_no_json_is_shown(client):
    answer = await client.get("/visits/teapot")

    with pytest.raises(AssertionError, match="418"):
        _ = answer.json
