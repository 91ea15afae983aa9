"""`Supervisor`: starts the workers of one service, replaces those that die, renews and stops them.

Runs in the first process of `runserver`, where there are workers.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType
from typing import Final, Protocol

from msframework.management.process import (
    GOOD_END,
    HANG,
    LOST_END,
    SILENCE,
    START_TIME,
    RestartPause,
    WorkerProcess,
    WorkerState,
)
from msframework.management.start import StartMode
from msframework.operations.status import Status
from msframework.serving.signals import SIGNALS, HangUp, handle_signals

_SLACK: Final = 1.0  # seconds beyond the times that a worker gives its parts
_HURRY: Final = 5.0  # seconds for a worker to stop that does not serve yet, or hangs
_LOOK: Final = 1.0  # seconds between looks at the files of the project

logger = logging.getLogger("msframework.supervisor")


class Launch(Protocol):
    """Whoever starts the process of a worker."""

    def __call__(self, index: int, generation: int, mode: StartMode) -> WorkerProcess:
        """Return the worker, whose process has been started.

        Raises:
            OSError: there is no process to be had.
            EOFError: the fork server died meanwhile.
        """


class Supervisor:
    """Keeps the workers of one service running until it is told to stop.

    Args:
        count: how many there are.
        launch: what starts one.
        sock: where they listen; closed here when they are told to stop.
        announce: called once all of them serve.
        find_changes: what yields files that changed, under `--reload`.
        on_change: called with these, before the workers start again.

    Attributes:
        workers: those that live.
        failure: why the service could not start.
    """

    def __init__(
        self,
        count: int,
        launch: Launch,
        sock: socket.socket,
        announce: Callable[[], None],
        *,
        find_changes: Callable[[], Iterator[str]] | None = None,
        on_change: Callable[[set[str]], None] = lambda _: None,
    ) -> None:
        self._launch, self._sock, self._announce = launch, sock, announce
        self._find_changes, self._on_change = find_changes, on_change
        self._hang_up = HangUp()
        self.workers: list[WorkerProcess] = []
        self.failure: str | None = None
        self._due = dict.fromkeys(range(count), (0.0, StartMode.FIRST))
        self._generations = dict.fromkeys(range(count), 0)
        self._pauses = {index: RestartPause() for index in range(count)}
        self._signals: list[int] = []
        self._wake_up: socket.socket | None = None
        self._outdated: float | None = None  # those that began before it are to be renewed
        self._next_look = 0.0
        self._announced = self._stopping = False

    @property
    def is_stopping(self) -> bool:
        """Whether all workers were told to stop."""
        return self._stopping

    def statuses(self) -> dict[str, Status | None]:
        """Return the last word of each worker that serves or starts, in any thread."""
        workers = [each for each in self.workers if each.state is not WorkerState.STOPPING]
        workers.sort(key=lambda each: each.state is WorkerState.SERVING)
        return {f"worker {each.index}": each.status for each in workers}

    # The loop.

    def run(self) -> None:
        """Run the workers until they are told to stop, or cannot start; then `failure` says why."""
        with self._hearing_signals():
            try:
                while self._due or self.workers:
                    self._turn()
            finally:
                self._kill_all()

    def _turn(self) -> None:
        """Do whatever is to be done now, and wait until there is more."""
        self._start_due()
        if self.workers or self._due:
            self._wait()
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.receive(now):
                self._welcome(worker)
        # NOTE: a stop may be told to all processes, and a worker be the first to end.
        self._heed_signals()
        # NOTE: a worker that died has its last words in the pipe, hence in this order.
        ended = wait([worker.sentinel for worker in self.workers], 0)
        for worker in [each for each in self.workers if each.sentinel in ended]:
            worker.receive(now)
            if worker.has_ended():
                self._replace(worker)
            else:
                logger.error("%s goes on, though its fork server is gone", worker)
        self._end_late(now)
        if not self._stopping:
            self._renew()
            self._look_for_changes(now)

    def _wait(self) -> None:
        """Wait for a signal, a message, the end of a process, or the next time that is set."""
        times = [worker.deadline for worker in self.workers if worker.deadline is not None]
        times += [when for when, _ in self._due.values()]
        if self._find_changes is not None and not self._stopping:
            times.append(self._next_look)
        timeout = max(0.0, min(times) - time.monotonic()) if times else None
        watched: list[object] = [self._wake_up] if self._wake_up is not None else []
        for worker in self.workers:
            watched.append(worker.sentinel)
            if not worker.is_silent:
                watched.append(worker.control.receiving)
        wait(watched, timeout)  # type: ignore[arg-type]
        if self._wake_up is not None:
            _empty(self._wake_up)

    # Starting and replacing.

    def _start_due(self) -> None:
        now = time.monotonic()
        for index, (when, mode) in list(self._due.items()):
            if when <= now and not self._stopping:
                del self._due[index]
                if self._start(index, mode) is not None:
                    continue
                if self._announced or self._find_changes is not None:
                    self._due[index] = (now + self._pauses[index].take(0.0), mode)
                else:
                    self.failure = f"worker {index} cannot be started; the log says why"
                    self._stop_all(at_once=True)

    def _start(self, index: int, mode: StartMode) -> WorkerProcess | None:
        """Start a worker in the place *index*; return `None` where no process is to be had."""
        generation = self._generations[index]
        try:
            worker = self._launch(index, generation, mode)
        except (OSError, EOFError) as exc:
            logger.error("worker %d cannot be started (%s)", index, exc or type(exc).__name__)
            return None
        self._generations[index] += 1
        self.workers.append(worker)
        return worker

    def _siblings(self, worker: WorkerProcess) -> list[WorkerProcess]:
        return [each for each in self.workers if each.index == worker.index and each is not worker]

    def _welcome(self, worker: WorkerProcess) -> None:
        """Let *worker*, which serves from now on, take the place of its predecessor."""
        for sibling in self._siblings(worker):
            if sibling.state is not WorkerState.STOPPING:
                self._retire(sibling)
        if not self._announced and not self._due and all(each.served for each in self.workers):
            self._announced = True
            self._announce()

    def _replace(self, worker: WorkerProcess) -> None:
        """Release *worker*, which ended, and see to it that another one takes its place."""
        self.workers.remove(worker)
        how = worker.release()
        if worker.state is WorkerState.STOPPING:
            if not worker.is_killed and how not in (GOOD_END, LOST_END):
                logger.error("%s %s while it stopped", worker, how)
            if not self._stopping and not self._siblings(worker):
                self._due[worker.index] = (0.0, self._anew())
        elif worker.state is WorkerState.STARTING:
            self._replace_failed(worker, worker.failure or f"it {how}")
        else:
            self._replace_served(worker, how)

    def _replace_failed(self, worker: WorkerProcess, why: str) -> None:
        """Start one in the place of *worker*, which never served, or give up."""
        if worker.is_successor:
            self._outdated = None
            logger.error(
                "%s could not start: %s\nThe renewal is broken off; the other workers go on",
                worker,
                why,
            )
            if not self._siblings(worker):
                self._pause(worker.index, 0.0, StartMode.FAILED)
        elif self._find_changes is not None and not worker.is_stand_in:
            logger.error("%s could not start: %s", worker, why)
            self._due[worker.index] = (0.0, StartMode.STAND_IN)
        elif self._announced:
            pause = self._pause(worker.index, 0.0, StartMode.FAILED)
            logger.error("%s could not start: %s\nAnother is tried %s", worker, why, _text(pause))
        else:
            self.failure = why
            self._stop_all(at_once=True)

    def _replace_served(self, worker: WorkerProcess, how: str) -> None:
        """Start one in the place of *worker*, which served, unless its successor is there."""
        served = time.monotonic() - (worker.served or 0.0)
        text = "%s, which served for %.1f s, %s; another takes its place %s"
        mode = StartMode.HUNG if worker.hangs else StartMode.DIED
        if self._siblings(worker):
            logger.error(text, worker, served, how, "already")
        else:
            logger.error(text, worker, served, how, _text(self._pause(worker.index, served, mode)))

    def _pause(self, index: int, served: float, mode: StartMode) -> float:
        """Have a worker started in the place *index* after a pause, and return that."""
        pause = self._pauses[index].take(served)
        self._due[index] = (time.monotonic() + pause, mode)
        return pause

    def _anew(self) -> StartMode:
        """Return the occasion of a start after one that was told to stop."""
        return StartMode.RENEWED if self._find_changes is None else StartMode.CHANGED

    # Renewing: one after the other, none before the one that takes its place serves.

    def _renew(self) -> None:
        if self._outdated is None:
            return
        if any(worker.state is not WorkerState.SERVING for worker in self.workers):
            return  # one is on its way, or has still to go
        for worker in self.workers:
            if worker.begun < self._outdated:
                successor = self._start(worker.index, StartMode.RENEWED)
                if successor is None:
                    self._outdated = None
                else:
                    successor.is_successor = True
                return
        if not self._due:
            self._outdated = None
            logger.info("all workers are renewed")

    def _look_for_changes(self, now: float) -> None:
        if self._find_changes is None or now < self._next_look:
            return
        self._next_look = now + _LOOK
        changed = set(self._find_changes())
        if changed:
            self._on_change(changed)
            self._start_again()

    def _start_again(self) -> None:
        """Stop all workers, and start one in the place of each."""
        for index in self._due:
            self._due[index] = (0.0, StartMode.CHANGED)
        for worker in self.workers:
            if worker.state is WorkerState.SERVING:
                self._retire(worker)
            elif worker.state is WorkerState.STARTING:
                worker.state = WorkerState.STOPPING
                worker.kill()

    # Stopping.

    def _retire(self, worker: WorkerProcess) -> None:
        worker.stop(time.monotonic() + worker.stop_time + _SLACK, is_last=False)

    def _stop_all(self, *, at_once: bool = False) -> None:
        """Tell all workers to stop, and keep connections from coming that nobody would accept."""
        self._stopping = True
        self._due.clear()
        self._sock.close()
        now = time.monotonic()
        for worker in self.workers:
            if at_once:
                worker.state = WorkerState.STOPPING
                worker.kill()
            elif worker.state is not WorkerState.STOPPING:
                serves = worker.state is WorkerState.SERVING and not worker.hangs
                worker.stop(now + (worker.stop_time + _SLACK if serves else _HURRY), is_last=True)

    def _end_late(self, now: float) -> None:
        """Kill the workers whose time is over."""
        for worker in self.workers:
            if worker.deadline is None or now < worker.deadline:
                continue
            if worker.state is WorkerState.SERVING:
                self._heed_silence(worker, now)
                continue
            if worker.state is WorkerState.STARTING:
                worker.failure = f"it does not serve within {START_TIME:g} s"
            else:
                logger.error("%s does not stop in time and is killed", worker)
            worker.kill()

    def _heed_silence(self, worker: WorkerProcess, now: float) -> None:
        """Look into a worker that says nothing any more, or kill it.

        NOTE: in two steps, as all processes may have stood still, and this one be the first to go
        on. Under `--reload` it may be in a debugger.
        """
        if self._find_changes is not None:
            worker.deadline = None
        elif worker.hangs:
            worker.kill(f"as its loop had not turned for {SILENCE + HANG:g} s")
        else:
            logger.error("%s hangs: its loop has not turned for %g s", worker, SILENCE)
            worker.ask_for_stacks(now)

    def _kill_all(self) -> None:
        for worker in self.workers:
            worker.kill()

    # Signals.

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        """Note signals while the block runs, and let them end `_wait`."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        before = {number: signal.getsignal(number) for number in SIGNALS}
        earlier = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._wake_up = ours
        handle_signals(self._note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(earlier)
            self._wake_up = None
            ours.close()
            theirs.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if self._hang_up.means_reload(number):
                logger.info("the workers are renewed")
                self._outdated = time.monotonic()
                for index in self._due:  # what kept them from serving may be mended
                    self._due[index] = (0.0, self._anew())
            elif self._stopping:
                self._kill_all()
            else:
                self._stop_all()


def _empty(sock: socket.socket) -> None:
    """Read whatever waits in *sock*, which does not block."""
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        pass


def _text(pause: float) -> str:
    return f"in {pause:g} s" if pause else "at once"
