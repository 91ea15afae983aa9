"""BlackSheep (pydantic v2 models, OpenAPI) + asyncpg, on uvicorn (uvloop, httptools)."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import orjson
from blacksheep import Application, FromQuery, Response, json
from blacksheep.exceptions import BadRequest
from blacksheep.server.openapi.v3 import OpenAPIHandler
from blacksheep.settings.json import json_settings
from openapidocs.v3 import Info
from pydantic import BaseModel, EmailStr, Field, ValidationError

from . import common

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
UserEnvelope, FullUserEnvelope, UserPage = (
    Envelope[UserOut],
    Envelope[FullUserOut],
    Page[list[UserOut]],
)


def dumps(value) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return orjson.dumps(value, default=str).decode()


json_settings.use(loads=orjson.loads, dumps=dumps)

app = Application()
docs = OpenAPIHandler(info=Info(title="blacksheep peer", version="1"))
docs.bind_app(app)


@app.lifespan
async def lifespan():
    async with (
        asyncpg.create_pool(common.DSN, min_size=common.POOL, max_size=common.POOL) as pool,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        app.services.register(asyncpg.Pool, instance=pool)
        app.services.register(aiohttp.ClientSession, instance=http)
        yield


@app.exception_handler(ValidationError)
async def invalid(self, request, exc: ValidationError) -> Response:
    errors = exc.errors(include_url=False, include_context=False)
    return json({"code": 422, "errors": errors}, 422)


@app.exception_handler(BadRequest)
async def bad_request(self, request, exc: BadRequest) -> Response:
    # a body that pydantic refuses reaches here as BadRequest, pydantic's error as its context
    if isinstance(exc.__context__, ValidationError):
        return await invalid(self, request, exc.__context__)
    return json({"code": 400, "message": str(exc)}, 400)


def not_found() -> Response:
    return json({"code": 404, "message": "user not found"}, 404)


@app.router.get("/json")
async def hello() -> MessageEnvelope:
    return MessageEnvelope(data=Message(message="Hello, World!"))


@app.router.get("/users/{int:user_id}")
async def read_one(user_id: int, pool: asyncpg.Pool) -> UserEnvelope:
    async with pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return not_found()
    return UserEnvelope.model_validate({"data": dict(row)})


@app.router.get("/users")
async def list_users(
    pool: asyncpg.Pool,
    page: FromQuery[int] = FromQuery(1),  # noqa: B008 - how BlackSheep writes it
    per_page: FromQuery[int] = FromQuery(20),  # noqa: B008
) -> UserPage:
    # BlackSheep converts query values by type; their ranges are pydantic's business
    query = PageQuery(page=page.value, per_page=per_page.value)
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            common.SELECT_PAGE, query.per_page, (query.page - 1) * query.per_page
        )
        total = await conn.fetchval(common.SELECT_TOTAL)
    return UserPage.model_validate(
        {
            "data": [dict(row) for row in rows],
            "pagination": {"page": query.page, "per_page": query.per_page, "total": total},
        }
    )


@app.router.post("/users")
async def create(user: UserIn, pool: asyncpg.Pool) -> NewIdEnvelope:
    async with pool.acquire() as conn, conn.transaction():
        new_id = await conn.fetchval(
            common.INSERT,
            user.name,
            user.email,
            user.age,
            user.sex,
            user.balance,
            user.city_id,
            user.role_id,
        )
    return json(NewIdEnvelope(data=NewId(id=new_id)), 201)


async def upstream(http: aiohttp.ClientSession, path: str) -> dict:
    async with http.get(common.UPSTREAM + path) as response:
        return (await response.json(loads=orjson.loads))["data"]


@app.router.get("/users/{int:user_id}/full")
async def fanout(user_id: int, pool: asyncpg.Pool, http: aiohttp.ClientSession) -> FullUserEnvelope:
    async with pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return not_found()
    data = dict(row)
    data["city"], data["role"] = await asyncio.gather(
        upstream(http, f"/cities/{data['city_id']}"), upstream(http, f"/roles/{data['role_id']}")
    )
    return FullUserEnvelope.model_validate({"data": data})
