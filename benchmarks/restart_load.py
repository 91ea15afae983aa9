"""The callers of restarts.py: they keep connections, retry nothing, and count what failed.

Before the next request a caller checks whether its idle connection was closed, as HTTP clients do,
and it obeys `Connection: close`. So every failure is one of the service.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

PATIENCE = 120.0  # seconds to wait for one answer
LONGEST = 3000  # milliseconds that a handler takes at most
CHUNKS = 20  # of a stream
GOING_AWAY = 1001  # RFC 6455, section 7.4.1
_KINDS = (
    (ConnectionRefusedError, "refused"),
    ((ConnectionResetError, BrokenPipeError), "reset"),
    (asyncio.IncompleteReadError, "closed"),
    (TimeoutError, "timeout"),
    (OSError, "other"),
)


class Wrong(Exception):
    """An answer that is not the expected one; the text is the kind of failure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One request that failed: what asked, how it failed, when it began and when it failed."""

    caller: str
    kind: str
    began: float
    failed: float


@dataclass
class Tally:
    """What callers counted: requests by caller, failures, and the processes that answered."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    seen: dict[int, float] = field(default_factory=dict)  # process → when it answered last

    def kinds(self) -> Counter[str]:
        """Return how many failed in which way."""
        return Counter(failure.kind for failure in self.failures)

    def processes(self, since: float) -> set[int]:
        """Return the processes that have answered since then."""
        return {pid for pid, last in self.seen.items() if last >= since}


class Connection:
    """One HTTP/1.1 connection, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        """Send one request and return the body of its answer."""
        if self._reader is None or self._reader.at_eof() or self._reader.exception():
            self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._writer is not None
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        answer = await self._read_body(fields)
        if fields.get("connection") == "close":
            self.close()
        if status != 200:
            raise Wrong(str(status))
        return answer

    async def _read_body(self, fields: dict[str, str]) -> bytes:
        assert self._reader is not None
        if "content-length" in fields:
            return await self._reader.readexactly(int(fields["content-length"]))
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Load:
    """Callers of the service at *port*, from `start` to `stop`.

    Args:
        scale: how many callers of each kind, in proportion.
    """

    def __init__(self, port: int, scale: float = 1.0) -> None:
        self.port, self.tally = port, Tally()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._scale = scale
        self._tags = iter(range(10**9))

    def start(self) -> None:
        """Let the callers begin."""
        callers: dict[str, tuple[int, Callable[[Connection], Awaitable[None]]]] = {
            "keep-alive": (10, self._ask_short),
            "post": (4, self._post),
            "slow": (6, self._ask_slow),
            "stream": (4, self._read_stream),
            "new connection": (3, self._ask_anew),
        }
        for name, (count, ask) in callers.items():
            for _ in range(max(1, round(count * self._scale))):
                self._tasks.append(asyncio.create_task(self._call(name, ask)))
        for _ in range(max(1, round(3 * self._scale))):
            self._tasks.append(asyncio.create_task(self._talk()))

    async def stop(self) -> Tally:
        """Let every caller end its request, and return what they counted."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        return self.tally

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.002, 0.06)):
                await self._stopping.wait()

    async def _call(self, name: str, ask: Callable[[Connection], Awaitable[None]]) -> None:
        connection = Connection(self.port)
        while not self._stopping.is_set():
            began = time.monotonic()
            self.tally.requests[name] += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    await ask(connection)
            except (OSError, Wrong, asyncio.IncompleteReadError) as exc:
                self._fail(name, exc, began)
                connection.close()
            await self._pause()
        connection.close()

    def _fail(self, name: str, exc: Exception, began: float) -> None:
        kind = str(exc) if isinstance(exc, Wrong) else ""
        kind = kind or next(kind for types, kind in _KINDS if isinstance(exc, types))
        self.tally.failures.append(Failure(name, kind, began, time.monotonic()))

    def _check(self, answer: bytes, tag: int) -> None:
        try:
            found = json.loads(answer)
        except ValueError:
            raise Wrong("wrong body") from None
        if found.get("tag") != tag:
            raise Wrong("wrong body")
        self.tally.seen[found["pid"]] = time.monotonic()

    async def _ask_short(self, connection: Connection) -> None:
        tag, ms = next(self._tags), random.choice((0, 0, 0, 5, 20, 50))
        self._check(await connection.ask("GET", f"/wait/{ms}/{tag}"), tag)

    async def _ask_slow(self, connection: Connection) -> None:
        tag = next(self._tags)
        self._check(await connection.ask("GET", f"/wait/{random.randrange(LONGEST)}/{tag}"), tag)

    async def _ask_anew(self, connection: Connection) -> None:
        await self._ask_short(connection)
        connection.close()

    async def _post(self, connection: Connection) -> None:
        tag = next(self._tags)
        self._check(await connection.ask("POST", f"/echo/{tag}", b"x" * 2000), tag)

    async def _read_stream(self, connection: Connection) -> None:
        tag, ms = next(self._tags), random.randrange(LONGEST)
        body = await connection.ask("GET", f"/stream/{CHUNKS}/{ms}/{tag}")
        if body != f"{tag}\n".encode() * CHUNKS:
            raise Wrong("wrong body")

    async def _talk(self) -> None:
        """Keep a websocket open; that the service closes it with 1001 is as it should be."""
        url = f"http://127.0.0.1:{self.port}/talk"
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            while not self._stopping.is_set():
                began = time.monotonic()
                self.tally.requests["websocket"] += 1
                try:
                    async with asyncio.timeout(PATIENCE), session.ws_connect(url) as ws:
                        await self._exchange(ws)
                except aiohttp.WSServerHandshakeError as exc:
                    self._fail("websocket", Wrong(str(exc.status)), began)
                except aiohttp.ServerDisconnectedError:
                    self._fail("websocket", Wrong("closed"), began)
                except (OSError, Wrong, aiohttp.ClientError) as exc:
                    cause = exc if isinstance(exc, (OSError, Wrong)) else Wrong("other")
                    if isinstance(exc, aiohttp.ClientConnectorError):
                        cause = exc.os_error
                    self._fail("websocket", cause, began)
                await self._pause()

    async def _exchange(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(100):
            if self._stopping.is_set():
                return
            text = str(next(self._tags))
            with suppress(ConnectionError):  # the receive below tells why
                await ws.send_str(text)
            message = await ws.receive()
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                # NOTE: where the answer to CLOSE could not be sent, aiohttp's own code is 1006.
                code = message.data if message.type is aiohttp.WSMsgType.CLOSE else ws.close_code
                if code != GOING_AWAY:
                    raise Wrong(f"websocket {code}")
                return
            if message.data != text:
                raise Wrong("wrong body")
            await self._pause()
