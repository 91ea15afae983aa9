"""Which routes are served side by side, and which are refused with both places."""

import contextlib
import re
from random import Random

import aiohttp
import pytest
from sanic import Sanic
from sanic.exceptions import SanicException
from sanic_routing.exceptions import BaseException as RoutingError

from msframework import Blueprint, ImproperlyConfigured, Resource, doc
from msframework.serving.router import find_allowed

A, B, C = {"Host": "a.test"}, {"Host": "b.test"}, {"Host": "c.test"}


def endpoint(name):
    async def answer(request, **path):
        return {"who": name, **{key: str(value) for key, value in path.items()}}

    answer.__name__ = name
    return answer


def add(service, *routes):
    """Add `(name, method, path, options)` each to *service*."""
    for name, method, path, *options in routes:
        methods = [method] if isinstance(method, str) else method
        service.add_route(endpoint(name), path, methods=methods, **(options[0] if options else {}))


def two_hosts(service):
    for name, host in (("a", "a.test"), ("b", "b.test")):
        blueprint = Blueprint(name, host=host, url_prefix="/p")
        blueprint.add_route(endpoint(name), "/x", methods=["GET"])
        blueprint.add_route(endpoint(f"{name}_one"), f"/x/<{name}:int>", methods=["GET"])
        service.blueprint(blueprint)


STRICT = {"strict_slashes": True}
SERVED = {
    "parameters of other names": (
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", "POST", "/x/<uid:int>")),
        [
            ("GET", "/x/1", {}, {"who": "a", "id": "1"}),
            ("POST", "/x/2", {}, {"who": "b", "uid": "2"}),
            ("HEAD", "/x/1", {}, 200),
            ("PUT", "/x/1", {}, "GET, HEAD, OPTIONS, POST"),
            ("OPTIONS", "/x/1", {}, "GET, HEAD, OPTIONS, POST"),
            ("GET", "/x/a", {}, 404),
        ],
    ),
    "names with and without a kind": (
        lambda s: add(s, ("a", "GET", "/x/<id>"), ("b", "POST", "/x/<name:str>")),
        [("GET", "/x/1", {}, {"who": "a", "id": "1"}), ("POST", "/x/a", {}, {"who": "b"})],
    ),
    "kinds that differ, with the same methods": (
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", "GET", "/x/<name:str>")),
        [("GET", "/x/1", {}, {"who": "a"}), ("GET", "/x/a", {}, {"who": "b", "name": "a"})],
    ),
    "the narrow kind has more methods": (
        lambda s: add(s, ("a", ["GET", "PUT"], "/x/<id:int>"), ("b", "GET", "/x/<name:str>")),
        [("PUT", "/x/1", {}, {"who": "a"}), ("PUT", "/x/a", {}, "GET, HEAD, OPTIONS")],
    ),
    "kinds that share nothing": (
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", "POST", "/x/<id:uuid>")),
        [
            ("GET", "/x/1", {}, {"who": "a"}),
            ("POST", "/x/ad8f1f9e-6c3b-4d8e-8a5e-2f1c3d4b5a69", {}, {"who": "b"}),
        ],
    ),
    "literal parts that differ": (
        lambda s: add(s, ("a", "GET", "/x/<id:int>/y"), ("b", "POST", "/x/<name:str>/z")),
        [("GET", "/x/1/y", {}, {"who": "a"}), ("POST", "/x/1/z", {}, {"who": "b"})],
    ),
    "a literal beside a parameter": (
        lambda s: add(s, ("a", "GET", "/x/me"), ("b", "PUT", "/x/<name:str>")),
        [("GET", "/x/me", {}, {"who": "a"}), ("PUT", "/x/you", {}, {"who": "b"})],
    ),
    "strict slashes": (
        lambda s: add(s, ("a", "GET", "/x", STRICT), ("b", "GET", "/x/", STRICT)),
        [
            ("GET", "/x", {}, {"who": "a"}),
            ("GET", "/x/", {}, {"who": "b"}),
            ("HEAD", "/x/", {}, 200),
            ("POST", "/x/", {}, "GET, HEAD, OPTIONS"),
        ],
    ),
    "one strict slash": (
        lambda s: add(s, ("a", "GET", "/x", STRICT), ("b", "PUT", "/y/<i:int>", STRICT)),
        [("POST", "/x/", {}, 404), ("GET", "/x/", {}, 404), ("GET", "/y/1/", {}, 404)],
    ),
    "strict slashes after a parameter": (
        lambda s: add(s, ("a", "GET", "/x/<i:int>", STRICT), ("b", "GET", "/x/<i:int>/", STRICT)),
        [("GET", "/x/1", {}, {"who": "a"}), ("GET", "/x/1/", {}, {"who": "b"})],
    ),
    "hosts": (
        two_hosts,
        [
            ("GET", "/p/x", A, {"who": "a"}),
            ("GET", "/p/x", B, {"who": "b"}),
            ("GET", "/p/x/1", B, {"who": "b_one", "b": "1"}),
            ("GET", "/p/x", C, 404),
            ("HEAD", "/p/x", A, 200),
            ("POST", "/p/x", A, "GET, HEAD, OPTIONS"),
        ],
    ),
    "a list of hosts": (
        lambda s: add(s, ("a", "GET", "/x", {"host": ["a.test", "b.test"]})),
        [("GET", "/x", A, {"who": "a"}), ("GET", "/x", B, {"who": "a"}), ("GET", "/x", C, 404)],
    ),
    "methods by host": (
        lambda s: add(
            s, ("a", "GET", "/x", {"host": "a.test"}), ("b", "POST", "/x", {"host": "b.test"})
        ),
        [
            ("GET", "/x", A, {"who": "a"}),
            ("POST", "/x", A, "GET, HEAD, OPTIONS"),
            ("GET", "/x", B, "OPTIONS, POST"),
        ],
    ),
    "one function for several methods": (
        lambda s: add(s, ("a", ["GET", "POST"], "/x")),
        [
            ("GET", "/x", {}, {"who": "a"}),
            ("POST", "/x", {}, {"who": "a"}),
            ("HEAD", "/x", {}, 200),
            ("OPTIONS", "/x", {}, "GET, HEAD, OPTIONS, POST"),
            ("PUT", "/x", {}, "GET, HEAD, OPTIONS, POST"),
        ],
    ),
    "HEAD and OPTIONS listed": (
        lambda s: add(s, ("a", ["GET", "POST", "HEAD", "OPTIONS"], "/x")),
        [
            ("HEAD", "/x", {}, 200),
            ("OPTIONS", "/x", {}, {"who": "a"}),
            ("PUT", "/x", {}, "GET, HEAD, OPTIONS, POST"),
        ],
    ),
    "HEAD listed with GET": (
        lambda s: add(s, ("a", ["GET", "HEAD"], "/x")),
        [("HEAD", "/x", {}, 200), ("OPTIONS", "/x", {}, "GET, HEAD, OPTIONS")],
    ),
    "HEAD alone": (
        lambda s: add(s, ("a", "HEAD", "/x"), ("b", "POST", "/x")),
        [("HEAD", "/x", {}, 200), ("GET", "/x", {}, "HEAD, OPTIONS, POST")],
    ),
    "HEAD of one's own": (
        lambda s: add(s, ("a", "GET", "/x"), ("b", "HEAD", "/x")),
        [
            ("GET", "/x", {}, {"who": "a"}),
            ("HEAD", "/x", {}, 200),
            ("PUT", "/x", {}, "GET, HEAD, OPTIONS"),
        ],
    ),
    "OPTIONS of one's own": (
        lambda s: add(s, ("a", "OPTIONS", "/x"), ("b", "GET", "/x")),
        [("OPTIONS", "/x", {}, {"who": "a"}), ("HEAD", "/x", {}, 200)],
    ),
}


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
@pytest.mark.parametrize("name", SERVED)
async def test_what_is_clear_is_served(make_service, serve, name, fast):
    declare, requests = SERVED[name]
    service = make_service(server={"fast_path": fast})
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        for method, path, headers, expected in requests:
            url = f"http://{host}:{port}{path}"
            async with session.request(method, url, headers=headers) as response:
                body = await response.read()
                said = (method, path, response.status, body)
                if isinstance(expected, int):
                    assert response.status == expected, said
                elif isinstance(expected, str):
                    assert response.status == (204 if method == "OPTIONS" else 405), said
                    assert response.headers["Allow"] == expected, said
                else:
                    assert response.status == 200, said
                    assert (await response.json())["data"].items() >= expected.items(), said


REFUSED = {
    "is hidden where /x/<id:int> matches": [
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", "POST", "/x/<name:str>")),
        lambda s: add(s, ("a", "POST", "/x/<name:str>"), ("b", "GET", "/x/<id:int>")),
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", ["GET", "PUT"], "/x/<x:float>")),
        lambda s: add(
            s,
            ("a", "GET", "/x/<id:int>", {"host": "a.test"}),
            ("b", "GET", "/x/<name:str>", {"host": "b.test"}),
        ),
    ],
    "is hidden where /x/<a:int>/<b:str> matches": [
        lambda s: add(s, ("a", "GET", "/x/<a:int>/<b:str>"), ("b", "PUT", "/x/<a:str>/<b:int>")),
    ],
    "is hidden where /x/<a:int>/y matches": [
        lambda s: add(s, ("a", "GET", "/x/<a:int>/y"), ("b", "POST", "/x/<b:str>/y")),
    ],
    "is hidden where /x/<id:[a-z]+> matches": [
        lambda s: add(s, ("a", "GET", "/x/<name:str>"), ("b", "PUT", "/x/<id:[a-z]+>")),
    ],
    "names its parameters in another way": [
        lambda s: add(s, ("a", "GET", "/x/<id:[a-z]+>"), ("b", "POST", "/x/<uid:[a-z]+>")),
    ],
    "is taken by": [
        lambda s: add(s, ("a", "GET", "/x"), ("b", "GET", "/x")),
        lambda s: add(s, ("a", "GET", "/x"), ("b", "GET", "/x/")),
        lambda s: add(s, ("a", "GET", "/x/<id:int>"), ("b", "GET", "/x/<uid:int>")),
        lambda s: add(s, ("a", "GET", "/x", {"host": "a.test"}), ("b", "GET", "/x")),
        lambda s: add(s, ("a", "GET", "/v1/x"), ("b", "GET", "/x", {"version": 1})),
    ],
    "its route is called 'testing.a'": [
        lambda s: [
            s.add_route(endpoint("a"), "/x", methods=["GET"]),
            s.add_route(doc.operation_id("other")(endpoint("a")), "/y", methods=["GET"]),
        ],
    ],
    "has <id> twice": [lambda s: add(s, ("a", "GET", "/x/<id:int>/<id:str>"))],
    "does not begin with two underscores": [lambda s: add(s, ("a", "GET", "/x/<__id:int>"))],
    "names no kind of parameter": [lambda s: add(s, ("a", "GET", "/x/<id:integer>"))],
    "is refused": [
        lambda s: add(s, ("a", "GET", "/x/<id:[a>")),
        lambda s: add(s, ("a", "GET", "/x/<an-id:int>")),
    ],
}


@pytest.mark.parametrize(
    ("text", "declare"), [(text, declare) for text, some in REFUSED.items() for declare in some]
)
def test_what_is_not_is_refused_with_both_places(make_service, text, declare):
    service = make_service()
    declare(service)

    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()

    said = [problem for problem in caught.value.problems if text in problem]
    assert said, caught.value.problems
    places = 2 if text.startswith(("is hidden", "is taken", "names its", "its route")) else 1
    assert said[0].count("test_clashes.py:") == places


def test_a_blueprint_that_is_registered_twice_needs_another_name(make_service):
    service = make_service()
    things = Blueprint("things", url_prefix="/things")
    things.add_route(endpoint("a"), "/", methods=["GET"])
    service.blueprint(things)
    service.blueprint(things, url_prefix="/again")

    with pytest.raises(ImproperlyConfigured, match=r"name_prefix="):
        service.compile()


async def test_what_only_the_router_refuses_is_said_as_a_mistake(make_service):
    service = make_service(openapi={"enabled": False})

    with pytest.raises(ImproperlyConfigured, match="router refuses the routes"):
        service.finalize()


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_head_passes_the_middleware_of_its_blueprint(make_service, serve, fast):
    service = make_service(server={"fast_path": fast})
    things, passed = Blueprint("things"), []
    things.add_route(endpoint("a"), "/x", methods=["GET"])
    things.middleware("request")(lambda request: passed.append(request.method))
    service.blueprint(things)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        await session.get(f"http://{host}:{port}/x")
        await session.head(f"http://{host}:{port}/x")

    assert passed == ["GET", "HEAD"]


SEGMENTS = ("a", "b", "<x:int>", "<y:int>", "<x:str>", "<n>", "<f:float>", "<u:uuid>", "<r:[a-b]+>")
TEXTS = ("a", "b", "1", "-2", "1.5", "z", "ad8f1f9e-6c3b-4d8e-8a5e-2f1c3d4b5a69")


def random_routes(random):
    """Return methods and paths of a few routes, which often clash."""
    return [
        (
            random.sample(["GET", "POST", "PUT"], random.choice((1, 1, 2))),
            "/" + "/".join(random.choices(SEGMENTS, k=random.choice((1, 2, 2)))),
            random.random() < 0.2,
        )
        for _ in range(random.choice((2, 3, 4)))
    ]


def resolve(router, method, path):
    """Return the name of the route that *router* finds, and its values; else the status."""
    try:
        route, _, values = router.get(path, method, None)
    except SanicException as exc:
        # NOTE: the service answers 404 where no method has anything, as after a strict slash.
        return exc.status_code if find_allowed(router.get, path, None) else 404
    if "msframework" in route.name:
        return "ours"
    return route.name.rpartition(".")[2], values


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.acceptance if seed >= 50 else ()) for seed in range(150)],
)
def test_what_is_not_refused_is_found_as_sanic_finds_it(make_service, seed):
    random = Random(seed)
    routes = random_routes(random)
    service, plain = make_service(openapi={"enabled": False}), Sanic("plain")
    for number, (methods, path, strict) in enumerate(routes):
        options = {"methods": methods, "strict_slashes": strict, "name": f"n{number}"}
        handler = doc.operation_id(f"n{number}")(endpoint(f"n{number}"))
        service.add_route(handler, path, **options)
        with contextlib.suppress(RoutingError):
            plain.add_route(endpoint(f"n{number}"), path, **options)
    try:
        service.compile()
    except ImproperlyConfigured:
        return
    service.finalize()  # what compiles, starts
    plain.router.finalize()

    for path in ("/", *(f"/{text}" for text in TEXTS)):
        for longer in ("", "/", *(f"/{text}" for text in TEXTS)):
            for method in ("GET", "POST", "PUT"):
                target = path.rstrip("/") + longer or "/"
                expected = resolve(plain.router, method, target)
                found = resolve(service.router, method, target)
                assert found == expected or (found == "ours" and expected == 405), (routes, target)


@pytest.mark.parametrize("order", [["GET", "HEAD"], ["HEAD", "GET"]])
async def test_a_head_of_ones_own_answers(make_service, serve, order):
    service, called = make_service(), []
    for method in order:

        async def answer(request, method=method):
            called.append(method)

        answer.__name__ = method.lower()
        service.add_route(answer, "/x", methods=[method])
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        await session.head(f"http://{host}:{port}/x")

    assert called == ["HEAD"]


def test_two_resources_alike_are_called_alike_and_hosts_are_no_matter(make_service):
    service = make_service()
    for name in ("one", "two"):
        things = Blueprint(name)

        @things.resource("/x")
        class Thing(Resource):
            async def get(self, request): ...

        service.blueprint(things)

    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()

    place = r"tests/compile/test_clashes.py:\d+ Thing.get"
    expected = rf"{place}: GET /x is taken by {place}. Drop one of them, or change its path\."
    assert [re.fullmatch(expected, problem) for problem in caught.value.problems] != [None]
    assert len(caught.value.problems) == 1


def test_hosts_are_named_where_a_route_has_some(make_service):
    service = make_service()
    add(service, ("a", "GET", "/x", {"host": "a.test"}), ("b", "GET", "/x"))

    with pytest.raises(ImproperlyConfigured, match="both for some hosts and for all"):
        service.compile()
