"""Roles: everything that can be done with an object, and what is refused."""

import pytest


@pytest.fixture
async def editor(client):
    response = await client.post("/roles", json={"name": "editor", "description": "may write"})
    return response.json["data"]["id"]


async def read(client, id):
    role = (await client.get(f"/roles/{id}")).json["data"]
    return role["name"], role["description"]


async def test_a_role_is_read_as_it_was_created(client, editor):
    assert await read(client, editor) == ("editor", "may write")


async def test_roles_are_listed_in_order(client, editor):
    await client.post("/roles", json={"name": "admin"})

    response = await client.get("/roles")

    assert [role["name"] for role in response.json["data"]] == ["editor", "admin"]


async def test_put_replaces_all_of_a_role(client, editor):
    response = await client.put(f"/roles/{editor}", json={"name": "author"})

    assert response.status == 200
    assert response.json["data"]["id"] == editor
    assert await read(client, editor) == ("author", None)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"name": "author"}, ("author", "may write")),
        ({"description": None}, ("editor", None)),
        ({}, ("editor", "may write")),
    ],
)
async def test_patch_changes_what_it_names(client, editor, change, left):
    response = await client.patch(f"/roles/{editor}", json=change)

    assert response.status == 200
    assert (response.json["data"]["name"], response.json["data"]["description"]) == left
    assert await read(client, editor) == left


async def test_put_needs_the_name_and_patch_does_not(client, editor):
    put = await client.put(f"/roles/{editor}", json={"description": "x"})

    assert put.status == 422
    assert put.json["error"] == {"body": {"name": ["Missing data for required field."]}}


async def test_a_name_is_taken_once(client, editor):
    await client.post("/roles", json={"name": "admin"})

    created = await client.post("/roles", json={"name": "editor"})
    changed = await client.patch(f"/roles/{editor}", json={"name": "admin"})

    assert (created.status, created.json["code"]) == (409, 13001)
    assert (changed.status, changed.json["code"]) == (409, 13001)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
async def test_a_role_that_is_not_there_is_a_404(client, method):
    body = {} if method in ("get", "delete") else {"json": {"name": "nobody"}}

    response = await getattr(client, method)("/roles/1", **body)

    assert response.status == 404
    assert response.json["error"] == "no role 1"


async def test_a_role_can_go(client, editor):
    assert (await client.delete(f"/roles/{editor}")).status == 204
    assert (await client.get(f"/roles/{editor}")).status == 404
