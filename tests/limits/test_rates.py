"""Rate limits over a real connection, on both paths: who is counted where, and what is answered."""

import asyncio
import json
import re

import pytest
import pytest_asyncio

from msframework import (
    Authenticated,
    Authenticator,
    Blueprint,
    Principal,
    Resource,
    Unauthorized,
    doc,
)
from msframework.conf.operations import OperationsSettings
from msframework.limits.meter import REQUESTS
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEME = {"type": "apiKey", "in": "header", "name": "x-name"}
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Names(Authenticator):
    """Believes a name, but for one."""

    scheme = SCHEME
    challenge = "Name"
    header = "x-name"

    async def authenticate(self, request):
        name = request.fields.get("x-name")
        if name == "wrong":
            raise Unauthorized
        return None if name is None else Principal(name)


def tenant(request):
    """Tell tenants apart."""
    return {"none": None, "list": []}.get(request.fields["x-tenant"], request.fields["x-tenant"])


def add_limited(service):
    """Add operations with limits of their own."""

    @service.get("/address")
    @doc.public
    @doc.rate_limit("2/minute", by="address")
    async def by_address(request):
        return {"served": True}

    @service.get("/guarded")
    @doc.guards(Authenticated())
    @doc.rate_limit("3/hour", by="address")
    @doc.rate_limit("2/hour")
    async def guarded(request):
        return {}

    @service.get("/anybody")
    @doc.rate_limit("1/hour")
    async def anybody(request): ...

    @service.get("/tenant")
    @doc.public
    @doc.rate_limit("1/hour", by=tenant)
    async def by_tenant(request): ...

    @service.post("/cheap")
    @doc.public
    @doc.rate_limit("4/hour", scope="search", by="address")
    async def cheap(request): ...

    @service.post("/dear")
    @doc.public
    @doc.consumes({"q": str})
    @doc.rate_limit("4/hour", scope="search", by="address", cost=3)
    async def dear(request, body): ...

    @service.get("/free")
    @doc.public
    @doc.unlimited
    async def free(request): ...


def add_others(service):
    """Add a blueprint, a stream, a websocket and a file."""
    things = Blueprint("things", "/things", rate_limits=("3/hour by address",))

    @things.resource("/")
    @doc.public
    @doc.rate_limit("2/hour", by="address")
    class Things(Resource):
        async def get(self, request): ...
        async def post(self, request): ...

        @doc.unlimited()
        async def delete(self, request): ...

    @things.get("/other")
    @doc.public
    async def other(request): ...

    service.blueprint(things)

    @service.get("/stream", stream=True)
    @doc.public
    @doc.rate_limit("1/hour", by="address")
    async def stream(request):
        answer = await request.respond()
        await answer.send("text")

    @service.websocket("/socket")
    @doc.public
    @doc.rate_limit("1/hour", by="address")
    async def socket(request, ws):
        await ws.send("hello")


def make_service(fast):
    """Return a service that serves all kinds of limits."""
    operations = OperationsSettings(rate_limits=("1000/hour", "500/minute by address"))
    service = new_service(
        service_name=f"rates-{fast}", server={"fast_path": fast}, operations=operations
    )
    service.authenticate("names", Names())
    add_limited(service)
    add_others(service)
    service.static("/file", __file__, name="file", public=True)
    return service


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def served(request):
    service = make_service(request.param)
    async with serve_service(service) as place:
        yield service, place


@pytest.fixture
def place(served):
    return served[1]


class Answer:
    """A status, headers in small letters, and a body."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        pairs = [line.split(": ", 1) for line in lines]
        self.headers = {name.lower(): value for name, value in pairs if name}
        assert len(self.headers) == len(pairs), "a header stands twice"

    @property
    def left(self):
        """What is left, by the names of policies."""
        found = re.findall(r'"([^"]+)";r=(\d+);t=\d+', self.headers.get("ratelimit", ""))
        return {name: int(rest) for name, rest in found}


async def call(place, target, *lines, method="GET", body=b""):
    """Return the answer to a request with these header lines."""
    reader, writer = await asyncio.open_connection(*place)
    lines = [*lines, f"Content-Length: {len(body)}"] if body else lines
    if not any(line.startswith("Connection") for line in lines):
        lines = [*lines, "Connection: close"]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines])
    writer.write(head.encode() + b"\r\n\r\n" + body)
    answer = await (reader.readuntil(b"\r\n\r\n") if HANDSHAKE[0] in lines else reader.read())
    writer.close()
    return Answer(answer)


async def statuses(place, times, target, *lines, **options):
    """Return the statuses of so many requests."""
    return [(await call(place, target, *lines, **options)).status for _ in range(times)]


async def test_an_answer_says_what_is_left_and_a_refusal_when_to_come_again(place):
    answers = [await call(place, "/address") for _ in range(3)]

    assert [each.status for each in answers] == [200, 200, 429]
    assert [each.left["by_address/address/minute"] for each in answers] == [1, 0, 0]
    policies = answers[0].headers["ratelimit-policy"]
    assert policies == (
        '"service/address/minute";q=500;w=60, "by_address/address/minute";q=2;w=60, '
        '"service/principal/hour";q=1000;w=3600'
    )
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert f";t={answers[2].headers['retry-after']}" in answers[2].headers["ratelimit"]
    assert json.loads(answers[2].body) == {
        "code": 100429,
        "message": "Too Many Requests",
        "error": "no more than 2/minute are allowed",
    }
    assert "retry-after" not in answers[1].headers


async def test_the_address_is_asked_before_the_caller_and_the_principal_after_the_guards(place):
    refused = await call(place, "/guarded", "X-Name: wrong")
    assert refused.status == 401
    assert "guarded/address/hour" in refused.left
    assert "guarded/principal/hour" not in refused.left

    assert await statuses(place, 2, "/guarded", "X-Name: ada") == [200, 200]
    assert (await call(place, "/guarded", "X-Name: bob")).status == 429
    assert (await call(place, "/guarded", "X-Name: wrong")).status == 429


async def test_callers_are_told_apart_by_principal_and_the_anonymous_by_address(place):
    assert await statuses(place, 2, "/anybody", "X-Name: ada") == [200, 429]
    assert await statuses(place, 2, "/anybody", "X-Name: bob") == [200, 429]
    assert await statuses(place, 2, "/anybody") == [200, 429]


async def test_a_function_tells_callers_apart(place):
    assert await statuses(place, 2, "/tenant", "X-Tenant: one") == [200, 429]
    assert await statuses(place, 2, "/tenant", "X-Tenant: two", "X-Name: ada") == [200, 429]
    assert await statuses(place, 2, "/tenant", "X-Tenant: none", "X-Name: ada") == [200, 429]
    assert (await call(place, "/tenant", "X-Tenant: list")).status == 500


async def test_operations_of_a_scope_share_a_budget_before_anything_is_read(place):
    json_line, body = "Content-Type: application/json", b'{"q": "x"}'

    assert await statuses(place, 1, "/cheap", method="POST") == [200]
    found = await statuses(place, 2, "/dear", json_line, method="POST", body=body)
    assert found == [200, 429]
    assert (await call(place, "/dear", method="POST", body=b"{")).status == 429
    assert (await call(place, "/cheap", method="POST")).status == 429


async def test_a_blueprint_and_a_class_have_a_budget_each(place):
    first = await call(place, "/things/")
    assert first.left["things/address/hour"] == 2
    assert first.left["things.Things/address/hour"] == 1

    assert await statuses(place, 2, "/things/", method="POST") == [200, 429]
    assert await statuses(place, 3, "/things/", method="DELETE") == [200, 200, 200]
    assert (await call(place, "/things/other")).status == 429
    assert (await call(place, "/things/", method="HEAD")).status == 429


async def test_what_is_unlimited_is_so(place):
    assert (await call(place, "/free")).left == {}


async def test_streams_websockets_and_files_are_limited(place):
    streams = [await call(place, "/stream") for _ in range(2)]
    sockets = [await call(place, "/socket", *HANDSHAKE) for _ in range(2)]
    file = await call(place, "/file")

    assert [each.status for each in streams] == [200, 429]
    assert streams[0].left["stream/address/hour"] == 0
    assert [each.status for each in sockets] == [101, 429]
    assert sockets[0].left["socket/address/hour"] == 0
    assert file.status == 200
    assert "service/address/minute" in file.left


async def test_what_a_caller_says_of_its_address_is_not_believed(place):
    before = (await call(place, "/file")).left["service/address/minute"]
    lines = ("X-Forwarded-For: 203.0.113.1", "X-Real-IP: 203.0.113.2", "Forwarded: for=203.0.113.3")

    assert (await call(place, "/file", *lines)).left["service/address/minute"] == before - 1


async def test_many_at_once_get_no_more_than_one_after_the_other(place):
    answers = await asyncio.gather(*(call(place, "/anybody", "X-Name: many") for _ in range(20)))

    assert sorted(each.status for each in answers) == [200] + [429] * 19


async def test_every_policy_is_counted_in_the_metrics(served):
    service, place = served
    assert await statuses(place, 2, "/anybody", "X-Name: counted") == [200, 429]

    requests = {each.labels: each.value for each in service.metrics.register(REQUESTS)}

    assert requests["anybody/principal/hour", "allowed"] > 0
    assert requests["anybody/principal/hour", "limited"] > 0
    assert all(len(policy) < 80 for policy, _ in requests)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_a_proxy_that_the_settings_know_is_believed_about_the_last_address(fast):
    service = new_service(
        service_name="proxied", server={"fast_path": fast, "proxies_count": 1, "cors_origins": "*"}
    )

    @service.get("/")
    @doc.rate_limit("1/hour", by="address")
    async def read(request): ...

    async with serve_service(service) as place:
        for address in ("203.0.113.1", "2001:db8:0:1::1"):
            lines = (f"X-Forwarded-For: 198.51.100.{len(address)}, {address}",)
            assert (await call(place, "/", *lines)).status == 200
        for address in ("203.0.113.1", "2001:db8:0:1::2"):
            lines = (f"X-Forwarded-For: 198.51.100.1, {address}", "Origin: https://a.example")
            answer = await call(place, "/", *lines)
            assert answer.status == 429
            assert answer.left == {"read/address/hour": 0}
            assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_middleware_sees_no_request_that_is_refused(fast):
    service, seen = new_service(service_name="middle", server={"fast_path": fast}), []

    @service.on_request
    async def note(request):
        seen.append(request.path)

    @service.post("/")
    @doc.rate_limit("1/hour")
    async def write(request): ...

    async with serve_service(service) as place:
        assert await statuses(place, 3, "/", method="POST", body=b"x") == [200, 429, 429]
    assert seen == ["/"]
