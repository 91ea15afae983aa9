"""What all bodies of a worker may take together, and that it is given back."""

import asyncio
import contextlib

import pytest

from msframework import doc
from msframework.serving.bodies import Bodies, BodiesFull

MOST = 200_000
HEAD = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{}\r\n"
SIZED = "Content-Length: 150000\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
BODY = b'{"text":"' + b"x" * (150_000 - 11) + b'"}'
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    service = make_service(
        server={"fast_path": request.param, "bodies_max_size": MOST, "request_max_size": MOST}
    )
    service.began, service.goes_on = asyncio.Event(), asyncio.Event()

    @service.post("/held")
    @doc.consumes({"text": str})
    async def held(request, body):
        service.began.set()
        await service.goes_on.wait()
        return {"size": len(body["text"])}

    @service.post("/fails")
    @doc.consumes({"text": str})
    async def fails(request, body):
        raise ValueError("on purpose")

    @service.post("/streamed", stream=True)
    async def streamed(request):
        await request.receive_body()
        raise ValueError("on purpose")

    return service


async def post(port, path, kind=SIZED, part=None):
    """Send a head and a body, or the first *part* of it; return both ends of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.format(path, kind).encode())
    writer.write((BODY if kind is SIZED else CHUNKS)[:part])
    return reader, writer


async def answer_of(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    return int(head.split()[1]), head


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_a_body_beyond_the_sum_is_503_with_retry_after(service, serve, kind):
    async with serve(service) as (_, port):
        first, one = await post(port, "/held", kind)
        await service.began.wait()
        assert service._serving.bodies.held == len(BODY)

        second, two = await post(port, "/held", kind)
        status, head = await answer_of(second)

        assert (status, "retry-after: 1" in head) == (503, True)
        assert service._serving.bodies.held <= MOST
        service.goes_on.set()
        assert (await answer_of(first))[0] == 200
        await until(lambda: service._serving.bodies.held == 0)
        third, three = await post(port, "/held", kind)
        assert (await answer_of(third))[0] == 200
        for writer in (one, two, three):
            writer.close()


@pytest.mark.parametrize("path", ["/fails", "/streamed", "/nothing"])
@pytest.mark.parametrize("kind", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_it_is_given_back_when_a_request_fails(service, serve, kind, path):
    async with serve(service) as (_, port):
        reader, writer = await post(port, path, kind)

        assert (await answer_of(reader))[0] >= 400
        await until(lambda: service._serving.bodies.held == 0)
        writer.close()


@pytest.mark.parametrize("part", [100_000, None], ids=["amid the body", "amid the handler"])
async def test_it_is_given_back_when_the_client_hangs_up(service, serve, part):
    async with serve(service) as (_, port):
        _, writer = await post(port, "/held", part=part)
        await until(lambda: service._serving.bodies.held >= (part or len(BODY)))

        writer.transport.abort()

        await until(lambda: service._serving.bodies.held == 0)


async def test_it_is_given_back_after_a_time_out(make_service, serve):
    service = make_service(server={"bodies_max_size": MOST, "body_timeout": 0.1})
    service.post("/held")(doc.consumes({"text": str})(lambda request, body: body))
    async with serve(service) as (_, port):
        reader, writer = await post(port, "/held", part=100_000)

        assert (await answer_of(reader))[0] == 408
        await until(lambda: service._serving.bodies.held == 0)
        writer.close()


def test_exactly_as_much_as_may_be_is_held():
    bodies = Bodies(10)
    bodies.hold(4)
    bodies.hold(6)

    with contextlib.suppress(BodiesFull):
        bodies.hold(1)

    assert bodies.held == 10
    bodies.give_back(10)
    assert bodies.held == 0
