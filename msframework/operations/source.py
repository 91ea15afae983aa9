"""The answers to an operator's questions: of one process, or of a supervisor for its workers.

Runs per request to the operations port, in the threads of its server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

from msframework.metrics.catalogue import LOOP_LAG
from msframework.metrics.exposition import render
from msframework.metrics.snapshot import Snapshot

# Seconds. A loop that has not turned for longer is taken for dead. NOTE: a handler that computes
# for a few seconds makes a service unready, and is no reason to kill it.
LIVE_BOUND: Final = 5.0
# Seconds for a whole answer. NOTE: it leaves time to send it, as a kubelet waits for one second.
ANSWER_BOUND: Final = 0.9

INTERVAL: Final = 1.0  # seconds between two beats of a loop

# The reason why a part is not ready, by its name; `None` where it is.
PartStates = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one check.

    Attributes:
        ok: whether the answer is 200; else it is 503.
        parts: the reason why a part is not ready, by its name; `None` where it is.
    """

    ok: bool
    parts: PartStates = field(default_factory=dict)


class OperationsSource(Protocol):
    """Whoever answers; its methods return within a second, whatever the loop does."""

    def check_live(self) -> Report:
        """Return whether the loop turns."""

    def check_ready(self) -> Report:
        """Return whether requests may be sent here, by part."""

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the form that the header *accept* asks for, and its media type."""


def render_with_lag(
    snapshot: Snapshot, beats: Iterable[float | None], accept: str
) -> tuple[bytes, str]:
    """Return *snapshot* as `render` does, with how late the loops of these last *beats* are by now.

    NOTE: a loop that stands still does not measure that it does.
    """
    now = monotonic()
    for beat in beats:
        if beat is not None:
            snapshot.add(LOOP_LAG, (), [max(0.0, now - beat - INTERVAL)])
    return render(snapshot, accept)
