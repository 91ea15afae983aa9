"""Litestar (msgspec Structs, OpenAPI) + asyncpg, on uvicorn (uvloop, httptools).

msgspec stops at the first error of a body, so `invalid` answers one field, not four.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import Parameter
from msgspec import Meta, Struct

from . import common

T = TypeVar("T")


class UserOut(Struct):
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


class CityOut(Struct):
    id: int
    name: str
    country: str


class RoleOut(Struct):
    id: int
    name: str
    level: int


class FullUserOut(Struct):
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
    city: CityOut
    role: RoleOut


class UserIn(Struct):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    email: Annotated[str, Meta(pattern=common.EMAIL_PATTERN)]
    age: Annotated[int, Meta(ge=0, le=150)]
    sex: Literal["male", "female", "other"]
    balance: Decimal
    city_id: int
    role_id: int


class Message(Struct):
    message: str


class NewId(Struct):
    id: int


class Pagination(Struct):
    page: int
    per_page: int
    total: int


class Envelope(Struct, Generic[T]):
    data: T
    code: int = 0


class Page(Struct, Generic[T]):
    data: list[T]
    pagination: Pagination
    code: int = 0


class UpstreamCity(Struct):
    data: CityOut


class UpstreamRole(Struct):
    data: RoleOut


decode_city = msgspec.json.Decoder(UpstreamCity).decode
decode_role = msgspec.json.Decoder(UpstreamRole).decode


@asynccontextmanager
async def lifespan(app: Litestar):
    async with (
        asyncpg.create_pool(common.DSN, min_size=common.POOL, max_size=common.POOL) as pool,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        app.state.pool, app.state.http = pool, http
        yield


def invalid(request: Request, exc: ValidationException) -> Response:
    return Response({"code": 422, "message": exc.detail, "errors": exc.extra}, status_code=422)


@get("/json")
async def hello() -> Envelope[Message]:
    return Envelope(Message("Hello, World!"))


@get("/users/{user_id:int}")
async def read_one(user_id: int, state: State) -> Envelope[UserOut]:
    async with state.pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        raise NotFoundException("user not found")
    return Envelope(UserOut(*row))


@get("/users")
async def list_users(
    state: State,
    page: Annotated[int, Parameter(ge=1)] = 1,
    per_page: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> Page[UserOut]:
    async with state.pool.acquire() as conn:
        rows = await conn.fetch(common.SELECT_PAGE, per_page, (page - 1) * per_page)
        total = await conn.fetchval(common.SELECT_TOTAL)
    return Page([UserOut(*row) for row in rows], Pagination(page, per_page, total))


@post("/users")
async def create(data: UserIn, state: State) -> Envelope[NewId]:
    async with state.pool.acquire() as conn, conn.transaction():
        new_id = await conn.fetchval(
            common.INSERT,
            data.name,
            data.email,
            data.age,
            data.sex,
            data.balance,
            data.city_id,
            data.role_id,
        )
    return Envelope(NewId(new_id))


async def upstream(http: aiohttp.ClientSession, path: str, decode):
    async with http.get(common.UPSTREAM + path) as response:
        return decode(await response.read()).data


@get("/users/{user_id:int}/full")
async def fanout(user_id: int, state: State) -> Envelope[FullUserOut]:
    async with state.pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        raise NotFoundException("user not found")
    city, role = await asyncio.gather(
        upstream(state.http, f"/cities/{row['city_id']}", decode_city),
        upstream(state.http, f"/roles/{row['role_id']}", decode_role),
    )
    return Envelope(FullUserOut(*row, city, role))


app = Litestar(
    [hello, read_one, list_users, create, fanout],
    lifespan=[lifespan],
    exception_handlers={ValidationException: invalid},
)
