"""`RequestContext`: the request that a statement or a call is made for. Runs per request."""

from __future__ import annotations

from typing import Protocol

from msframework.tracing import Span


class RequestContext(Protocol):
    """The part of a request that the data layer and the clients read.

    Attributes:
        span: the parent of the spans of statements and calls; `None` while tracing is off.
        db_state: the data layer's own note on the request (read-your-writes).
    """

    span: Span | None
    db_state: object

    @property
    def id(self) -> str:
        """The id that calls to other services pass on."""
