"""Who may read which answers: for the service, for one Blueprint, on both paths alike."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from sanic import Sanic
from sanic.response import text

from msframework import CORS, Authenticated, Blueprint, NotFound, Reply, doc
from msframework.access import Authenticator
from msframework.app import Service
from msframework.cors import EXPOSED
from msframework.headers import OwnHeaders
from msframework.serving.cors import SharedPath, Sharing
from msframework.serving.request import LeanRequest
from msframework.testing.server import Server, serving
from tests.conftest import with_settings

SITE = "https://site.example"
SETTINGS = {
    "nothing": {},
    "any": {"cors_origins": ("*",)},
    "one": {"cors_origins": (SITE,), "cors_expose": ()},
    "several": {
        "cors_origins": (SITE, "https://*.pages.example", "http://localhost:3000"),
        "cors_credentials": True,
        "cors_methods": ("GET", "PUT"),
        "cors_max_age": 5,
        "cors_private_network": True,
    },
}
OWN = CORS(("https://own.example",), credentials=True, expose=("X-Own",))
ORIGINS = [
    None,
    "",
    "null",
    "*",
    SITE,
    "https://own.example",
    "https://a.b.pages.example",
    "https://pages.example",
    "http://localhost:3000",
    "http://localhost:3001",
    "https://SITE.example",
    f"{SITE}/",
    f"{SITE}, {SITE}",
    "https://site.example.evil.example",
    "https://münchen.pages.example",
    f"https://{'a' * 400}.pages.example",
]
# Paths, and the methods that they have; those of the Blueprint with a `CORS` of its own begin with
# /own, those of one that shares nothing with /closed.
PATHS = {
    "/things": "GET HEAD OPTIONS POST",
    "/things/7": "DELETE GET HEAD OPTIONS PUT",
    "/things/x": "",
    "/reply": "GET HEAD OPTIONS",
    "/raise": "GET HEAD OPTIONS",
    "/fail": "GET HEAD OPTIONS",
    "/text": "GET HEAD OPTIONS",
    "/stream": "GET HEAD OPTIONS",
    "/files/a.txt": "GET HEAD OPTIONS",
    "/files/none.txt": "GET HEAD OPTIONS",
    "/feed": "GET OPTIONS",
    "/asks": "GET HEAD OPTIONS",
    "/openapi/spec.json": "GET HEAD OPTIONS",
    "/docs": "GET HEAD OPTIONS",
    "/own/thing": "GET HEAD OPTIONS",
    "/own/stream": "GET HEAD OPTIONS",
    "/own/files/a.txt": "GET HEAD OPTIONS",
    "/own/feed": "GET OPTIONS",
    "/own/none": "",
    "/closed/thing": "GET HEAD OPTIONS",
    "/no/such": "",
}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "FOO"]


def add_routes(blueprint, folder):
    """Give *blueprint* an endpoint, a stream, files and a websocket."""

    @blueprint.get("/thing")
    async def thing(request):
        return {"n": 1}

    @blueprint.get("/stream", stream=True)
    async def stream(request):
        response = await request.respond(content_type="text/plain")
        await response.send("abc")
        await response.eof()

    @blueprint.websocket("/feed")
    async def feed(request, ws):
        await ws.send("hello")

    blueprint.static("/files", folder, name="files")


def make(settings, folder, *, fast):
    """Return a service with every kind of route."""
    Sanic._app_registry.clear()
    server = {"fast_path": fast, **SETTINGS[settings]}
    service = Service(with_settings(service_name=settings, server=server))
    service.config.TOUCHUP = False
    service.ctx.lean = 0

    @service.get("/things")
    async def things(request):
        service.ctx.lean += isinstance(request, LeanRequest)
        return []

    @service.post("/things")
    @doc.consumes({"n": int})
    async def create(request, body):
        return body

    @service.route("/things/<id:int>", methods=["GET", "PUT", "DELETE"])
    async def thing_of(request, id):
        return {"id": id}

    @service.get("/reply")
    async def reply(request):
        return Reply(1, headers={"Vary": "Accept", "Access-Control-Expose-Headers": "X-Mine"})

    @service.get("/raise")
    async def fail(request):
        raise NotFound(headers={"Vary": "Accept"})

    @service.get("/fail")
    async def bug(request):
        raise RuntimeError

    @service.get("/text")
    async def sanics(request):
        return text("x", headers={"Vary": "Accept"})

    @service.get("/asks")
    async def asks(request):
        return 1

    @service.options("/asks")
    async def own_options(request):
        return Reply("mine", headers={"X-Mine": "1"})

    add_routes(service, folder)
    own = Blueprint("own", url_prefix="/own", cors=OWN)
    add_routes(own, folder)
    service.blueprint(own)
    closed = Blueprint("closed", url_prefix="/closed", cors=CORS())
    add_routes(closed, folder)
    service.blueprint(closed)
    return service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory):
    """Serve each of the services both ways; by settings, the fast one first."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.txt").write_text("text")
    found = {}
    async with AsyncExitStack() as stack:
        for name in SETTINGS:
            pair = []
            for fast in (True, False):
                server = Server(make(name, folder, fast=fast))
                await server.start()
                stack.push_async_callback(server.stop)
                pair.append(server)
            found[name] = pair
        yield found


async def exchange(server, requests):
    """Send *requests* one after the other, and return status and headers of each answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    writer, answers = None, []
    for lines in requests:
        if writer is None:
            reader, writer = await asyncio.open_connection(host, int(port))
        writer.write("\r\n".join([*lines, "Host: api.example", "", ""]).encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode()
        status, *fields = head.split("\r\n")[:-2]
        pairs = [tuple(line.split(": ", 1)) for line in fields]
        pairs = sorted((name.lower(), value) for name, value in pairs)
        answers.append((int(status.split()[1]), pairs))
        said = dict(pairs)
        if "upgrade" in said or said.get("connection") == "close":
            writer.close()
            writer = None
        elif "transfer-encoding" in said and not lines[0].startswith("HEAD"):
            await reader.readuntil(b"0\r\n\r\n")
        elif not lines[0].startswith("HEAD"):
            await reader.readexactly(int(said.get("content-length", 0)))
    if writer is not None:
        writer.close()
    return answers


def draw_request(chance):
    """Return path, method, origin and the lines of a request."""
    path, method = chance.choice(list(PATHS)), chance.choice(METHODS)
    origin, lines = chance.choice(ORIGINS), []
    if origin is not None:
        lines.append(f"Origin: {origin}")
    asked = None
    if method == "OPTIONS" and chance.random() < 0.8:
        asked = chance.choice(METHODS)
        lines.append(f"Access-Control-Request-Method: {asked}")
        if chance.random() < 0.5:
            lines.append("Access-Control-Request-Headers: x-own, content-type")
        if chance.random() < 0.3:
            lines.append("Access-Control-Request-Private-Network: true")
    if path.endswith("/feed") and method == "GET":
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    if method == "POST":
        lines += ["Content-Length: 0"]
    return path, method, origin, asked, [f"{method} {path} HTTP/1.1", *lines]


def expect(settings, path, method, origin, asked):
    """Return the CORS headers that are due, as Fetch has them; worked out anew, without ours."""
    given = SETTINGS[settings]
    allowed, credentials = given.get("cors_origins", ()), given.get("cors_credentials", False)
    expose = given.get("cors_expose", EXPOSED)
    if path.startswith("/own/") and PATHS[path]:
        allowed, credentials, expose = OWN.origins, True, OWN.expose
    if path.startswith("/closed/"):
        allowed = ()
    is_open = allowed == ("*",)
    granted = origin is not None and (
        is_open
        or origin in allowed
        or ("https://*.pages.example" in allowed and origin == "https://a.b.pages.example")
    )
    found = {}
    preflight = asked is not None and origin is not None
    if allowed and not is_open:
        found["vary"] = {"origin"}
    if allowed and preflight:
        asks = {"access-control-request-method", "access-control-request-headers"}
        found["vary"] = found.get("vary", set()) | asks
        if given.get("cors_private_network") and allowed is given.get("cors_origins"):
            found["vary"] |= {"access-control-request-private-network"}
    if granted or (is_open and not preflight):
        found["access-control-allow-origin"] = "*" if is_open else origin
        if credentials:
            found["access-control-allow-credentials"] = "true"
        if expose and not preflight:
            found["access-control-expose-headers"] = ", ".join(expose)
    return found


def cors_of(fields):
    """Return the CORS headers of an answer."""
    found = {}
    for name, value in fields:
        if name == "vary":
            found["vary"] = {each.strip().lower() for each in value.split(",")} - {"accept"}
        elif name.startswith("access-control-"):
            assert name not in found
            found[name] = value.removesuffix(", X-Mine")
    found = {name: value for name, value in found.items() if value and value != "X-Mine"}
    for name in ("methods", "headers", "private-network"):
        found.pop(f"access-control-allow-{name}", None)
    found.pop("access-control-max-age", None)
    return found


def comparable(answer):
    """Return an answer without what differs from time to time."""
    status, fields = answer
    ours = (
        "date",
        "x-request-id",
        "x-trace-id",
        "last-modified",
        "etag",
        "sec-websocket-accept",
    )
    return status, [pair for pair in fields if pair[0] not in ours]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("settings", SETTINGS)
async def test_both_paths_grant_the_same_and_what_is_due(servers, settings):
    chance = random.Random(17)
    drawn = [draw_request(chance) for _ in range(200)]
    lines = [each[-1] for each in drawn]
    fast, plain = [await exchange(server, lines) for server in servers[settings]]

    for (path, method, origin, asked, _), ours, theirs in zip(drawn, fast, plain, strict=True):
        request = (path, method, origin, asked)
        assert comparable(ours) == comparable(theirs), request
        assert cors_of(ours[1]) == expect(settings, path, method, origin, asked), request


async def ask(server, method, path, *lines):
    """Return status and headers of one answer."""
    ((status, fields),) = await exchange(server, [[f"{method} {path} HTTP/1.1", *lines]])
    return status, dict(fields)


async def ask_before(server, path, method, origin=SITE, *lines):
    """Return status and headers of the answer to a preflight."""
    asked = f"Access-Control-Request-Method: {method}"
    return await ask(server, "OPTIONS", path, f"Origin: {origin}", asked, *lines)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", [0, 1], ids=["fast", "sanic"])
async def test_a_preflight_says_what_the_path_has(servers, way):
    server = servers["one"][way]
    for path, methods in PATHS.items():
        if path.startswith(("/own", "/closed")):
            continue
        status, headers = await ask_before(server, path, "PUT")
        methods = methods or "DELETE GET HEAD PATCH POST PUT"

        assert (path, status) == (path, 204)
        assert headers["access-control-allow-methods"] == ", ".join(methods.split())
        assert headers["access-control-allow-origin"] == SITE
        assert headers["access-control-max-age"] == "600"
        assert headers["access-control-allow-headers"] == (
            "Content-Type, Authorization, X-Request-ID, traceparent, tracestate, b3, "
            "X-B3-TraceId, X-B3-SpanId, X-B3-ParentSpanId, X-B3-Sampled, X-B3-Flags"
        )
        assert headers.get("allow") == (", ".join(methods.split()) if PATHS[path] else None)
        assert "content-length" not in headers


@pytest.mark.asyncio(loop_scope="module")
async def test_settings_narrow_what_a_preflight_says(servers):
    server = servers["several"][0]

    _, headers = await ask_before(server, "/things/7", "PUT")
    _, private = await ask_before(
        server, "/things/7", "PUT", SITE, "Access-Control-Request-Private-Network: true"
    )

    assert headers["access-control-allow-methods"] == "GET, PUT"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-max-age"] == "5"
    assert "access-control-allow-private-network" not in headers
    assert private["access-control-allow-private-network"] == "true"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", [0, 1], ids=["fast", "sanic"])
async def test_an_own_options_answers_whatever_is_no_preflight(servers, way):
    for name, server in ((name, pair[way]) for name, pair in servers.items()):
        own = await ask(server, "OPTIONS", "/asks", f"Origin: {SITE}")
        preflight = await ask_before(server, "/asks", "GET")

        assert (own[0], own[1]["x-mine"]) == (200, "1")
        assert (name, preflight[0]) == (name, 200 if name == "nothing" else 204)
        assert ("x-mine" in preflight[1]) is (name == "nothing")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", [0, 1], ids=["fast", "sanic"])
@pytest.mark.parametrize(
    ("settings", "path", "origin", "status"),
    [
        ("one", "/feed", SITE, 101),
        ("one", "/feed", None, 101),
        ("one", "/feed", "http://api.example", 101),
        ("one", "/feed", "https://evil.example", 403),
        ("one", "/feed", "null", 403),
        ("one", "/own/feed", SITE, 403),
        ("one", "/own/feed", "https://own.example", 101),
        ("nothing", "/closed/feed", "https://evil.example", 403),
        ("nothing", "/closed/feed", "http://api.example", 101),
        ("nothing", "/feed", "https://evil.example", 101),
        ("any", "/feed", "https://evil.example", 101),
        ("several", "/feed", "https://x.pages.example", 101),
    ],
)
async def test_a_page_that_may_not_read_opens_no_websocket(
    servers, way, settings, path, origin, status
):
    lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    lines.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    if origin is not None:
        lines.append(f"Origin: {origin}")

    assert (await ask(servers[settings][way], "GET", path, *lines))[0] == status


@pytest.mark.asyncio(loop_scope="module")
async def test_simple_answers_stay_on_the_fast_path(servers):
    for name, (fast, plain) in servers.items():
        await ask(fast, "GET", "/things", f"Origin: {SITE}")
        await ask(plain, "GET", "/things", f"Origin: {SITE}")

        assert (name, fast._app.ctx.lean > 0, plain._app.ctx.lean) == (name, True, 0)


def test_a_method_that_shares_nothing_is_not_lent_the_sharing_of_another():
    sharing = Sharing(OWN, ())
    path = SharedPath(("GET", "OPTIONS", "PUT"), {"GET": None, "PUT": sharing})

    assert [path.of(method) for method in ("GET", "PUT", "DELETE")] == [None, sharing, sharing]


def test_as_many_origins_are_remembered_as_fit():
    sharing = Sharing(CORS(("https://*.pages.example",)), ())
    for number in range(3000):
        assert (
            "access-control-allow-origin" in sharing.grant(f"https://a{number}.pages.example").names
        )
        assert (
            "access-control-allow-origin" not in sharing.grant(f"https://a{number}.example").names
        )

    assert len(sharing._known) <= 1024


def test_joined_headers_are_both():
    joined = OwnHeaders({"A": "1"}, "here").joined(OwnHeaders({"B": "2"}, "here"))

    assert (joined.pairs, joined.names) == ((("A", "1"), ("B", "2")), {"a", "b"})
    assert joined.lines == b"A: 1\r\nB: 2\r\n"


class Keys(Authenticator):
    """An authenticator whose header a page may send."""

    scheme: Mapping[str, str] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    challenge = "ApiKey"
    header = "x-api-key"

    async def authenticate(self, request):
        return None


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    server = {
        "cors_origins": (SITE,),
        "fast_path": request.param,
        "allowed_hosts": ("api.example",),
    }
    service = make_service(server=server)
    service.authenticate("key", Keys())
    return service


def add_shared_path(service):
    """Let one path have methods of the service and of a Blueprint that shares nothing."""
    closed = Blueprint("closed", cors=CORS())

    @service.get("/both")
    async def read(request):
        return 1

    @service.post("/up")
    @doc.consumes({"n": int})
    async def up(request, body):
        return 1

    @closed.put("/both")
    async def write(request):
        return 1

    service.blueprint(closed)


async def test_a_path_shares_by_method(service):
    add_shared_path(service)
    async with serving(service) as server:
        read = await ask(server, "GET", "/both", f"Origin: {SITE}")
        written = await ask(server, "PUT", "/both", f"Origin: {SITE}")
        missing = await ask(server, "DELETE", "/both", f"Origin: {SITE}")
        before_read = await ask_before(server, "/both", "GET")
        before_write = await ask_before(server, "/both", "PUT")

    assert read[1]["access-control-allow-origin"] == SITE
    assert written[0] == 200
    assert not {"access-control-allow-origin", "vary"} & written[1].keys()
    assert (missing[0], missing[1]["access-control-allow-origin"]) == (405, SITE)
    assert "x-api-key" in before_read[1]["access-control-allow-headers"]
    assert before_write[0] == 204
    assert not any(name.startswith("access-control") for name in before_write[1])


async def test_guards_see_no_preflight_and_their_refusals_can_be_read(service):
    @service.get("/guarded")
    @doc.guards(Authenticated())
    async def guarded(request):
        return 1

    @service.get("/down", stream=True)
    @doc.guards(Authenticated())
    async def down(request):
        raise AssertionError

    @service.websocket("/feed")
    @doc.guards(Authenticated())
    async def feed(request, ws):
        raise AssertionError

    async with serving(service) as server:
        for path in ("/guarded", "/down", "/feed"):
            preflight = await ask_before(server, path, "GET")
            status, headers = await ask(server, "GET", path, f"Origin: {SITE}")

            assert (path, preflight[0], status) == (path, 204, 401)
            assert headers["www-authenticate"] == "ApiKey"
            assert headers["access-control-allow-origin"] == SITE
            assert "WWW-Authenticate" in headers["access-control-expose-headers"]


async def test_a_preflight_leaves_one_line_in_the_access_log(service):
    lines = []
    service._serving.observer._record = lambda request, status, size: lines.append(
        (request.method, request.path, status, size)
    )
    async with serving(service) as server:
        await ask_before(server, "/no/such", "GET")

    assert lines == [("OPTIONS", "/no/such", 204, 0)]


async def test_middleware_sees_no_preflight_and_its_refusals_can_be_read(service):
    seen = []

    @service.get("/one")
    async def one(request):
        return 1

    @service.on_request
    async def refuse(request):
        seen.append(request.method)
        return text("no", 401)

    async with serving(service) as server:
        preflight = await ask_before(server, "/one", "GET", SITE)
        refused = await ask(server, "GET", "/one", f"Origin: {SITE}")

    assert (preflight[0], refused[0], seen) == (204, 401, ["GET"])
    assert refused[1]["access-control-allow-origin"] == SITE


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET /one HTTP/1.1\r\nX Y: 1", 400),
        ("GET /one HTTP/1.1\r\nHost: evil.example", 400),
        ("GET /%zz HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 204),
        ("POST /up HTTP/1.1\r\nContent-Length: 99999999999", 413),
    ],
)
async def test_whatever_is_refused_early_says_that_it_depends_on_the_origin(service, first, status):
    add_shared_path(service)
    async with serving(service) as server:
        ((answered, fields),) = await exchange(server, [[*first.split("\r\n")]])

    assert answered == status
    assert ("vary", "Origin") in fields


async def test_what_has_not_changed_depends_on_the_origin_too(service):
    async with serving(service) as server:
        document = await ask(server, "GET", "/openapi/spec.json")
        known = f"If-None-Match: {document[1]['etag']}"
        bare = await ask(server, "GET", "/openapi/spec.json", known)
        granted = await ask(server, "GET", "/openapi/spec.json", known, f"Origin: {SITE}")

    assert [answer[0] for answer in (document, bare, granted)] == [200, 304, 304]
    assert [answer[1]["vary"] for answer in (document, bare, granted)] == ["Origin"] * 3
    assert granted[1]["access-control-allow-origin"] == SITE


HSTS = "max-age=31536000"


@pytest.mark.parametrize("origins", [(), (SITE,), ("*",)])
async def test_strict_transport_security_travels_over_tls_alone(make_service, origins):
    service = make_service(
        server={
            "security_headers": {"Strict-Transport-Security": HSTS, "X-Frame-Options": "DENY"},
            "cors_origins": origins,
            "proxies_count": 1,
        }
    )

    @service.get("/one")
    async def one(request):
        return 1

    async with serving(service) as server:
        for path in ("/one", "/no/such", "/docs"):
            said = f"Origin: {SITE}"
            bare = await ask(server, "GET", path, said)
            forwarded = ("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https")
            secure = await ask(server, "GET", path, said, *forwarded)

            assert "strict-transport-security" not in bare[1]
            assert secure[1]["strict-transport-security"] == HSTS
            assert secure[1]["x-frame-options"] == "DENY"
            assert secure[1].get("vary") == ("Origin" if origins == (SITE,) else None)
        preflight = await ask_before(server, "/one", "GET", SITE, *forwarded)

    assert preflight[1]["strict-transport-security"] == HSTS


async def test_the_docs_page_keeps_its_own_policy(make_service):
    policy = {"Content-Security-Policy": "default-src 'none'"}
    service = make_service(server={"security_headers": policy})

    @service.get("/one")
    async def one(request):
        return 1

    @service.get("/page")
    async def page(request):
        return Reply(1, headers={"Content-Security-Policy": "default-src 'self'"})

    async with serving(service) as server:
        found = [
            (await ask(server, "GET", path))[1]["content-security-policy"]
            for path in ("/one", "/page", "/docs")
        ]

    assert found[:2] == ["default-src 'none'", "default-src 'self'"]
    assert "script-src 'self'" in found[2]
