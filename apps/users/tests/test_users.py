"""Users: created, listed, changed and deleted, without any other service."""

import pytest


async def test_a_user_is_created_without_asking_other_services(client, services, ada):
    response = await client.post("/users", json=ada)

    assert response.status == 201
    assert list(response.json["data"]) == ["id"]
    assert services.calls == []


async def test_the_password_is_stored_as_a_hash_and_never_shown(client, db, ada_id):
    async with db.acquire() as cur:
        stored = await cur.fetchval("SELECT password FROM users WHERE id = $1", ada_id)
    listed = await client.get("/users")

    assert stored.startswith("$argon2id$")
    assert "correct horse" not in stored
    assert "password" not in listed.json["data"][0]


async def test_every_wrong_field_is_named(client, ada):
    del ada["name"]
    ada.update(email="ada", age=200, password="short", nick="A")

    response = await client.post("/users", json=ada)

    assert response.status == 422
    assert response.json["code"] == 100422
    assert response.json["error"] == {
        "body": {
            "name": ["Missing data for required field."],
            "email": ["Not a valid email address."],
            "age": ["Must be greater than or equal to 0 and less than or equal to 150."],
            "password": ["Length must be between 8 and 128."],
            "nick": ["Unknown field."],
        }
    }


async def test_an_email_is_taken_once(client, ada, ada_id):
    response = await client.post("/users", json=ada)

    assert response.status == 409
    assert response.json == {"code": 12003, "message": "This email is in use already"}


@pytest.mark.parametrize(
    ("query", "names"),
    [({}, ["Ada", "Bob"]), ({"city_id": 1}, ["Ada"]), ({"city_id": 1, "role_id": 9}, [])],
)
async def test_the_list_can_be_narrowed(client, ada, ada_id, query, names):
    bob = ada | {"name": "Bob", "email": "bob@example.com", "city_id": 7}
    await client.post("/users", json=bob)

    response = await client.get("/users", params=query)

    assert [user["name"] for user in response.json["data"]] == names
    assert response.json["pagination"]["total"] == len(names)


async def test_patch_changes_what_it_names(client, ada, ada_id):
    response = await client.patch(f"/users/{ada_id}", json={"age": 37})
    unchanged = await client.patch(f"/users/{ada_id}", json={})

    assert response.status == 200
    assert response.json["data"]["age"] == 37
    assert response.json["data"]["email"] == ada["email"]
    assert unchanged.json["data"] == response.json["data"]


async def test_a_new_password_is_hashed_too(client, db, ada_id):
    async with db.acquire() as cur:
        before = await cur.fetchval("SELECT password FROM users WHERE id = $1", ada_id)

    await client.patch(f"/users/{ada_id}", json={"password": "battery staple"})

    async with db.acquire() as cur:
        after = await cur.fetchval("SELECT password FROM users WHERE id = $1", ada_id)
    assert after.startswith("$argon2id$")
    assert after != before


async def test_a_user_can_go(client, ada_id):
    assert (await client.delete(f"/users/{ada_id}")).status == 204
    assert (await client.delete(f"/users/{ada_id}")).status == 404


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_a_user_that_is_not_there_is_a_404(client, method):
    body = {"json": {"age": 1}} if method == "patch" else {}

    response = await getattr(client, method)("/users/1", **body)

    assert response.status == 404
    assert response.json == {"code": 100404, "message": "Not Found", "error": "no user 1"}


async def test_an_id_beyond_the_column_is_no_server_error(client):
    response = await client.get(f"/users/{2**40}")

    assert response.status in (404, 422)
