"""The steps after the method: from what it returned to the bytes of the answer.

`compile_reply` runs at start-up; the methods of `Replies` run per request, where a method returned
something out of the ordinary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sanic.response import BaseHTTPResponse, ResponseStream

from msframework.compile.request import CompileSchema
from msframework.db.tables import Table
from msframework.envelope import DefaultEnvelope, Envelope
from msframework.headers import OwnHeaders
from msframework.operation import Answer as Declared
from msframework.operation import Operation
from msframework.pagination import PageResult
from msframework.response import BODYLESS, Answer, Head, Heads, Reply
from msframework.strict_json import dumps

Dump = Callable[[Any], bytes]
_UNDECLARED_PLAIN = frozenset((dict, list, str, int, float, bool))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One declared success, ready to be sent: its head, its dump, and the bytes around the data."""

    status: int
    head: Head
    dump: Dump
    dump_table: Callable[[Table], bytes]
    before: bytes
    after: bytes


def compile_dump(
    declared: Declared, compile_schema: CompileSchema
) -> tuple[Dump, Callable[[Table], bytes]]:
    """Return the functions that turn data, and tables, into the JSON of *declared*'s schema."""
    dump: Dump = dumps
    if declared.schema is not None:
        compiled = compile_schema(declared.schema)
        dump = compiled.dump_json
        if declared.schema.many:
            return dump, compiled.dump_table
    return dump, lambda table: dump(table.rows())


class Replies:
    """All that one operation may answer, the usual answer first."""

    def __init__(self, operation: Operation, heads: Heads, compile_schema: CompileSchema) -> None:
        self.heads = heads
        self.where = operation.where
        envelope: Envelope = operation.envelope or DefaultEnvelope()
        before, after = envelope.around_data()
        self.around_page = envelope.around_page()
        self.outcomes = {
            item.status: Outcome(
                item.status,
                heads.head(item.status),
                *compile_dump(item, compile_schema),
                before,
                after,
            )
            for item in operation.answers
        }
        self.usual = self.outcomes[operation.answers[0].status]
        self.declared = any(item.schema is not None for item in operation.answers)
        self.plain = self._plain(operation)

    def _plain(self, operation: Operation) -> frozenset[type]:
        """Return the classes of results that go straight through the usual answer's dump."""
        first = operation.answers[0]
        if first.status in BODYLESS:
            return frozenset()
        if first.schema is None:
            return _UNDECLARED_PLAIN
        return frozenset((list,)) if first.schema.many else frozenset((dict,))

    def page(self, request: Any, result: PageResult) -> Answer:
        """Answer with one page."""
        return self._page(request, self.usual, result, None)

    def _page(
        self,
        request: Any,
        outcome: Outcome,
        result: PageResult,
        own: OwnHeaders | None,
    ) -> Answer:
        before, between, after = self.around_page
        table = result.table
        body = b"%b%b%b%b%b" % (
            before,
            outcome.dump(result.rows) if table is None else outcome.dump_table(table),
            between,
            dumps(result.pagination),
            after,
        )
        return Answer(self.heads, outcome.head, body, request, own)

    def other(self, request: Any, result: Any) -> Any:
        """Answer with what is not the usual data: `Reply`, a page, `None`, Sanic's own response.

        Raises:
            TypeError: the status of a `Reply` is not declared, or has no body for the data.
            ValueError: a header of a `Reply` cannot be sent.
        """
        if isinstance(result, BaseHTTPResponse | ResponseStream):
            return result
        outcome, own = self.usual, None
        if isinstance(result, Reply):
            outcome = self._outcome(result.status)
            if result.headers:
                own = OwnHeaders(result.headers, self.where)
            result = result.data
        if result is None:
            return self._nothing(request, outcome, own)
        if outcome.status in BODYLESS:
            raise TypeError(
                f"{self.where}: it answers {outcome.status}, which has no body, but returned data"
            )
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            result = PageResult(*result)
        if isinstance(result, PageResult):
            return self._page(request, outcome, result, own)
        body = outcome.before + outcome.dump(result) + outcome.after
        return Answer(self.heads, outcome.head, body, request, own)

    def _outcome(self, status: int | None) -> Outcome:
        if status is None:
            return self.usual
        outcome = self.outcomes.get(status)
        if outcome is None and self.declared:
            raise TypeError(
                f"{self.where}: it returned a Reply with status {status}, but declares only "
                f"{', '.join(map(str, self.outcomes))}. Add @doc.produces(…, status={status})."
            )
        if outcome is None:
            usual = self.usual
            head = self.heads.head(status)
            outcome = replace(usual, status=status, head=head)
        return outcome

    def _nothing(self, request: Any, outcome: Outcome, own: OwnHeaders | None) -> Any:
        if request.responded:
            return request.stream.response
        body = b""
        if outcome.status not in BODYLESS:
            body = outcome.before + b"null" + outcome.after
        return Answer(self.heads, outcome.head, body, request, own)
