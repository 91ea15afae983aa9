"""`run`: one service in this process, from its start to its end, on an event loop of its own.

Runs in the process of `runserver`, and in each worker of its supervisor. The order of a stop:

1. The request to stop (`serving.signals`) is made. The service is not ready from now on, and its
   answers say `Connection: close`. It still accepts connections for `DRAIN_DELAY`, so that whoever
   balances the load notices in time.
2. The listeners `before_server_stop` run.
3. It stops listening; connections that the kernel has accepted are served (`serving.listener`).
4. Connections end, for `GRACEFUL_SHUTDOWN_TIMEOUT` at most (`serving.drain`).
5. Tasks of `add_task` are cancelled. The listeners `after_server_stop` run, and the parts stop in
   the reverse of their order (`lifecycle`).

`serving.watchdog` ends a process that hangs in one of these steps.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop
from sanic.application.constants import ServerStage
from sanic.log import server_logger
from sanic.server import serve
from sanic.server.events import trigger_events

from msframework.conf.settings import Settings
from msframework.conf.tls import names_files
from msframework.lifecycle import CANCEL_TIMEOUT, complete
from msframework.operations.process import ServiceSource
from msframework.operations.server import OperationsServer
from msframework.operations.status import Status
from msframework.serving.descriptors import BACKLOG, raise_limit
from msframework.serving.drain import LAST_WORD, Drain, break_off
from msframework.serving.listener import ListeningSocket
from msframework.serving.signals import EndedAtOnce, ServerSignals, StopRequest
from msframework.serving.watchdog import Watchdog

_AT_ONCE: Final = 2.0  # seconds to the end of a process that is to end at once
_MAIN: Final = ("main_start", "main_stop")  # settings of Sanic's that are for its manager
_TURNS: Final = 5  # turns of the loop for tasks that were cancelled at last


def run(
    service: Any,
    sock: socket.socket,
    *,
    on_serving: Callable[[], None],
    stop: StopRequest | None = None,
    status: Callable[[Status], None] | None = None,
    operations: socket.socket | None = None,
    owns_socket: bool = False,
) -> int:
    """Serve *service* on *sock* until it is told to stop, and return the exit code.

    The process is to end afterwards: a watchdog stays for what its threads still do.

    Args:
        service: the service, which nobody has served before.
        sock: a socket that listens; it is closed.
        on_serving: called once all that starts has started.
        stop: the request that a supervisor will make; then main-process listeners and a second
            signal are its concern, too.
        status: called with the state of the service, once a second and when its readiness changes,
            for the supervisor.
        operations: a socket that listens for probes, when no supervisor answers them; it is closed.
        owns_socket: whether nobody else accepts on the socket, now or later.

    Raises:
        Exception: it could not start.
    """
    service.monitor.send = status
    return ServiceRun(service, sock, on_serving, stop, operations, owns_socket).run()


class ServiceRun:
    """One run of a service in this process."""

    def __init__(
        self,
        service: Any,
        sock: socket.socket,
        on_serving: Callable[[], None],
        stop: StopRequest | None,
        operations: socket.socket | None,
        owns_socket: bool,
    ) -> None:
        self._service, self._sock, self._on_serving = service, sock, on_serving
        self._owns_socket = owns_socket
        self._listening = ListeningSocket(sock)
        self._is_supervised = stop is not None
        self._stop = stop or StopRequest()
        self._settings: Settings = service.settings
        self._watchdog = Watchdog()
        self._stop.on_made = lambda: self._watchdog.expect(self._pause)
        service._serving.stops_parts = False  # in `_end`, once the listeners are over
        self._server: Any = None  # Sanic's `AsyncioServer`, which has no types
        self._accepts = self._has_begun = self._is_outdated = self._is_broken_off = False
        wants_uvloop = service.config.USE_UVLOOP is not False
        self._loop = uvloop.new_event_loop() if wants_uvloop else asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._operations = self._build_operations(operations)

    def _build_operations(self, sock: socket.socket | None) -> OperationsServer | None:
        if sock is None:
            return None
        service = self._service
        source = ServiceSource(service.readiness, service.monitor, service.metrics.collect)
        return OperationsServer(sock, source)

    def run(self) -> int:
        """Start, serve and stop; return the exit code."""
        signals = ServerSignals(
            self._stop,
            reload=self._ask_reload,
            on_end=lambda: self._watchdog.end_within(_AT_ONCE),
            is_supervised=self._is_supervised,
        )
        signals.begin()
        raise_limit()
        service, listeners = self._service, self._service.listeners
        service.prepare(sock=self._sock, single_process=True, **_options(self._sock))
        try:
            if self._operations is not None:
                self._operations.start()
            if not self._is_supervised:
                trigger_events(listeners["main_process_start"], self._loop, service)
                trigger_events(listeners["main_process_ready"], self._loop, service)
            self._complete(self._serve())
            if not self._is_supervised:
                trigger_events(listeners["main_process_stop"], self._loop, service)
        except EndedAtOnce as exc:
            server_logger.warning("Ended at once by %s", exc)
            if self._server is not None:
                break_off(self._server.connections)
                self._turn()
            return exc.code
        finally:
            signals.end()
            if self._operations is not None:
                self._operations.stop()
            service.state.server_info.clear()
            self._sock.close()
            self._close_loop()
            server_logger.info("Worker complete [%s]", os.getpid())
        return 0

    def _complete(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the loop until *work* is done.

        NOTE: `app.stop()` stops the loop, as Sanic documents it; that is a request to stop.
        """
        loop = self._loop
        task = loop.create_task(work)
        task.add_done_callback(lambda _: loop.stop())
        while not task.done():
            try:
                loop.run_forever()
            except SystemExit as exc:
                # NOTE: loops let it through, whichever task it comes from.
                server_logger.error("A task raised SystemExit", exc_info=exc)
            else:
                self._stop.make()
        task.result()

    def _close_loop(self) -> None:
        """Cancel all tasks that are left, give them a few turns, and close the loop."""
        loop = self._loop
        try:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            self._turn()
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _turn(self) -> None:
        """Run the loop a few times, so that cancelled tasks come to their end."""
        for _ in range(_TURNS):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    async def _serve(self) -> None:
        """Serve until the request to stop is made."""
        server = self._settings.server
        start = self._loop.create_task(self._start())
        asked = self._loop.create_task(self._stop.wait())
        try:
            await asyncio.wait((start, asked), return_when=asyncio.FIRST_COMPLETED)
            if not start.done():
                self._begin_watchdog()
                self._is_broken_off = start.cancel()
                _, late = await asyncio.wait((start,), timeout=server.part_stop_timeout)
                if late:
                    server_logger.error("The start goes on though it was cancelled; parts stop now")
            if start.cancelled() and not self._is_broken_off:
                raise RuntimeError("the start was cancelled by a part or a listener")
            if start.done() and not start.cancelled():
                start.result()
                await asked
        finally:
            self._note_stop()
            asked.cancel()
            await self._end()

    # The start.

    async def _start(self) -> None:
        service = self._service
        info = service.state.server_info[0]
        options = {key: value for key, value in info.settings.items() if key not in _MAIN}
        options |= {"run_async": True, "loop": self._loop}
        server_logger.info("Starting worker [%s]", os.getpid())
        server = await serve(**options, asyncio_server_kwargs={"start_serving": False})
        self._server = info.server = server
        await server.startup()
        info.stage = ServerStage.SERVING
        await server.before_start()
        self._heed_stop()
        self._has_begun = True
        service.ack()
        await server.start_serving()
        self._accepts = True
        await server.after_start()
        self._heed_stop()
        service.set_serving(True)
        await service.monitor.tell()
        if self._is_outdated:
            self._reload()
        server_logger.info("Worker ready [%s]", os.getpid())
        self._on_serving()

    def _heed_stop(self) -> None:
        """Break off a start that goes on though it was cancelled, as a listener swallowed that."""
        if self._is_broken_off:
            raise asyncio.CancelledError

    def _ask_reload(self) -> None:
        """Have files read anew as soon as the service serves."""
        self._is_outdated = True
        if self._service.state.is_running:
            self._loop.call_soon_threadsafe(self._reload)

    def _reload(self) -> None:
        if names_files(self._settings):
            self._service.reload_certificates()
        else:
            server_logger.warning(
                "SIGHUP changes nothing here: without WORKERS TLS files alone are read anew, and "
                "the settings name none. Restart the service to change it"
            )

    # The stop.

    def _note_stop(self) -> None:
        """Fail readiness, and have answers say `close`."""
        service = self._service
        service._serving.stopping = service.readiness.draining = True
        service.monitor.tell_change()

    async def _end(self) -> None:
        """End all that was started, whatever was not."""
        server_logger.info("Stopping worker [%s]", os.getpid())
        self._begin_watchdog()
        if self._accepts:
            await self._end_serving()
        self._close_server()
        await self._end_tasks()
        if self._has_begun:
            await self._run_listeners("after_server_stop")
        self._watchdog.allow(self._settings.server.part_stop_timeout)
        await self._service.stop_parts()

    @property
    def _pause(self) -> float:
        server = self._settings.server
        return max(server.graceful_timeout, server.part_stop_timeout)

    def _begin_watchdog(self) -> None:
        self._watchdog.begin(longest_stop(self._service), self._pause)

    async def _end_serving(self) -> None:
        """Stop listening, and end all connections: steps 1 to 4 of a stop."""
        serving, grace = self._service._serving, self._settings.server.graceful_timeout
        if self._stop.is_made and self._stop.has_delay:
            await asyncio.sleep(self._settings.operations.drain_delay)
        await self._run_listeners("before_server_stop")
        until = self._loop.time() + grace
        is_last = self._owns_socket or self._stop.is_last
        await self._listening.accept_the_rest(until, shared=not is_last)
        self._close_server()
        await Drain(self._server.connections, serving.tls).run(until)
        self._service.set_serving(False)

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.server.close()

    async def _run_listeners(self, name: str) -> None:
        """Run the listeners *name*, which have the grace period."""
        is_before = name == "before_server_stop"
        run = self._server.before_stop if is_before else self._server.after_stop
        await complete(run(), self._settings.server.graceful_timeout, f"a listener {name}")

    async def _end_tasks(self) -> None:
        """Cancel the tasks that were given to `add_task`, and wait for their end."""
        tasks = [task for task in self._service.tasks if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.server.part_stop_timeout)


def longest_stop(service: Any) -> float:
    """Return the most seconds that a stop of *service* may take now."""
    server, operations = service.settings.server, service.settings.operations
    parts = service.parts.longest_stop + 2 * (server.part_stop_timeout + CANCEL_TIMEOUT)
    listeners = 3 * (server.graceful_timeout + CANCEL_TIMEOUT)
    return float(operations.drain_delay + LAST_WORD + listeners + parts)


def _options(sock: socket.socket) -> dict[str, Any]:
    host, port = None, None
    if sock.family != socket.AF_UNIX:
        host, port = sock.getsockname()[:2]
    address = {"host": host, "port": port}
    return {**address, "backlog": BACKLOG, "motd": False, "access_log": False}
