"""Not a peer: what lies beyond `sanic_raw` on the same Sanic, asyncpg and orjson.

Validation ON (msgspec Structs), and yet less work per request than the hand-written peer:
* connections are lent from a deque: no proxy object, no task and no
  `SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL` on each release;
* uuid and numeric arrive as text, since text is what JSON wants (no Decimal, no UUID objects);
* row -> JSON through a msgspec Struct, envelope spliced as bytes;
* one implicit transaction for the single INSERT would also save two round trips, but `create`
  keeps its explicit BEGIN/COMMIT like every peer.
"""

import asyncio
from collections import deque
from datetime import datetime
from typing import Annotated, Literal

import aiohttp
import asyncpg
import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Sanic

from . import common

app = Sanic("sanic_tuned")
app.config.AUTO_EXTEND = False
encode = msgspec.json.Encoder().encode


class UserOut(Struct, gc=False):
    id: int
    name: str
    email: str
    age: int
    sex: str
    balance: str
    city_id: int
    role_id: int
    uid: str
    is_active: bool
    create_time: datetime


class FullUserOut(UserOut, gc=False):
    city: dict
    role: dict


class UserIn(Struct, gc=False):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    email: Annotated[str, Meta(pattern=common.EMAIL_PATTERN)]
    age: Annotated[int, Meta(ge=0, le=150)]
    sex: Literal["male", "female", "other"]
    balance: Annotated[str, Meta(pattern=r"^-?\d{1,10}(\.\d{1,2})?$")]
    city_id: int
    role_id: int


class PageQuery(Struct, gc=False):
    page: Annotated[int, Meta(ge=1)] = 1
    per_page: Annotated[int, Meta(ge=1, le=100)] = 20


decode_user = msgspec.json.Decoder(UserIn).decode


class Pool:
    """Lends connections first come, first served; nothing is sent on a normal release."""

    def __init__(self) -> None:
        self.free: list[asyncpg.Connection] = []
        self.waiting: deque[asyncio.Future] = deque()
        self.tasks: set[asyncio.Task] = set()

    async def open(self, size: int) -> None:
        for _ in range(size):
            conn = await asyncpg.connect(common.DSN)
            for name in ("uuid", "numeric"):
                await conn.set_type_codec(
                    name, schema="pg_catalog", format="text", encoder=str, decoder=str
                )
            self.free.append(conn)

    async def wait(self) -> asyncpg.Connection:
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.put(waiter.result())  # lent to us just as we were cancelled
            raise

    def put(self, conn) -> None:
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(conn)
                return
        self.free.append(conn)

    def put_dirty(self, conn) -> None:
        """After an exception (a client that hung up cancels us): reset it, then lend it again."""

        async def clean() -> None:
            await conn.reset()
            self.put(conn)

        task = asyncio.create_task(clean())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


pool = Pool()


async def fetchrow(sql: str, *args):
    conn = pool.free.pop() if pool.free else await pool.wait()
    try:
        row = await conn.fetchrow(sql, *args)
    except BaseException:
        pool.put_dirty(conn)
        raise
    pool.put(conn)
    return row


@app.before_server_start
async def setup(app, _):
    await pool.open(common.POOL)
    app.ctx.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


@app.after_server_stop
async def teardown(app, _):
    await app.ctx.http.close()
    for conn in pool.free:
        await conn.close()


def answer(data, status: int = 200) -> HTTPResponse:
    return HTTPResponse(
        b'{"code":0,"data":%b}' % encode(data), status=status, content_type="application/json"
    )


def failure(status: int, message: str) -> HTTPResponse:
    return HTTPResponse(
        encode({"code": status, "message": message}), status=status, content_type="application/json"
    )


@app.exception(msgspec.ValidationError)
async def invalid(request, exc):
    return failure(422, str(exc))


@app.get("/json")
async def hello(request):
    return answer({"message": "Hello, World!"})


@app.get("/users/<user_id:int>")
async def read_one(request, user_id: int):
    row = await fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return failure(404, "user not found")
    return answer(UserOut(*row))


@app.get("/users")
async def list_users(request):
    query = msgspec.convert(
        {key: values[0] for key, values in request.args.items()}, PageQuery, strict=False
    )
    conn = pool.free.pop() if pool.free else await pool.wait()
    try:
        rows = await conn.fetch(
            common.SELECT_PAGE, query.per_page, (query.page - 1) * query.per_page
        )
        total = await conn.fetchval(common.SELECT_TOTAL)
    except BaseException:
        pool.put_dirty(conn)
        raise
    pool.put(conn)
    body = b'{"code":0,"data":%b,"pagination":{"page":%d,"per_page":%d,"total":%d}}' % (
        encode([UserOut(*row) for row in rows]),
        query.page,
        query.per_page,
        total,
    )
    return HTTPResponse(body, content_type="application/json")


@app.post("/users")
async def create(request):
    user = decode_user(request.body)
    conn = pool.free.pop() if pool.free else await pool.wait()
    try:
        async with conn.transaction():
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
    except BaseException:
        pool.put_dirty(conn)
        raise
    pool.put(conn)
    return answer({"id": new_id}, 201)


async def upstream(path: str) -> dict:
    async with app.ctx.http.get(common.UPSTREAM + path) as response:
        return msgspec.json.decode(await response.read())["data"]


@app.get("/users/<user_id:int>/full")
async def fanout(request, user_id: int):
    row = await fetchrow(common.SELECT_ONE, user_id)
    if row is None:
        return failure(404, "user not found")
    city, role = await asyncio.gather(
        upstream(f"/cities/{row['city_id']}"), upstream(f"/roles/{row['role_id']}")
    )
    return answer(FullUserOut(*row, city, role))


if __name__ == "__main__":
    app.run("127.0.0.1", common.PORT, single_process=True, access_log=False, motd=False)
