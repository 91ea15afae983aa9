"""Chapter Client: one session for each other service, kept alive."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from msframework.client import Client
from msframework.testing import TestClient
from tests.origin.patches import CLIENT
from tests.origin.support import listeners_with_loop, run_block, settle

KEEP_ALIVE = (
    "A session contains a connection pool inside, connection reusage and keep-alives "
    "(both are on by default) may speed up total performance."
)
ONE_SESSION = (
    "Most likely you need a session per application which performs all requests altogether."
)


@pytest.fixture
def asking(make_service, upstream):
    """A service with the listeners and the function of the document, and a route that calls it."""
    upstream.forget()
    service = make_service(extra={"upstream": upstream.url})
    block = run_block(CLIENT, app=service, Client=Client)

    @service.get("/roles/<id:int>")
    async def show_role(request, id):
        return await block["get_role_by_id"](request, id)

    return service


@pytest.fixture
def serve_asking(asking, serve):
    """Serves it, and yields a client for it."""

    @asynccontextmanager
    async def serve_asking():
        with listeners_with_loop():
            async with serve(asking) as (host, port):
                async with TestClient(f"http://{host}:{port}", asking.operations) as client:
                    yield client

    return serve_asking


@pytest.mark.origin(
    "Client, code 1",
    "使用aiohttp中的client，对客户端进行了简单的封装，访问其他微服务。",
    "使用aiohttp为Client，对其他微服务进行访问。",
)
async def test_the_client_of_the_listener_calls_another_service(asking, serve_asking, upstream):
    async with serve_asking() as client:
        assert isinstance(asking.client.session(), aiohttp.ClientSession)
        answer = await client.get("/roles/7")

    assert answer.json == {"code": 0, "data": {"id": 7, "name": "editor"}}
    assert list(upstream.requests) == ["/roles/7"]


@pytest.mark.origin(
    "Client, code 1", "Don’t create a session per request.", ONE_SESSION, KEEP_ALIVE
)
async def test_requests_share_one_session_and_its_connections(asking, serve_asking, upstream):
    async with serve_asking() as client:
        session = asking.client.session()
        for number in range(5):
            await client.get(f"/roles/{number}")
        one_by_one = len(set(upstream.ports))
        upstream.together = asyncio.Barrier(3)
        await asyncio.gather(*(client.get(f"/roles/{number}") for number in range(3)))
        assert asking.client.session() is session

    assert one_by_one == 1
    # Three at once need three connections, one of which is that of before.
    assert len(upstream.ports) == 8
    assert len(set(upstream.ports)) == 3


@pytest.mark.origin("Client, code 1")
async def test_close_need_not_be_awaited(asking, serve_asking, upstream):
    async with serve_asking() as client:
        await client.get("/roles/7")
        session = asking.client.session()

    await settle(lambda: session.closed)
    with pytest.raises(RuntimeError, match="is closed"):
        asking.client.session()


@pytest.mark.origin(
    "对于访问不同的微服务可以创建多个不同的client，这样每个client都会keep-alives", KEEP_ALIVE
)
async def test_each_of_several_clients_keeps_its_connection(upstream):
    upstream.forget()
    loop = asyncio.get_running_loop()
    cities, roles = (Client(loop, url=upstream.url, name=name) for name in ("cities", "roles"))

    for _ in range(3):
        async with cities.cli().get("/cities/1") as res:
            assert (await res.json())["name"] == "shanghai"
        async with roles.cli().get("/roles/1") as res:
            assert (await res.json())["name"] == "editor"

    assert upstream.ports[0] != upstream.ports[1]
    assert upstream.ports == upstream.ports[:2] * 3
    await cities.close()
    await roles.close()


@pytest.mark.origin("对于访问不同的微服务可以创建多个不同的client，这样每个client都会keep-alives")
async def test_settings_name_several_services_too(make_service, serve, upstream):
    from msframework.conf.settings import ServiceEntry

    entries = {name: ServiceEntry(name, upstream.url) for name in ("cities", "roles")}
    service = make_service(services=entries)

    @service.get("/")
    async def show(request):
        return [
            await request.app.clients["cities"].cli(request).call("GET", "/cities/{id}", id=1),
            await request.client("roles").call("GET", "/roles/{id}", id=1),
        ]

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}", service.operations) as client:
            answer = await client.get("/")

    assert [each["name"] for each in answer.json["data"]] == ["shanghai", "editor"]


@pytest.mark.origin("对于DB，Client都加上了tracing", "Client, code 1")
async def test_calls_have_spans_and_carry_the_trace(client, person, spans, upstream):
    await client.create_user(json=person)

    answer = await client.get_users_list(id=1)

    trace_id = answer.headers["x-trace-id"]
    spans.of_trace(trace_id, "get /users/{id}")
    carried = upstream.requests["/roles/1"]
    ours = [each for each in spans.seen if each["id"] == carried["b3"].split("-")[1]]
    assert carried["b3"].startswith(trace_id)
    assert carried["traceparent"].split("-")[1] == trace_id
    assert [each["kind"] for each in ours] == ["CLIENT"]
