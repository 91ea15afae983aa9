"""Where finished spans go when no queue takes them: memory. Runs per span."""

from __future__ import annotations

from typing import Final, Protocol

from msframework.tracing.span import Span

MAX_SPANS: Final = 10_000


class Recorder(Protocol):
    """Takes finished spans; must neither wait nor raise."""

    def record(self, span: Span) -> None:
        """Take *span*, which is finished."""


class MemoryRecorder:
    """Keeps finished spans in `spans`, at most 10,000; `dropped` counts those beyond."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.dropped = 0

    def record(self, span: Span) -> None:
        """Keep *span*."""
        if len(self.spans) < MAX_SPANS:
            self.spans.append(span)
        else:
            self.dropped += 1

    def clear(self) -> None:
        """Forget all spans."""
        self.spans.clear()
        self.dropped = 0
