"""aiohttp.web + webargs + marshmallow + apispec + asyncpg, on uvloop."""

import asyncio

import aiohttp
import asyncpg
import orjson
import uvloop
from aiohttp import web
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import EXCLUDE, Schema, fields, validate
from webargs.aiohttpparser import use_args

from . import common

POOL_KEY = web.AppKey("pool", asyncpg.Pool)
HTTP_KEY = web.AppKey("http", aiohttp.ClientSession)
SPEC_KEY = web.AppKey("spec", bytes)
routes = web.RouteTableDef()


class UserOut(Schema):
    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    age = fields.Integer()
    sex = fields.String()
    balance = fields.Decimal(as_string=True)
    city_id = fields.Integer()
    role_id = fields.Integer()
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime(format="iso")


class CityOut(Schema):
    id = fields.Integer()
    name = fields.String()
    country = fields.String()


class RoleOut(Schema):
    id = fields.Integer()
    name = fields.String()
    level = fields.Integer()


class FullUserOut(UserOut):
    city = fields.Nested(CityOut)
    role = fields.Nested(RoleOut)


class UserIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 128))
    email = fields.Email(required=True)
    age = fields.Integer(required=True, validate=validate.Range(0, 150))
    sex = fields.String(required=True, validate=validate.OneOf(["male", "female", "other"]))
    balance = fields.Decimal(required=True)
    city_id = fields.Integer(required=True)
    role_id = fields.Integer(required=True)


class PageQuery(Schema):
    class Meta:
        unknown = EXCLUDE

    page = fields.Integer(load_default=1, validate=validate.Range(min=1))
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


user_out, full_user_out = UserOut(), FullUserOut()


def answer(payload: dict, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(payload), status=status, content_type="application/json")


def not_found() -> web.Response:
    return answer({"code": 404, "message": "user not found"}, 404)


@routes.get("/json")
async def hello(request):
    return answer({"code": 0, "data": {"message": "Hello, World!"}})


@routes.get(r"/users/{user_id:\d+}")
async def read_one(request):
    async with request.app[POOL_KEY].acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, int(request.match_info["user_id"]))
    if row is None:
        return not_found()
    return answer({"code": 0, "data": user_out.dump(row)})


@routes.get("/users")
@use_args(PageQuery(), location="query")
async def list_users(request, query):
    page, per_page = query["page"], query["per_page"]
    async with request.app[POOL_KEY].acquire() as conn:
        rows = await conn.fetch(common.SELECT_PAGE, per_page, (page - 1) * per_page)
        total = await conn.fetchval(common.SELECT_TOTAL)
    return answer(
        {
            "code": 0,
            "data": user_out.dump(rows, many=True),
            "pagination": {"page": page, "per_page": per_page, "total": total},
        }
    )


@routes.post("/users")
@use_args(UserIn(), location="json")
async def create(request, user):
    async with request.app[POOL_KEY].acquire() as conn, conn.transaction():
        new_id = await conn.fetchval(
            common.INSERT,
            user["name"],
            user["email"],
            user["age"],
            user["sex"],
            user["balance"],
            user["city_id"],
            user["role_id"],
        )
    return answer({"code": 0, "data": {"id": new_id}}, 201)


async def upstream(http: aiohttp.ClientSession, path: str) -> dict:
    async with http.get(common.UPSTREAM + path) as response:
        return (await response.json(loads=orjson.loads))["data"]


@routes.get(r"/users/{user_id:\d+}/full")
async def fanout(request):
    async with request.app[POOL_KEY].acquire() as conn:
        row = await conn.fetchrow(common.SELECT_ONE, int(request.match_info["user_id"]))
    if row is None:
        return not_found()
    data, http = dict(row), request.app[HTTP_KEY]
    data["city"], data["role"] = await asyncio.gather(
        upstream(http, f"/cities/{data['city_id']}"), upstream(http, f"/roles/{data['role_id']}")
    )
    return answer({"code": 0, "data": full_user_out.dump(data)})


@routes.get("/openapi.json")
async def openapi(request):
    return web.Response(body=request.app[SPEC_KEY], content_type="application/json")


def build_spec() -> bytes:
    spec = APISpec("aiohttp peer", "1", "3.0.3", plugins=[MarshmallowPlugin()])
    for schema in (UserIn, FullUserOut):
        spec.components.schema(schema.__name__, schema=schema)
    return orjson.dumps(spec.to_dict())


async def resources(app: web.Application):
    async with (
        asyncpg.create_pool(common.DSN, min_size=common.POOL, max_size=common.POOL) as pool,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        app[POOL_KEY], app[HTTP_KEY] = pool, http
        yield


def make_app() -> web.Application:
    app = web.Application()
    app.add_routes(routes)
    app.cleanup_ctx.append(resources)
    app[SPEC_KEY] = build_spec()
    return app


if __name__ == "__main__":
    web.run_app(
        make_app(),
        host="127.0.0.1",
        port=common.PORT,
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=None,
    )
