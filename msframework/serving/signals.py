"""The signals of a process that serves, and the request to stop that they make.

Runs in the process of a server, from its start to its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

from msframework._early import HELD, hear_stops

SignalHandler: TypeAlias = Callable[[int, FrameType | None], None]
# The signals that nobody may keep from a server, whatever it was started with.
STOPS: Final = frozenset({signal.SIGINT, signal.SIGTERM})
SIGNALS: Final = (*sorted(STOPS), signal.SIGHUP)


def handle_signals(handler: SignalHandler) -> None:
    """Let *handler* hear the signals to stop a server; `nohup` keeps a hang-up from it."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _release()


def _release() -> None:
    held = HELD[:]
    HELD.clear()
    for number in held:
        signal.raise_signal(number)


@contextmanager
def stopping_the_start() -> Iterator[None]:
    """Have SIGTERM and SIGINT end the start of a server, until a server hears them.

    A hang-up waits until its meaning is known.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = {number: signal.getsignal(number) for number in SIGNALS}
    hear_stops()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if HELD != [signal.SIGHUP]:
            HELD.clear()  # a stop has been heard by what ends here
        _release()


class HangUp:
    """Tells the two meanings of SIGHUP apart: the terminal is gone, or files are read anew."""

    def __init__(self) -> None:
        self._had_terminal = self._has_terminal()

    def means_reload(self, number: int) -> bool:
        """Return whether the signal *number* asks for files to be read anew."""
        if number != signal.SIGHUP:
            return False
        return not self._had_terminal or self._has_terminal()

    @staticmethod
    def _has_terminal() -> bool:
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            return False
        return True


class StopRequest:
    """The request that a service stops: of a signal, of its own code, or of a supervisor.

    Any thread may make it, before the service starts, too. Further ones change nothing: a stop that
    waits for `DRAIN_DELAY` waits for it to the end.

    Attributes:
        is_made: whether it was made.
        has_delay: whether `DRAIN_DELAY` passes before the service stops listening.
        is_last: whether nobody else accepts on the socket from now on.
        on_made: called when it is made, in that thread, whatever the loop does.
    """

    def __init__(self) -> None:
        self.on_made: Callable[[], None] = lambda: None
        self.is_made, self.has_delay, self.is_last = False, True, False
        self._lock = threading.RLock()  # a signal may come while its thread is in here
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    def make(self, *, delay: bool = True) -> None:
        """Ask the service to stop.

        Args:
            delay: whether `DRAIN_DELAY` passes first; a worker that is replaced needs none.
        """
        with self._lock:
            if self.is_made:
                return
            self.is_made, self.has_delay = True, delay
            self.on_made()
            if self._loop is not None and self._event is not None:
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until it is made."""
        event = asyncio.Event()
        with self._lock:
            if self.is_made:
                return
            self._loop, self._event = asyncio.get_running_loop(), event
        try:
            await event.wait()
        finally:
            with self._lock:
                self._loop = self._event = None


class EndedAtOnce(KeyboardInterrupt):
    """A signal of somebody who does not want to wait for the stop that another one began.

    NOTE: of all exceptions, event loops let this kind alone through at once.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"a second signal: {signal.Signals(number).name}")
        self.code = 128 + number


class ServerSignals:
    """Has signals stop a service, or its files be read anew.

    NOTE: the handlers are Python's own, not the loop's: uvloop (0.23) loses a signal that comes
    between two runs of its loop. While it runs, its wake-up descriptor lets them run at once.

    Args:
        stop: the request that a signal makes.
        reload: has files read anew.
        on_end: called before a second signal ends the process.
        is_supervised: whether a supervisor decides about a hang-up and an end at once. Terminals
            and init systems tell every process of a service, and the supervisor once more.
    """

    def __init__(
        self,
        stop: StopRequest,
        *,
        reload: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
        is_supervised: bool = False,
    ) -> None:
        self._stop, self._reload, self._on_end = stop, reload, on_end
        self._is_supervised = is_supervised
        self._hang_up = HangUp()
        self._has_stopped = False
        self._hears = threading.current_thread() is threading.main_thread()

    def begin(self) -> None:
        """Hear signals from now on, where this thread can."""
        if self._hears:
            handle_signals(self._note)

    def end(self) -> None:
        """Hear none any more: the next one ends the process, unless a supervisor does."""
        if self._hears:
            for number in STOPS:
                signal.signal(number, signal.SIG_IGN if self._is_supervised else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_supervised:
            if number != signal.SIGHUP:
                self._stop.make()
        elif self._hang_up.means_reload(number):
            self._reload()
        elif not self._has_stopped:
            self._has_stopped = True
            self._stop.make()
        else:
            self._on_end()
            raise EndedAtOnce(number)
