"""One worker as its supervisor knows it, and the pause before another takes its place.

Runs in the supervisor of `runserver`.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

from msframework.management.control import BrokenMessage, StartFailure, SupervisorControl
from msframework.operations.status import Status

START_TIME: Final = 60.0  # seconds until a worker has to serve
STACKS: Final = signal.SIGQUIT  # has a worker print its stacks, as Java has it, too
SILENCE: Final = 10.0  # seconds without a word until a worker is asked for its stacks,
HANG: Final = 20.0  # and more until it is killed
SETTLED: Final = 10.0  # seconds of service after which a death is no repetition
LONGEST_PAUSE: Final = 30.0
_FIRST_PAUSE: Final = 0.5
GOOD_END: Final = "ended with exit code 0"
LOST_END: Final = "ended unseen, as its fork server is gone"
_LOST: Final = 255  # the exit code of a process whose fork server is gone (multiprocessing)


class WorkerState(Enum):
    """The stages of a worker."""

    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A process that serves, will serve, or has served.

    Attributes:
        index: its place among the workers, from 0.
        generation: how many were in that place before.
        begun: when it was started, in seconds of `time.monotonic()`.
        deadline: when it is killed, unless it has gone on by then; of one that serves, when it is
            asked for its stacks, and then when it is killed, unless it has said a word by then.
        stop_time: the seconds that it takes to stop at most.
        is_stand_in: whether it stands in for a service that could not start.
        is_successor: whether it was started to take the place of one that serves.
        failure: why it could not start, as it said.
        status: how it is, as it said last.
        is_silent: whether its control pipe has ended.
        hangs: whether it was asked for its stacks, and has said no word since.
        is_killed: whether the supervisor killed it.
        is_lost: whether its fork server is gone, so that nobody tells how it ends.
        fault: why, where it had to be.
    """

    index: int
    generation: int
    process: BaseProcess
    control: SupervisorControl
    begun: float
    deadline: float | None
    stop_time: float = 0.0
    is_stand_in: bool = False
    is_successor: bool = False
    state: WorkerState = WorkerState.STARTING
    served: float | None = None
    failure: str | None = None
    status: Status | None = None
    is_silent: bool = False
    hangs: bool = False
    is_killed: bool = False
    is_lost: bool = False
    fault: str | None = None
    pid: int = field(init=False)
    _descriptor: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.pid = self.process.pid or 0
        self._descriptor = _open_process(self.pid)

    def __str__(self) -> str:
        return f"worker {self.index} (pid {self.pid})"

    @property
    def sentinel(self) -> int:
        """The descriptor that is ready when the process may have ended."""
        if self.is_lost and self._descriptor is not None:
            return self._descriptor
        return self.process.sentinel

    def has_ended(self) -> bool:
        """Tell whether the process has ended, once its `sentinel` is ready.

        NOTE: the sentinel of `multiprocessing` is ready when the fork server is gone, too.
        """
        if self.is_lost or self.process.exitcode != _LOST:
            return True
        self.is_lost = True
        return self._descriptor is None or bool(wait([self._descriptor], 0))

    def receive(self, now: float) -> bool:
        """Read its messages since the last call; return whether it has begun to serve."""
        begins = False
        if self.is_silent:
            return False
        try:
            for message in self.control.receive():
                if isinstance(message, Status):
                    self.status = message
                elif isinstance(message, StartFailure):
                    self.failure = message.text
                elif self.state is WorkerState.STARTING:
                    self.state, self.served = WorkerState.SERVING, now
                    self.stop_time = message.stop_time
                    begins = True
                if self.state is WorkerState.SERVING and not self.is_killed:
                    self.deadline, self.hangs = now + SILENCE, False
        except EOFError:
            self.is_silent = True
        except BrokenMessage:
            self.is_silent = True
            if self.state is not WorkerState.STOPPING:  # that one is to end anyway
                self.kill("as it sent what is no message")
        return begins

    def stop(self, deadline: float, *, is_last: bool) -> None:
        """Tell it to stop until *deadline*; *is_last* where all workers stop."""
        self.state, self.deadline = WorkerState.STOPPING, deadline
        self.control.stop(is_last=is_last)

    def kill(self, fault: str | None = None) -> None:
        """End it on the spot; the log names its *fault*."""
        self.is_killed, self.deadline, self.fault = True, None, fault
        self._signal(signal.SIGKILL)

    def ask_for_stacks(self, now: float) -> None:
        """Have it print the stacks of its threads, as it says no word; and wait a while longer."""
        self.deadline, self.hangs = now + HANG, True
        self._signal(STACKS)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, number)
            elif self.process.exitcode in (None, _LOST):
                os.kill(self.pid, number)

    def release(self) -> str:
        """Close the pipes of a process that ended; return in words how it ended."""
        code = self.process.exitcode
        if self.is_lost:
            if self._descriptor is None:  # it may still run
                self.kill()
            with suppress(ChildProcessError):  # it is ours where this is the init of a container
                os.waitpid(self.pid, os.WNOHANG)
        self.control.close()
        self.process.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self.fault is not None:
            return f"was killed, {self.fault}"
        return LOST_END if self.is_lost else describe_exit(code)


def _open_process(pid: int) -> int | None:
    """Return a descriptor of the process *pid*, whose number another may have once it ended.

    `None` where there is none to be had: it ended already, or this is no Linux (pidfd_open(2)).
    """
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def describe_exit(code: int | None) -> str:
    """Return how a process ended whose exit code is *code*; negative for a signal."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", maybe for want of memory" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}"


class RestartPause:
    """The pause before a worker is started in the place of one that died.

    None at first; it grows while one dies after the other, and is over once one has served a while.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def take(self, served: float) -> float:
        """Return the seconds to wait after a worker that *served* so many seconds."""
        if served >= SETTLED:
            self._next = 0.0
        pause = self._next
        self._next = min(max(2 * pause, _FIRST_PAUSE), LONGEST_PAUSE)
        return pause
