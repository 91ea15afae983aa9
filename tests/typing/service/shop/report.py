"""A script beside the service: it runs the same parts without a server."""

import asyncio

from msframework import create_app
from shop.models import Product


async def report() -> list[str]:
    """Return the names of the products that are sold out."""
    async with create_app("settings.test").running() as app:
        async with app.db.acquire() as cur:
            rows = await cur.fetch(Product.select(Product.name).where(Product.stock == 0))
        supplier = await app.clients["suppliers"].call("GET", "/suppliers/{id}", id=1)
        assert isinstance(supplier, dict)
    return [row["name"] for row in rows]


if __name__ == "__main__":
    print(asyncio.run(report()))
