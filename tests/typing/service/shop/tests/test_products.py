"""The products of the shop, over a real server."""

from msframework import Service
from msframework.db import Database
from msframework.testing import MockService, TestClient

CUP = {"name": "cup", "price": "2.50", "stock": 3, "supplier_id": 7}
CLERK = {"X-Clerk": "Ada"}


async def add_cup(client: TestClient) -> int:
    """Add the cup and return its id."""
    response = await client.post("/products", json=CUP, headers=CLERK)
    assert response.status == 201
    id: int = response.json["data"]["id"]
    return id


async def test_a_product_shows_its_supplier(client: TestClient, services: MockService) -> None:
    services.get("/suppliers/7", payload={"id": 7, "name": "Potter"}, service="suppliers")
    id = await add_cup(client)

    response = await client.ProductDetail.get(id=id)

    assert response.json["data"]["supplier_id"] == {"id": 7, "name": "Potter"}
    assert [call.path for call in services.calls] == ["/suppliers/7"]


async def test_no_more_is_sold_than_there_is(client: TestClient, db: Database) -> None:
    id = await add_cup(client)

    first = await client.post(f"/products/{id}", json={"count": 2})
    second = await client.post(f"/products/{id}", json={"count": 2})

    assert (first.status, second.status) == (200, 409)
    assert second.json["error"] == {"left": 1}
    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT stock FROM products WHERE id = $1", id) == 1


async def test_a_price_is_text(client: TestClient, app: Service) -> None:
    id = await add_cup(client)

    response = await client.call("read_price", id=id)

    assert response.json["data"] == {"price": "2.50"}
    assert app.settings.debug


async def test_the_service_is_not_about_to_stop(client: TestClient) -> None:
    assert (await client.get("/health")).json["data"] == {"stopping": False}
