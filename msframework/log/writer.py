"""Text that a thread writes to standard error, so that nobody else waits for it.

Runs in every process that logs to a pipe or a terminal. Whoever reads those may stop reading; what
is then logged waits within a bound, and beyond it is counted and left out.
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from multiprocessing import util
from typing import Any, Final, TextIO

MOST: Final = 4_000_000  # characters that wait
_FLUSH: Final = 2.0  # seconds that a process waits at its end
_REST: Final = 0.02


def may_block(stream: TextIO) -> bool:
    """Tell whether writing to *stream* may take until somebody reads: a pipe, socket, terminal."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False  # it is in memory, or closed


class Writer:
    """Writes to one stream; `dropped` counts the lines that found no room.

    Args:
        note: makes the line that tells how many were left out.
    """

    def __init__(self, stream: TextIO, note: Callable[[int], str]) -> None:
        self._stream, self._note = stream, note
        self._texts: deque[str] = deque()
        self.dropped = 0
        self._begin()
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: _call(forget))

    def _begin(self) -> None:
        # NOTE: a handler of a signal may log while its thread is in here, hence no plain lock.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._size = self._left_out = self._rounds = 0
        self._given_up_at = -1
        self._writing = self._closed = False

    def _forget(self) -> None:
        """Begin anew in a child process: the waiting lines and the thread are the parent's."""
        self._texts.clear()
        self._begin()

    def write(self, text: str) -> None:
        """Have *text*, lines with a break after each, written soon."""
        with self._changed:
            if self._size + len(text) > MOST:
                count = text.count("\n")
                self.dropped += count
                self._left_out += count
                return
            self._texts.append(text)
            self._size += len(text)
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def flush(self, timeout: float = _FLUSH) -> None:
        """Wait until everything is written, for *timeout* seconds at most.

        Who waited in vain, and sees that nothing was written since, waits no more.
        """
        with self._changed:
            if self._given_up_at == self._rounds:
                return
            if not self._changed.wait_for(lambda: not self._waits and not self._writing, timeout):
                self._given_up_at = self._rounds

    @property
    def _waits(self) -> bool:
        return bool(self._texts) or self._left_out > 0

    def close(self) -> None:
        """Write the lines that wait, within the time of `flush`, and end the thread."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()
        # NOTE: a process of multiprocessing ends without `atexit`.
        flush = weakref.WeakMethod(self.flush)
        util.Finalize(None, _call, args=(flush,), exitpriority=1)

    def _run(self) -> None:
        changed = self._changed
        while True:
            with changed:
                changed.wait_for(lambda: self._waits or self._closed)
                if not self._waits:
                    self._thread = None
                    return
                text = "".join(self._texts)
                self._texts.clear()
                self._size, self._writing = 0, True
                left_out, self._left_out = self._left_out, 0
            lost = 0
            try:
                self._write_all(text)
                if left_out:
                    self._write_all(self._note(left_out))
            except Exception:  # the stream is closed, or nobody reads it any more
                lost = text.count("\n")
            with changed:
                self.dropped += lost
                self._rounds += 1
                self._writing = False
                changed.notify_all()
            # PERF: lines that come meanwhile are written at once (benchmarks/tracing.py).
            time.sleep(_REST)

    def _write_all(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            # NOTE: not through the stream: its lock would be held, and others would wait for it.
            descriptor = self._stream.fileno()
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                select.select([], [descriptor], [], 1.0)


def _call(method: weakref.WeakMethod[Any]) -> None:
    function = method()
    if function is not None:
        function()
