"""Servers that can be stopped at any moment: one process, and Sanic's manager of several.

Runs in the processes of `runserver`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any, Final, NoReturn

from sanic.exceptions import ServerKilled
from sanic.server import runners
from sanic.worker.constants import ProcessState
from sanic.worker.manager import MonitorCycle, WorkerManager
from sanic.worker.process import WorkerProcess

from msframework._tested import demand
from msframework.conf.tls import names_files
from msframework.serving.signals import SIGNALS, STOPS, HangUp, handle_signals

# The environment of processes that the manager starts after a change, or after a failure.
START_VARIABLE: Final = "MSFRAMEWORK_START"
AGAIN: Final = "again"
STAND_IN: Final = "stand-in"
_FIRST: Final = 1000  # priority among listeners; at the stop its negative is first
_PAUSE: Final = 0.1  # seconds between looks whether the start is over


@contextmanager
def shielded() -> Iterator[Callable[[], None]]:
    """Hold signals back; a process that starts meanwhile is without them until it calls the result.

    NOTE: the process in which Sanic's manager keeps the state of its workers must outlive them. A
    terminal that hangs up, and systemd, tell every process of a service to stop, and that one has
    no handlers: the manager would fail for want of it, and leave its workers behind.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS) - STOPS
    # NOTE: to start this, with the first process, lets signals through again.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def lift() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield lift
    finally:
        lift()


class SignalStop:
    """Lets a signal stop *service* at any moment, while it starts, too.

    NOTE: until Sanic (25.12) handles signals, they end the process on the spot, and a stop before
    it serves breaks off its start; uvloop (0.23) loses a signal that comes between two runs of its
    loop, as the start of Sanic has them. So a signal is noted here, outside of the loop.
    """

    def __init__(self, service: Any) -> None:
        demand("sanic", "stopping it at any moment")
        self._service = service
        self._noted = self._stopped = self._outdated = False
        self._hang_up = HangUp(names_files(service.settings))
        self._loop: asyncio.AbstractEventLoop | None = None
        handle_signals(self._note)
        runners._setup_system_signals = self._take_over  # type: ignore[assignment]
        service.register_listener(self._note_stop, "before_server_stop", priority=-_FIRST)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._hang_up.means_reload(number):
            self._outdated = True
            if self._loop is not None and self._service.state.is_running:
                self._loop.call_soon_threadsafe(self._reload)
            return
        if self._loop is None:
            if self._noted:
                raise KeyboardInterrupt
        elif self._service.state.is_running:
            self._loop.call_soon_threadsafe(self._stop)
        self._noted = True

    def _take_over(self, *args: Any) -> None:
        """Do nothing in the place of Sanic, which would ignore signals for a moment."""
        os.environ["SANIC_WORKER_PROCESS"] = "true"
        self._loop = args[-1]
        self._watch(args[-1])

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._service.state.is_running:
            loop.call_later(_PAUSE, self._watch, loop)
        elif self._noted:
            self._stop()
        else:
            self._reload()

    def _reload(self) -> None:
        """Have files read anew, if a signal asked for it since the last time."""
        if self._outdated:
            self._outdated = False
            self._service.reload_certificates()

    def _stop(self) -> None:
        """Stop the loop once: another time would break off the stop itself."""
        if not self._stopped:
            self._stopped = True
            self._service.stop(terminate=False)

    async def _note_stop(self, *_: Any) -> None:
        self._stopped = True


class Workers(WorkerManager):
    """The manager of `runserver`: the first signal stops the workers, the second kills them.

    NOTE: as of 25.12 Sanic's own waits for ever when it is told to stop while a worker starts; it
    interrupts workers that don't handle the signal yet, which die with a traceback or never notice;
    its signal handler talks over a connection that the interrupted code may be using; and after a
    failed start it kills its whole process group, the `make` that started it included.
    """

    signals_seen: int = 0
    standing_in: set[str]  # the processes that stand in for one that failed
    outdated: set[str]  # those that have still to be told to read files anew
    hang_up: HangUp
    reloads: bool
    announce: Callable[[], None]  # says that all of them serve

    @classmethod
    def take_over(
        cls,
        manager: Any,
        *,
        reloads: bool = False,
        has_files: bool = False,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        """Make *manager*, which Sanic has just made and not yet started, one of this class."""
        demand("sanic", "stopping workers")
        manager.__class__, manager.announce = cls, announce
        manager.standing_in, manager.reloads = set(), reloads
        manager.outdated, manager.hang_up = set(), HangUp(has_files)
        handle_signals(manager.shutdown_signal)

    def shutdown_signal(self, signal: int, frame: FrameType | None) -> None:
        """Note the signal, for the loop in `monitor` to act on; kill when it is not the first."""
        if self.hang_up.means_reload(signal):
            self.outdated = {process.name for process in self.transient_processes}
            return
        self.signals_seen += 1
        if self.signals_seen > 1:
            self._kill(self.processes)

    def wait_for_ack(self) -> None:
        """Wait until every worker serves, and say so."""
        super().wait_for_ack()  # type: ignore[no-untyped-call]
        if not self.signals_seen:
            self.announce()

    def _all_workers_ack(self) -> bool:
        return bool(self.signals_seen or super()._all_workers_ack())  # type: ignore[no-untyped-call]

    def _poll_monitor(self) -> MonitorCycle | None:
        if self.signals_seen:
            self.shutdown()
            return MonitorCycle.BREAK
        if self.outdated:
            self._pass_on_reload()
        return super()._poll_monitor()

    def _pass_on_reload(self) -> None:
        """Tell the workers that serve; those that start hear it when they do."""
        for process in list(self.transient_processes):
            if process.name in self.outdated and not self._is_starting(process):
                self.outdated.discard(process.name)
                self._send(signal.SIGHUP, [process])

    def _handle_message(self, message: str) -> MonitorCycle | None:
        if message == "__TERMINATE_EARLY__":  # said by a worker that could not start
            return MonitorCycle.CONTINUE
        return super()._handle_message(message)

    def restart(self, *args: Any, **options: Any) -> None:
        """Start the workers again, as a file has changed."""
        self.standing_in.clear()
        os.environ[START_VARIABLE] = AGAIN
        super().restart(*args, **options)

    def _sync_states(self) -> None:
        super()._sync_states()  # type: ignore[no-untyped-call]
        if not self.reloads or self.signals_seen:
            return
        for process in list(self.transient_processes):
            if not process.is_alive() and process.name not in self.standing_in:
                self.standing_in.add(process.name)
                os.environ[START_VARIABLE] = STAND_IN
                process.restart()

    def shutdown(self) -> None:
        """Stop the workers: those that serve finish first, those that don't yet need not."""
        self._end(process for process in self.processes if self._is_starting(process))
        super().shutdown()  # type: ignore[no-untyped-call]

    def kill(self) -> NoReturn:
        """Kill the workers and nobody else; Sanic then leaves with exit code 1."""
        self._end(self.processes)
        raise ServerKilled

    def _is_starting(self, process: WorkerProcess) -> bool:
        state = self.worker_state.get(process.name, {})
        return bool(state.get("server")) and not state.get("serving")

    def _end(self, processes: Iterable[WorkerProcess]) -> None:
        for process in processes:
            process.set_state(ProcessState.TERMINATED, force=True)
            self._kill([process])

    def _kill(self, processes: Iterable[WorkerProcess]) -> None:
        self._send(signal.SIGKILL, processes)

    @staticmethod
    def _send(number: int, processes: Iterable[WorkerProcess]) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
