"""Who is let in: on the fast path, on Sanic's with and without middleware, and beside handlers."""

import asyncio
import json

import pytest
import pytest_asyncio
from sanic import response as sanic_response
from sanic.views import stream as sanic_stream

from msframework import Authenticator, Blueprint, Guard, Principal, Resource, Unauthorized, doc
from msframework.access import Authenticated, Scopes
from msframework.app import Service
from tests.conftest import with_settings
from tests.serving.stranger import street_of

PLACES = ("fast", "middleware", "sanic")
HUGE = 3_000_000
HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BEARER = {"type": "http", "scheme": "bearer"}
CREDENTIALS = {
    "none": "",
    "wrong": "Bearer bad",
    "read": "Bearer a read",
    "right": "Bearer a write",
}
STATUSES = {"none": 401, "wrong": 401, "read": 403, "right": 200}


class Words(Authenticator):
    """Knows the caller from `Bearer <id> <scope>`."""

    scheme = BEARER
    challenge = 'Bearer realm="words"'
    refusal = 'Bearer realm="words", error="invalid_token"'
    header = "authorization"

    def __init__(self):
        self.asked = 0

    async def authenticate(self, request):
        self.asked += 1
        kind, *words = request.headers.get("authorization", "").split(" ")
        if kind.lower() != "bearer":
            return None
        await asyncio.sleep(0)
        if words == ["bad"]:
            raise Unauthorized("this word is not known")
        if words == ["ill"]:
            raise RuntimeError("secret")
        return Principal(words[0], frozenset(words[1:]))


class Named(Guard):
    """Lets a caller in whose id is in the path."""

    async def allows(self, request, principal, name):
        return principal.id == name


class Ill(Guard):
    """Says whatever it is told to say."""

    def allows(self, request, principal):
        request.app.asked.append(self)
        what = request.args.get("say")
        if what == "raise":
            raise RuntimeError("secret")
        return {"true": True, "none": None, "one": 1}.get(what)


def open_doors(place):
    """Return a service with guarded endpoints of every kind."""
    service = Service(
        with_settings(
            service_name=place,
            server={"fast_path": place == "fast"},
            openapi={"enabled": False},
            access={"authenticators": {"words": Words()}, "guards": (Authenticated(),)},
        )
    )
    service.config.TOUCHUP = False
    service.done, service.asked, service.spans = [], [], []
    service.tracer.record = service.spans.append
    _add_operations(service, service.done.append)
    _add_others(service, service.done.append)
    if place == "middleware":

        @service.on_request
        async def note(request):
            service.done.append("middleware")
            request.method = request.headers.get("x-method", request.method)

    return service


def _add_operations(service, note):
    doors = Blueprint("doors", url_prefix="/doors", guards=(Scopes("write").on("POST"),))

    @doors.resource("/")
    class Doors(Resource):
        async def get(self, request, principal):
            return {"id": principal.id, "by": principal.authenticator}

        @doc.consumes({"text": str})
        async def post(self, request, body, principal):
            note(len(body["text"]))
            return {"size": len(body["text"])}

        @doc.public
        async def put(self, request, principal=None):
            return {"id": None if principal is None else principal.id}

    @doors.get("/named/<name>")
    @doc.guards(Named())
    async def named(request, name):
        return {"name": name}

    @doors.route("/both", methods=["GET", "POST"])
    async def both(request):
        return {"method": request.method}

    ill = Ill()

    @doors.get("/ill")
    @doc.guards(~ill | (ill & Scopes("x")))
    async def ill_one(request):
        note("ill")

    service.blueprint(doors)


def _add_others(service, note):
    @service.post("/stream", stream=True)
    @doc.guards(Scopes("write"))
    async def stream(request):
        size = sum([len(piece) async for piece in request.stream])
        note(size)
        return sanic_response.json({"size": size})

    @service.websocket("/feed")
    async def feed(request, websocket):
        note(request.principal.id)

    @service.websocket("/open")
    @doc.public
    async def open_feed(request, websocket):
        note("open")

    wires = Blueprint("wires", url_prefix="/wires", guards=(Scopes("write"),))

    @wires.websocket("/feed")
    async def scoped_feed(request, websocket):
        note("scoped")

    @wires.get("/stream", stream=True)
    async def scoped_stream(request):
        return sanic_response.text("scoped")

    wires.static("/file", __file__, name="file")
    wires.static("/open", __file__, name="open", public=True)
    service.blueprint(wires)

    class Feeds(Resource):
        guards = (Scopes("write"),)

        @sanic_stream
        async def post(self, request):
            note("a stream of a Resource")
            return sanic_response.empty()

        async def talk(self, request, websocket):
            note("a websocket of a Resource")

    service.add_route(Feeds().post, "/feeds/stream", methods=["POST"])
    service.add_websocket_route(Feeds().talk, "/feeds/talk")
    service.static("/this", __file__, name="this")
    service.static("/that", __file__, name="that", public=True)


@pytest_asyncio.fixture(params=PLACES, scope="module", loop_scope="module")
async def open_street(request):
    async with street_of(open_doors(request.param)) as street:
        yield street


@pytest.fixture
def street(open_street):
    service = open_street.service
    service.done.clear()
    service.asked.clear()
    service.spans.clear()
    service.authenticators["words"].asked = 0
    return open_street


def ask(path, method="GET", credentials="", body=b"", more=""):
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    lines += [f"Authorization: {credentials}"] if credentials else []
    lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []
    return ("\r\n".join(lines) + f"\r\n{more}\r\n").encode() + body


async def exchange(street, *pieces):
    """Return status, head, and JSON of the first answer."""
    stranger = await street.meet()
    await stranger.send(*pieces)
    outcome = stranger.outcome()
    await stranger.close()
    head = stranger.received.partition(b"\r\n\r\n")[0].decode()
    body = outcome.answers[0][2]
    return outcome, head, json.loads(body) if body.startswith(b"{") else None


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("credentials", CREDENTIALS)
@pytest.mark.parametrize("way", ["whole", "pieces", "huge", "expect"])
async def test_a_body_is_read_for_those_alone_who_may_send_it(street, credentials, way):
    place = street.service.name
    size = HUGE if way == "huge" else 20
    body = json.dumps({"text": "a" * size}).encode()
    more = "Expect: 100-continue\r\n" if way == "expect" else ""
    sent = ask("/doors/", "POST", CREDENTIALS[credentials], body, more)
    head = sent[: -len(body)]
    cuts = {"whole": [sent], "pieces": [head[:30], head[30:], body[:9], body[9:]]}
    if way == "huge":
        cuts["huge"] = [head, *(body[at : at + 60_000] for at in range(0, len(body), 60_000))]
    expected = STATUSES[credentials]
    cuts["expect"] = [head, body] if expected == 200 else [head]
    is_open = way != "expect" or expected == 200
    follows = [ask("/doors/", credentials="Bearer a")] if is_open else []

    outcome, head, said = await exchange(street, *cuts[way], *follows)

    final = [status for status in outcome.statuses if status != 100]
    assert final == [expected, *(200 for _ in follows)]
    assert (100 in outcome.statuses) == (way == "expect" and expected == 200)
    if expected == 200:
        assert said["data"] == {"size": size} if way != "expect" else True
    else:
        assert said == {
            "code": 100000 + expected,
            "message": {401: "Unauthorized", 403: "Forbidden"}[expected],
            **({"error": "this word is not known"} if credentials == "wrong" else {}),
        }
        assert "x-trace-id" in head
        assert street.service.done.count("middleware") == (place == "middleware") * len(follows)
        assert outcome.answers[0][1] == ("close" if way == "expect" else "keep-alive")
    assert street.service.authenticators["words"].asked == len(final)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/feed", "https://evil.example", 403),
        ("/feed", "null", 403),
        ("/feed", "https://x.evil.example", 403),
        ("/feed", "https://x", 101),
        ("/open", "https://evil.example", 403),
    ],
)
async def test_a_page_of_others_opens_no_websocket_with_what_a_browser_adds(
    street, path, origin, status
):
    more = f"{HANDSHAKE}Origin: {origin}\r\n"

    outcome, _, _ = await exchange(street, ask(path, "GET", "Bearer a", more=more))

    assert outcome.statuses == [status]
    assert [what for what in street.service.done if what != "middleware"] == (
        ["a"] if status == 101 else []
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_that_no_handler_would_read_is_not_asked_for(street):
    sent = ask("/doors/named/a", "GET", "", b"x" * 100, "Expect: 100-continue\r\n")

    outcome, _, _ = await exchange(street, sent[:-100])

    assert [answer[:2] for answer in outcome.answers] == [(401, "close")]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("credentials", "challenge"),
    [
        ("none", 'Bearer realm="words"'),
        ("wrong", 'Bearer realm="words", error="invalid_token"'),
        ("read", 'Bearer realm="words", error="insufficient_scope", scope="write"'),
    ],
)
async def test_who_is_refused_is_told_the_way_in(street, credentials, challenge):
    _, head, _ = await exchange(street, ask("/doors/", "POST", CREDENTIALS[credentials], b"{}"))

    lines = [line for line in head.split("\r\n") if line.lower().startswith("www-authenticate")]
    assert [line.partition(": ")[2] for line in lines] == [challenge]
    spans = [(span.operation_name, span.tags["http.status_code"]) for span in street.service.spans]
    assert spans == [("post /doors", STATUSES[credentials])]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "path", "credentials", "status"),
    [
        ("GET", "/doors/", "", 401),
        ("GET", "/doors/", "Bearer a", 200),
        ("GET", "/doors/", "Basic a", 401),
        ("HEAD", "/doors/", "", 401),
        ("HEAD", "/doors/", "Bearer a", 200),
        ("OPTIONS", "/doors/", "", 204),
        ("PUT", "/doors/", "", 200),
        ("PUT", "/doors/", "Bearer a", 200),
        ("PUT", "/doors/", "Bearer bad", 401),
        ("PUT", "/doors/", "Basic a", 401),
        ("PATCH", "/doors/", "", 405),
        ("GET", "/nowhere", "", 404),
        ("GET", "/doors/", "Bearer ill", 500),
        ("GET", "/doors/named/a", "Bearer a", 200),
        ("GET", "/doors/named/b", "Bearer a", 403),
        ("GET", "/doors/named/b", "", 401),
        ("GET", "/doors/named/%00", "Bearer a", 422),
        ("GET", "/doors/named/%00", "", 401),
        ("GET", "/doors/ill?say=raise", "Bearer a", 500),
        ("GET", "/doors/ill?say=none", "Bearer a", 500),
        ("GET", "/doors/ill?say=one", "Bearer a", 500),
        ("GET", "/doors/ill?say=true", "Bearer a", 403),
        ("GET", "/doors/ill?say=true", "Bearer a x", 200),
        ("GET", "/doors/ill?say=true", "", 401),
        ("GET", "/this", "", 401),
        ("HEAD", "/this", "", 401),
        ("GET", "/this", "Bearer a", 200),
        ("GET", "/that", "", 200),
        ("GET", "/wires/open", "", 200),
        ("GET", "/wires/file", "Bearer a", 403),
        ("GET", "/wires/file", "Bearer a write", 200),
        ("GET", "/wires/stream", "", 401),
        ("GET", "/wires/stream", "Bearer a", 403),
        ("GET", "/wires/stream", "Bearer a write", 200),
        ("GET", "/feed", "", 401),
        ("GET", "/feed", "Bearer bad", 401),
    ],
)
async def test_each_door(street, method, path, credentials, status):
    outcome, _, said = await exchange(street, ask(path, method, credentials))

    assert outcome.statuses == [status]
    assert len(street.service.asked) <= 1
    assert "secret" not in str(said)
    if status >= 400 and status not in (404, 405):
        assert street.service.done == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("credentials", "status"), [("Bearer a", 403), ("Bearer a write", 200)])
async def test_a_method_that_middleware_chooses_has_its_own_guards(street, credentials, status):
    if street.service.name != "middleware":
        return
    sent = ask("/doors/both", "GET", credentials, more="X-Method: POST\r\n")

    outcome, _, _ = await exchange(street, sent)

    assert outcome.statuses == [status]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_principal_says_who_told_of_it(street):
    _, _, said = await exchange(street, ask("/doors/", credentials="Bearer a"))

    assert said["data"] == {"id": "a", "by": "words"}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_a_stream_is_not_read_for_those_who_may_not_send_it(street, credentials):
    body = b"x" * 100_000
    sent = ask("/stream", "POST", CREDENTIALS[credentials], body)
    follows = ask("/doors/", credentials="Bearer a")

    outcome, _, _ = await exchange(street, sent[:50_000], sent[50_000:], follows)

    assert outcome.statuses == [STATUSES[credentials], 200]
    assert (100_000 in street.service.done) == (credentials == "right")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "credentials", "status", "did"),
    [
        ("/feed", "", 401, []),
        ("/feed", "Bearer bad", 401, []),
        ("/feed", "Bearer a", 101, ["a"]),
        ("/wires/feed", "Bearer a", 403, []),
        ("/wires/feed", "Bearer a write", 101, ["scoped"]),
        ("/open", "", 101, ["open"]),
        ("/open", "Bearer bad", 401, []),
    ],
)
async def test_a_websocket_begins_for_those_alone_who_may(street, path, credentials, status, did):
    stranger = await street.meet()
    await stranger.send(ask(path, credentials=credentials, more=HANDSHAKE))

    assert stranger.outcome().statuses == [status]
    assert [what for what in street.service.done if what != "middleware"] == did
    await stranger.close()
