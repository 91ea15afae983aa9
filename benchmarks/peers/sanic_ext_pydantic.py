"""Sanic + sanic-ext (validate decorator, OpenAPI) + pydantic v2 + asyncpg."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import orjson
from pydantic import BaseModel, EmailStr, Field
from pydantic import ValidationError as PydanticError
from sanic import Sanic
from sanic.response import raw
from sanic_ext import openapi, validate
from sanic_ext.exceptions import ValidationError

from . import common

app = Sanic("sanic_ext_pydantic", dumps=orjson.dumps, loads=orjson.loads)
app.config.OAS_UI_DEFAULT = "swagger"
app.config.OAS_UI_REDOC = False
T = TypeVar("T")


class UserOut(BaseModel):
    id: int
    name: str
    email: str
    age: int
    sex: str
    balance: Decimal
    city_id: int
    role_id: int
    uid: UUID
    is_active: bool
    create_time: datetime


class CityOut(BaseModel):
    id: int
    name: str
    country: str


class RoleOut(BaseModel):
    id: int
    name: str
    level: int


class FullUserOut(UserOut):
    city: CityOut
    role: RoleOut


class UserIn(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=128)]
    email: EmailStr
    age: Annotated[int, Field(ge=0, le=150)]
    sex: Literal["male", "female", "other"]
    balance: Decimal
    city_id: int
    role_id: int


class PageQuery(BaseModel):
    page: Annotated[int, Field(ge=1)] = 1
    per_page: Annotated[int, Field(ge=1, le=100)] = 20


class Message(BaseModel):
    message: str


class NewId(BaseModel):
    id: int


class Pagination(BaseModel):
    page: int
    per_page: int
    total: int


class Envelope(BaseModel, Generic[T]):
    code: int = 0
    data: T


class Page(Envelope[T], Generic[T]):
    pagination: Pagination


MessageEnvelope, NewIdEnvelope = Envelope[Message], Envelope[NewId]
UserEnvelope, FullUserEnvelope = Envelope[UserOut], Envelope[FullUserOut]
UserPage = Page[list[UserOut]]


def answer(model: type[BaseModel], payload: dict, status: int = 200):
    body = model.model_validate(payload).model_dump_json()
    return raw(body, status=status, content_type="application/json")


@app.before_server_start
async def setup(app, _):
    app.ctx.pool = await asyncpg.create_pool(common.DSN, min_size=common.POOL, max_size=common.POOL)
    app.ctx.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


@app.after_server_stop
async def teardown(app, _):
    await app.ctx.http.close()
    await app.ctx.pool.close()


@app.exception(ValidationError)
async def invalid(request, exc):
    # sanic-ext keeps pydantic's error as the context of its own
    cause = exc.__context__
    errors = (
        cause.errors(include_url=False, include_context=False)
        if isinstance(cause, PydanticError)
        else [{"msg": str(exc)}]
    )
    return raw(
        orjson.dumps({"code": 422, "errors": errors}, default=str),
        status=422,
        content_type="application/json",
    )


def not_found():
    return raw(
        b'{"code":404,"message":"user not found"}', status=404, content_type="application/json"
    )


@app.get("/json")
@openapi.response(200, {"application/json": MessageEnvelope})
async def hello(request):
    return answer(MessageEnvelope, {"code": 0, "data": {"message": "Hello, World!"}})


@app.get("/users/<user_id:int>")
@openapi.response(200, {"application/json": UserEnvelope})
async def read_one(request, user_id: int):
    async with app.ctx.pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return not_found()
    return answer(UserEnvelope, {"code": 0, "data": dict(row)})


@app.get("/users")
@openapi.response(200, {"application/json": UserPage})
@validate(query=PageQuery)
async def list_users(request, query: PageQuery):
    async with app.ctx.pool.acquire() as conn:
        rows = await conn.fetch(
            common.SELECT_PAGE, query.per_page, (query.page - 1) * query.per_page
        )
        total = await conn.fetchval(common.SELECT_TOTAL)
    return answer(
        UserPage,
        {
            "code": 0,
            "data": [dict(row) for row in rows],
            "pagination": {"page": query.page, "per_page": query.per_page, "total": total},
        },
    )


@app.post("/users")
@openapi.response(201, {"application/json": NewIdEnvelope})
@validate(json=UserIn)
async def create(request, body: UserIn):
    async with app.ctx.pool.acquire() as conn, conn.transaction():
        new_id = await conn.fetchval(
            common.INSERT,
            body.name,
            body.email,
            body.age,
            body.sex,
            body.balance,
            body.city_id,
            body.role_id,
        )
    return answer(NewIdEnvelope, {"code": 0, "data": {"id": new_id}}, 201)


async def upstream(path: str) -> dict:
    async with app.ctx.http.get(common.UPSTREAM + path) as response:
        return (await response.json(loads=orjson.loads))["data"]


@app.get("/users/<user_id:int>/full")
@openapi.response(200, {"application/json": FullUserEnvelope})
async def fanout(request, user_id: int):
    async with app.ctx.pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return not_found()
    data = dict(row)
    data["city"], data["role"] = await asyncio.gather(
        upstream(f"/cities/{data['city_id']}"), upstream(f"/roles/{data['role_id']}")
    )
    return answer(FullUserEnvelope, {"code": 0, "data": data})


if __name__ == "__main__":
    app.run("127.0.0.1", common.PORT, single_process=True, access_log=False, motd=False)
