"""`call()`: what it unwraps, and what each failure becomes."""

import asyncio
import socket

import pytest

from msframework import exceptions
from msframework.client import Client
from msframework.conf.settings import ServiceEntry
from msframework.envelope import Bare
from msframework.exceptions import BadRequest, NotFound, ServiceException, UpstreamError
from tests.client.conftest import opened


async def test_the_data_comes_without_its_envelope(client, upstream):
    upstream.answers["/cities/1"] = 200, {"code": 0, "data": {"id": 1}}

    assert await client.call("GET", "/cities/{id}", id=1) == {"id": 1}


async def test_an_answer_without_envelope_comes_as_it_is(client, upstream):
    upstream.answers["/cities/1"] = 200, {"id": 1}

    assert await client.call("GET", "/cities/{id}", id=1) == {"id": 1}


async def test_a_client_may_have_another_envelope(upstream):
    upstream.answers["/cities"] = 200, {"data": []}

    async with opened(url=upstream.url, envelope=Bare()) as client:
        assert await client.call("GET", "/cities") == {"data": []}


async def test_the_envelope_comes_with_the_data_where_it_is_asked_for(client, upstream):
    page = {"code": 0, "data": [], "pagination": {"page": 1}}
    upstream.answers["/cities"] = 200, page

    assert await client.call("GET", "/cities", whole=True) == page


async def test_nothing_is_none(client, upstream):
    async def no_content(reader, writer):
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    upstream.answers["/cities/1"] = no_content

    assert await client.call("DELETE", "/cities/{id}", id=1) is None


@pytest.mark.parametrize(
    ("value", "sent"),
    [("a/b", "a%2Fb"), ("上", "%E4%B8%8A"), ("a b?#%", "a%20b%3F%23%25"), (7, "7"), ("..x", "..x")],
)
async def test_path_parameters_are_encoded(client, upstream, value, sent):
    await client.call("GET", "/files/{name}/x", name=value)

    assert upstream.requests[0]["target"] == f"/files/{sent}/x"


async def test_a_template_may_have_several_parameters_and_any_text(client, upstream):
    await client.call("GET", "/地/{a}/v1.0/{b}{c}", a=1, b="x", c="/", params={"none": None})

    assert upstream.requests[0]["target"] == "/%E5%9C%B0/1/v1.0/x%2F"


@pytest.mark.parametrize("path", ["//other/{id}", "{id}", "/./{id}", "/a/%2e%2e/{id}"])
async def test_a_template_that_leads_elsewhere_is_refused(client, upstream, path):
    with pytest.raises(ValueError, match=r"path"):
        await client.call("GET", path, id=1)
    assert upstream.requests == []


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_a_path_parameter_that_leads_elsewhere_is_a_bad_request(client, upstream, value):
    with pytest.raises(BadRequest):
        await client.call("DELETE", "/files/{name}", name=value)
    assert upstream.requests == []


@pytest.mark.parametrize("values", [{}, {"name": 1}, {"id": 1, "name": 2}, {"id": None}])
async def test_wrong_path_parameters_are_a_type_error(client, values):
    with pytest.raises(TypeError, match="path parameter"):
        await client.call("GET", "/cities/{id}", **values)


@pytest.mark.parametrize(
    ("status", "becomes"), [(400, 502), (404, 502), (500, 502), (503, 503), (504, 504), (599, 502)]
)
async def test_a_failure_is_an_upstream_error(client, upstream, status, becomes):
    upstream.answers["/c"] = status, {"code": 12003, "message": "no", "error": {"id": ["bad"]}}

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    exc = caught.value
    assert (exc.service, exc.status, exc.upstream_code) == ("regions", status, 12003)
    assert exc.upstream_error == {"id": ["bad"]}
    assert exc.status_code == becomes
    assert exc.error == f"regions answered {status}"


async def test_problem_details_are_read_too(client, upstream):
    upstream.answers["/c"] = 409, {"title": "Conflict", "detail": "taken", "code": True}

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert (caught.value.upstream_code, caught.value.upstream_error) == (None, "taken")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b""])
async def test_a_failure_without_a_body_of_ours_says_nothing_of_it(client, upstream, body):
    upstream.answers["/c"] = 500, body

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert (caught.value.upstream_code, caught.value.upstream_error) == (None, None)


async def test_retry_after_of_a_503_is_kept(client, upstream):
    async def busy(reader, writer):
        writer.write(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")

    upstream.answers["/c"] = busy

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert caught.value.headers == {"Retry-After": "7"}


async def test_a_passing_status_becomes_our_own_exception(client, upstream):
    upstream.answers["/c"] = 404, {"code": 12004, "message": "x", "error": "no city 1"}

    with pytest.raises(NotFound) as caught:
        await client.call("GET", "/c", passing=(404, 409))

    assert (caught.value.code, caught.value.error) == (12004, "no city 1")
    assert caught.value.message == "Not Found"


async def test_a_passing_405_keeps_allow(client, upstream):
    async def refuse(reader, writer):
        writer.write(b"HTTP/1.1 405 X\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n")

    upstream.answers["/c"] = refuse

    with pytest.raises(exceptions.MethodNotAllowed) as caught:
        await client.call("POST", "/c", passing={405})

    assert caught.value.headers == {"Allow": "GET"}


@pytest.mark.parametrize("status", [418, 499])
async def test_a_passing_status_without_a_class_of_its_own(client, upstream, status):
    upstream.answers["/c"] = status, {"code": 1}

    with pytest.raises(ServiceException) as caught:
        await client.call("GET", "/c", passing=[status])

    assert (type(caught.value), caught.value.status_code) == (ServiceException, status)


@pytest.mark.parametrize("body", [b"<html>", b'{"a":NaN}', b'{"data":1'])
async def test_an_answer_that_is_no_json_is_a_bad_gateway(client, upstream, body):
    upstream.answers["/c"] = 200, body

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert (caught.value.status_code, caught.value.status) == (502, 200)
    assert caught.value.upstream_error == "its answer is no JSON"


# On the way.


async def fail_of(client, method="GET", **options):
    with pytest.raises(UpstreamError) as caught:
        await client.call(method, "/c", **options)
    return caught.value


async def test_a_service_that_is_away_is_unavailable():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        async with opened(url=f"http://127.0.0.1:{sock.getsockname()[1]}") as client:
            exc = await fail_of(client)

    assert (exc.status_code, exc.status) == (503, None)
    assert str(exc) == "127.0.0.1 gave no answer"
    assert exc.message == "Service Unavailable"


async def hang(reader, writer):
    await reader.read()


async def test_no_answer_in_time_is_a_gateway_timeout(client, upstream):
    upstream.answers["/c"] = hang

    exc = await fail_of(client, timeout=0.05)

    assert (exc.status_code, exc.status) == (504, None)
    await upstream.closed.wait()


async def test_the_entry_says_how_long_is_too_long(upstream):
    upstream.answers["/c"] = hang
    entry = ServiceEntry("regions", upstream.url, total_timeout=0.05)

    async with opened(entry=entry) as client:
        assert (await fail_of(client)).status_code == 504


@pytest.mark.punctual
async def test_a_body_that_stops_is_a_gateway_timeout(client, upstream):
    async def half(reader, writer):
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n1234")
        await reader.read()

    upstream.answers["/c"] = half

    exc = await fail_of(client, timeout=0.5)

    assert (exc.status_code, exc.status) == (504, 200)
    await upstream.closed.wait()


async def test_a_body_that_breaks_off_is_a_bad_gateway(client, upstream):
    async def broken(reader, writer):
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n1234")
        writer.close()

    upstream.answers["/c"] = broken

    exc = await fail_of(client)

    assert (exc.status_code, exc.status) == (502, 200)


async def test_what_is_no_http_is_a_bad_gateway(client, upstream):
    async def garbage(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    upstream.answers["/c"] = garbage

    assert (await fail_of(client)).status_code == 502


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_answer_beyond_the_bound_is_not_read(upstream, chunked):
    sent = 0

    async def endless(reader, writer):
        nonlocal sent
        head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 999999999"
        writer.write(b"HTTP/1.1 200 X\r\n" + head + b"\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n" if chunked else b" " * 65536)
            sent += 65536
            await writer.drain()

    upstream.answers["/c"] = endless

    async with opened(url=upstream.url, max_size=100_000) as client:
        exc = await fail_of(client)

    assert exc.status_code == 502
    assert "larger than 100000 bytes" in exc.upstream_error
    await upstream.closed.wait()
    assert sent < 50_000_000


async def test_the_bound_counts_what_is_unpacked(upstream):
    import gzip

    async def packed(reader, writer):
        body = gzip.compress(b" " * 1_000_000)
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(body)}"
        writer.write(f"HTTP/1.1 200 X\r\n{head}\r\n\r\n".encode() + body)

    upstream.answers["/c"] = packed

    async with opened(url=upstream.url, max_size=100_000) as client:
        assert "larger" in (await fail_of(client)).upstream_error


# Connections that lie idle, and calls that are given up.


async def close_on_second(upstream):
    """Let the next call be the second on its connection, and be answered by hanging up."""
    hung_up = 0

    async def hang_up(reader, writer):
        nonlocal hung_up
        hung_up += 1
        if hung_up == 1:
            writer.close()
            raise ConnectionError
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\n1")

    upstream.answers["/c"] = hang_up


async def test_an_idempotent_call_survives_a_connection_closed_while_idle(client, upstream):
    await client.call("GET", "/warm-up")
    await close_on_second(upstream)

    assert await client.call("PUT", "/c", json={"a": 1}) == 1

    assert [r["body"] for r in upstream.requests[1:]] == ['{"a":1}', '{"a":1}']
    assert upstream.connections == 2


async def test_a_post_is_never_sent_twice(client, upstream):
    await client.call("GET", "/warm-up")
    await close_on_second(upstream)

    assert (await fail_of(client, "POST")).status_code == 503

    assert len(upstream.requests) == 2


async def test_a_fresh_connection_that_breaks_is_not_tried_again(client, upstream):
    await close_on_second(upstream)

    assert (await fail_of(client)).status_code == 503

    assert len(upstream.requests) == 1


async def test_a_cancelled_call_leaves_no_connection(client, upstream, spans):
    upstream.answers["/c"] = hang
    task = asyncio.create_task(client.call("GET", "/c"))
    await upstream.arrived.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.closed.wait()
    assert client.session().connector._acquired == set()
    (span,) = spans
    assert span.tags["error.kind"] == "CancelledError"


async def test_a_call_cancelled_amid_the_body_leaves_no_connection(client, upstream, spans):
    async def half(reader, writer):
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n1234")
        await reader.read()

    upstream.answers["/c"] = half
    entered = asyncio.Event()

    async def read():
        async with client.get("/c") as res:
            entered.set()
            await res.read()

    task = asyncio.create_task(read())
    await entered.wait()
    assert spans == []

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.closed.wait()
    assert client.session().connector._acquired == set()
    assert [span.tags["error.kind"] for span in spans] == ["CancelledError"]


async def test_a_failing_block_lets_go_of_the_answer(client, upstream):
    with pytest.raises(ZeroDivisionError):
        async with client.get("/c"):
            raise ZeroDivisionError

    assert client.session().connector._acquired == set()


async def test_json_of_another_type_is_refused_when_asked(client, upstream):
    upstream.answers["/c"] = 200, b"{}"

    async with client.get("/c") as res:
        assert await res.json(content_type="application/json", encoding="utf-8") == {}
        with pytest.raises(UpstreamError, match="answered 200"):
            await res.json(content_type="text/csv")


async def test_a_call_to_a_broken_redirect_is_a_bad_gateway(client, upstream):
    async def redirect(reader, writer):
        writer.write(b"HTTP/1.1 302 X\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n")

    upstream.answers["/c"] = redirect

    with pytest.raises(UpstreamError) as caught:
        async with client.get("/c", allow_redirects=True):
            pass

    assert caught.value.status_code == 502


async def test_an_invalid_header_is_the_callers_mistake(client):
    with pytest.raises(ValueError, match=r"[Nn]ewline|header"):
        await client.call("GET", "/c", headers={"X-A": "a\r\nX-B: b"})


def test_clients_are_made_without_a_loop():
    assert Client(None, url="http://host:80").name == "host"
