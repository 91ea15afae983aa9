"""The client against a real server: what goes out, what comes back, and what is left behind."""

import asyncio
import gc
import http.server
import json
import socket
import threading
import warnings

import opentracing
import pytest

from msframework.client import Client, Clients
from msframework.conf.settings import ServiceEntry
from msframework.exceptions import ImproperlyConfigured, UpstreamError
from msframework.tracing import Tracer
from tests.client.conftest import BoundRequest, opened


async def test_get_gives_the_answer_as_aiohttp_does(client, upstream):
    upstream.answers["/cities/1"] = 200, {"id": 1, "name": "上海"}

    async with client.get("/cities/1") as res:
        assert await res.json() == {"id": 1, "name": "上海"}
        assert await res.text() == (await res.read()).decode()

    assert (res.status, res.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
async def test_each_method_sends_its_name(client, upstream, method):
    async with getattr(client, method)("/things") as res:
        assert (await res.json())["data"]["method"] == method.upper()


async def test_head_has_no_body(client, upstream):
    async def head_only(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")

    upstream.answers["/things"] = head_only

    async with client.head("/things") as res:
        assert await res.read() == b""
        assert await res.json() is None


async def test_calls_share_one_connection(client, upstream):
    for _ in range(5):
        await client.call("GET", "/cities")

    assert len(upstream.requests) == 5
    assert upstream.connections == 1


async def test_the_limit_of_the_entry_bounds_connections(upstream):
    entry = ServiceEntry("regions", upstream.url, limit=2)

    async with opened(entry=entry) as client:
        await asyncio.gather(*(client.call("GET", "/cities") for _ in range(8)))

    assert upstream.connections == 2


async def test_json_goes_out_as_json(client, upstream):
    sent = await client.call("POST", "/cities", json={"name": "上海", "size": 1.5})

    assert json.loads(sent["body"]) == {"name": "上海", "size": 1.5}
    assert sent["headers"]["content-type"] == "application/json"


async def test_json_and_data_together_are_refused(client):
    with pytest.raises(ValueError, match="not as both"):
        client.post("/cities", json={}, data=b"")
    with pytest.raises(ValueError, match="not as both"):
        await client.call("POST", "/cities", json={}, data=b"")


async def test_data_goes_out_as_it_is(client):
    sent = await client.call("POST", "/cities", data=b"a,b")

    assert sent["body"] == "a,b"


async def test_params_become_the_query(client, upstream):
    await client.call("GET", "/c?x=1", params={"q": "a b", "n": [1, 2], "no": None, "t": True})

    assert upstream.requests[0]["target"] == "/c?x=1&q=a+b&n=1&n=2&t=true"


async def test_headers_of_the_entry_go_out_and_a_call_replaces_them(upstream):
    entry = ServiceEntry("regions", upstream.url, headers={"X-Api-Key": "k", "X-Site": "a"})

    async with opened(entry=entry) as client:
        sent = await client.call("GET", "/cities", headers={"x-site": "b"})

    assert (sent["headers"]["x-api-key"], sent["headers"]["x-site"]) == ("k", "b")


async def test_a_bound_client_carries_the_request(client, upstream, tracer):
    span = tracer.start_span("get /users/{id}")
    request = BoundRequest("abc-123", span)

    sent = await client.cli(request).call("GET", "/cities/{id}", id=1)

    headers = sent["headers"]
    (child,) = tracer.recorder.spans
    assert headers["x-request-id"] == "abc-123"
    assert headers["b3"] == f"{span.trace_id}-{child.span_id}-1-{span.span_id}"
    assert headers["traceparent"].startswith(f"00-{span.trace_id}-{child.span_id}-")
    assert child.parent_id == span.span_id


async def test_a_header_of_the_call_replaces_ours(client):
    bound = client.cli(BoundRequest("ours"))

    sent = await bound.call("GET", "/cities", headers={"x-request-id": "theirs"})

    assert sent["headers"]["x-request-id"] == "theirs"


async def test_a_client_without_request_uses_the_current_span(client, tracer):
    with tracer.start_active_span("job") as scope:
        await client.call("GET", "/cities")

    assert tracer.recorder.spans[0].parent_id == scope.span.span_id


async def test_a_client_of_its_own_takes_the_tracer_of_the_process(upstream, monkeypatch):
    tracer = Tracer("testing")
    monkeypatch.setattr(opentracing, "tracer", tracer)

    async with opened(url=upstream.url) as client:
        await client.call("GET", "/cities")

    assert [span.operation_name for span in tracer.recorder.spans] == ["get /cities"]


async def test_without_a_tracer_no_headers_go_out(upstream, monkeypatch):
    monkeypatch.setattr(opentracing, "tracer", opentracing.Tracer())

    async with opened(url=upstream.url) as client:
        sent = await client.call("GET", "/cities")

    assert not {"b3", "traceparent", "x-request-id"} & sent["headers"].keys()


async def test_cookies_are_not_kept(client, upstream):
    async def set_cookie(reader, writer):
        writer.write(b"HTTP/1.1 204 X\r\nSet-Cookie: a=1\r\n\r\n")

    upstream.answers["/login"] = set_cookie

    await client.call("POST", "/login")
    sent = await client.call("GET", "/cities")

    assert "cookie" not in sent["headers"]


# Addresses.


@pytest.mark.parametrize(
    "path", ["http://other/x", "//other/x", "cities", "", "/a/../b", "/%2e%2E"]
)
async def test_what_is_no_path_of_the_service_is_refused(client, upstream, path):
    with pytest.raises(ValueError, match="path"):
        client.get(path)
    assert upstream.requests == []


async def test_an_absolute_url_goes_when_asked_and_without_the_secrets(upstream):
    entry = ServiceEntry("roles", "http://127.0.0.1:9", headers={"X-Api-Key": "k"})

    async with opened(entry=entry) as client:
        url = f"{upstream.url}/roles"
        async with client.get(url, allow_absolute=True, params={"a": 1}) as res:
            sent = (await res.json())["data"]
        with pytest.raises(ValueError, match="allow_absolute"):
            client.get("file:///etc/passwd", allow_absolute=True)

    assert sent["target"] == "/roles?a=1"
    assert "x-api-key" not in sent["headers"]


async def test_a_redirect_is_handed_back(client, upstream):
    upstream.answers["/old"] = 302, b""

    async with client.get("/old") as res:
        assert res.status == 302
    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/old")
    assert (caught.value.status, caught.value.status_code) == (302, 502)


async def test_a_redirect_is_followed_when_asked(client, upstream):
    async def redirect(reader, writer):
        writer.write(b"HTTP/1.1 302 X\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")

    upstream.answers["/old"] = redirect

    async with client.get("/old", allow_redirects=True) as res:
        assert (await res.json())["data"]["target"] == "/new"


async def test_a_prefix_of_the_url_stays_before_every_path(upstream):
    async with opened(url=f"{upstream.url}/api/") as client:
        sent = await client.call("GET", "/cities")

    assert sent["target"] == "/api/cities"


@pytest.mark.parametrize("url", ["", "host:80", "ftp://host", "http://a:b@host", "http://h/?q=1"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="url"):
        Client(url=url)


def test_a_client_shows_no_headers():
    entry = ServiceEntry("regions", "http://regions", headers={"X-Api-Key": "hidden"})

    assert repr(Client(entry=entry)) == "<Client 'regions' of http://regions>"


# Closing.


async def test_close_need_not_be_awaited(upstream):
    client = Client(asyncio.get_running_loop(), url=upstream.url)
    await client.call("GET", "/cities")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.close()
        await upstream.closed.wait()
        del client
        gc.collect()


async def test_close_may_be_awaited_twice(client, upstream):
    await client.call("GET", "/cities")

    await client.close()
    await client.close()
    await upstream.closed.wait()

    with pytest.raises(RuntimeError, match="closed"):
        await client.call("GET", "/cities")


async def test_a_closed_client_starts_again(client):
    await client.stop()
    await client.start()

    assert (await client.call("GET", "/cities"))["target"] == "/cities"


async def test_relocate_goes_to_the_new_address(client, upstream):
    await client.call("GET", "/cities")
    client.relocate(f"{upstream.url}/v2")
    await upstream.closed.wait()

    assert (await client.call("GET", "/cities"))["target"] == "/v2/cities"


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers 7, and closes the connection (HTTP/1.0)."""

    def do_GET(self):
        self.wfile.write(b"HTTP/1.0 200 X\r\nContent-Length: 1\r\n\r\n7")

    def log_message(self, *args):
        pass


@pytest.fixture
def threaded_url():
    """The address of a server that needs no loop of ours."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_client_serves_one_loop_after_another(threaded_url):
    client = Client(url=threaded_url)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    assert first.run_until_complete(client.call("GET", "/")) == 7
    first.close()
    assert second.run_until_complete(client.call("GET", "/")) == 7
    client.close()  # the loop is there, and does not run
    second.close()


async def test_a_client_of_another_running_loop_is_closed_there(upstream, client):
    await client.call("GET", "/cities")

    await asyncio.to_thread(client.close)

    await asyncio.wait_for(upstream.closed.wait(), 30)


# Clients.


async def test_clients_are_a_mapping_and_a_part(upstream, tracer):
    entries = {"regions": ServiceEntry("regions", upstream.url)}
    clients = Clients(entries, tracer)

    assert (list(clients), len(clients)) == (["regions"], 1)
    with pytest.raises(KeyError, match="no entry 'roles'; it has regions"):
        clients["roles"]
    await clients.start()
    await clients["regions"].call("GET", "/cities")
    await clients.stop()
    await upstream.closed.wait()
    with pytest.raises(RuntimeError):
        clients["regions"].session()
    assert tracer.recorder.spans[0].tags["peer.service"] == "regions"


async def test_the_log_has_the_cause_that_callers_are_not_told(caplog):
    async def refuse(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # to whatever TLS begins with
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, opened(url=url, name="regions") as client:
        for ask in (lambda: client.call("GET", "/"), lambda: client.get("/").__aenter__()):
            caplog.clear()
            with pytest.raises(UpstreamError, match=r"^regions gave no answer$"):
                await ask()

            (record,) = (r for r in caplog.records if r.name == "msframework.client")
            assert record.levelname == "WARNING"
            assert "regions gave no answer: no connection by TLS: Client" in record.getMessage()
            assert "SSL" in record.getMessage()


SECRETS = {"params": {"token": "hidden"}, "headers": {"Authorization": "hidden"}}
COOKIE = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=hidden\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        COOKIE + b"X-Token: hid",
        COOKIE + b"X-Token: hidden\0\r\n\r\n",
        COOKIE + b"X-Token: hidden" + b"a" * 9000 + b"\r\n\r\n",
        COOKIE + b"Content-Length: hidden\r\n\r\n",
        COOKIE + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\nhidden",
        b"<html>hidden</html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhidden\r\n",
    ],
)
async def test_no_log_nor_span_has_what_either_side_sent(client, upstream, caplog, spans, answer):
    async def say(reader, writer):
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def ask():
        async with client.get("/c", **SECRETS) as res:
            await res.read()

    upstream.answers["/c"] = say

    for failing in (ask(), client.call("GET", "/c", **SECRETS)):
        with pytest.raises(UpstreamError) as caught:
            await failing
        assert "hid" not in f"{caught.value} {caught.value.upstream_error}"
    assert "hid" not in caplog.text
    assert "hid" not in repr([span.tags for span in spans])


@pytest.mark.parametrize("target", ["/c?hidden", "http://u:hidden@[::/", "ftp://u:hidden@h/"])
async def test_a_redirect_that_leads_nowhere_is_a_failure_of_the_service(
    client, upstream, caplog, spans, target
):
    async def redirect(reader, writer):
        writer.write(f"HTTP/1.1 302 X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

    upstream.answers["/c"] = redirect

    with pytest.raises(UpstreamError) as caught:
        async with client.get("/c", allow_redirects=True, **SECRETS):
            pass

    assert caught.value.status_code == 502
    assert "hid" not in f"{caught.value} {caught.value.upstream_error} {caplog.text}"
    assert "hid" not in repr([span.tags for span in spans])


@pytest.mark.punctual
async def test_no_query_is_logged_where_no_connection_comes_up(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        entry = ServiceEntry("regions", url, connect_timeout=0.1)
        async with opened(entry=entry, fast=False) as client:
            with pytest.raises(UpstreamError) as caught:
                await client.call("GET", "/c", **SECRETS)

    assert caught.value.status_code == 504
    assert f"ConnectionTimeoutError: Connection timeout to host {url}/c" in caplog.text
    assert "hid" not in caplog.text
