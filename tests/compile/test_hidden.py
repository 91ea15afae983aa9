"""Guards on a function behind the one that is mounted are refused, as nobody asks them."""

import functools

import pytest
from sanic.views import HTTPMethodView, stream

from msframework import Resource, doc
from msframework.access import APIKey, Scopes
from msframework.app import Service
from msframework.compile.hidden import find_hidden
from msframework.exceptions import ImproperlyConfigured
from tests.conftest import with_settings

ADMIN = doc.guards(Scopes("admin"))


@ADMIN
async def guarded(request):
    return {}


class Guarded(Resource):
    guards = (Scopes("admin"),)

    async def get(self, request):
        return {}


class View(HTTPMethodView):
    @doc.public
    async def get(self, request):
        return {}


class GuardedView(HTTPMethodView):
    guards = (Scopes("admin"),)


class Called:
    @doc.security("token")
    async def __call__(self, request):
        return {}


def bare(function):
    async def inner(request):
        return await function(request)

    return inner


def bare_feed(function):
    async def inner(request, ws):
        await function(request)

    return inner


def wrapping(function):
    return functools.wraps(function)(bare(function))


def problems_of(handler, mounted=()):
    return [str(each) for each in find_hidden(handler, "here", [id(each) for each in mounted])]


@pytest.mark.parametrize(
    ("handler", "hidden"),
    [
        (bare(guarded), "guarded: @doc.guards"),
        (bare(bare(guarded)), "guarded: @doc.guards"),
        (functools.partial(guarded), "guarded: @doc.guards"),
        (functools.partial(bare(guarded)), "guarded: @doc.guards"),
        (View.as_view(), "View.get: @doc.public"),
        (GuardedView.as_view(), "GuardedView: GuardedView.guards"),
        (Called(), "Called.__call__: @doc.security"),
        (wrapping(Guarded().get), "Guarded.get: Guarded.guards"),
        (bare(Guarded().get), "Guarded.get: Guarded.guards"),
    ],
)
def test_what_is_mounted_hides_no_guards(handler, hidden):
    (problem,) = problems_of(handler)

    assert f"{hidden} stands on it, and nobody reads it there, as here hides it." in problem


@pytest.mark.parametrize(
    "handler", [guarded, wrapping(guarded), wrapping(wrapping(guarded)), Guarded().get, print, 1]
)
def test_what_is_read_is_not_hidden(handler):
    assert problems_of(handler) == []


def test_a_function_may_call_another_that_is_mounted_itself():
    assert problems_of(bare(guarded), [guarded]) == []


def test_functions_that_know_each_other_are_met_once():
    async def one(request):
        return await two(request)

    async def two(request):
        return await one(request)

    assert problems_of(one) == []


@pytest.mark.parametrize("kind", ["endpoint", "stream", "websocket"])
def test_a_service_with_hidden_guards_does_not_start(kind):
    service = Service(with_settings())

    if kind == "websocket":
        service.add_websocket_route(bare_feed(guarded), "/feed")
    else:
        service.add_route(bare(guarded), "/x", methods=["POST"], stream=kind == "stream")

    with pytest.raises(ImproperlyConfigured, match=r"@doc\.guards stands on it"):
        service.compile(strict=False)


def test_routes_that_are_closed_once_more_keep_their_guards(make_service):
    class Feed(Guarded):
        @stream
        async def post(self, request): ...

    service = make_service(
        access={"authenticators": {"key": APIKey(lookup=lambda digest: None)}},
        openapi={"enabled": False},
    )
    service.add_route(Feed().post, "/feed", methods=["POST"])
    service.finalize()
    (route,) = [each for each in service.router.routes if each.methods == {"POST"}]
    before = route.handler, route.extra.admits

    assert service.operations == ()
    service.router.reset()
    service.finalize()

    assert (route.handler, route.extra.admits) == before
    assert before[1].keys() == {"POST"}
