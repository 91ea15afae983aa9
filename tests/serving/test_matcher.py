"""The matcher finds what Sanic's router finds, or nothing."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sanic import Sanic
from sanic.exceptions import SanicException

from msframework.serving.matcher import build_matcher

U = "7b0e0a4c-3c43-4c8f-9a6e-0f7e0f1f2a3b"
PATHS = (
    "/",
    "/users",
    "/users/new",
    "/users/<id:int>",
    "/users/<id:int>/full",
    "/users/<name:str>/by/<other>",
    "/things/<key:uuid>",
    "/things/<key:uuid>/parts/<part:int>",
    "/mixed/<a>/x",
    "/mixed/y/<b>",
    "/files/<path:path>",
    "/files/<number:int>",
    "/days/<day:ymd>",
    "/odd/<word:[a-z]{2}>",
    "/odd/<number:int>",
)
NAMES = ["users", "new", "full", "by", "things", "parts", "mixed", "x", "y", "files", "days", "odd"]
ODD = ["", "5", "-5", "1_0", " 5", "005", "9" * 30, "é", "a%20b", "ab", "2026-01-01", U, U.upper()]
PARTS = st.sampled_from([*NAMES, *ODD])


async def handler(request, **params):
    """Answer nothing: nothing is asked."""


async def other(request, **params):
    """A handler that is not compiled."""


def make_router(add):
    Sanic._app_registry.clear()
    app = Sanic("matching", configure_logging=False)
    add(app)
    app.finalize()
    return app.router


@pytest.fixture(scope="module")
def router():
    def add(app):
        for number, path in enumerate(PATHS):
            app.add_route(handler, path, methods=["GET", "PUT"], name=f"r{number}", unquote=True)
        app.add_route(other, "/users", methods=["POST"], name="post")
        app.add_route(other, "/users/<id:int>", methods=["POST"], name="post_one")

    return make_router(add)


def ask(router, method, path):
    try:
        return router.get(path, method, None)
    except SanicException:
        return None


@settings(max_examples=500, deadline=None)
@given(st.lists(PARTS, max_size=5), st.sampled_from(["GET", "PUT", "POST", "HEAD", "PATCH"]))
def test_it_finds_what_the_router_finds_or_nothing(router, parts, method):
    path = f"/{'/'.join(parts)}"

    found = build_matcher(router.routes, {handler})(method, path)

    if found is not None:
        endpoint, params = found
        route, expected, values = ask(router, method, path)
        assert (endpoint.route, endpoint.handler, params) == (route, expected, values)
        assert endpoint.handler is handler


@pytest.mark.parametrize(
    ("path", "template", "params"),
    [
        ("/", "", {}),
        ("/users", "users", {}),
        ("/users/new", "users/new", {}),
        ("/users/5", "users/<id:int>", {"id": 5}),
        ("/users/5/full", "users/<id:int>/full", {"id": 5}),
        ("/users/a/by/b", "users/<name:str>/by/<other:str>", {"name": "a", "other": "b"}),
        (f"/things/{U}/parts/3", "things/<key:uuid>/parts/<part:int>", {"key": UUID(U), "part": 3}),
    ],
)
def test_it_finds_the_usual_paths(router, path, template, params):
    endpoint, values = build_matcher(router.routes, {handler})("GET", path)

    assert (endpoint.route.path, values) == (template, params)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),  # not compiled
        ("HEAD", "/users"),  # a head without a body
        ("GET", "/mixed/y/x"),  # two routes match
        ("GET", "/files/5"),
        ("GET", "/odd/5"),
        ("GET", "/days/2026-01-01"),
        ("GET", "/users/"),
        ("GET", "/users/-5"),
        ("GET", "/users/a%20b/by/c"),
        ("GET", "/nothing"),
    ],
)
def test_it_leaves_to_the_router_what_it_is_not_sure_of(router, method, path):
    assert build_matcher(router.routes, {handler})(method, path) is None


def test_it_leaves_to_the_router_hosts_streams_and_middleware():
    def add(app):
        app.add_route(handler, "/host", host="shop.example", name="a")
        app.add_route(handler, "/stream", methods=["POST"], stream=True, name="c")
        app.add_route(handler, "/free", name="d")

    router = make_router(add)
    match = build_matcher(router.routes, {handler})

    assert match("GET", "/free") is not None
    assert match("GET", "/host") is None
    assert match("POST", "/stream") is None
    for route in router.routes:
        route.extra.request_middleware = [handler]
    assert build_matcher(router.routes, {handler})("GET", "/free") is None
