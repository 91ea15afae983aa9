"""The load sends what it claims to send. Needs wrk."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

import benchmarks

SCRIPTS = Path(benchmarks.__file__).with_name("wrk")
TRACEPARENT = re.compile(r"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")

pytestmark = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is not installed; only benchmarks need it"
)


@pytest.fixture
async def received():
    """Serve 200 on a free port; yield the heads of all requests, and the port."""
    heads = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-ID: same\r\n\r\n{}"

    async def serve(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                heads.append(head)
                if length := re.search(r"Content-Length: (\d+)", head):
                    await reader.readexactly(int(length[1]))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield heads, server.sockets[0].getsockname()[1]


async def run_wrk(script, port, *arguments):
    """Run wrk for a second over two connections, and return what its script counted."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", "-c2", "-d1s", "--latency", "-s", SCRIPTS / script),
        *(f"http://127.0.0.1:{port}", "--", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    line = next(line for line in printed.decode().splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


@pytest.mark.parametrize(
    ("script", "arguments", "start"),
    [
        ("get.lua", ("/users/%d", "10000"), "GET /users/"),
        ("get.lua", ("/json", "0"), "GET /json "),
        ("post.lua", ("create",), "POST /users "),
    ],
)
async def test_one_request_in_ten_is_sampled(script, arguments, start, received):
    heads, port = received

    found = await run_wrk(script, port, *arguments)

    assert found["requests"] > 20
    assert all(head.startswith(start) for head in heads)
    assert all("Origin: https://app.example.com" in head for head in heads)
    flags = [TRACEPARENT.search(head)[3] for head in heads]
    # NOTE: the last requests of the two connections may have changed places, or not arrived.
    assert abs(flags.count("01") - len(flags) / 10) <= 2
    traces = {TRACEPARENT.search(head)[1] for head in heads}
    assert len(traces) == min(len(heads), 2000 if script == "get.lua" else 500)


@pytest.mark.parametrize(("look", "wrong"), [("verify", 0), ("signed", 1)])
async def test_the_warm_up_sees_ids_that_repeat(look, wrong, received):
    _, port = received

    found = await run_wrk("get.lua", port, "/json", "0", look)

    # No answer lets a browser read it, and all have the same id.
    assert found["wrong"] == wrong * found["requests"]


async def test_callers_bring_their_tokens_in_turn(received, tmp_path):
    heads, port = received
    file = tmp_path / "tokens"
    file.write_text("one\ntwo\nthree\n")

    await run_wrk("get.lua", port, "/json", "0", f"bearer={file}")

    found = [re.search(r"Authorization: Bearer (\w+)\r", head)[1] for head in heads]
    assert set(found) == {"one", "two", "three"}
    # Threads of wrk, and its stop, leave some turns unfinished.
    assert abs(found.count("one") - len(found) / 3) <= len(found) / 30
