"""Paths that end in slashes: found as Sanic finds them, at a cost that grows with their length."""

import json
import sys

import aiohttp
import pytest
from sanic import Sanic
from sanic.exceptions import MethodNotAllowed, NotFound

from msframework.serving.router import Router
from tests.serving.test_head import get

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = (
    "/",
    "/one",
    "/item/<number:int>",
    "/named/<name>",
    "/pair/<a>/<b>",
    "/files/<rest:path>",
    "/letters/<text:[a-z]+>",
    "/strict",
    "/slashed/",
)


def routers():
    """Return Sanic's router and ours, with the same routes."""
    found = []
    for number, router in enumerate((None, Router())):
        app = Sanic(f"routed{number}", router=router, configure_logging=False)
        for index, path in enumerate(PATHS):

            async def handler(request, **path):
                raise AssertionError("nothing is served here")

            strict = path in ("/strict", "/slashed/")
            app.add_route(handler, path, name=f"route{index}", strict_slashes=strict)
        app.router.finalize()
        found.append(app.router)
    return found


def find(router, path, method):
    """Return what *router* has for *path*: its route and parameters, or its exception."""
    try:
        route, _, params = router.resolve(path, method=method)
    except Exception as exc:
        return type(exc).__name__, getattr(exc, "path", None)
    return route.path, params


async def test_what_is_found_is_what_sanic_finds():
    theirs, ours = routers()
    starts = ("", "/one", "/item/7", "/item/x", "/named/n", "/pair/a/b", "/pair/a", "/files/a")
    starts += ("/files", "/letters/a", "/letters/A", "/strict", "/slashed", "/none", "/none/x")
    for start in starts:
        for slashes in (0, 1, 2, 3, 4, 5, 9, 30):
            for method in ("GET", "POST"):
                path = start + "/" * slashes or "/"
                assert find(ours, path, method) == find(theirs, path, method), path


@pytest.mark.parametrize("start", ["", "/one", "/item/7", "/none", "/pair/a", "/guarded"])
async def test_many_slashes_take_no_recursion(street, start):
    path = start.encode() + b"/" * 1100
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    try:
        outcome = await street.exchange(get(target=path), get(target=path, method=b"BREW"))
    finally:
        sys.setrecursionlimit(limit)

    assert set(outcome.statuses) <= {200, 404, 405}
    assert len(outcome.answers) == 2
    assert not outcome.closed


async def test_the_work_for_slashes_is_that_of_a_few_looks(monkeypatch):
    _, ours = routers()
    looks = []
    find_route = ours.find_route
    monkeypatch.setattr(type(ours), "find_route", lambda *a: looks.append(1) or find_route(*a[1:]))

    assert find(ours, "/none" + "/" * 8000, "GET")[0] == "NotFound"

    assert len(looks) <= 4


@pytest.mark.parametrize(
    "path",
    [
        b"/a" * 4000,
        b"/" + b"../" * 2600,
        b"/" + b"." * 8000,
        b"/named/" + b"%2F" * 2600,
        b"/files/" + b"%2F" * 2600,
        b"/files" + b"/" * 8000,
        b"/files/" + b"..%2f" * 1500,
        b"/item/" + b"9" * 8000,
        b"/item/" + b"-" * 8000,
        b"/" + b"%" * 8000,
        b"/" + b"%25" * 2600,
        b"/one?" + b"&" * 8000,
        b"/one?" + b"a&" * 4000,
        b"/one?" + b"=" * 8000,
        b"/?" + b"?" * 8000,
        b"/;" + b";" * 8000,
    ],
)
async def test_paths_that_are_long_and_odd_are_answered(street, path, caplog):
    outcome = await street.exchange(get(target=path), get(target=b"/one"))

    first, second = outcome.statuses
    assert first in (200, 400, 404)
    assert second == 200
    assert caplog.text == ""


async def test_a_path_that_is_nowhere_is_named_once(street):
    outcome = await street.exchange(get(target=b"/none" + b"/" * 1100))

    ((status, _, body),) = outcome.answers
    assert status == 404
    assert json.loads(body)["error"] == "Requested URL /none not found"


async def test_a_method_that_a_path_lacks_is_refused_with_those_it_has():
    _, ours = routers()

    with pytest.raises(MethodNotAllowed, match="PUT is not allowed here") as caught:
        ours.get("/one", "PUT", None)

    assert caught.value.headers == {"Allow": "GET"}


async def test_a_path_that_no_method_has_is_none():
    _, ours = routers()

    for path in ("/none", "/strict/"):
        with pytest.raises(NotFound):
            ours.get(path, "PUT", None)


async def test_what_a_user_raises_before_the_routing_is_left_as_it_is(make_service, serve):
    service = make_service()

    @service.get("/one", host="own.example")
    async def one(request): ...

    @service.signal("http.routing.before")
    async def refuse(request):
        raise NotFound("nothing for you")

    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        url, headers = f"http://{host}:{port}/one", {"Host": "own.example"}
        async with session.get(url, headers=headers) as response:
            assert (response.status, (await response.json())["error"]) == (404, "nothing for you")
