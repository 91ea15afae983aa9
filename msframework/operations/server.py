"""`OperationsServer`: an HTTP/1.1 server in a separate thread, for probes and metrics.

So it answers while the loop of the service is busy, and before and after that runs. Runs from the
start of the process to the end of its stop.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import signal
import socket
import threading
from asyncio import Future, IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter, Task
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from msframework.metrics.exposition import prefers_open_metrics
from msframework.operations.exchange import (
    OperationsAnswer,
    OperationsRequest,
    UnfitRequest,
    answer_plain,
    answer_report,
    read_request,
    write_answer,
)
from msframework.operations.source import LIVE, METRICS, PATHS, READY, OperationsSource, Report
from msframework.serving.head import HEAD_END

_MOST: Final = 64  # connections; for one more, the one that has been silent longest is closed
_PART: Final = 8  # and that part of the open files that the process may have, where it is less
_LARGEST_HEAD: Final = 8192  # bytes
_HEAD_TIMEOUT: Final = 5.0  # seconds for a head to arrive, and for an answer to be taken
_IDLE_TIMEOUT: Final = 75.0  # seconds between two requests of a connection
_READY_TIMEOUT: Final = 1.0  # seconds for the source to check readiness
_METRICS_TIMEOUT: Final = 10.0  # seconds for the source to render metrics
_LINGER: Final = 1.0  # seconds for which further input is discarded before the connection closes
_STOP_TIMEOUT: Final = 1.0  # seconds for answers under way when the server stops
_ACCEPT_PAUSE: Final = 0.1  # seconds after which it is tried again
# What accept(2) says where there is no descriptor for a connection, and where nothing listens.
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NO_SOCKET: Final = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)
_METHODS: Final = ("GET", "HEAD")
# The statuses of answers to requests that may not have been read to their end.
_REFUSALS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
)
logger = logging.getLogger("msframework.operations")


class OperationsServer:
    """Serves the answers of a source on a socket, from `start` to `stop`.

    Args:
        sock: a listening socket; it is closed at the end.
        source: where the answers come from.
    """

    def __init__(self, sock: socket.socket, source: OperationsSource) -> None:
        self._sock, self._source = sock, source
        self._connections: dict[Task[None], None] = {}  # by their last request, the latest last
        self._most = _MOST
        self._reading: set[Task[None]] = set()  # those that wait for a request
        self._pending: dict[str, Future[OperationsAnswer]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failed: set[str] = set()

    def start(self) -> None:
        """Start the thread, which begins to answer."""
        self._loop = asyncio.SelectorEventLoop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the answers under way, and close the socket; a second call does nothing."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with suppress(RuntimeError):  # its loop has ended by itself
            loop.call_soon_threadsafe(self._stopped.set)
        thread.join(3 * _STOP_TIMEOUT)

    def _run(self) -> None:
        loop = self._loop
        # NOTE: signals must reach the main thread, to interrupt its waiting.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        assert loop is not None
        try:
            loop.run_until_complete(self._serve())
        except Exception:
            logger.exception("The operations port is closed, as its server failed")
        finally:
            loop.close()
            self._sock.close()

    async def _serve(self) -> None:
        self._readiness = ThreadPoolExecutor(1, "operations-ready")
        self._metrics = ThreadPoolExecutor(1, "operations-metrics")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY:
            self._most = max(1, min(_MOST, limit // _PART))
        stopped = asyncio.create_task(self._stopped.wait())
        accepting = asyncio.create_task(self._accept())
        try:
            await asyncio.wait((stopped, accepting), return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                accepting.result()
        finally:
            stopped.cancel()
            accepting.cancel()
            await asyncio.wait((accepting,))
            self._sock.close()  # so that nobody waits in it
            connections = set(self._connections)
            for task in self._reading:
                task.cancel()
            if connections:
                _, late = await asyncio.wait(connections, timeout=_STOP_TIMEOUT)
                for task in late:
                    task.cancel()
            await asyncio.sleep(0)
            for executor in (self._readiness, self._metrics):
                executor.shutdown(wait=False, cancel_futures=True)

    # Connections.

    async def _accept(self) -> None:
        """Accept one connection after the other.

        NOTE: `asyncio.start_server` accepts all that wait before any can make room, and logs each
        that it has no descriptor for.
        """
        loop = asyncio.get_running_loop()
        self._sock.setblocking(False)
        while True:
            try:
                sock, _ = await loop.sock_accept(self._sock)
            except OSError as exc:
                if exc.errno in _NO_SOCKET:
                    raise
                if exc.errno in _EXHAUSTED:
                    self._note_exhausted(exc)
                await asyncio.sleep(_ACCEPT_PAUSE)
                continue
            try:
                await loop.connect_accepted_socket(self._new_protocol, sock)
            except OSError:
                sock.close()

    def _new_protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(
            StreamReader(limit=_LARGEST_HEAD), self._serve_connection
        )

    def _note_exhausted(self, exc: OSError) -> None:
        """Let a silent connection go for one that finds no descriptor; log that once."""
        if "accept" not in self._failed:
            self._failed.add("accept")
            logger.error("Connections to the operations port have to wait: %s", exc.strerror)
        self._make_room()

    def _make_room(self) -> None:
        """Close the connection that has asked nothing for longest."""
        oldest = next(iter(self._connections), None)
        if oldest is not None:
            del self._connections[oldest]
            oldest.cancel()

    async def _serve_connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection to its end; never raises."""
        task: Task[None] = asyncio.current_task()  # type: ignore[assignment]
        if len(self._connections) >= self._most:
            self._make_room()
        # NOTE: so that `drain` waits until the kernel has taken the whole answer.
        writer.transport.set_write_buffer_limits(0)
        try:
            timeout, keep_alive = _HEAD_TIMEOUT, True
            while keep_alive and not self._stopped.is_set():
                self._connections.pop(task, None)
                self._connections[task] = None  # the last
                self._reading.add(task)
                keep_alive = await self._answer_next(reader, writer, task, timeout)
                timeout = _IDLE_TIMEOUT
        except (OSError, TimeoutError, IncompleteReadError, asyncio.CancelledError):
            pass  # the client left or was too slow, or the connection had to make room
        except Exception:
            logger.exception("A connection to the operations port failed")
        finally:
            self._connections.pop(task, None)
            self._reading.discard(task)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()

    async def _answer_next(
        self, reader: StreamReader, writer: StreamWriter, task: Task[None], timeout: float
    ) -> bool:
        """Answer the next request of a connection; return whether another may come."""
        async with asyncio.timeout(timeout):
            first = await reader.read(1)
        if not first:
            return False
        try:
            request = read_request(await _read_head(reader, first))
        except UnfitRequest as exc:
            answer = answer_plain(exc.status, str(exc))
            request = OperationsRequest("GET", "")
        else:
            self._reading.discard(task)
            answer = await self._answer(request)
        keep_alive = request.keep_alive and answer.allow is None and not self._stopped.is_set()
        has_body = request.method != "HEAD"
        writer.write(write_answer(answer, has_body=has_body, keep_alive=keep_alive))
        async with asyncio.timeout(_HEAD_TIMEOUT):
            await writer.drain()
        if answer.status in _REFUSALS:
            await _linger(reader, writer)
        return keep_alive

    # Answers.

    async def _answer(self, request: OperationsRequest) -> OperationsAnswer:
        path = request.path
        if path not in PATHS:
            return answer_plain(HTTPStatus.NOT_FOUND)
        if request.method not in _METHODS:
            return answer_plain(HTTPStatus.METHOD_NOT_ALLOWED, allow=", ".join(_METHODS))
        try:
            if path == LIVE:
                return answer_report(self._source.check_live(), "live")
            if path == READY:
                return await self._ask_ready()
            return await self._ask_metrics(request.accept)
        except Exception as exc:
            if path not in self._failed:  # logged once, as every probe would fail
                self._failed.add(path)
                logger.exception("%s failed", path)
            return answer_plain(HTTPStatus.INTERNAL_SERVER_ERROR, type(exc).__name__)

    async def _ask_ready(self) -> OperationsAnswer:
        def ask() -> OperationsAnswer:
            return answer_report(self._source.check_ready(), "ready")

        found = await self._share(READY, self._readiness, ask, _READY_TIMEOUT)
        return found or answer_report(Report(False, {"service": "no answer"}), "ready")

    async def _ask_metrics(self, accept: str) -> OperationsAnswer:
        def ask() -> OperationsAnswer:
            body, media_type = self._source.render_metrics(accept)
            return OperationsAnswer(HTTPStatus.OK, body, media_type)

        # NOTE: by what it asks for, as a caller may write that in any number of ways.
        key = f"{METRICS} {prefers_open_metrics(accept)}"
        found = await self._share(key, self._metrics, ask, _METRICS_TIMEOUT)
        return found or answer_plain(HTTPStatus.SERVICE_UNAVAILABLE, "no answer")

    async def _share(
        self,
        key: str,
        executor: ThreadPoolExecutor,
        ask: Callable[[], OperationsAnswer],
        timeout: float,
    ) -> OperationsAnswer | None:
        """Return the result of *ask* in a thread; `None` after *timeout* seconds.

        Requests of the same *key* at the same time share one call.

        NOTE: calls go on when nobody waits for them any more; with few keys they cannot pile up
        behind a source that hangs.
        """
        future = self._pending.get(key)
        if future is None:
            future = asyncio.get_running_loop().run_in_executor(executor, ask)
            self._pending[key] = future
            future.add_done_callback(lambda _: self._pending.pop(key))
        done, _ = await asyncio.wait([future], timeout=timeout)
        return future.result() if done else None


async def _read_head(reader: StreamReader, first: bytes) -> bytes:
    """Return the head that begins with *first*.

    Raises:
        UnfitRequest: it is too large, or too slow.
    """
    try:
        async with asyncio.timeout(_HEAD_TIMEOUT):
            return first + await reader.readuntil(HEAD_END)
    except LimitOverrunError:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        raise UnfitRequest(status, f"expected a head of {_LARGEST_HEAD} bytes at most") from None
    except TimeoutError:
        raise UnfitRequest(HTTPStatus.REQUEST_TIMEOUT, "the head took too long") from None


async def _linger(reader: StreamReader, writer: StreamWriter) -> None:
    """Discard further input, as closing a socket with unread input resets the connection."""
    with suppress(OSError, TimeoutError):
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(_LINGER):
            while await reader.read(_LARGEST_HEAD):
                pass
