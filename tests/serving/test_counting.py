"""Each request is counted once, whoever answers it, on both paths, by bounded labels."""

import asyncio

import pytest
import pytest_asyncio
from sanic.response import text

from msframework.conf.operations import OperationsSettings
from msframework.serving.protocol import _SharedProtocol
from tests.conftest import new_service, serve_service
from tests.serving.running import read_answer
from tests.serving.watched import WatchedTransport

NAME = "msframework_request_duration_seconds"


class Counted:
    """A service that is measured, and what it has counted since the last look."""

    def __init__(self, fast):
        self.service = service = new_service(
            service_name="fast" if fast else "plain",
            server={"fast_path": fast},
            operations=OperationsSettings(port=0),
        )
        self.begun = asyncio.Event()
        self._before = {}

        @service.get("/items/<number:int>")
        async def item(request, number: int):
            return {"number": number}

        @service.get("/fail")
        async def fail(request):
            raise RuntimeError("it fails")

        @service.get("/wait")
        async def wait(request):
            self.begun.set()
            await asyncio.Event().wait()

        @service.get("/stream")
        async def stream(request):
            response = await request.respond(content_type="text/plain")
            await response.send("a")
            await response.eof()

        @service.get("/sized")
        async def sized(request):
            headers = {"Content-Length": "2"}
            response = await request.respond(content_type="text/plain", headers=headers)
            await response.send("a")
            await response.send("b")
            await response.eof()

        @service.get("/broken")
        async def broken(request):
            response = await request.respond(content_type="text/plain")
            await response.send("a")
            raise RuntimeError("it fails in the middle")

        @service.websocket("/socket")
        async def socket(request, ws):
            await ws.recv()

    @property
    def total(self):
        """The number of requests that were counted since the start."""
        (family,) = [each for each in self.service.metrics if each.name == NAME]
        return sum(sum(series.cells[1:16]) for series in family)

    def new(self):
        """Return how many requests were counted since the last call, by method, route, status."""
        (family,) = [each for each in self.service.metrics if each.name == NAME]
        now = {series.labels: sum(series.cells[1:16]) for series in family}
        new = {key: count - self._before.get(key, 0) for key, count in now.items()}
        self._before = now
        return {key: count for key, count in new.items() if count}

    async def next(self):
        """Wait for what is counted next, and return it as `new` does."""
        async with asyncio.timeout(30):
            while not (found := self.new()):
                await asyncio.sleep(0.01)
        return found


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def counted(request):
    counted = Counted(request.param)
    async with serve_service(counted.service) as counted.address:
        yield counted


@pytest.fixture
def totals(counted, monkeypatch):
    """Return how many requests were counted before each write, as they come."""
    found, begin = [], _SharedProtocol.begin

    def begin_watched(protocol, transport):
        def note():
            found.append(counted.total)

        begin(protocol, WatchedTransport(transport, note, note))

    monkeypatch.setattr(_SharedProtocol, "begin", begin_watched)
    return found


async def exchange(counted, head):
    """Send *head*, and return the status of the answer once the connection is closed."""
    reader, writer = await asyncio.open_connection(*counted.address)
    writer.write(head.encode("latin-1"))
    try:
        return int((await reader.read()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


def get(target, method="GET", version="HTTP/1.1"):
    return f"{method} {target} {version}\r\nHost: x\r\nConnection: close\r\n\r\n"


CASES = {
    "an operation": (get("/items/7"), ("GET", "/items/{number}", "200")),
    "kept open": (
        get("/items/7").replace("close", "keep-alive")[:-2] + "\r\n" + "\x00\r\n\r\n",
        None,
    ),
    "a failure": (get("/fail"), ("GET", "/fail", "500")),
    "a stream": (get("/stream"), ("GET", "/stream", "200")),
    "no route": (get("/nowhere/7"), ("GET", "", "404")),
    "no such value": (get("/items/x"), ("GET", "", "404")),
    "another method": (get("/items/7", "DELETE"), ("DELETE", "", "405")),
    "an unknown method": (get("/items/7", "BREW"), ("other", "", "405")),
    "HEAD": (get("/items/7", "HEAD"), ("HEAD", "/items/{number}", "200")),
    "OPTIONS": (get("/items/7", "OPTIONS"), ("OPTIONS", "/items/{number}", "204")),
    "OPTIONS of all": (get("*", "OPTIONS"), ("OPTIONS", "", "204")),
    "a head that is none": ("nonsense\r\n\r\n", ("other", "", "400")),
    "a head too large": (get("/" + "x" * 100_000), ("other", "", "414")),
    "too many bytes of fields": (
        f"GET / HTTP/1.1\r\nHost: x\r\nX: {'x' * 100_000}\r\n\r\n",
        ("other", "", "431"),
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", sorted(CASES))
async def test_a_request_is_counted_once(counted, case):
    head, labels = CASES[case]
    counted.new()

    status = await exchange(counted, head)

    found = counted.new()
    if labels is None:  # the second one is no request
        assert found == {("GET", "/items/{number}", "200"): 1, ("other", "", "400"): 1}
    else:
        assert (found, str(status)) == ({labels: 1}, labels[2])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("sent", [[1], [1, 1], [3], [2, 1, 40]])
async def test_a_request_is_counted_before_its_answer_is_written(counted, totals, sent):
    # A worker that is killed as soon as its answers were read has counted them.
    before, request = counted.total, b"GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\n"

    reader, writer = await asyncio.open_connection(*counted.address)
    for ahead in sent:
        writer.write(ahead * request)
        for _ in range(ahead):
            await read_answer(reader)
    writer.close()
    await writer.wait_closed()

    assert [total - before for total in totals] == [*range(1, sum(sent) + 1)]


# The requests that were counted before each write, one after the other.
WRITES = {
    **{name: [1] for name in CASES.keys() - {"kept open", "a stream"}},
    "a stream": [0, 1],
    "a stream of known length": [0, 1],
    "a stream without chunks": [0],
    "HEAD of a stream": [1],
    "a stream that breaks off": [0, 1],  # the last one is the end of the connection
}
HEADS = {name: head for name, (head, _) in CASES.items()} | {
    "a stream of known length": get("/sized"),
    "a stream without chunks": get("/stream", version="HTTP/1.0"),
    "HEAD of a stream": get("/stream", "HEAD"),
    "a stream that breaks off": get("/broken"),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", sorted(WRITES))
async def test_whatever_its_answer_a_request_is_counted_before_its_last_write(
    counted, totals, case
):
    before = counted.total

    await exchange(counted, HEADS[case])

    assert [total - before for total in totals] == WRITES[case]


@pytest.mark.asyncio(loop_scope="module")
async def test_answers_that_are_written_together_are_counted_before(counted, totals):
    before = counted.total
    pairs = [await asyncio.open_connection(*counted.address) for _ in range(40)]

    for _, writer in pairs:
        writer.write(b"GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\n")
    for reader, writer in pairs:
        await read_answer(reader)
        writer.close()
        await writer.wait_closed()

    assert len(totals) == counted.total - before == 40
    assert all(total - before >= number for number, total in enumerate(totals, 1))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refused_head_takes_no_time_and_no_failure_comes_of_it(counted, caplog):
    (family,) = [each for each in counted.service.metrics if each.name == NAME]
    series = family.series("other", "", "400")
    counted.new()
    spent = series.value

    await exchange(counted, "nonsense\r\n\r\n")
    # Nor the time since the request before it.
    await exchange(counted, "GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")

    assert counted.new()["other", "", "400"] == 2
    assert series.value == spent
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_hangs_up_is_counted_as_499(counted):
    counted.new()
    counted.begun.clear()
    _, writer = await asyncio.open_connection(*counted.address)
    writer.write(get("/wait").encode())
    await counted.begun.wait()
    writer.close()
    await writer.wait_closed()

    assert await counted.next() == {("GET", "/wait", "499"): 1}


@pytest.mark.asyncio
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("path", ["/items/7", "/nowhere"])
async def test_what_response_middleware_makes_of_an_answer_is_counted(path, fast):
    counted = Counted(fast)
    begun = asyncio.Event()

    @counted.service.on_response
    async def answer_otherwise(request, response):
        if "hang" in request.args:
            begun.set()
            await asyncio.Event().wait()
        return text("otherwise", 418)

    async with serve_service(counted.service) as counted.address:
        assert await exchange(counted, get(path)) == 418
        assert [key[2] for key in counted.new()] == ["418"]
        _, writer = await asyncio.open_connection(*counted.address)
        writer.write(get("/items/7?hang=1").encode())
        await begun.wait()
        writer.close()
        await writer.wait_closed()
        assert await counted.next() == {("GET", "/items/{number}", "499"): 1}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_websocket_is_counted_when_it_ends(counted):
    from websockets.asyncio.client import connect

    counted.new()
    host, port = counted.address
    async with connect(f"ws://{host}:{port}/socket") as socket:
        assert counted.new() == {}
        await socket.send("x")
        await socket.wait_closed()

    assert await counted.next() == {("GET", "/socket", "101"): 1}


@pytest.mark.asyncio(loop_scope="module")
async def test_callers_cannot_make_series(counted):
    counted.new()
    for number in range(30):
        await exchange(counted, get(f"/nowhere/{number}", f"M{number}"))
        await exchange(counted, get(f"/{number}").replace("Host: x", f"Host: x{number}"))

    assert set(counted.new()) <= {("other", "", "405"), ("GET", "", "404"), ("other", "", "404")}


def test_a_service_that_nobody_reads_counts_nothing():
    service = new_service(service_name="unmeasured")

    assert NAME not in {family.name for family in service.metrics}
    assert service._serving.observer.counter is None
