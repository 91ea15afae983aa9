"""Cities: written with the id of their province, read with the province itself."""

import pytest


@pytest.fixture
async def zhejiang(client):
    response = await client.post("/provinces", json={"name": "Zhejiang"})
    return response.json["data"]["id"]


@pytest.fixture
async def hangzhou(client, zhejiang):
    response = await client.post("/cities", json={"name": "Hangzhou", "province_id": zhejiang})
    return response.json["data"]["id"]


async def test_a_city_holds_its_province(client, zhejiang, hangzhou):
    response = await client.get(f"/cities/{hangzhou}")

    city = response.json["data"]
    assert list(city) == ["id", "name", "province", "create_time"]
    assert (city["id"], city["name"]) == (hangzhou, "Hangzhou")
    assert (city["province"]["id"], city["province"]["name"]) == (zhejiang, "Zhejiang")


async def test_every_city_of_the_list_holds_its_province(client, zhejiang, hangzhou):
    await client.post("/cities", json={"name": "Ningbo", "province_id": zhejiang})

    response = await client.get("/cities")

    assert [(city["name"], city["province"]["name"]) for city in response.json["data"]] == [
        ("Hangzhou", "Zhejiang"),
        ("Ningbo", "Zhejiang"),
    ]
    assert response.json["pagination"]["total"] == 2


async def test_a_city_needs_a_province_that_exists(client):
    response = await client.post("/cities", json={"name": "Nowhere", "province_id": 1})

    assert response.status == 422
    assert response.json["code"] == 11004


async def test_a_name_is_taken_once_in_a_province(client, zhejiang, hangzhou):
    same = await client.post("/cities", json={"name": "Hangzhou", "province_id": zhejiang})
    anhui = (await client.post("/provinces", json={"name": "Anhui"})).json["data"]["id"]
    elsewhere = await client.post("/cities", json={"name": "Hangzhou", "province_id": anhui})

    assert (same.status, same.json["code"]) == (409, 11003)
    assert elsewhere.status == 201


async def test_a_city_can_go(client, hangzhou):
    gone = await client.delete(f"/cities/{hangzhou}")

    assert gone.status == 204
    assert (await client.get(f"/cities/{hangzhou}")).status == 404
    assert (await client.delete(f"/cities/{hangzhou}")).status == 404
