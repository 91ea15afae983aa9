"""The page docs/concepts/clients.md: each of its examples calls what it says, both ways."""

import re
from pathlib import Path

import pytest

from msframework import NotFound
from msframework.conf.findings import Findings
from msframework.conf.services import read_services
from tests.client.conftest import opened

pytestmark = pytest.mark.punctual  # the page has the times of production
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "concepts" / "clients.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def page(upstream):
    """The names of all examples, with the services where `upstream` is."""
    scope = {}
    for block in BLOCKS:
        exec(re.sub(r"http://(regions|roles|maps):8000", upstream.url, block), scope)
    return scope


@pytest.fixture
def ask(page, make_service, serve, way):
    """Return a function that gives what a handler gets that runs an example."""

    async def ask(example, *args):
        findings = Findings()
        services = read_services(page["SERVICES"], "the page", findings)
        assert findings.problems == []
        service = make_service(services=services, server={"fast_path": way == "lean"})
        service.blueprint(page["maps"])
        got = []

        @service.get("/run")
        async def run(request):
            got.append(await example(request, *args))

        async with serve(service) as (host, port), opened(url=f"http://{host}:{port}") as client:
            await client.call("GET", "/run")
        return got[0]

    return ask


async def test_the_entry_with_headers_is_called(ask, page, upstream):
    role = await ask(page["get_role"], 3)

    assert role["target"] == "/api/roles/3"
    assert role["headers"]["x-api-key"].encode("latin-1").decode() == "…"


async def test_a_city_is_got(ask, page):
    assert (await ask(page["get_city"], 3))["target"] == "/cities/3"


async def test_a_city_is_renamed(ask, page):
    asked = await ask(page["rename_city"], 3, "Hangzhou")

    assert (asked["method"], asked["body"]) == ("PATCH", '{"name":"Hangzhou"}')


async def test_cities_are_listed(ask, page):
    status, answer = await ask(page["list_cities"])

    assert (status, answer["data"]["target"]) == (200, "/cities?page=2")


async def test_a_status_that_is_named_passes(ask, page, upstream):
    upstream.answers["/api/roles/9"] = (404, {"code": 7, "message": "", "error": "no role"})

    async def look(request):
        with pytest.raises(NotFound) as caught:
            await page["get_role"](request, 9)
        return caught.value.code, caught.value.error

    assert await ask(look) == (7, "no role")


async def test_a_client_that_a_listener_made_is_called(ask, page):
    async def look(request):
        return await request.app.client.call("GET", "/tiles")

    assert (await ask(look))["target"] == "/tiles"
