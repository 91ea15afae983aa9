"""A service that `run` serves in a thread, as a supervised worker is: told to stop by a request."""

import asyncio
import socket
import threading
from contextlib import asynccontextmanager

from msframework.serving.run import run
from msframework.serving.signals import StopRequest


class Running:
    """One run of *service*; `result` is its exit code, or its exception."""

    def __init__(self, service, *, owns_socket=True, supervised=True):
        self.service, self.stop = service, StopRequest()
        self._supervised = supervised
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.result = None
        self._owns_socket = owns_socket
        self._loop, self.serving = asyncio.get_running_loop(), asyncio.Event()
        self.ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        # NOTE: later, as what runs in it may use the name that this object is to have.
        self._loop.call_soon(self._thread.start)

    def _run(self):
        try:
            self.result = run(
                self.service,
                self.sock,
                on_serving=lambda: self.tell(self.serving),
                stop=self.stop if self._supervised else None,
                owns_socket=self._owns_socket,
            )
        except BaseException as exc:
            self.result = exc
        self.tell(self.serving)
        self.tell(self.ended)

    def tell(self, event):
        """Set an *event* of the test's loop."""
        self._loop.call_soon_threadsafe(event.set)

    async def end(self):
        """Wait for the end; return the exit code, or raise what came instead."""
        async with asyncio.timeout(30):
            await self.ended.wait()
        self._thread.join()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    async def connect(self):
        """Return the two ends of a new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, data):
        """Send *data* on a new connection; return its reader and writer."""
        reader, writer = await self.connect()
        writer.write(data)
        return reader, writer


@asynccontextmanager
async def running(service, *, owns_socket=True):
    """Run *service* for the time of the block; it is told to stop, and awaited, at the end."""
    run = Running(service, owns_socket=owns_socket)
    try:
        async with asyncio.timeout(30):
            await run.serving.wait()
        if run.result is not None:
            await run.end()
        yield run
    finally:
        run.stop.make(delay=False)
        if not isinstance(run.result, BaseException):
            await run.end()


def request(path, *, body=b"", headers=b""):
    """Return the bytes of a request."""
    method = b"POST" if body else b"GET"
    length = (
        b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    )
    return b"%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s" % (
        method,
        path.encode(),
        length,
        headers,
        body,
    )


async def read_answer(reader):
    """Return the head and the body of one answer of known length, in lower case."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return head, (await reader.readexactly(length)).lower()
