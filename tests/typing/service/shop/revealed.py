"""The types that an editor shows: a checker holds each of them, and nothing runs this."""

from types import SimpleNamespace
from typing import Any, assert_type

from sanic.request import RequestParameters

from msframework import (
    Client,
    Conflict,
    NotFound,
    Page,
    PageResult,
    Request,
    Service,
    Settings,
    doc,
)
from msframework.client import BoundClient, Response
from msframework.db import Cursor, Database, RequestDatabase, Transaction
from msframework.testing import TestClient, TestResponse
from msframework.tracing import Span
from shop.models import Product


async def reveal_request(request: Request) -> None:
    """Hold the types of a request's attributes."""
    assert_type(request.app.db, Database)
    assert_type(request.app.settings, Settings)
    assert_type(request.app.clients["suppliers"], Client)
    assert_type(request.app.client, Client)
    assert_type(request.app.ctx, SimpleNamespace)
    assert_type(request.app.stopping, bool)
    assert_type(request.ctx, SimpleNamespace)
    assert_type(request.id, str)
    assert_type(request.span, Span | None)
    assert_type(request.args, RequestParameters)
    assert_type(request.form, RequestParameters)
    assert_type(request.query_args, list[tuple[str, str]])
    assert_type(request.body, bytes)
    assert_type(request.method, str)
    assert_type(request.client("suppliers"), BoundClient)
    async with request.client("suppliers").get("/suppliers", params={"page": 1}) as response:
        assert_type(response, Response)
        assert_type(response.status, int)


async def reveal_rows(db: Database, request: Request, page: Page) -> None:
    """Hold the types of rows."""
    query = Product.select()
    async with db.acquire(request) as cur:
        assert_type(cur, Cursor)
        assert_type(await cur.fetch("SELECT 1"), list[dict[str, Any]])
        assert_type(await cur.fetchrow(query), dict[str, Any] | None)
        assert_type(await cur.execute("SELECT $1::int", 1), str)
        assert_type(await page.fetch(cur, query), PageResult)
        async for row in cur.cursor("SELECT 1"):
            assert_type(row, dict[str, Any])
    async with db.transaction(request) as tx:
        assert_type(tx, Transaction)
        async with tx.transaction() as inner:
            assert_type(inner, Transaction)


async def reveal_provided(db: RequestDatabase, service: Service) -> None:
    """Hold the types of a request's data layer, and of what provides values."""
    assert_type(db.acquire(), Cursor)
    async with db.transaction(isolation="serializable") as tx:
        assert_type(tx, Transaction)
        tx.after_commit(tx.transaction)
        tx.before_commit(lambda: tx.execute("SELECT 1"))
    assert_type(await db.retry(lambda cur: cur.execute("SELECT 1")), str)
    service.provide("db", lambda request: db, security="bearer", raises=(NotFound, Conflict))


async def reveal_tests(client: TestClient) -> None:
    """Hold the types of a test's calls."""
    assert_type(await client.get("/products"), TestResponse)
    assert_type(await client.read_price(id=1), TestResponse)


def reveal_decorators(service: Service) -> None:
    """Hold the types of decorated functions."""

    @service.get("/one")
    @doc.summary("One")
    async def one(request: Request) -> int:
        return 1

    @service.exception(ValueError)
    def two(request: Request, exc: ValueError) -> None:
        return None

    assert_type(one.__name__, str)
