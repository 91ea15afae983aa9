"""FastAPI (pydantic v2, response_model, OpenAPI) + asyncpg, on uvicorn (uvloop, httptools)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import orjson
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, EmailStr, Field

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


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with (
        asyncpg.create_pool(common.DSN, min_size=common.POOL, max_size=common.POOL) as pool,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        app.state.pool, app.state.http = pool, http
        yield


app = FastAPI(title="fastapi peer", lifespan=lifespan)


async def get_pool(request: Request) -> asyncpg.Pool:
    return request.app.state.pool


async def get_http(request: Request) -> aiohttp.ClientSession:
    return request.app.state.http


Pool = Annotated[asyncpg.Pool, Depends(get_pool)]
Http = Annotated[aiohttp.ClientSession, Depends(get_http)]


@app.get("/json", response_model=Envelope[Message])
async def hello():
    return {"code": 0, "data": {"message": "Hello, World!"}}


@app.get("/users/{user_id}", response_model=Envelope[UserOut])
async def read_one(user_id: int, pool: Pool):
    async with pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        raise HTTPException(404, "user not found")
    return {"code": 0, "data": dict(row)}


@app.get("/users", response_model=Page[list[UserOut]])
async def list_users(query: Annotated[PageQuery, Query()], pool: Pool):
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            common.SELECT_PAGE, query.per_page, (query.page - 1) * query.per_page
        )
        total = await conn.fetchval(common.SELECT_TOTAL)
    return {
        "code": 0,
        "data": [dict(row) for row in rows],
        "pagination": {"page": query.page, "per_page": query.per_page, "total": total},
    }


@app.post("/users", status_code=201, response_model=Envelope[NewId])
async def create(user: UserIn, pool: Pool):
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
    return {"code": 0, "data": {"id": new_id}}


async def upstream(http: aiohttp.ClientSession, path: str) -> dict:
    async with http.get(common.UPSTREAM + path) as response:
        return (await response.json(loads=orjson.loads))["data"]


@app.get("/users/{user_id}/full", response_model=Envelope[FullUserOut])
async def fanout(user_id: int, pool: Pool, http: Http):
    async with pool.acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        raise HTTPException(404, "user not found")
    data = dict(row)
    data["city"], data["role"] = await asyncio.gather(
        upstream(http, f"/cities/{data['city_id']}"), upstream(http, f"/roles/{data['role_id']}")
    )
    return {"code": 0, "data": data}
