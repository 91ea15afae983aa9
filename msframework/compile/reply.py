"""The steps after the method: from its result to the bytes of the answer.

`Replies` is made at start-up; its methods run per request, where a method returned something out of
the ordinary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sanic.response import BaseHTTPResponse, ResponseStream

from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.promise import Promise, read_promise
from msframework.compile.request import CompileSchema
from msframework.envelope import DefaultEnvelope, Envelope
from msframework.headers import OwnHeaders
from msframework.operation import Answer as Declared
from msframework.operation import Operation
from msframework.pagination import PageResult
from msframework.pagination.links import link_pages
from msframework.response import BODYLESS, Reply
from msframework.serving.answer import Answer, Head, Heads
from msframework.serving.request import Request
from msframework.strict_json import dumps
from msframework.table import Table

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
    promise: Promise


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


def around(envelope: Envelope, declared: Declared) -> tuple[bytes, bytes]:
    """Return the bytes before and after the data of an answer."""
    before, after = envelope.around_data()
    opening, closing = around_key(declared)
    return before + opening, closing + after


def around_key(declared: Declared) -> tuple[bytes, bytes]:
    """Return the bytes of the object that has the data under a key; none where it has none."""
    return (b"{%b:" % dumps(declared.key), b"}") if declared.key else (b"", b"")


class Replies:
    """All that one operation may answer, the usual answer first.

    Attributes:
        plain: the classes of results that need no look and go straight through the usual dump.
        checks_members: whether answers that lack required members are refused.
    """

    def __init__(self, operation: Operation, heads: Heads, compile_schema: CompileSchema) -> None:
        self.heads = heads
        self.checks_members = False
        self.where = operation.where
        envelope: Envelope = operation.envelope or DefaultEnvelope()
        first, between, last = envelope.around_page()
        opening, closing = around_key(operation.answers[0])
        self.around_page = first + opening, closing + between, last
        numbers = getattr(envelope, "numbers", None)
        plain = getattr(numbers, "__func__", None) in (None, DefaultEnvelope.numbers)
        self.numbers = None if plain else numbers
        self.outcomes = {
            item.status: Outcome(
                item.status,
                heads.head(item.status),
                *compile_dump(item, compile_schema),
                *around(envelope, item),
                read_promise(operation, item, usual=number == 0),
            )
            for number, item in enumerate(operation.answers)
        }
        self.usual = self.outcomes[operation.answers[0].status]
        self.declared = any(item.schema is not None for item in operation.answers)
        self.plain = self._plain()

    def _plain(self) -> frozenset[type]:
        """Return the classes of results that go straight through the usual answer's dump."""
        if self.usual.status in BODYLESS:
            return frozenset()
        many = self.usual.promise.many
        if many is None:
            return _UNDECLARED_PLAIN
        return frozenset((list,)) if many else frozenset((dict,))

    def page(self, request: Request, result: PageResult) -> Answer:
        """Answer with one page."""
        return self._page(request, self.usual, result, None)

    def _page(
        self,
        request: Request,
        outcome: Outcome,
        result: PageResult,
        own: OwnHeaders | None,
    ) -> Answer:
        before, between, after = self.around_page
        table = result.table
        if table is None:
            rows = result.rows
            if rows.__class__ is not list or outcome.promise.many is False:
                outcome.promise.check_page(rows)
            data = outcome.dump(rows)
        else:
            data = outcome.dump_table(table)
        if self.checks_members:
            outcome.promise.check_members(data)
        links = result.links
        if links is not None:
            own = link_pages(request.query_string, links, own)
        told = result.pagination if self.numbers is None else self.numbers(result.pagination)
        body = b"%b%b%b%b%b" % (before, data, between, dumps(told), after)
        return Answer(self.heads, outcome.head, body, request, own)

    def other(self, request: Request, result: object) -> Any:
        """Answer with an unusual result: `Reply`, a page, `None`, Sanic's own response.

        Raises:
            WrongKind: it is of another kind than the method promised.
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
            if isinstance(result, BaseHTTPResponse | ResponseStream | Reply):
                outcome.promise.refuse(result)
        if result.__class__ is tuple and outcome.promise.read_tuple(result):
            result = PageResult(*result)
        if result is None:
            return self._nothing(request, outcome, own)
        if outcome.status in BODYLESS:
            raise TypeError(
                f"{self.where}: it answers {outcome.status}, which has no body, but returned data"
            )
        if isinstance(result, PageResult):
            return self._page(request, outcome, result, own)
        outcome.promise.check(result)
        try:
            data = outcome.dump(result)
        except TypeError as exc:
            if outcome.promise.many is not None:
                raise
            outcome.promise.refuse(result, exc)
        if self.checks_members:
            outcome.promise.check_members(data)
        body = outcome.before + data + outcome.after
        return Answer(self.heads, outcome.head, body, request, own)

    def check_second(self, request: Any, result: Any) -> None:
        """Refuse a second result of a method that has sent a response by `request.respond()`.

        Raises:
            TypeError: it is neither nothing nor that response.
        """
        if result is not None and result is not request.stream.response:
            raise TypeError(
                f"{self.where}: it returned {type(result).__name__} after request.respond(), and "
                "a request has one answer. Return None, or leave respond() out."
            )

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
            promise = replace(usual.promise, paged=False)
            outcome = replace(usual, status=status, head=head, promise=promise)
        return outcome

    def _nothing(self, request: object, outcome: Outcome, own: OwnHeaders | None) -> Answer:
        body = b""
        if outcome.status not in BODYLESS:
            outcome.promise.check_nothing()
            body = outcome.before + b"null" + outcome.after
        return Answer(self.heads, outcome.head, body, request, own)


def write_answer(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines from the result of the method to the answer."""
    replies = Replies(operation, context.heads, context.compile_schema)
    usual = replies.usual
    emitter.bind("check_second", replies.check_second)
    emitter.lines("if request.responded:", "    answer = check_second(request, result)")
    if operation.page is not None:
        emitter.bind("PageResult", PageResult)
        emitter.bind("reply_page", replies.page)
        emitter.lines(
            "elif result.__class__ is PageResult:", "    answer = reply_page(request, result)"
        )
    elif replies.plain:
        for name, value in {
            "Answer": Answer,
            "after": usual.after,
            "before": usual.before,
            "dump": usual.dump,
            "head": usual.head,
            "heads": context.heads,
        }.items():
            emitter.bind(name, value)
        body = "before + dump(result) + after" if usual.before or usual.after else "dump(result)"
        emitter.bind("plain", replies.plain)
        emitter.lines(
            "elif result.__class__ in plain:",
            f"    answer = Answer(heads, head, {body}, request)",
        )
    emitter.bind("reply", replies.other)
    emitter.lines("else:", "    answer = reply(request, result)")
    emitter.strict.append(partial(_check_members, replies, emitter.namespace))


def _check_members(replies: Replies, namespace: dict[str, Any]) -> None:
    """Let *replies* look at the members of every answer: now no result is plain."""
    replies.checks_members = True
    namespace["plain"] = frozenset()
