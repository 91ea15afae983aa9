"""From an exception to an answer in the envelope, whoever raised it.

`ErrorAnswers` is built at start-up; it runs per request, only where something went wrong.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from asyncpg import DataError
from marshmallow import ValidationError
from sanic.compat import Header
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler as SanicErrorHandler
from sanic.http import Stage
from sanic.response import HTTPResponse

from msframework._meant import find_habit
from msframework.access.refusal import challenges_of, with_challenges
from msframework.codec.bounds import MAX_ERRORS, bound_messages
from msframework.codec.kinds import WrongKind
from msframework.db.errors import translate
from msframework.envelope import DefaultEnvelope, Envelope, ErrorFacts
from msframework.exceptions import Code, InvalidInput, ServiceException, Unauthorized, default_code
from msframework.headers import FRAMING, OwnHeaders, check_response, take_framing
from msframework.misfit import find_misfit
from msframework.operation import Operation, Source
from msframework.response import BODYLESS
from msframework.serving.answer import Answer, Heads
from msframework.serving.request import Request
from msframework.strict_json import dumps
from msframework.template import Templates
from msframework.tracing.context import current_span
from msframework.types import Handler, JSONObject

Constraints = Mapping[str, type[ServiceException]]
Hook = Callable[..., object]
T = TypeVar("T")
_MESSAGES = {499: "Client Closed Request"}

logger = logging.getLogger("msframework.errors")


class ErrorAnswers:
    """Turns exceptions into answers, and shows the unexpected ones to the log and the hooks."""

    def __init__(
        self, heads: Heads, envelope: Envelope, *, debug: bool, max_errors: int = MAX_ERRORS
    ) -> None:
        self.heads, self.envelope, self.debug = heads, envelope, debug
        self.max_errors = max_errors
        self.hooks: list[Hook] = []
        self.templates = Templates((), envelope)

    def for_operation(self, operation: Operation) -> Callable[..., Any]:
        """Return `fail(request, exc)`, which answers for an exception of one operation's method.

        A handler that the user registered with Sanic comes first, as Sanic documents it.
        """
        constraints = {
            failure.constraint: failure.exception
            for failure in operation.failures
            if failure.constraint is not None
        }
        envelope = operation.envelope or self.envelope
        location, key = _body_location(operation)
        challenges = challenges_of(operation.access.authenticators)

        async def fail(request: Request, exc: Exception) -> object:
            stream: Any = request.stream
            if stream is not None and stream.stage is not Stage.HANDLER:
                await self.break_off(request, exc)
                return None
            if isinstance(exc, WrongKind):
                exc.place(operation.where)
            request.reset_response()
            if isinstance(exc, DataError):
                misfit = find_misfit(exc, request, location)
                if key and isinstance(misfit, InvalidInput) and location in misfit.error:
                    misfit.error = misfit.error | {location: {key: misfit.error[location]}}
                exc = misfit or exc
            if isinstance(exc, Unauthorized):
                exc = with_challenges(exc, challenges)
            return await self.answer(request, exc, constraints, envelope)

        return fail

    def refuse(self, operation: Operation) -> Callable[[Request, JSONObject], Answer]:
        """Return `refuse(request, errors)`, the 422 of one operation; nothing is raised for it."""
        envelope = operation.envelope or self.envelope
        head, heads = self.heads.head(422, envelope.error_content_type), self.heads
        code, message = InvalidInput().answer_code, InvalidInput.message

        def refuse(request: Request, errors: JSONObject) -> Answer:
            body = dumps(envelope.error(ErrorFacts(422, code, message, errors, request.path)))
            return Answer(heads, head, body, request)

        around = _around_errors(envelope, code, message)
        if around is None:
            return refuse
        before, after = around

        def refuse_in_place(request: Request, errors: JSONObject) -> Answer:
            return Answer(heads, head, before + dumps(errors) + after, request)

        return refuse_in_place

    def prebuild(
        self, envelope: Envelope, exc: ServiceException
    ) -> Callable[[Request], Answer] | None:
        """Return a prebuilt answer for *exc*; `None` where *envelope* may look at a request.

        A handler that the user registered with Sanic is not asked.
        """
        if getattr(envelope.error, "__func__", None) is not DefaultEnvelope.error:
            return None
        head, heads = self.heads.head(exc.status_code, envelope.error_content_type), self.heads
        own = OwnHeaders(exc.headers, type(exc).__name__) if exc.headers else None
        facts = ErrorFacts(exc.status_code, exc.answer_code, exc.message, exc.error, "")
        body = dumps(envelope.error(facts))
        return lambda request: Answer(heads, head, body, request, own)

    async def answer(
        self, request: Request, exc: Exception, constraints: Constraints, envelope: Envelope
    ) -> object:
        """Return the answer for *exc*: a registered Sanic handler's, or ours."""
        app: Any = request.app
        known = self.expected(exc, constraints)
        if known is None or is_users(app.error_handler):
            try:
                response = await self._users_answer(app, request, exc)
            except Exception as failure:
                exc, known = failure, self.expected(failure, {})
            else:
                if response is not None:
                    return response
        return await self.explain(request, exc, known, envelope)

    async def explain(
        self,
        request: Request,
        exc: BaseException,
        known: ServiceException | None,
        envelope: Envelope | None = None,
    ) -> Answer:
        """Return our own answer for *exc*, which is reported where it was not expected."""
        own, closes = None, isinstance(exc, SanicException) and _asks_to_close(exc)
        if known is not None:
            where = type(exc).__name__
            if request.route is not None:
                where = f"{where}, raised in {request.route.name}"
            try:
                own = OwnHeaders(known.headers, where) if known.headers else None
                self.heads.head(known.status_code)
            except ValueError as mistake:
                mistake.__cause__ = exc
                exc, known = mistake, None
        if known is None:
            await self.report(request, exc)
        try:
            answer = self._render(request, exc, known, envelope or self.envelope, own)
        except Exception as failure:  # its error is no JSON, or its envelope fails
            await self.report(request, failure)
            answer = self._render(request, failure, None, DefaultEnvelope(), None)
        if closes:
            answer.headers["connection"] = "close"  # for its sender: it is plain no longer
        return answer

    async def break_off(self, request: Request, exc: BaseException) -> None:
        """Report a failure after the answer had begun; an answer that is not whole is cut off.

        The end of the connection is the only way to say that there should have been more.
        """
        known = _from_sanic(exc) if isinstance(exc, SanicException) else None
        status = 500 if known is None else known.status_code
        if status >= 500:
            await self.report(request, exc)
        else:  # the rest of the request cannot be read
            logger.info("%s %s was broken off: %s", request.method, request.path, exc)
        stream: Any = request.stream
        if stream.stage is not Stage.IDLE:
            stream.stage, stream.response_func, stream.keep_alive = Stage.FAILED, None, False
            app: Any = request.app
            app._serving.observer.end(request, status)
            transport: Any = request.transport
            if transport is not None:
                transport.abort()

    async def _users_answer(self, app: Any, request: Request, exc: Exception) -> object:
        for event, context in (
            ("server.exception.report", {"exception": exc}),
            ("http.lifecycle.exception", {"request": request, "exception": exc}),
        ):
            if app._serving.has_signal(event):
                await app.dispatch(event, inline=True, context=context)
        error_handler = app.error_handler
        if error_handler.__class__ is not ErrorHandler:
            response = error_handler.response(request, exc)
        else:
            handler = error_handler.user_handler(exc, request)
            if handler is None:
                return None
            response = handler(request, exc)
        if inspect.isawaitable(response):
            response = await response
        return _checked(response)

    def expected(self, exc: BaseException, constraints: Constraints) -> ServiceException | None:
        """Return the `ServiceException` that *exc* stands for; `None` for the unexpected."""
        if isinstance(exc, ServiceException):
            return exc
        if isinstance(exc, ValidationError):
            return InvalidInput(bound_messages(exc.messages, self.max_errors))
        if isinstance(exc, SanicException):
            return _from_sanic(exc)
        return translate(exc, constraints)

    async def report(self, request: Request | None, exc: BaseException) -> None:
        """Log an unexpected exception and show it to every hook; a hook's own failure is logged.

        Args:
            request: the request that failed; `None` for a task that belongs to none.
        """
        span = current_span() if request is None else request.span
        if span is not None:
            span.set_error(exc)
        if habit := find_habit(exc):
            exc.add_note(habit)
        subject = "a task" if request is None else f"{request.method} {request.path}"
        logger.error(
            "%s failed: %s",
            subject,
            type(exc).__name__,
            exc_info=exc,
            extra={
                "request_id": None if request is None else request.id,
                "trace_id": None if span is None else span.trace_id,
                "span_id": None if span is None else span.span_id,
            },
        )
        for hook in self.hooks:
            try:
                result = hook(request, exc, span)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                logger.exception("the on_error hook %r failed", hook)

    def _render(
        self,
        request: Request,
        exc: BaseException,
        known: ServiceException | None,
        envelope: Envelope,
        own: OwnHeaders | None,
    ) -> Answer:
        """Return the answer itself; nothing of the inside of an unexpected exception is in it."""
        text = None
        if known is None and self.debug:
            text = "".join(traceback.format_exception(exc))
        known = known or ServiceException()
        facts = ErrorFacts(
            known.status_code, known.answer_code, known.message, known.error, request.path, text
        )
        head = self.heads.head(known.status_code, envelope.error_content_type)
        body = b"" if known.status_code in BODYLESS else dumps(envelope.error(facts))
        return Answer(self.heads, head, body, request, own)


def _body_location(operation: Operation) -> tuple[str, str]:
    """Return where errors name `request.data`: `form` or `body`, and its key within that."""
    sources = [item.source for item in operation.inputs]
    body = operation.input(Source.BODY)
    location = Source.FORM if Source.FORM in sources else Source.BODY
    return location.value, "" if body is None else body.key


def _around_errors(envelope: Envelope, code: Code, message: str) -> tuple[bytes, bytes] | None:
    """Return the bytes before and after the errors, where the envelope is known to add no others.

    PERF: an envelope of the user's own is asked for each refusal, as it may look at the path or at
    the errors; the default one is asked once (benchmarks/README.md, row invalid).
    """
    if getattr(envelope.error, "__func__", None) is not DefaultEnvelope.error:
        return None
    mark = "errors stand here"
    before, _, after = dumps(envelope.error(ErrorFacts(422, code, message, mark))).partition(
        dumps(mark)
    )
    return before, after


def _checked(response: T) -> T:
    """Return a user's answer to an exception, with its headers checked."""
    if isinstance(response, HTTPResponse):
        check_response(response, "a handler of exceptions")
    return response


def is_users(error_handler: object) -> bool:
    """Whether *error_handler* may have an answer of the user's own: `app.error_handler = …`."""
    return error_handler.__class__ is not ErrorHandler or error_handler.has_user_handlers


def _from_sanic(exc: SanicException) -> ServiceException | None:
    """Return the `ServiceException` for one of Sanic's; `None` for a bug reported as a 500."""
    status = exc.status_code or 500
    if status == 500:
        return None
    headers = {
        name: str(value)
        for name, value in (exc.headers or {}).items()
        if name.lower() not in FRAMING
    }
    message = _MESSAGES.get(status) or _phrase(status)
    error = str(exc) if status < 500 and str(exc) else None
    return ServiceException(
        error, default_code(status), message, status_code=status, headers=headers
    )


def _asks_to_close(exc: SanicException) -> bool:
    """Whether an exception of Sanic's brings `Connection: close`."""
    return bool(exc.headers) and take_framing(Header(exc.headers.items()))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class ErrorHandler(SanicErrorHandler):
    """Sanic's error handler, whose default is the envelope; user handlers work as documented."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = ErrorAnswers(Heads(), DefaultEnvelope(), debug=False)
        self.has_user_handlers = False

    def add(
        self, exception: type[BaseException], handler: Handler, route_names: list[str] | None = None
    ) -> None:
        """Register a user's handler, as `app.exception` does."""
        self.has_user_handlers = True
        super().add(exception, handler, route_names)

    def user_handler(self, exc: Exception, request: Request) -> Handler | None:
        """Return the handler that was registered with Sanic for *exc*, if any."""
        found: Handler | None = self._lookup(exc, request.route.name if request.route else None)
        return found

    async def response(self, request: Request, exception: Exception) -> Any:
        """Answer for whatever no compiled handler saw: unknown URLs, timeouts, broken requests."""
        handler = self._lookup(exception, request.name if request else None)
        if handler is not None:
            try:
                response = handler(request, exception)
                if inspect.isawaitable(response):
                    response = await response
                _checked(response)
            except Exception as failure:
                exception = failure
            else:
                if response is not None:
                    return response
        return await self.default(request, exception)

    async def default(  # type: ignore[override]  # Sanic awaits what is awaitable
        self, request: Request, exception: Exception
    ) -> Answer:
        """Answer in the envelope of the operation that the request is shaped for."""
        app: Any = request.app
        app._serving.observer.ensure_span(request)
        answers = self.answers
        known = answers.expected(exception, {})
        envelope = answers.templates.envelope_of(request.method, request.path)
        return await answers.explain(request, exception, known, envelope)

    @staticmethod
    def log(request: object, exception: Exception) -> None:
        """Do nothing: `report` has logged it once, with the trace id."""
