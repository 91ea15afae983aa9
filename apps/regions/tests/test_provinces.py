"""Provinces: created once by name, listed in pages, and kept while they have cities."""

import pytest


@pytest.fixture
async def zhejiang(client):
    response = await client.post("/provinces", json={"name": "Zhejiang"})
    return response.json["data"]["id"]


async def test_a_province_is_read_as_it_was_created(client, zhejiang):
    response = await client.get(f"/provinces/{zhejiang}")

    assert response.status == 200
    province = response.json["data"]
    assert list(province) == ["id", "name", "create_time"]
    assert (province["id"], province["name"]) == (zhejiang, "Zhejiang")


async def test_a_name_is_taken_once(client, zhejiang):
    response = await client.post("/provinces", json={"name": "Zhejiang"})

    assert response.status == 409
    assert response.json["code"] == 11001


async def test_the_name_must_be_there_and_fit(client):
    missing = await client.post("/provinces", json={})
    long = await client.post("/provinces", json={"name": "x" * 33})

    assert missing.status == long.status == 422
    assert missing.json["error"] == {"body": {"name": ["Missing data for required field."]}}
    assert long.json["error"] == {"body": {"name": ["Longer than maximum length 32."]}}


async def test_pages_cut_the_list(client):
    for name in ("Anhui", "Fujian", "Gansu"):
        await client.post("/provinces", json={"name": name})

    response = await client.get("/provinces", params={"page": 2, "per_page": 2})

    assert [province["name"] for province in response.json["data"]] == ["Gansu"]
    assert response.json["pagination"] == {"page": 2, "per_page": 2, "total": 3, "pages": 2}


async def test_a_province_without_cities_can_go(client, zhejiang):
    gone = await client.delete(f"/provinces/{zhejiang}")
    again = await client.delete(f"/provinces/{zhejiang}")

    assert (gone.status, gone.body) == (204, b"")
    assert again.status == 404


async def test_a_province_with_cities_stays(client, zhejiang):
    await client.post("/cities", json={"name": "Hangzhou", "province_id": zhejiang})

    response = await client.delete(f"/provinces/{zhejiang}")

    assert response.status == 409
    assert response.json["code"] == 11002
