"""The state of a served service: when its fast path is open, and which signals are heard."""

import pytest
from sanic.request import Request as SanicRequest


@pytest.fixture
def service(make_service):
    service = make_service()

    @service.get("/one")
    async def one(request): ...

    return service


async def test_the_fast_path_is_open_when_a_service_is_served(service):
    service.finalize()

    assert service._serving.lean


def hear_requests(service):
    service.signal("http.lifecycle.request")(print)


def take_another_request(service):
    service.request_class = SanicRequest


def close_connections(service):
    service.config.KEEP_ALIVE = False


@pytest.mark.parametrize("change", [hear_requests, take_another_request, close_connections])
async def test_the_fast_path_stays_closed_to_what_it_does_not_know(service, change):
    change(service)
    service.finalize()

    assert not service._serving.lean


async def test_a_signal_is_heard_by_its_name_or_by_all_of_its_kind(service):
    service.signal("http.lifecycle.request")(print)
    service.signal("server.exception.<kind>")(print)
    service.finalize()

    heard = [
        event
        for event in (
            "http.lifecycle.request",
            "http.lifecycle.response",
            "server.exception.report",
        )
        if service._serving.has_signal(event)
    ]

    assert heard == ["http.lifecycle.request", "server.exception.report"]


async def test_a_service_that_stops_says_so(service):
    service._serving.stopping = True

    assert service.stopping
