"""A user is read with city and role from the other two services."""

import asyncio

import pytest

from msframework import NotFound

HANGZHOU = {"id": 1, "name": "Hangzhou", "province": {"id": 3, "name": "Zhejiang"}}
EDITOR = {"id": 2, "name": "editor", "description": None}


@pytest.fixture
def others(services):
    """Let the other two services answer."""
    services.get("/cities/1", payload={"code": 0, "data": HANGZHOU}, service="regions")
    services.get("/roles/2", payload={"code": 0, "data": EDITOR}, service="roles")
    return services


async def test_city_and_role_take_the_place_of_their_ids(client, others, ada_id):
    response = await client.get(f"/users/{ada_id}")

    assert response.status == 200
    assert response.json["data"]["city_id"] == HANGZHOU
    assert response.json["data"]["role_id"] == EDITOR
    assert "password" not in response.json["data"]


async def test_each_other_service_is_asked_once(client, others, ada_id):
    await client.get(f"/users/{ada_id}")

    assert sorted((call.service, call.path) for call in others.calls) == [
        ("regions", "/cities/1"),
        ("roles", "/roles/2"),
    ]


async def test_other_services_are_asked_in_the_callers_name(app, client, others, ada_id):
    bearer = f"Bearer {app.settings.extra['issuer'].issue('7')}"

    await client.get(f"/users/{ada_id}", headers={"Authorization": bearer})

    assert [call.headers["authorization"] for call in others.calls] == [bearer, bearer]


async def test_the_calls_belong_to_the_trace_of_the_request(client, others, ada_id):
    response = await client.get(f"/users/{ada_id}")

    trace_id = response.headers["x-trace-id"]
    assert [call.headers["traceparent"].split("-")[1] for call in others.calls] == [trace_id] * 2
    assert {call.headers["x-request-id"] for call in others.calls} == {
        response.headers["x-request-id"]
    }


async def test_what_other_services_say_too_much_is_left_out(client, services, ada_id):
    services.get("/cities/1", payload={"code": 0, "data": HANGZHOU | {"mayor": "?"}})
    services.get("/roles/2", payload={"code": 0, "data": EDITOR})

    response = await client.get(f"/users/{ada_id}")

    assert response.json["data"]["city_id"] == HANGZHOU


async def test_an_id_stays_where_the_other_service_has_nothing(client, services, ada_id):
    services.get("/cities/1", exception=NotFound("no city 1"))
    services.get("/roles/2", payload={"code": 0, "data": EDITOR})

    response = await client.get(f"/users/{ada_id}")

    assert response.status == 200
    assert response.json["data"]["city_id"] == 1
    assert response.json["data"]["role_id"] == EDITOR


async def test_another_service_that_fails_is_a_bad_gateway(client, services, ada_id):
    services.get("/cities/1", status=500, payload={"code": 1, "message": "secret inside"})
    services.get("/roles/2", payload={"code": 0, "data": EDITOR})

    response = await client.get(f"/users/{ada_id}")

    assert response.status == 502
    assert "secret inside" not in response.text


async def test_many_readers_at_once_each_get_their_own(client, services, ada):
    ids = {}
    for number in range(8):
        services.get(
            f"/cities/{number}", payload={"data": {"id": number, "name": f"City {number}"}}
        )
        user = ada | {"email": f"{number}@example.com", "city_id": number}
        created = await client.post("/users", json=user)
        ids[created.json["data"]["id"]] = number
    services.get("/roles/2", payload={"data": EDITOR})

    answers = await asyncio.gather(*(client.get(f"/users/{id}") for id in ids))

    assert [answer.json["data"]["city_id"]["id"] for answer in answers] == list(ids.values())
