"""The three services as processes of their own, and one trace through all of them."""

import json
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.processes import ServerProcess, credentials, free_port, fresh_database

NAMES = ("regions", "roles", "users")
IN_WORKERS = "regions"


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Start each service with its own settings and its own database, one of them in workers."""
    logs = tmp_path_factory.mktemp("logs")
    ports = {name: free_port() for name in NAMES}
    patient = {"total_timeout": 60.0, "connect_timeout": 60.0}
    urls = {
        name: {"url": f"http://127.0.0.1:{ports[name]}", **patient} for name in ("regions", "roles")
    }
    with ExitStack() as stack:
        servers = {}
        for name in NAMES:
            server = servers[name] = ServerProcess(
                logs / f"{name}.log",
                "--settings",
                f"settings.{name}",
                *(("--workers", "2") if name == IN_WORKERS else ()),
                port=ports[name],
                DATABASE_URL=stack.enter_context(fresh_database(f"apart_{name}")),
                TRACE_FLUSH_INTERVAL="0.05",
                **({"SERVICES": json.dumps(urls)} if name == "users" else {}),
            )
            server.start()
            stack.callback(server.stop)
        stack.callback(lambda: [server.process.terminate() for server in servers.values()])
        for server in servers.values():
            server.wait_ready()
        yield servers


@pytest.fixture
async def session():
    async with open_session() as session:
        yield session


def open_session():
    """Return a session whose requests come from somebody who may write everywhere."""
    scopes = ("regions:write", "roles:write", "users:write")
    return aiohttp.ClientSession(headers=credentials(*scopes))


async def create(session, url, **values):
    """Create an object at *url* and return its id."""
    async with session.post(url, json=values) as response:
        assert response.status == 201, await response.text()
        return (await response.json())["data"]["id"]


async def create_user(session, processes, city_id, role_id):
    users = processes["users"].url
    return await create(
        session,
        f"{users}/users",
        name="Ada",
        email=f"ada.{city_id}.{role_id}@example.com",
        age=36,
        city_id=city_id,
        role_id=role_id,
        password="correct horse",
    )


def spans_of(server, trace_id):
    """Return the spans of *trace_id* that *server* has logged so far."""
    found = []
    for line in server.output().splitlines():
        if trace_id in line and line.startswith("{"):
            record = json.loads(line)
            if record.get("traceId") == trace_id:
                found.append(record)
    return found


def wait_for_spans(server, trace_id, kind):
    """Return the spans of *trace_id* once the server span of *kind* is among them."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        spans = spans_of(server, trace_id)
        if any(span.get("kind") == kind for span in spans):
            return spans
        time.sleep(0.02)
    raise AssertionError(f"no {kind} span of {trace_id} in:\n{server.output()[-4000:]}")


def children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.acceptance
def test_a_service_runs_in_workers_of_its_own(processes):
    assert len(children_of(processes[IN_WORKERS].process.pid)) >= 2


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_url_is_a_404_in_a_process_of_its_own(processes, session, name):
    async with session.get(f"{processes[name].url}/nowhere") as response:
        body = await response.json()

    assert response.status == 404
    assert body["code"] == 100404


async def test_one_trace_goes_through_all_three_services(processes, session):
    regions, roles, users = (processes[name] for name in NAMES)
    province_id = await create(session, f"{regions.url}/provinces", name="Zhejiang")
    city_id = await create(
        session, f"{regions.url}/cities", name="Hangzhou", province_id=province_id
    )
    role_id = await create(session, f"{roles.url}/roles", name="editor")
    user_id = await create_user(session, processes, city_id, role_id)

    async with session.get(f"{users.url}/users/{user_id}") as response:
        user, trace_id = (await response.json())["data"], response.headers["x-trace-id"]

    assert user["city_id"]["name"] == "Hangzhou"
    assert user["city_id"]["province"] == {"id": province_id, "name": "Zhejiang"}
    assert user["role_id"]["name"] == "editor"
    spans = {name: wait_for_spans(processes[name], trace_id, "SERVER") for name in NAMES}
    assert {
        name: {span["localEndpoint"]["serviceName"] for span in spans[name]} for name in NAMES
    } == {name: {name} for name in NAMES}
    calls = {span["id"] for span in spans["users"] if span.get("kind") == "CLIENT"}
    for name in ("regions", "roles"):
        (served,) = [span for span in spans[name] if span.get("kind") == "SERVER"]
        assert served["parentId"] in calls
        assert [span for span in spans[name] if span.get("parentId") == served["id"]]


async def test_a_service_that_is_away_is_a_bad_gateway(processes, session, tmp_path):
    nowhere = {name: {"url": f"http://127.0.0.1:{free_port()}"} for name in ("regions", "roles")}
    with (
        fresh_database("apart_alone") as url,
        ServerProcess(
            tmp_path / "alone.log",
            "--settings",
            "settings.users",
            DATABASE_URL=url,
            SERVICES=json.dumps(nowhere),
        ) as alone,
    ):
        user_id = await create_user(session, {"users": alone}, 1, 1)

        async with session.get(f"{alone.url}/users/{user_id}") as response:
            body = await response.json()

    assert response.status in (502, 503)
    assert body["error"].endswith("gave no answer")
