"""Chapter Server: what is there before it serves, what surrounds handlers, and parallel calls."""

import asyncio

import aiohttp
import opentracing
import pytest

from msframework.aio import async_request
from msframework.client import Client
from msframework.db import Database
from msframework.exceptions import NotFound
from msframework.tracing import Tracer
from msframework.tracing.queue import SpanQueue
from tests.origin.support import settle


@pytest.mark.origin(
    "创建DB连接池",
    "创建Client连接",
    "创建queue, 用于日志追踪",
    "创建opentracing.tracer进行日志追踪",
)
async def test_all_is_there_before_the_server_starts(make_service, serve, mysite, upstream):
    found = {}
    service = make_service(database={"url": mysite.url})

    @service.listener("before_server_start")
    async def look(app):
        app.client = Client(asyncio.get_running_loop(), url=upstream.url)
        found["tracer"], found["queue"] = opentracing.tracer, app.queue
        async with app.db.acquire() as cur:
            found["row"] = await cur.fetchrow("SELECT 1 AS one")
        async with app.client.get("/cities/1") as res:
            found["city"] = await res.json()

    @service.listener("before_server_stop")
    async def close(app):
        await app.client.close()

    async with serve(service):
        assert isinstance(service.db, Database)
        assert isinstance(service.client, Client)
    assert isinstance(found["tracer"], Tracer)
    assert found["tracer"] is service.tracer
    assert isinstance(found["queue"], SpanQueue)
    assert found["row"] == {"one": 1}
    assert found["city"]["name"] == "shanghai"


@pytest.mark.origin("处理跨域请求")
async def test_browsers_of_other_sites_may_call(client):
    asked = {"Origin": "https://site.example", "Access-Control-Request-Method": "PUT"}
    preflight = await client.options("/users/1", headers=asked)
    answer = await client.get("/nowhere", headers={"Origin": "https://site.example"})

    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"].startswith("X-Token, Content-Type")
    assert preflight.headers["access-control-allow-methods"] == "DELETE, GET, OPTIONS"
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.origin("处理跨域请求")
async def test_browsers_may_not_where_no_origin_is_set(make_service, serve):
    service = make_service()

    @service.get("/")
    async def show(request):
        return 1

    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.options(f"http://{host}:{port}/") as preflight:
            names = {name.lower() for name in preflight.headers}

    assert preflight.headers["allow"] == "GET, HEAD, OPTIONS"
    assert not {name for name in names if name.startswith("access-control")}


@pytest.mark.origin("创建span, 用于日志追踪")
async def test_each_request_has_a_span(client, spans):
    answer = await client.get("/nowhere")
    loop = await client.get("/users/loop")

    refused = spans.of_trace(answer.headers["x-trace-id"], "get")["get"]
    span = spans.of_trace(loop.headers["x-trace-id"], "get /users/loop")["get /users/loop"]
    assert refused["tags"]["http.status_code"] == "404"
    assert span["kind"] == "SERVER"
    assert span["localEndpoint"]["serviceName"] == "user-service"
    assert (span["tags"]["http.method"], span["tags"]["http.url"]) == ("GET", "/users/loop")


@pytest.mark.origin("对response进行封装，统一格式", "对抛出的异常进行处理，返回统一格式")
async def test_answers_and_errors_have_one_form(client):
    good = await client.get("/users/")
    missing = await client.get("/nowhere")
    raised = await client.delete("/users/1")

    assert (good.status, good.json) == (200, {"code": 0, "data": []})
    assert (missing.status, raised.status) == (404, 500)
    for answer in (missing, raised):
        assert {"code", "message", "error"} == answer.json.keys()


@pytest.mark.origin(
    "创建task消费queue中对span，用于日志追踪",
    "生成的span先无阻塞的放入queue中，在task中消费队列的span。",
)
async def test_a_task_empties_the_queue(app, client, spans):
    before = app.queue.exported

    answer = await client.get("/users/loop")

    spans.of_trace(answer.headers["x-trace-id"], "get /users/loop")
    await settle(lambda: app.queue.exported > before and app.queue.pending == 0)


@pytest.mark.origin(
    "Server, code 1",
    "Client, code 1",
    "由于使用的是异步框架，可以将一些IO请求并行处理",
    "get_city_by_id, get_role_by_id是并行处理。",
)
async def test_city_and_role_are_asked_for_at_once(client, person, upstream):
    created = await client.create_user(json=person)
    # Whoever comes first waits for the other: one after the other they would never end.
    upstream.together = asyncio.Barrier(2)

    answer = await client.get_users_list(id=created.json["data"]["id"])

    assert answer.status == 200, answer.text
    assert answer.json["data"]["city_id"]["name"] == "shanghai"
    assert answer.json["data"]["role_id"] == {"id": 1, "name": "editor"}
    assert (answer.json["data"]["name"], answer.json["data"]["sex"]) == ("test", "male")


@pytest.mark.origin("由于使用的是异步框架，可以将一些IO请求并行处理")
async def test_async_request_fills_the_records_in_place():
    barrier, first, second = asyncio.Barrier(3), {"city_id": 1}, {"a": 1}

    async def fetch(value):
        await barrier.wait()
        return value

    await async_request(
        [
            [first, "city_id", fetch("shanghai")],
            [first, "role_id", fetch("editor")],
            [second, "b", fetch(2)],
        ]
    )

    assert (first, second) == ({"city_id": "shanghai", "role_id": "editor"}, {"a": 1, "b": 2})


@pytest.mark.origin("由于使用的是异步框架，可以将一些IO请求并行处理")
async def test_when_one_fails_the_others_are_cancelled_and_the_error_surfaces():
    began, ended, record = asyncio.Event(), [], {"city_id": 1}

    async def wait_for_ever():
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    async def fail():
        await began.wait()
        raise NotFound("no such role")

    with pytest.raises(NotFound, match="no such role"):
        await async_request([[record, "city_id", wait_for_ever()], [record, "role_id", fail()]])

    assert ended == ["cancelled"]
    assert record == {"city_id": 1}


@pytest.mark.origin(
    "sanic使用uvloop异步驱动，uvloop基于libuv使用Cython编写，性能比nodejs还要高。",
    "使用uvloop为核心引擎，使sanic在很多情况下单机并发甚至不亚于Golang。",
)
async def test_it_runs_on_uvloop(process):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{process.url}/users/loop") as response:
            body = await response.json()

    assert body["data"] == "uvloop"


@pytest.mark.origin(
    "使用sanic异步框架，简单，轻量，高效。", "本项目就是以sanic为基础搭建的微服务框架。"
)
async def test_a_service_is_a_sanic_app(make_service, serve):
    from sanic import Blueprint, Sanic, text

    service = make_service()
    plain = Blueprint("plain")

    @plain.get("/hello/<name>")
    async def hello(request, name):
        return text(f"hello {name}")

    @service.on_response
    async def sign(request, response):
        response.headers["x-signed"] = "yes"

    service.blueprint(plain)
    assert isinstance(service, Sanic)

    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/hello/you") as response:
            assert await response.text() == "hello you"
    assert response.headers["x-signed"] == "yes"
