"""CORS in a real browser: what pages of which origins may send and read. Needs `chromium`."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from sanic import Sanic
from sanic.response import html

from msframework import CORS, Blueprint, Reply, Unauthorized, doc
from msframework.app import Service
from msframework.testing.server import Server
from tests.acceptance.chromium import CHROMIUM, FETCH, OPEN, open_chromium
from tests.conftest import with_settings

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not CHROMIUM, reason="no browser here: apt-get install chromium"),
    pytest.mark.asyncio(loop_scope="module"),
]


def make_pages():
    """Return a service with an empty page."""
    service = Service(with_settings(service_name="pages"))

    @service.get("/")
    async def page(request):
        return html("<!doctype html><link rel=icon href=data:,><title>page</title>")

    return service


def make_api(**server):
    """Return the service that pages call."""
    service = Service(with_settings(service_name="api", server=server))

    @service.get("/open")
    async def read(request):
        return Reply({"n": 1}, headers={"ETag": '"1"', "X-Secret": "s"})

    @service.put("/things/<id:int>")
    @doc.consumes({"n": int})
    async def write(request, id, body):
        return {"id": id, **body, "traceparent": "traceparent" in request.headers}

    @service.get("/login")
    async def log_in(request):
        return Reply(None, headers={"Set-Cookie": "session=me; Path=/; HttpOnly; SameSite=Lax"})

    @service.get("/me")
    async def me(request):
        bearer = request.headers.get("authorization")
        if bearer != "Bearer token" and request.cookies.get("session") != "me":
            raise Unauthorized(headers={"WWW-Authenticate": "Bearer"})
        return {"by": "token" if bearer else "cookie"}

    @service.websocket("/feed")
    async def feed(request, ws):
        await ws.send("hello")

    closed = Blueprint("closed", url_prefix="/closed", cors=CORS())

    @closed.get("/thing")
    async def thing(request):
        return 1

    service.blueprint(closed)
    return service


class Stage:
    """Pages of three origins, a browser, and the services that they call."""

    def __init__(self, tab, pages):
        self._tab = tab
        port = pages.url.rpartition(":")[2]
        self.friend, self.stranger = f"http://localhost:{port}", f"http://other.localhost:{port}"
        self.pattern = f"http://*.localhost:{port}"

    @asynccontextmanager
    async def serve(self, **server):
        """Serve the API with these settings; yields its address, and the preflights it answers."""
        Sanic._app_registry.clear()
        service = make_api(**server)
        service.config.TOUCHUP = False
        running, preflights = Server(service), []
        await running.start()
        cors = service._serving.cors

        class Counted:
            sharing_of = cors.sharing_of

            @staticmethod
            def answer(request):
                found = cors.answer(request)
                if found is not None:
                    preflights.append(request.path)
                return found

        service._serving.cors = Counted
        try:
            yield f"http://localhost:{running.url.rpartition(':')[2]}", preflights
        finally:
            await running.stop()

    async def visit(self, page):
        """Show the page of an origin."""
        await self._tab.visit(f"{page}/")

    async def fetch(self, url, method="GET", **options):
        """Return what the page that is shown may read of an answer."""
        return await self._tab.run(
            FETCH % (json.dumps(url), json.dumps({"method": method, **options}))
        )

    async def open_feed(self, url):
        """Return the first message of a websocket, or the code by which it was closed."""
        return await self._tab.run(OPEN % json.dumps(f"{url}/feed".replace("http", "ws", 1)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory):
    Sanic._app_registry.clear()
    service = make_pages()
    service.config.TOUCHUP = False
    async with AsyncExitStack() as stack:
        pages = Server(service)
        await pages.start()
        stack.push_async_callback(pages.stop)
        tab = await stack.enter_async_context(open_chromium(tmp_path_factory.mktemp("profile")))
        yield Stage(tab, pages)


JSON = {"headers": {"Content-Type": "application/json"}, "body": '{"n": 5}'}


async def test_a_page_that_is_named_reads_and_another_does_not(stage):
    async with stage.serve(cors_origins=(stage.friend,)) as (api, _):
        await stage.visit(stage.friend)
        read = await stage.fetch(f"{api}/open")
        written = await stage.fetch(f"{api}/things/7", "PUT", **JSON)
        closed = await stage.fetch(f"{api}/closed/thing")
        await stage.visit(stage.stranger)
        refused = [
            await stage.fetch(f"{api}/open"),
            await stage.fetch(f"{api}/things/7", "PUT", **JSON),
            await stage.fetch(f"{api}/no/such"),
        ]

    assert json.loads(read["body"])["data"] == {"n": 1}
    assert json.loads(written["body"])["data"] == {"id": 7, "n": 5, "traceparent": False}
    assert [each.get("error") for each in (closed, *refused)] == ["TypeError: Failed to fetch"] * 4


@pytest.mark.parametrize("origins", ["pattern", "any"])
async def test_a_page_that_a_pattern_names_reads(stage, origins):
    given = stage.pattern if origins == "pattern" else "*"
    async with stage.serve(cors_origins=(given,)) as (api, _):
        await stage.visit(stage.stranger)
        read = await stage.fetch(f"{api}/open")
        written = await stage.fetch(f"{api}/things/7", "PUT", **JSON)
        await stage.visit(stage.friend)
        by_friend = await stage.fetch(f"{api}/open")

    assert (read["status"], written["status"]) == (200, 200)
    assert by_friend.get("status") == (200 if given == "*" else None)


async def test_a_page_reads_the_headers_that_are_exposed(stage):
    for given, shown in ({}, True), ({"cors_expose": ("X-Secret",)}, False):
        async with stage.serve(cors_origins=(stage.friend,), **given) as (api, _):
            await stage.visit(stage.friend)
            headers = (await stage.fetch(f"{api}/open"))["headers"]

        assert (headers.get("etag"), headers.get("x-secret")) == (
            ('"1"', None) if shown else (None, "s")
        )
        assert ("x-request-id" in headers) is ("x-trace-id" in headers) is shown


@pytest.mark.parametrize("credentials", [True, False])
async def test_cookies_travel_where_they_may(stage, credentials):
    settings = {"cors_origins": (stage.friend,), "cors_credentials": credentials}
    async with stage.serve(**settings) as (api, _):
        await stage.visit(stage.friend)
        await stage.fetch(f"{api}/login", credentials="include")
        with_cookie = await stage.fetch(f"{api}/me", credentials="include")
        without = await stage.fetch(f"{api}/me", credentials="omit")

    # NOTE: without leave the cookie travels, too, but the page may not read the answer.
    assert with_cookie.get("status") == (200 if credentials else None)
    assert without["status"] == 401
    assert json.loads(without["body"])["code"] == 100401
    assert without["headers"]["www-authenticate"] == "Bearer"


async def test_a_header_with_a_token_travels_without_credentials(stage):
    async with stage.serve(cors_origins=(stage.friend,)) as (api, preflights):
        await stage.visit(stage.friend)
        token = {"Authorization": "Bearer token"}
        answer = await stage.fetch(f"{api}/me", headers=token, credentials="omit")
        wrong = await stage.fetch(f"{api}/me", headers={"Authorization": "Bearer x"})

    assert json.loads(answer["body"])["data"] == {"by": "token"}
    assert (wrong["status"], preflights) == (401, ["/me"])


async def test_a_page_sends_the_headers_of_tracing_and_no_other(stage):
    async with stage.serve(cors_origins=(stage.friend,)) as (api, _):
        await stage.visit(stage.friend)
        traced = dict(JSON["headers"], traceparent=f"00-{'a' * 32}-{'b' * 16}-01", b3="0")
        traced["X-Request-ID"] = "mine"
        answer = await stage.fetch(f"{api}/things/7", "PUT", headers=traced, body='{"n": 5}')
        other = await stage.fetch(f"{api}/open", headers={"X-Other": "1"})

    assert json.loads(answer["body"])["data"]["traceparent"] is True
    assert answer["headers"]["x-request-id"] == "mine"
    assert other == {"error": "TypeError: Failed to fetch"}


@pytest.mark.parametrize(("max_age", "asked"), [(600, 1), (0, 3)])
async def test_a_browser_remembers_a_preflight_for_its_time(stage, max_age, asked):
    settings = {"cors_origins": (stage.friend,), "cors_max_age": max_age}
    async with stage.serve(**settings) as (api, preflights):
        await stage.visit(stage.friend)
        for _ in range(3):
            assert (await stage.fetch(f"{api}/things/7", "PUT", **JSON))["status"] == 200

    assert preflights == ["/things/7"] * asked


async def test_a_page_reads_that_there_is_no_such_path(stage):
    async with stage.serve(cors_origins=(stage.friend,)) as (api, _):
        await stage.visit(stage.friend)
        answers = [
            await stage.fetch(f"{api}/no/such", method)
            for method in ("GET", "PUT", "PATCH", "DELETE")
        ]
        lacking = await stage.fetch(f"{api}/open", "DELETE")
        posted = await stage.fetch(f"{api}/open", "POST")

    assert [(each["status"], json.loads(each["body"])["code"]) for each in answers] == [
        (404, 100404)
    ] * 4
    assert lacking == {"error": "TypeError: Failed to fetch"}  # the preflight does not name it
    assert posted["status"] == 405  # it is sent without one


async def test_a_page_that_may_not_read_opens_no_websocket(stage):
    async with stage.serve(cors_origins=(stage.friend,)) as (api, _):
        await stage.visit(stage.friend)
        friend = await stage.open_feed(api)
        await stage.visit(stage.stranger)
        stranger = await stage.open_feed(api)

    assert (friend, stranger) == ("hello", 1006)
