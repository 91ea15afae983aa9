"""`OperationsSource`: where the operations port gets its answers from, one process or all workers.

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

# Seconds after which a loop that does not turn is taken for dead. NOTE: a handler that computes
# for a few seconds makes a service unready, but is no reason to kill it.
LIVE_BOUND: Final = 5.0
# Seconds for the readiness. NOTE: a kubelet waits for one second, of which this leaves some to send
# the answer.
ANSWER_BOUND: Final = 0.9

INTERVAL: Final = 1.0  # seconds between two beats of a loop
LIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = "/metrics"
PATHS: Final = (LIVE, READY, METRICS)

# The reason why a part is not ready, by its name; `None` where it is.
PartStates = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one check.

    Attributes:
        ok: whether the answer is a 200 rather than a 503.
        parts: the reason why a part is not ready, by its name; `None` where it is.
    """

    ok: bool
    parts: PartStates = field(default_factory=dict)


class OperationsSource(Protocol):
    """The source of answers; its checks return within a second, even if the loop hangs."""

    def check_live(self) -> Report:
        """Return whether the loop turns."""

    def check_ready(self) -> Report:
        """Return whether requests may be sent to this service, by part."""

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
