"""What the settings of the document do."""

import pytest

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
