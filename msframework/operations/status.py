"""`Status`: how a worker is, as its supervisor hears it at once and each second. Runs in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Status:
    """How a process that serves was when its loop last turned.

    Attributes:
        beat: when that was, in seconds of `time.monotonic()`, which all processes share.
        lag: how late the loop was, in seconds.
        parts: the reason why a part is not ready, by its name; `None` where it is.
    """

    beat: float
    lag: float = 0.0
    parts: Mapping[str, str | None] = field(default_factory=dict)
