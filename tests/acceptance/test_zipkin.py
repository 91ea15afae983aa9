"""One request through three services, as the official Zipkin server sees and draws it.

Screenshots of its pages go to `reports/zipkin-*.png` where there is a browser.
"""

import asyncio
import base64
import json
import time
from contextlib import ExitStack

import pytest

from tests.acceptance.test_docs_page import CHROMIUM, DRIVER, REPORTS, open_browser
from tests.apps.test_three_services import create, create_user, open_session
from tests.processes import ServerProcess, free_port, fresh_database
from tests.services.zipkin import Unavailable, ZipkinServer, fetch, java

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

NAMES = ("regions", "roles", "users")
# service, kind, name; service and name of the parent
SPANS = [
    ("regions", "CLIENT", "db.select", "regions get /cities/{id}"),
    ("regions", "SERVER", "get /cities/{id}", "users get /cities/{id}"),
    ("roles", "CLIENT", "db.select", "roles get /roles/{id}"),
    ("roles", "SERVER", "get /roles/{id}", "users get /roles/{id}"),
    ("users", "", "get_city", "users get /users/{id}"),
    ("users", "", "get_role", "users get /users/{id}"),
    ("users", "CLIENT", "db.select", "users get /users/{id}"),
    ("users", "CLIENT", "get /cities/{id}", "users get_city"),
    ("users", "CLIENT", "get /roles/{id}", "users get_role"),
    ("users", "SERVER", "get /users/{id}", ""),
]
GRAPH = {("users", "regions"), ("users", "roles"), *((name, "postgresql") for name in NAMES)}


@pytest.fixture(scope="module")
def zipkin(tmp_path_factory):
    """Start a Zipkin server."""
    try:
        java()
        fetch()
    except Unavailable as exc:
        pytest.skip(str(exc))
    with ZipkinServer(free_port(), tmp_path_factory.mktemp("zipkin") / "zipkin.log") as server:
        yield server


@pytest.fixture(scope="module")
def services(zipkin, tmp_path_factory):
    """Start each service as a process of its own, with the Zipkin server as its collector."""
    logs = tmp_path_factory.mktemp("logs")
    ports = {name: free_port() for name in NAMES}
    urls = {name: {"url": f"http://127.0.0.1:{ports[name]}"} for name in ("regions", "roles")}
    with ExitStack() as stack:
        servers = {}
        for name in NAMES:
            server = servers[name] = ServerProcess(
                logs / f"{name}.log",
                "--settings",
                f"settings.{name}",
                port=ports[name],
                DATABASE_URL=stack.enter_context(fresh_database(f"zipkin_{name}")),
                ZIPKIN_SERVER=zipkin.spans_url,
                TRACE_FLUSH_INTERVAL="0.2",
                **({"SERVICES": json.dumps(urls)} if name == "users" else {}),
            )
            server.start()
            stack.callback(server.stop)
        stack.callback(lambda: [server.process.terminate() for server in servers.values()])
        for server in servers.values():
            server.wait_ready()
        yield servers


@pytest.fixture(scope="module")
def trace_id(services):
    """Make a user with a city and a role, read it, and return the id of that request's trace."""
    return asyncio.run(read_a_user(services))


async def read_a_user(services):
    regions, roles, users = (services[name].url for name in NAMES)
    async with open_session() as session:
        province_id = await create(session, f"{regions}/provinces", name="Zhejiang")
        values = {"name": "Hangzhou", "province_id": province_id}
        city_id = await create(session, f"{regions}/cities", **values)
        role_id = await create(session, f"{roles}/roles", name="editor")
        user_id = await create_user(session, services, city_id, role_id)
        async with session.get(f"{users}/users/{user_id}") as response:
            assert response.status == 200
            return response.headers["x-trace-id"]


async def see(browser, url, words):
    """Open *url*, and return its text once *words* are in it."""
    await browser.call("POST", "/url", url=url)
    deadline, text = time.monotonic() + 60, ""
    while words not in text.lower() and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        text = await browser.run("return document.body.innerText")
    assert words in text.lower()
    return text


async def keep_picture(browser, name):
    REPORTS.mkdir(exist_ok=True)
    image = base64.b64decode(await browser.call("GET", "/screenshot"))
    (REPORTS / f"{name}.png").write_bytes(image)


def collect(zipkin, trace_id, count):
    """Return the spans of a trace once there are *count*, and no more come."""
    deadline, before = time.monotonic() + 60, []
    while time.monotonic() < deadline:
        spans = zipkin.trace(trace_id)
        if len(spans) >= count and len(spans) == len(before):
            return spans
        before = spans
        time.sleep(0.5)
    return before


def describe(spans):
    """Return what `SPANS` holds of *spans*."""
    names = {span["id"]: f"{service_of(span)} {span['name']}" for span in spans}
    assert len(names) == len(spans)
    return sorted(
        (service_of(span), span.get("kind", ""), span["name"], names.get(span.get("parentId"), ""))
        for span in spans
    )


def service_of(span):
    return span["localEndpoint"]["serviceName"]


async def test_one_request_is_one_trace_and_its_services_are_the_graph(zipkin, services, trace_id):
    spans = collect(zipkin, trace_id, len(SPANS))

    assert {span["traceId"] for span in spans} == {trace_id}
    assert describe(spans) == SPANS
    for span in spans:
        if span["name"] == "db.select":
            assert span["tags"]["db.statement"].lstrip().startswith("SELECT")
            assert span["remoteEndpoint"]["serviceName"] == "postgresql"
        elif "kind" in span:
            assert span["tags"]["http.status_code"] == "200"
    assert zipkin.dependencies() == GRAPH
    assert zipkin.get("/api/v2/services") == sorted(NAMES)


@pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no browser here: apt-get install chromium chromium-driver",
)
async def test_zipkins_pages_show_the_trace_and_the_graph(zipkin, trace_id, tmp_path):
    collect(zipkin, trace_id, len(SPANS))
    async with open_browser(tmp_path) as browser:
        trace = await see(browser, f"{zipkin.url}/zipkin/traces/{trace_id}", "get /users/{id}")
        await keep_picture(browser, "zipkin-trace")
        now = int(time.time() * 1000)
        span = f"startTime={now - 3_600_000}&endTime={now + 60_000}"
        await see(browser, f"{zipkin.url}/zipkin/dependency?{span}", "dependencies")
        await browser.find("canvas")
        await asyncio.sleep(3)  # the graph moves until it has found its place
        await keep_picture(browser, "zipkin-dependency")

    for name in NAMES:
        assert name in trace.lower()
