"""`Status`: the state of a worker, sent to its supervisor each second and when it changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from msframework.operations.source import PartStates


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a worker when its loop last turned.

    Attributes:
        beat: when that was, in seconds of `time.monotonic()`, which all processes share.
        lag: how late the loop was, in seconds.
        parts: the reason why a part is not ready, by its name; `None` where it is.
    """

    beat: float
    lag: float = 0.0
    parts: PartStates = field(default_factory=dict)
