"""The process of a worker: how the supervisor starts it, and what it does then.

`Launcher` runs in the supervisor, `serve_in_worker` in the worker.
"""

from __future__ import annotations

import atexit
import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Final

from msframework.management.control import (
    Serving,
    StartFailure,
    SupervisorControl,
    WorkerControl,
)
from msframework.management.process import STACKS, START_TIME, WorkerProcess
from msframework.management.project import describe_failure
from msframework.management.sockets import is_inherited
from msframework.management.start import Start, StartMode
from msframework.metrics.process import START_REASON
from msframework.serving.run import longest_stop, run
from msframework.serving.signals import SIGNALS, StopRequest
from msframework.serving.watchdog import exit_later

# Imported once by the fork server: a worker imports only what is the project's own.
_PRELOADED: Final = (
    "msframework.management.worker",
    "msframework.management.commands.migrate",
    "msframework.db.asyncpg_pool",
    "uvloop",
)
_ORPHANED: Final = 5.0  # seconds for the loop to begin its stop when the supervisor is gone
_STDERR: Final = 2

# What a worker runs: Start, socket, its ends of the pipes, environment, shared context.
WorkerMain = Callable[
    [Start, socket.socket, tuple[Connection, Connection], dict[str, str], dict[str, Any]], None
]


class Launcher:
    """Starts the processes of workers, by a fork server that has imported the framework.

    NOTE: a fork of the supervisor would have the project's modules as they were; a process that
    begins at nothing takes two seconds to import the framework.

    Args:
        start: builds the service.
        sock: where they listen.
        shared: the attributes of `app.shared_ctx`.
        main: what they run.
    """

    def __init__(
        self,
        start: Start,
        sock: socket.socket,
        shared: Mapping[str, Any],
        main: WorkerMain | None = None,
    ) -> None:
        self._start, self._sock, self._shared = start, sock, shared
        self._main = main or serve_in_worker
        self._context = multiprocessing.get_context("forkserver")

    def __call__(self, index: int, generation: int, mode: StartMode) -> WorkerProcess:
        """Return the worker, whose process has been started.

        Raises:
            OSError: there is no process to be had.
            EOFError: the fork server died meanwhile.
        """
        control = SupervisorControl()
        start = replace(self._start, mode=mode, tells=index == 0)
        name = f"Sanic-Server-{index}-{generation}"  # as Sanic names its workers
        environment = {**os.environ, "SANIC_WORKER_NAME": name, START_REASON: mode.value}
        process = self._context.Process(
            target=self._main,
            args=(start, self._sock, control.theirs, environment, dict(self._shared)),
            name=name,
        )
        begun = time.monotonic()
        try:
            with _signals_blocked():
                process.start()
        except BaseException:
            control.close()
            raise
        control.hand_over()
        return WorkerProcess(
            index,
            generation,
            process,
            control,
            begun,
            begun + START_TIME,
            is_stand_in=mode is StartMode.STAND_IN,
        )


def prepare_fork_server() -> None:
    """Start the fork server, which imports the framework while this process goes on."""
    multiprocessing.set_start_method("forkserver", force=True)  # of `app.shared_ctx`, too
    multiprocessing.set_forkserver_preload(list(_PRELOADED))
    with _signals_blocked():
        forkserver.ensure_running()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start processes that hear no signals until they say so.

    NOTE: terminals and init systems tell every process of a service to stop. The fork server has to
    outlive the workers, and a worker has nothing yet that would handle a signal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        # NOTE: to start this process lets signals through again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the worker.


def serve_in_worker(
    start: Start,
    sock: socket.socket,
    pipes: tuple[Connection, Connection],
    environment: dict[str, str],
    shared: dict[str, Any],
) -> None:
    """Build the service and serve it until the supervisor says otherwise, or is gone."""
    faulthandler.register(STACKS, file=_STDERR)
    os.environ.clear()
    os.environ.update(environment)
    _ignore_hang_up()
    run = WorkerRun(WorkerControl(*pipes), is_ours=not is_inherited(sock))
    try:
        code = run.serve(start, sock, shared)
    finally:
        # NOTE: a fork server ends its children without what was registered for their exit.
        atexit._run_exitfuncs()
    sys.exit(code)


class WorkerRun:
    """One run of a service in a worker, which hears its supervisor at any moment of it.

    Args:
        control: the pipes to the supervisor.
        is_ours: whether the socket is ours, and nobody listens on it after the last worker.
    """

    def __init__(self, control: WorkerControl, *, is_ours: bool) -> None:
        self._control, self._is_ours = control, is_ours
        self._request = StopRequest()
        self._serves = False
        control.watch(self._stop, self._end_orphaned)

    def serve(self, start: Start, sock: socket.socket, shared: Mapping[str, Any]) -> int:
        """Build the service and serve it; return the exit code."""
        control = self._control

        def announce() -> None:
            self._serves = True
            control.send(Serving(longest_stop(service)))

        try:
            service = start()
            for name, value in shared.items():
                setattr(service.shared_ctx, name, value)
            return run(service, sock, on_serving=announce, stop=self._request, status=control.send)
        except Exception as exc:
            if self._serves:
                raise
            control.send(StartFailure(describe_failure(exc)))
            return 1

    def _stop(self, is_last: bool) -> None:
        self._request.is_last = is_last and self._is_ours
        self._request.make(delay=is_last)

    def _end_orphaned(self) -> None:
        """Stop without a supervisor; a loop that hangs cannot keep the process."""
        self._request.make(delay=False)
        # NOTE: a stop that begins sets times of its own (`serving.watchdog`).
        exit_later(_ORPHANED)
        self._stop(True)


def _ignore_hang_up() -> None:
    """Leave a hang-up to the supervisor; other signals are blocked until `run` handles them."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # it is not for children to inherit
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
