"""The probes on the service's own port, with DEBUG."""

import logging

import aiohttp
import pytest
import pytest_asyncio
from sanic.response import text

from msframework.access.guard import Authenticated
from msframework.app import Service
from msframework.testing.server import serving
from tests.conftest import with_settings
from tests.operations.conftest import SteeredPart

pytestmark = pytest.mark.asyncio(loop_scope="module")


def make(name, **values):
    service = Service(with_settings(service_name=name, debug=True, **values))
    service.config.TOUCHUP = False
    service.steered = SteeredPart()
    service.add_part(service.steered, name="steered")
    return service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unsigned():
    """Yield a session without credentials."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def probed():
    """Yield a service with probes, all of whose operations are guarded, and its address."""
    service = make("probed")
    service.add_guards(Authenticated())
    async with serving(service) as server:
        yield service, server.url


async def test_probes_are_answered_without_credentials_spans_and_lines(probed, unsigned, caplog):
    _, url = probed
    caplog.set_level(logging.INFO)

    live = await unsigned.get(f"{url}/livez")
    ready = await unsigned.get(f"{url}/readyz")
    metrics = await unsigned.get(f"{url}/metrics")

    assert await live.json() == {"status": "live", "parts": {"loop": "ok"}}
    assert await ready.json() == {"status": "ready", "parts": {"steered": "ok"}}
    assert "# HELP msframework_" in await metrics.text()
    assert metrics.content_type == "text/plain"
    for answer in (live, ready, metrics):
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "x-trace-id" not in answer.headers
    assert not [each for each in caplog.messages if "livez" in each or "readyz" in each]


async def test_head_is_answered_and_other_methods_are_not(probed, unsigned):
    _, url = probed

    assert (await unsigned.head(f"{url}/livez")).status == 200
    assert (await unsigned.post(f"{url}/livez")).status == 405


async def test_metrics_have_the_form_that_is_asked_for(probed, unsigned):
    _, url = probed
    headers = {"accept": "application/openmetrics-text"}

    answer = await unsigned.get(f"{url}/metrics", headers=headers)

    assert answer.content_type == "application/openmetrics-text"
    assert (await answer.text()).endswith("# EOF\n")


async def test_without_their_package_metrics_say_what_to_install(unsigned, monkeypatch):
    monkeypatch.setattr("msframework.metrics.exposition.find_spec", lambda name: None)

    async with serving(make("unwritten")) as server:
        answer = await unsigned.get(f"{server.url}/metrics")

    assert answer.status == 501
    assert "pip install 'msframework[metrics]'" in await answer.text()


async def test_a_part_that_is_not_ready_is_503(probed, unsigned, monkeypatch):
    service, url = probed
    monkeypatch.setattr(service.readiness, "_until", 0.0)
    monkeypatch.setattr(service.steered, "reason", "no quorum")

    answer = await unsigned.get(f"{url}/readyz")
    monkeypatch.setattr(service.readiness, "_until", 0.0)

    assert answer.status == 503
    assert await answer.json() == {"status": "not ready", "parts": {"steered": "no quorum"}}


async def test_a_service_keeps_its_own_paths_and_has_its_prefix(unsigned):
    service = make("prefixed", server={"url_prefix": "/api"})

    @service.get("/readyz")
    async def own(request):
        return text("mine")

    async with serving(service) as server:
        mine = await unsigned.get(f"{server.url}/api/readyz")
        live = await unsigned.get(f"{server.url}/api/livez")
        missing = await unsigned.get(f"{server.url}/livez")

    assert await mine.text() == "mine"
    assert (live.status, missing.status) == (200, 404)


async def test_they_are_no_operations_and_not_there_without_debug(unsigned):
    service = Service(with_settings(service_name="plain", operations={"port": 0}))
    service.config.TOUCHUP = False
    service.add_route(lambda request: text("a"), "/a", name="a")

    async with serving(service) as server:
        assert (await unsigned.get(f"{server.url}/livez")).status == 404
    debug = make("debugged")
    async with serving(debug) as server:
        assert (await unsigned.get(f"{server.url}/livez")).status == 200
    assert debug.operations == ()


async def test_probes_are_not_shed_under_a_prefix_and_a_path_of_the_service_is(unsigned):
    service = make("crowded", server={"url_prefix": "/api"}, operations={"shedding": True})

    @service.get("/metrics")
    async def own(request):
        return text("mine")

    shedding = service._serving.shedding
    async with serving(service) as server:
        shedding._limit.update = lambda: None
        shedding._limit.value, shedding._samples = 0, 2
        shedding._open()

        probe = await unsigned.get(f"{server.url}/api/livez")
        answer = await unsigned.get(f"{server.url}/api/metrics")

        assert (probe.status, answer.status) == (200, 503)
