"""The mock of other services: what it replies, and what it notes."""

import pytest

from msframework.client import Client
from msframework.conf.settings import ServiceEntry
from msframework.exceptions import Conflict, NotFound, UpstreamError
from msframework.testing import MockService
from tests.conftest import with_settings

URLS = {"regions": "http://regions:8000/api", "roles": "http://roles:8000"}


@pytest.fixture
def mock():
    with MockService(URLS) as mock:
        yield mock


@pytest.fixture
async def regions(mock):
    client = Client(entry=ServiceEntry("regions", mock.urls["regions"], total_timeout=60))
    yield client
    await client.close()


@pytest.fixture
async def roles(mock):
    client = Client(url=mock.urls["roles"], name="roles")
    yield client
    await client.close()


async def test_a_path_answers_for_every_service(mock, regions, roles):
    mock.get("/things/1", payload={"id": 1, "name": "上海"})

    assert await regions.call("GET", "/things/1") == {"id": 1, "name": "上海"}
    assert await roles.call("GET", "/things/1") == {"id": 1, "name": "上海"}
    assert [call.service for call in mock.calls] == ["regions", "roles"]
    mock.verify()


@pytest.mark.parametrize(
    ("path", "service"), [("/things", "roles"), ("http://roles:8000/things", None)]
)
async def test_a_named_service_answers_alone(mock, regions, roles, path, service):
    mock.get(path, payload=1, service=service)

    assert await roles.call("GET", "/things") == 1
    with pytest.raises(UpstreamError):
        await regions.call("GET", "/things")
    with pytest.raises(AssertionError, match=r"GET /things of regions\ndeclared: .* of roles"):
        mock.verify()


def test_a_url_keeps_the_prefix_of_its_service_apart(mock):
    mock.get("http://regions:8000/api/cities/1")

    assert [str(reply) for reply in mock._replies] == ["GET /cities/1 of regions"]


@pytest.mark.parametrize(
    ("path", "service"), [("http://other/x", None), ("x", None), ("/x", "other")]
)
def test_what_is_no_service_is_refused(mock, path, service):
    with pytest.raises(ValueError, match="regions"):
        mock.get(path, service=service)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
async def test_each_method_is_declared_apart(mock, regions, method):
    getattr(mock, method)("/x", payload=method)

    assert await regions.call(method.upper(), "/x") == method


async def test_head_is_declared_apart(mock, regions):
    mock.head("/x", headers={"X-Count": "3"})

    async with regions.head("/x") as res:
        assert (res.status, res.headers["X-Count"]) == (200, "3")


async def test_status_body_and_headers_are_sent(mock, regions):
    mock.get("/x", status=202, body="grüße", headers={"X-A": "b", "Content-Type": "text/plain"})

    async with regions.get("/x") as res:
        assert (res.status, await res.text("utf-8"), res.headers["X-A"]) == (202, "grüße", "b")


async def test_what_was_asked_is_noted(mock, regions):
    mock.put("/x", status=204)

    await regions.call("PUT", "/x", json={"a": 1}, params={"q": "1"}, headers={"X-A": "b"})

    (call,) = mock.calls
    assert (call.method, call.path, call.params, call.json) == ("PUT", "/x", {"q": "1"}, {"a": 1})
    assert call.headers["x-a"] == "b"
    assert str(call) == "PUT /x?q=1 of regions"


async def test_replies_to_one_path_come_in_turn(mock, regions):
    mock.get("/x", payload=1)
    mock.get("/x", payload=2)

    assert [await regions.call("GET", "/x") for _ in range(3)] == [1, 2, 2]


async def test_a_name_in_a_path_stands_for_any_segment(mock, regions):
    mock.get("/a b/{id}/x", payload=1)

    assert await regions.call("GET", "/a b/{id}/x", id="ü") == 1
    with pytest.raises(UpstreamError):
        await regions.call("GET", "/a b/1/2/x")


async def test_a_declared_query_counts(mock, regions):
    mock.get("/x?q=1", payload=1)
    mock.get("/x", payload=2)

    assert await regions.call("GET", "/x", params={"q": 1}) == 1
    assert await regions.call("GET", "/x", params={"q": 2}) == 2


async def test_an_exception_of_ours_is_answered_as_a_service_does(mock, regions):
    mock.get("/x", exception=Conflict("taken", code=12003))
    mock.get("/y", exception=NotFound)

    with pytest.raises(Conflict) as caught:
        await regions.call("GET", "/x", passing=(409,))
    assert (caught.value.error, caught.value.code) == ("taken", 12003)
    with pytest.raises(UpstreamError) as missing:
        await regions.call("GET", "/y")
    assert (missing.value.status, missing.value.upstream_code) == (404, 100404)


@pytest.mark.punctual
@pytest.mark.parametrize(("exception", "status"), [(ConnectionError(), 503), (TimeoutError, 504)])
async def test_other_exceptions_happen_on_the_way(mock, regions, exception, status):
    mock.get("/x", exception=exception)

    # NOTE: a TimeoutError is an answer that never comes.
    with pytest.raises(UpstreamError) as caught:
        await regions.call("GET", "/x", timeout=0.3)

    assert caught.value.status_code == status
    assert len(mock.calls) == 1


async def test_an_unexpected_call_is_refused_and_named(mock, regions):
    with pytest.raises(UpstreamError) as caught:
        await regions.call("GET", "/x", params={"a": 1})

    assert caught.value.upstream_error == "unexpected: GET /x?a=1 of regions"
    with pytest.raises(AssertionError, match=r"GET /x\?a=1 of regions\ndeclared: nothing"):
        mock.verify()
    mock.reset()
    mock.verify()
    assert mock.calls == []


def test_settings_point_to_it(mock):
    entry = ServiceEntry("regions", URLS["regions"], total_timeout=7)
    other = ServiceEntry("other", "http://other")

    settings = mock.point(with_settings(services={"regions": entry, "other": other}))

    assert settings.services["regions"].url == mock.urls["regions"]
    assert settings.services["regions"].total_timeout == 7
    assert settings.services["other"] is other


async def test_clients_are_taken_over_and_given_back(mock):
    known = Client(url=URLS["roles"], name="roles")
    unknown = Client(url="http://host:1")
    mock.take_over([known, unknown])
    mock.take_over([known, unknown])
    mock.get("http://host:1/x", payload=1)

    assert await unknown.call("GET", "/x") == 1
    assert known.address.base == mock.urls["roles"]
    mock.stop()

    assert (known.address.base, unknown.address.base) == (URLS["roles"], "http://host:1")
    await unknown.close()


def test_it_stops_without_having_started():
    MockService().stop()
