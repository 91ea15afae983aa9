"""The heads of answers are the same on both paths, whatever their status."""

import asyncio
from http import HTTPStatus

import pytest
import pytest_asyncio
from sanic.response import HTTPResponse

from msframework.exceptions import ServiceException
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUSES = [status for status in HTTPStatus if status >= 200]
# That of an operation's refusal, of Sanic's own class, and of a stream.
PLACES = ["/refusals", "/responses", "/streams"]


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def address(request):
    service = new_service(
        service_name="fast" if request.param else "plain", server={"fast_path": request.param}
    )

    @service.get("/refusals/<status:int>")
    async def refuse(request, status: int):
        raise ServiceException(status_code=status)

    @service.get("/responses/<status:int>")
    async def respond(request, status: int):
        return HTTPResponse(status=status)

    @service.get("/streams/<status:int>")
    async def stream(request, status: int):
        response = await request.respond(status=status)
        await response.eof()

    async with serve_service(service) as address:
        yield address


async def head_of(address, target, version="HTTP/1.1"):
    """Return the lines of the head of an answer."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(f"GET {target} {version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("place", PLACES)
async def test_every_registered_status_has_its_phrase(address, place):
    phrases = {}
    for status in STATUSES:
        for version in ("HTTP/1.1", "HTTP/1.0"):
            first = (await head_of(address, f"{place}/{status}", version))[0]
            assert first.startswith(f"HTTP/1.1 {status} "), first
            phrases.setdefault(status, set()).add(first[13:])

    assert {status for status, found in phrases.items() if len(found) != 1} == set()
    assert phrases[421] == {"Misdirected Request"}
    assert phrases[425] == {"Too Early"}
    assert {status for status, found in phrases.items() if "UNKNOWN" in found} == set()


async def test_a_status_that_nobody_registered_is_unknown(address):
    for place in PLACES:
        assert (await head_of(address, f"{place}/599"))[0] == "HTTP/1.1 599 UNKNOWN"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_no_header_is_empty(address, place, version):
    for status in (200, 204, 304, 404):
        _, *lines = await head_of(address, f"{place}/{status}", version)

        assert [line for line in lines if not line.partition(": ")[2]] == []
