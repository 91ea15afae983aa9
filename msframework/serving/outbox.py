"""Answers that wait to be written together. Runs per request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from sanic.http import Stage

if TYPE_CHECKING:
    from msframework.serving.http import LeanHttp

_MOST_ANSWERS = 32
_IDLE, _RESPONSE = Stage.IDLE, Stage.RESPONSE
logger = logging.getLogger("msframework.server")


class Outbox:
    """Answers that wait to be written together, until what is ready to run has run.

    PERF: Python's code and the kernel's push each other out of the processor's caches, so many
    calls of the kernel in a row take less (benchmarks/README.md, row json).

    Attributes:
        busy: connections with a request on the fast path; one that is alone has nothing to wait
            for.
        before_write: called before answers are written; `None` where nothing has to be done.
    """

    __slots__ = ("_answers", "before_write", "busy")

    def __init__(self) -> None:
        self._answers: list[tuple[LeanHttp, bytes]] = []
        self.busy = 0
        self.before_write: Callable[[], None] | None = None

    def put(self, http: LeanHttp, data: bytes) -> None:
        """Have *data* written to the connection of *http*, which is not idle until then.

        NOTE: callbacks run in their order, so it is written before any data that arrives later is
        looked at; `eof_received` flushes before a connection is closed.
        """
        answers, protocol = self._answers, http.protocol
        protocol._time = monotonic()
        answers.append((http, data))
        http.stage = _RESPONSE
        if self.busy <= 1 or len(answers) >= _MOST_ANSWERS:
            self.flush()
        elif len(answers) == 1:
            protocol.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the answers that wait."""
        answers, self._answers = self._answers, []
        if self.before_write is not None:
            self.before_write()
        for http, data in answers:
            transport = http.protocol.transport
            if http.stage is _RESPONSE:
                http.stage = _IDLE
            try:
                if transport and not transport.is_closing():
                    transport.write(data)
            except Exception:
                logger.exception("an answer could not be written")
                transport.abort()
