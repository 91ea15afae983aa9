"""A real server of one service, on loopback: in the running loop, or in a thread with its own.

Runs in tests.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import uvloop
from sanic import Sanic
from sanic.application.constants import ServerStage
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP
from sanic.server.async_server import AsyncioServer
from sanic.server.protocols.http_protocol import HttpProtocol

from msframework.testing.callers import believing

T = TypeVar("T")
App: TypeAlias = Sanic[Any, Any]


class Server:
    """Serves *app* in the running loop, at a free port of 127.0.0.1 or at a unix socket.

    The life cycle is Sanic's: its listeners run as under `app.run`.
    """

    def __init__(self, app: App, unix: Path | None = None) -> None:
        self._app, self._unix = app, unix
        self._server: AsyncioServer | None = None
        self._served = ExitStack()
        self.url = ""

    async def start(self) -> None:
        """Start the app, and listen; when that fails, all that was started is stopped."""
        app = self._app
        # NOTE: Sanic would cut code out of its classes that this app does not use, though other
        # apps of the process may.
        app.config.TOUCHUP = False
        _check_answers(app)
        sock = _listen(self._unix)
        self.url = "http://localhost" if self._unix else f"http://127.0.0.1:{sock.getsockname()[1]}"
        # NOTE: it listens before the listeners have run, and accepts when they have.
        server: Any = await app.create_server(
            sock=sock,
            return_asyncio_server=True,
            access_log=False,
            asyncio_server_kwargs={"start_serving": False},
        )
        if _has_tls(app):
            self.url = self.url.replace("http:", "https:")
        host, port = (None, None) if self._unix else sock.getsockname()[:2]
        _set_stage(app, ServerStage.SERVING, host=host, port=port)
        try:
            # NOTE: Sanic's routers close once; an app that served before is started already.
            if not app.state.is_started:
                await server.startup()
            self._served.enter_context(believing(app, self.url, self._unix))
            await server.before_start()
            await server.start_serving()
            await server.after_start()
        except BaseException:
            self._served.close()
            server.server.close()
            _set_stage(app, ServerStage.STOPPED)
            raise
        self._server = server

    async def stop(self) -> None:
        """Stop listening, let the requests under way end, and stop the app."""
        server, self._server = self._server, None
        if server is None:
            return
        with self._served:
            try:
                await server.before_stop()  # type: ignore[no-untyped-call]
            finally:
                await self._close(server)

    async def _close(self, server: AsyncioServer) -> None:
        closed = server.close()  # type: ignore[no-untyped-call]
        await self._drain(server.connections)
        try:
            await server.after_stop()  # type: ignore[no-untyped-call]
            if closed is not None:  # from CPython 3.12 on when the last TLS handshake has ended
                await closed
        finally:
            await _cancel(self._app)
            _set_stage(self._app, ServerStage.STOPPED)

    async def _drain(self, connections: set[HttpProtocol]) -> None:
        deadline = asyncio.get_running_loop().time() + self._app.config.GRACEFUL_SHUTDOWN_TIMEOUT
        for connection in tuple(connections):
            connection.close_if_idle()
        while connections and asyncio.get_running_loop().time() < deadline:
            # NOTE: Sanic tells nobody when its last connection ends, hence the look every 5 ms.
            await asyncio.sleep(0.005)
            for connection in tuple(connections):
                connection.close_if_idle()
        for connection in tuple(connections):
            connection.abort()  # type: ignore[no-untyped-call]


def _check_answers(app: App) -> None:
    """Let a service of ours refuse answers of its own that lack required members."""
    endpoints = getattr(app, "endpoints", None)
    if endpoints is not None:
        endpoints.check_members()


def _has_tls(app: App) -> bool:
    serving = getattr(app, "_serving", None)
    return serving is not None and serving.tls is not None


def _listen(unix: Path | None) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.bind(str(unix) if unix else ("127.0.0.1", 0))
    return sock


def _set_stage(app: App, stage: ServerStage, **address: object) -> None:
    # NOTE: create_server tells the app of no server, and then app.loop and named tasks are refused.
    app.state.server_info[:] = (
        [ApplicationServerInfo(settings={"version": HTTP.VERSION_1, **address}, stage=stage)]
        if stage is ServerStage.SERVING
        else []
    )


async def _cancel(app: App) -> None:
    """Cancel the tasks that were given to `app.add_task`, and await their end."""
    tasks = [task for task in app.tasks if not task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    app.purge_tasks()


@asynccontextmanager
async def serving(app: App, unix: Path | None = None) -> AsyncIterator[Server]:
    """Serve *app* in the running loop for the time of the block."""
    server = Server(app, unix)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class LoopThread:
    """A thread that runs an event loop (uvloop, as in production) until it is stopped."""

    def __init__(self, name: str) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run *coroutine* in the loop; the future holds its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run *coroutine* in the loop, and wait for its result.

        Raises:
            TimeoutError: it took longer than *timeout* seconds; it is cancelled then.
        """
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and the thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class BackgroundServer:
    """A server of *app* in a thread, for tests without a loop, and for many tests on one server."""

    def __init__(self, app: App) -> None:
        self._server = Server(app)
        self._thread: LoopThread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    @property
    def thread(self) -> LoopThread:
        """The thread that serves.

        Raises:
            RuntimeError: it is not started.
        """
        if self._thread is None:
            raise RuntimeError("the server is not started")
        return self._thread

    def start(self) -> None:
        """Start thread, app and server."""
        self._thread = LoopThread("msframework-test-server")
        try:
            self._thread.run(self._server.start())
        except BaseException:
            self._thread.stop()
            self._thread = None
            raise

    def stop(self) -> None:
        """Stop server, app and thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._server.stop())
            finally:
                thread.stop()

    def __enter__(self) -> BackgroundServer:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
