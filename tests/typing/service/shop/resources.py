"""The endpoints of the shop."""

import asyncio
from typing import Any

from msframework import (
    Blueprint,
    NotFound,
    Page,
    PageResult,
    Reply,
    Request,
    Resource,
    async_request,
    doc,
)
from msframework.db import Transaction
from shop.access import Clerk
from shop.api import get_supplier
from shop.errors import NameTaken, SoldOut
from shop.models import Product
from shop.schemas import OrderSchema, ProductQuery, ProductSchema

products = Blueprint("products", url_prefix="/products", description="What the shop sells.")
products.raises(NotFound)


@products.resource("/")
class ProductList(Resource):
    """The products of the shop."""

    @doc.summary("List products")
    @doc.query(ProductQuery)
    @doc.paginate(max_per_page=100)
    @doc.produces(ProductSchema(many=True))
    async def get(self, request: Request, query: dict[str, str], page: Page) -> PageResult:
        wanted = Product.select().filter(**query).order_by(Product.id)
        async with request.app.db.acquire(request) as cur:
            result = await page.fetch(cur, wanted)
        await async_request(
            [row, "supplier_id", get_supplier(request, row["supplier_id"])] for row in result.rows
        )
        return result

    @doc.summary("Add a product")
    @doc.consumes(ProductSchema)
    @doc.produces({"id": int}, status=201, headers={"Location": ""})
    @doc.raises(NameTaken, constraint="products_name")
    async def post(
        self, request: Request, body: dict[str, Any], clerk: Clerk, tx: Transaction
    ) -> Reply:
        row = await tx.fetchrow(Product.insert(**body).returning(Product.id))
        assert row is not None
        request.ctx.clerk = clerk
        return Reply(row, status=201, headers={"Location": f"/products/{row['id']}"})


@products.resource("/<id:int>")
class ProductDetail(Resource):
    """One product."""

    @doc.summary("Read a product")
    @doc.produces(ProductSchema)
    async def get(self, request: Request, id: int) -> dict[str, Any]:
        product = await read_product(request, id)
        product["supplier_id"] = await get_supplier(request, product["supplier_id"])
        return product

    @doc.summary("Order a product")
    @doc.consumes(OrderSchema)
    @doc.produces(ProductSchema)
    @doc.raises(SoldOut)
    async def post(self, request: Request, id: int, body: dict[str, int]) -> dict[str, Any]:
        count = body["count"]
        async with request.app.db.transaction(request, isolation="repeatable_read") as cur:
            product = await cur.fetchrow(
                "UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING *",
                id,
                count,
            )
            if product is None:
                left = await cur.fetchval("SELECT stock FROM products WHERE id = $1", id)
                raise NotFound(f"no product {id}") if left is None else SoldOut(left)
        return product


@products.get("/<id:int>/price")
@doc.summary("Read the price of a product")
@doc.produces({"price": str})
async def read_price(request: Request, id: int) -> dict[str, str]:
    product = await read_product(request, id)
    await asyncio.sleep(0)
    return {"price": str(product["price"])}


async def read_product(request: Request, id: int) -> dict[str, Any]:
    """Return the row of a product."""
    async with request.app.db.acquire(request) as cur:
        product = await cur.fetchrow("SELECT * FROM products WHERE id = $1", id)
    if product is None:
        raise NotFound(f"no product {id}")
    return product
