"""The output of a running migration: lines, and a line of progress on a terminal.

Runs at start-up.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import Final, TextIO

from msframework.migrations.connection import Echo
from msframework.migrations.waiting import Sighting

_EVERY: Final = 5.0  # seconds between two lines, where they cannot be written over
_QUIET: Final = 1.0  # seconds; work that takes less says nothing
_REDRAW: Final = 0.2


class Reporter:
    """The output of a run.

    Args:
        echo: called with each line.
        terminal: where a line of progress can be written over.
    """

    def __init__(self, echo: Echo, terminal: TextIO | None = None) -> None:
        self._echo, self._terminal = echo, terminal
        self._drawn = False
        self._last = 0.0

    def say(self, text: str) -> None:
        """Say one line."""
        self.clear()
        self._echo(text)

    def progress(self, text: str) -> None:
        """Show *text* as progress, unless some was shown a moment ago."""
        now = time.monotonic()
        if self._terminal is None:
            if now - self._last >= _EVERY:
                self._last = now
                self._echo(text)
        elif now - self._last >= _REDRAW:
            self._last = now
            width = shutil.get_terminal_size().columns - 1
            self._terminal.write(f"\r\x1b[2K{text[:width]}")
            self._terminal.flush()
            self._drawn = True

    def clear(self) -> None:
        """Take the line of progress off the terminal."""
        if self._drawn and self._terminal is not None:
            self._terminal.write("\r\x1b[2K")
            self._terminal.flush()
        self._drawn = False


class LongWork:
    """The progress of long work, with the time that is left."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self._reporter, self._title = reporter, title
        self._began = time.monotonic()

    def tell(self, done: float, total: float | None, unit: str) -> None:
        """Show how much of *total* is done, once the work has taken a second."""
        took = time.monotonic() - self._began
        if took < _QUIET:
            return
        if total is None or total <= 0:
            self._reporter.progress(f"  {self._title}: {done:,.0f} {unit}")
            return
        fraction = min(done / total, 0.99)
        left = f", {_duration(took / fraction - took)} left" if fraction > 0 else ""
        self._reporter.progress(
            f"  {self._title}: {fraction:.0%} of about {total:,.0f} {unit}{left}"
        )

    def tell_stage(self, stage: str, fraction: float | None) -> None:
        """Say which stage of the work is at hand, and how much of it is done."""
        part = "" if fraction is None else f" {fraction:.0%}"
        self._reporter.progress(f"  {self._title}: {stage}{part}")


class WaitTeller:
    """Reports what one migration waits for; the same blocker in a row only once."""

    def __init__(self, reporter: Reporter, label: str) -> None:
        self._reporter, self._label = reporter, label
        self._last: int | None = None
        self._pace = LongWork(reporter, label)

    def tell(self, sighting: Sighting) -> None:
        """Report what holds up a statement, or its stage; called from the observer's thread."""
        if sighting.blocker is not None:
            if sighting.blocker.pid != self._last:
                self._last = sighting.blocker.pid
                self._reporter.say(f"  {self._label} waits for {sighting.blocker.describe()}")
        elif sighting.stage is not None:
            self._pace.tell_stage(sighting.stage, sighting.fraction)

    def tell_retry(self, seen: Sequence[Sighting], number: int, retries: int, pause: float) -> None:
        """Report that locks were not granted, and who holds them."""
        blocker = next((each.blocker for each in reversed(seen) if each.blocker), None)
        pid = 0 if blocker is None else blocker.pid
        if pid == self._last or (blocker is None and number < 3):
            return
        self._last = pid
        whom = "others hold" if blocker is None else f"{blocker.describe()} holds"
        self._reporter.say(
            f"  {self._label} waits for locks that {whom}; tried again in {pause:.1f} s "
            f"({number} of {retries})"
        )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"
