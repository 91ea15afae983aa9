"""HEAD, OPTIONS and 405 on every kind of path: what is allowed is what is there."""

import asyncio

import pytest

from msframework import Blueprint, Resource
from tests.test_headers import exchange, values

UNKNOWN = ["FOO", "TRACE", "CONNECT-X", "get", "PROPFIND"]
PATHS = {
    "/roles": "GET, HEAD, OPTIONS, POST",
    "/roles/": "GET, HEAD, OPTIONS, POST",
    "/roles/7": "DELETE, OPTIONS, PATCH",
    "/resource/7": "GET, HEAD, OPTIONS, PUT",
    "/rest/a/b": "GET, HEAD, OPTIONS",
    "/by-name/x": "OPTIONS, POST",
    "/down": "GET, HEAD, OPTIONS",
    "/up": "OPTIONS, POST",
    "/feed": "GET, OPTIONS",
    "/files/errors.txt": "GET, HEAD, OPTIONS",
    "/file": "GET, HEAD, OPTIONS",
    "/own-options": "GET, HEAD, OPTIONS",
    "/several": "DELETE, GET, HEAD, OPTIONS, PUT",
    "/docs": "GET, HEAD, OPTIONS",
    "/openapi/spec.json": "GET, HEAD, OPTIONS",
}


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service, tmp_path):
    service = make_service(
        server={"fast_path": request.param, "cors_origins": ("https://a.example",)}
    )

    async def answer(request, **path):
        return path

    for number, (method, path) in enumerate(
        [
            ("GET", "/roles"),
            ("POST", "/roles"),
            ("DELETE", "/roles/<id:int>"),
            ("PATCH", "/roles/<id:int>"),
            ("GET", "/rest/<rest:path>"),
            ("POST", "/by-name/<name:str>"),
            ("GET", "/own-options"),
        ]
    ):
        names = [part.partition(":")[0] for part in path.split("<")[1:]]
        scope = {}
        code = f"async def handler{number}(request, {', '.join(names)}):\n    return 1"
        exec(code, scope)
        service.add_route(scope[f"handler{number}"], path, methods=[method])

    @service.route("/several", methods=["GET", "PUT", "DELETE"])
    async def several(request):
        return 1

    @service.options("/own-options")
    async def own_options(request):
        return 1

    things = Blueprint("things", url_prefix="/resource")

    @things.resource("/<id:int>")
    class Thing(Resource):
        async def get(self, request, id):
            return id

        async def put(self, request, id):
            return id

    service.blueprint(things)

    @service.get("/down", stream=True)
    async def down(request):
        response = await request.respond(content_type="text/plain")
        await response.send("abc")

    @service.post("/up", stream=True)
    async def up(request): ...

    @service.websocket("/feed")
    async def feed(request, ws): ...

    (tmp_path / "errors.txt").write_text("text")
    service.static("/files", tmp_path, name="files")
    service.static("/file", tmp_path / "errors.txt", name="file")
    return service


async def test_405_lists_what_is_there_on_every_kind_of_path(service, serve):
    async with serve(service) as address:
        for path, allow in PATHS.items():
            missing = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - set(allow.split(", "))
            for method in [*UNKNOWN, *sorted(missing)]:
                ((status, fields, _),) = await exchange(address, f"{method} {path}")

                assert (path, method, status.split()[1]) == (path, method, "405")
                assert values(fields, "allow") == [allow]


async def test_options_says_the_same(service, serve):
    async with serve(service) as address:
        for path, allow in PATHS.items():
            ((status, fields, _),) = await exchange(address, f"OPTIONS {path}")

            if path != "/own-options":
                assert (path, status.split()[1]) == (path, "204")
                assert values(fields, "allow") == [allow]
                assert values(fields, "access-control-allow-methods") == []


async def test_an_unknown_path_is_404_whichever_the_method(service, serve):
    async with serve(service) as address:
        for path in ("/no/such", "/roles/x", "/resource/x"):
            for method in [*UNKNOWN, "GET", "HEAD", "OPTIONS", "POST", "DELETE"]:
                ((status, fields, _),) = await exchange(address, f"{method} {path}")

                assert (path, method, status.split()[1]) == (path, method, "404")
                assert values(fields, "allow") == []


async def test_the_head_of_head_is_that_of_get(service, serve):
    async with serve(service) as (host, port):
        for path, allow in PATHS.items():
            if "HEAD" not in allow:
                continue
            heads = []
            for method in ("GET", "HEAD"):
                reader, writer = await asyncio.open_connection(host, port)
                text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                writer.write(text.encode())
                head, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
                writer.close()
                assert bool(body) == (method == "GET")
                own = (b"x-request-id", b"x-trace-id", b"date")
                lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(own)]
                heads.append(sorted(line.lower() for line in lines))

            assert heads[0] == heads[1], path
