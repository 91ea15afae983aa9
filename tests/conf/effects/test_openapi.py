"""What the settings of the document do."""

from base64 import b64encode

import pytest

from msframework import Authenticated, ImproperlyConfigured, Principal
from msframework.access import HTTPBasic

HERE = "tests.conf.effects.test_openapi"
PATHS = ("/openapi/spec.json", "/docs")


async def statuses(running, *paths):
    return [(await running.ask(path)).status for path in paths]


async def test_openapi(serve):
    def routes(service):
        @service.get("/one")
        async def one(request):
            return 1

    async with serve(routes, OPENAPI=False) as running:
        assert await statuses(running, *PATHS) == [404, 404]


@pytest.mark.parametrize(
    ("version", "member", "said"),
    [("2.0", "swagger", "2.0"), ("3.0", "openapi", "3.0."), ("3.1", "openapi", "3.1.")],
)
async def test_openapi_version(serve, version, member, said):
    async with serve(OPENAPI_VERSION=version) as running:
        assert (await running.ask(PATHS[0])).said[member].startswith(said)


async def test_openapi_url(serve):
    async with serve(OPENAPI_URL="/my.json") as running:
        assert await statuses(running, "/my.json", PATHS[0]) == [200, 404]


async def test_docs_url(serve):
    async with serve(DOCS_URL="/my-docs") as running:
        assert await statuses(running, "/my-docs", PATHS[1]) == [200, 404]


async def test_swagger(serve):
    said = {
        "title": "Orders",
        "version": "7.1",
        "description": "All",
        "contact_email": "a@b.io",
    }
    async with serve(SWAGGER=said) as running:
        info = (await running.ask(PATHS[0])).said["info"]

    assert (info["title"], info["version"], info["description"]) == ("Orders", "7.1", "All")
    assert info["contact"]["email"] == "a@b.io"


async def test_security_schemes(serve):
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    async with serve(SECURITY_SCHEMES={"key": key}) as running:
        document = (await running.ask(PATHS[0])).said

    assert document["components"]["securitySchemes"] == {"key": key}


async def find_user(username, password):
    return Principal(username) if password == "pa55" else None


login, known = HTTPBasic(find_user), Authenticated()


async def test_openapi_guards_that_nobody_can_pass(make):
    service = make(OPENAPI_GUARDS=(f"{HERE}.known",))

    with pytest.raises(ImproperlyConfigured) as refused:
        await service.rehearse()

    assert str(refused.value).startswith("OPENAPI_GUARDS: nobody can pass its guards")


async def test_openapi_guards(serve):
    settings = {
        "AUTHENTICATORS": {"login": f"{HERE}.login"},
        "OPENAPI_GUARDS": (f"{HERE}.known",),
    }
    paths = (*PATHS, "/docs/", "/docs/docs.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png")
    right = {"authorization": f"Basic {b64encode(b'ada:pa55').decode()}"}

    async with serve(**settings) as running:
        refused = [await running.ask(path) for path in paths]
        wrong = await running.ask(PATHS[0], headers={"authorization": "Basic YWRhOm5v"})
        let_in = [await running.ask(path, headers=right) for path in paths]
        head = await running.ask(PATHS[0], method="HEAD")

    assert {answer.status for answer in refused} == {401}
    assert {answer.headers["www-authenticate"] for answer in refused} == {
        'Basic realm="api", charset="UTF-8"'
    }
    assert (wrong.status, head.status) == (401, 401)
    assert {answer.status for answer in let_in} == {200}
    assert {answer.headers["cache-control"] for answer in let_in[:3]} == {"private, no-cache"}
