"""The control pipes between a supervisor and one worker, and the messages on them.

Runs in the processes of `runserver`.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from threading import Thread
from typing import Final, TypeAlias

from msframework.operations.status import Status

# NOTE: what is not longer is written whole or not at all (PIPE_BUF, pipe(7)), so that a reader
# never waits for the rest of a message of a process that was killed.
_LONGEST: Final = 4096
_ROOM: Final = 512  # of it, for what is around a text


@dataclass(frozen=True, slots=True)
class Serving:
    """The message of a worker that serves.

    Attributes:
        stop_time: the seconds that it takes to stop at most.
    """

    stop_time: float


@dataclass(frozen=True, slots=True)
class StartFailure:
    """The message of a worker that could not start, and why."""

    text: str


@dataclass(frozen=True, slots=True)
class StopOrder:
    """The message to a worker that it is to stop.

    Attributes:
        is_last: whether all workers stop; one that another has taken the place of does so without
            DRAIN_DELAY, and leaves connections that wait to the others.
    """

    is_last: bool


WorkerMessage: TypeAlias = Serving | StartFailure | Status


class BrokenMessage(Exception):
    """A message from a worker that cannot be read."""


class WorkerControl:
    """A worker's ends of the pipes.

    Args:
        receiving: where the supervisor writes; it ends with the supervisor.
        sending: where the supervisor reads.
    """

    def __init__(self, receiving: Connection, sending: Connection) -> None:
        self._receiving, self._sending = receiving, sending
        os.set_blocking(sending.fileno(), False)

    def send(self, message: WorkerMessage) -> None:
        """Send *message*; it is lost where the supervisor is gone or does not read."""
        with suppress(OSError):  # BlockingIOError, BrokenPipeError
            self._sending.send(_shorten(message))

    def watch(self, on_stop: Callable[[bool], None], on_end: Callable[[], None]) -> None:
        """Call *on_stop* with `StopOrder.is_last` when it comes, *on_end* without a supervisor.

        They are called in a thread of their own, whatever the loop does.
        """

        def read() -> None:
            with suppress(EOFError, OSError):
                while True:
                    on_stop(self._receiving.recv().is_last)
            on_end()

        Thread(target=read, name="supervisor", daemon=True).start()


def _shorten(message: WorkerMessage) -> WorkerMessage:
    """Return *message* without what would not fit into one write."""
    most = _LONGEST - _ROOM
    if isinstance(message, StartFailure):
        return replace(message, text=_cut(message.text, most))
    if isinstance(message, Status):
        parts = {name: why and _cut(why, 200) for name, why in message.parts.items()}
        while sum(len(f"{name}{why}".encode()) + 16 for name, why in parts.items()) > most:
            # Those that are ready say the least.
            parts.pop(next((name for name, why in parts.items() if why is None), next(iter(parts))))
        return replace(message, parts=parts)
    return message


def _cut(text: str, most: int) -> str:
    """Return *text*, or what fits of it into *most* bytes."""
    data = text.encode(errors="replace")
    return text if len(data) <= most else f"{data[: most - 3].decode(errors='ignore')}…"


class SupervisorControl:
    """The supervisor's ends of the pipes to one worker, and the worker's until it has them."""

    def __init__(self) -> None:
        receiving, self._sending = Pipe(duplex=False)
        self.receiving, sending = Pipe(duplex=False)
        self._theirs = (receiving, sending)
        os.set_blocking(self._sending.fileno(), False)
        # NOTE: so that a supervisor never waits for the rest of what is no message.
        os.set_blocking(self.receiving.fileno(), False)

    @property
    def theirs(self) -> tuple[Connection, Connection]:
        """The worker's ends, for `WorkerControl`."""
        return self._theirs

    def hand_over(self) -> None:
        """Close the worker's ends here; without them, the pipes end with the worker."""
        for each in self._theirs:
            each.close()

    def receive(self) -> Iterator[WorkerMessage]:
        """Yield the messages of the worker since the last call.

        Raises:
            EOFError: the worker is gone.
            BrokenMessage: it sent bytes that are no message.
        """
        try:
            while self.receiving.poll():
                yield _read(self.receiving.recv_bytes(_LONGEST))
        except OSError as exc:
            # NOTE: `Connection` closes itself where a message is too long.
            if isinstance(exc, BlockingIOError) or self.receiving.closed:
                raise BrokenMessage from exc
            raise EOFError from exc

    def stop(self, *, is_last: bool) -> None:
        """Tell the worker to stop."""
        with suppress(OSError):
            self._sending.send(StopOrder(is_last))

    def close(self) -> None:
        """Close the ends of the supervisor."""
        self.hand_over()
        self._sending.close()
        self.receiving.close()


def _read(data: bytes) -> WorkerMessage:
    """Return the message in *data*.

    Raises:
        BrokenMessage: it is none.
    """
    try:
        message = pickle.loads(data)  # noqa: S301 - a worker has the rights of its supervisor
    except Exception as exc:  # whatever the bytes of a pickle may call for
        raise BrokenMessage from exc
    if not isinstance(message, WorkerMessage):
        raise BrokenMessage
    return message
