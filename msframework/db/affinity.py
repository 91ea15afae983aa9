"""Read-your-writes: a request that wrote reads from the primary from then on.

Runs per request, and only where replicas are configured.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from msframework.context import RequestContext
from msframework.tracing.context import current_span
from msframework.types import UNSET, Unset

WROTE: Final = "wrote"


class Affinity:
    """Remembers which requests wrote: on the request, and in the context for those without.

    Without a request, the trace stands for it. Where nothing is traced either, whatever runs in
    this context reads from the primary from then on: too often is safe, too seldom is not.
    """

    __slots__ = ("_written",)

    def __init__(self) -> None:
        self._written: ContextVar[str | Unset | None] = ContextVar("msframework_db_written")

    def note_write(self, request: RequestContext | None) -> None:
        """Remember that *request*, or what runs now, wrote."""
        if request is not None:
            request.db_state = WROTE
        self._written.set(_trace_id())

    def wrote(self, request: RequestContext | None) -> bool:
        """Whether *request*, or what runs now, wrote before."""
        if request is not None and request.db_state is WROTE:
            return True
        written = self._written.get(UNSET)
        if isinstance(written, Unset):
            return False
        # NOTE: requests of one connection share a context; their traces differ.
        if request is not None and written is None:
            return False
        return written == _trace_id()


def _trace_id() -> str | None:
    span = current_span()
    return None if span is None else span.trace_id
