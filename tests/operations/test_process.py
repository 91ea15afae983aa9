"""The probes of one service, whatever its loop does."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from msframework.app import Service
from msframework.operations import process, server, source
from msframework.operations.process import ServiceSource
from msframework.operations.source import ANSWER_BOUND, Report
from msframework.testing.server import serving
from tests.conftest import with_settings
from tests.console import read_url
from tests.operations.conftest import operations_of


def get(url):
    """Return status and body of *url*, and the seconds that the answer took; blocks."""
    began = time.monotonic()
    status, body = read_url(url, timeout=30)
    return status, body.decode(), time.monotonic() - began


async def probe(url):
    """Ask *url* in a thread."""
    status, body, _ = await asyncio.to_thread(get, url)
    return status, json.loads(body)


def source_of(service):
    return ServiceSource(service.readiness, service.monitor, service.metrics.collect)


@asynccontextmanager
async def operated(**values):
    """Serve a service; give it, and the address of its probes."""
    service = Service(with_settings(operations={"port": 0}, **values))
    service.config.TOUCHUP = False
    service.add_route(lambda request: None, "/", name="nothing")
    with operations_of(source_of(service)) as (host, port):
        url = f"http://{host}:{port}"
        before = await probe(f"{url}/readyz"), await probe(f"{url}/livez")
        async with serving(service):
            yield service, url, before
        after = await probe(f"{url}/readyz"), await probe(f"{url}/livez")
    assert after == (
        (503, {"status": "not ready", "parts": {"service": "draining"}}),
        (200, {"status": "live", "parts": {"loop": "ok"}}),
    )


@pytest.fixture(scope="module", autouse=True)
def patient():
    """Wait for a loop as long as a loaded machine takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "ANSWER_BOUND", 60.0)
        patch.setattr(process, "LIVE_BOUND", 60.0)  # it stands still between two tests
        patch.setattr(server, "_READY_TIMEOUT", 60.0)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service():
    """Yield a service and the address of its probes."""
    async with operated() as (service, url, before):
        yield service, url, before


@pytest.mark.asyncio(loop_scope="module")
async def test_before_the_start_it_is_live_and_not_ready(service):
    _, _, (ready, live) = service

    assert ready == (503, {"status": "not ready", "parts": {"service": "starting"}})
    assert live == (200, {"status": "live", "parts": {"loop": "ok"}})


@pytest.mark.asyncio(loop_scope="module")
async def test_a_service_that_serves_is_live_and_ready(service):
    _, url, _ = service

    assert await probe(f"{url}/livez") == (200, {"status": "live", "parts": {"loop": "ok"}})
    assert (await probe(f"{url}/readyz"))[0] == 200
    status, text, _ = await asyncio.to_thread(get, f"{url}/metrics")
    assert (status, "# TYPE msframework_series_folded_total counter" in text) == (200, True)


@pytest.mark.punctual
@pytest.mark.asyncio(loop_scope="module")
async def test_a_busy_loop_is_not_ready_within_a_second_and_still_live(service, monkeypatch):
    monkeypatch.setattr(process, "ANSWER_BOUND", ANSWER_BOUND)
    _, url, _ = service
    loop = asyncio.get_running_loop()
    asked = [loop.run_in_executor(None, get, f"{url}{path}") for path in ("/readyz", "/livez")]
    time.sleep(1.2)  # noqa: ASYNC251 - a handler that computes

    ready, live = await asyncio.gather(*asked)

    assert (ready[0], json.loads(ready[1])["parts"]) == (503, process.BUSY.parts)
    assert ready[2] < 1.1
    assert (live[0], live[2] < 0.5) == (200, True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_loop_that_does_not_turn_for_long_is_not_live(service, monkeypatch):
    monkeypatch.setattr(process, "LIVE_BOUND", 0.0)
    steered, url, _ = service
    steered.monitor.beat = time.monotonic() - 1

    status, told = await probe(f"{url}/livez")
    assert (status, told["status"]) == (503, "not live")
    assert told["parts"]["loop"].startswith("it has not turned for ")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_service_that_drains_is_live_and_not_ready(service):
    steered, url, _ = service
    steered.readiness.draining = True
    try:
        assert (await probe(f"{url}/readyz"))[1]["parts"] == {"service": "draining"}
        assert (await probe(f"{url}/livez"))[0] == 200
    finally:
        steered.readiness.draining = False


def test_a_loop_that_stands_still_is_late(monkeypatch):
    service = Service(with_settings(operations={"port": 0}))
    service.monitor.beat = 1000.0
    monkeypatch.setattr(source, "monotonic", lambda: 1060.0)

    assert b"msframework_loop_lag_seconds 59.0\n" in source_of(service).render_metrics("")[0]


async def test_a_loop_that_is_gone_is_not_ready():
    service = Service(with_settings(operations={"port": 0}))
    service.readiness.starting = False

    assert source_of(service).check_ready() == process.BUSY
    service.monitor.loop = asyncio.new_event_loop()
    service.monitor.loop.close()
    assert source_of(service).check_ready() == process.BUSY


async def test_a_question_that_the_stop_cuts_off_is_answered(monkeypatch):
    service = Service(with_settings(operations={"port": 0}))
    service.monitor.loop = asyncio.get_running_loop()
    service.readiness.starting = False

    async def leave():
        service.readiness.draining = True
        raise asyncio.CancelledError

    monkeypatch.setattr(service.readiness, "check", leave)
    report = await asyncio.to_thread(source_of(service).check_ready)

    assert report == Report(False, {"service": "draining"})
