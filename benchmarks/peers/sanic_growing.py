"""What growing.py does, by hand on raw Sanic, asyncpg and orjson; `BENCH_ROUTES` routes beside."""

import os
from decimal import Decimal, InvalidOperation

import asyncpg
import orjson
from sanic import Sanic

from . import common
from .sanic_raw import EMAIL, answer, not_found

SELECT_ROWS = f"SELECT {common.COLUMNS} FROM users ORDER BY id LIMIT $1"


def find_errors(record: dict) -> dict:
    """Return what is wrong with one user, as sanic_raw has it."""
    get, errors = record.get, {}
    name, email, age = get("name"), get("email"), get("age")
    if not isinstance(name, str) or not 1 <= len(name) <= 128:
        errors["name"] = "must be a string of 1 to 128 characters"
    if not isinstance(email, str) or not EMAIL.match(email):
        errors["email"] = "not an email address"
    if type(age) is not int or not 0 <= age <= 150:
        errors["age"] = "must be an integer between 0 and 150"
    if get("sex") not in ("male", "female", "other"):
        errors["sex"] = "must be one of male, female, other"
    try:
        record["balance"] = Decimal(get("balance"))
    except (InvalidOperation, TypeError, ValueError):
        errors["balance"] = "not a decimal"
    if type(get("city_id")) is not int:
        errors["city_id"] = "must be an integer"
    if type(get("role_id")) is not int:
        errors["role_id"] = "must be an integer"
    return errors


def build() -> Sanic:
    """Return the application."""
    app = Sanic("sanic_growing")
    app.config.AUTO_EXTEND = False

    @app.before_server_start
    async def setup(app, _):
        size = common.POOL
        app.ctx.pool = await asyncpg.create_pool(common.DSN, min_size=size, max_size=size)

    @app.get("/json")
    async def hello(request):
        return answer({"code": 0, "data": {"message": "Hello, World!"}})

    @app.get("/users/<user_id:int>")
    async def read_one(request, user_id: int):
        async with app.ctx.pool.acquire() as conn:
            row = await conn.fetchrow(common.SELECT_ONE, user_id)
        return not_found() if row is None else answer({"code": 0, "data": dict(row)})

    @app.get("/rows/<count:int>")
    async def rows(request, count: int):
        async with app.ctx.pool.acquire() as conn:
            found = await conn.fetch(SELECT_ROWS, count)
        return answer({"code": 0, "data": [dict(row) for row in found]})

    @app.post("/records")
    async def records(request):
        body = orjson.loads(request.body)["records"]
        errors = {n: found for n, record in enumerate(body) if (found := find_errors(record))}
        if errors:
            return answer({"code": 422, "errors": errors}, 422)
        return answer({"code": 0, "data": {"count": len(body)}})

    routes = int(os.environ.get("BENCH_ROUTES", "1"))
    for number in range(routes):
        name = "last" if number == routes - 1 else str(number)

        async def thing(request, id: int, number=number):
            found = {"id": id, "name": f"thing {number}", "price": "1.50", "tags": ["a", "b"]}
            return answer({"code": 0, "data": found})

        app.add_route(thing, f"/things/{name}/<id:int>", name=f"thing_{number}")
    return app


if __name__ == "__main__":
    build().run("127.0.0.1", common.PORT, single_process=True, access_log=False, motd=False)
