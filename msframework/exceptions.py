"""Every exception of msframework.

    MsframeworkError
    ├── ImproperlyConfigured            a wrong setting, declaration or command line, at start-up
    ├── SetupClosed                     the app was changed after it began to serve
    └── ServiceException                becomes an answer: status_code, code, message, error
        ├── BadRequest                  400
        │   └── MalformedJSON           400, with the position
        ├── Unauthorized                401
        ├── Forbidden                   403
        ├── NotFound                    404
        ├── MethodNotAllowed            405, with Allow
        ├── NotAcceptable               406
        ├── RequestTimeout              408
        ├── Conflict                    409
        │   └── ConstraintConflict      409, a unique, exclusion or foreign-key constraint
        ├── Gone                        410
        ├── PreconditionFailed          412
        ├── PayloadTooLarge             413
        ├── UnsupportedMediaType        415
        ├── UnprocessableEntity         422
        │   ├── InvalidInput            422, errors by location
        │   └── ConstraintViolation     422, a not-null or check constraint, or data out of range
        ├── PreconditionRequired        428
        ├── TooManyRequests             429
        ├── ServerError                 500
        │   └── TransactionAborted      500, COMMIT was answered by a rollback
        ├── BadGateway                  502
        │   └── UpstreamError           502, 503 or 504: another service failed
        ├── ServiceUnavailable          503
        │   ├── Overloaded              503, with Retry-After: more than a worker can serve
        │   └── DatabaseUnavailable     503, with Retry-After
        │       └── PoolExhausted       503, with Retry-After
        └── GatewayTimeout              504

Raised at start-up and per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msframework.problem import Problem
from msframework.types import JSONValue

Code = int | str


class MsframeworkError(Exception):
    """The root of all exceptions that msframework raises of its own accord."""


class ImproperlyConfigured(MsframeworkError):
    """One or more mistakes found at start-up; `problems` holds each as one paragraph.

    Attributes:
        exit_code: that of a command which it ends.
    """

    exit_code = 1

    def __init__(self, *problems: str) -> None:
        self.problems: tuple[str, ...] = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(self.problems, 1))
        return f"{len(self.problems)} problems were found:\n{lines}"

    @classmethod
    def of(cls, problems: Iterable[str]) -> ImproperlyConfigured:
        """Return one exception of *problems*, each once, in the order in which they were found."""
        found = cls(*dict.fromkeys(problems))
        parts = [problem for problem in found.problems if isinstance(problem, Problem)]
        causes = [problem.cause for problem in parts if problem.cause is not None]
        if causes:
            several = all(isinstance(cause, Exception) for cause in causes) and len(causes) > 1
            found.__cause__ = ExceptionGroup("several causes", causes) if several else causes[0]  # type: ignore[type-var]
        return found


class SetupClosed(MsframeworkError):
    """The service was changed after it began to serve requests."""


class ServiceException(MsframeworkError):
    """An exception that becomes an answer of the service.

    Args:
        error: the detail for this request: a text, or any JSON value; the class's when `None`, and
            left out when that has none.
        code: the application's own code; the class's, or `100000 + status_code`, when `None`.
        message: one sentence for the status; the class's own when `None`.
        status_code: the HTTP status; the class's own when `None`.
        headers: further headers of the answer.
    """

    status_code: int = 500
    code: Code | None = None
    message: str = "Internal Server Error"
    error: JSONValue = None
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        error: object = None,
        code: Code | None = None,
        message: str | None = None,
        *,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if error is not None:
            self.error = error
        if status_code is not None:
            self.status_code = status_code
        if message is not None:
            self.message = message
        if headers is not None:
            self.headers = headers
        if code is not None:
            self.code = code
        super().__init__(self.message if self.error is None else self.error)

    @property
    def answer_code(self) -> Code:
        """The code that goes into the answer."""
        return default_code(self.status_code) if self.code is None else self.code


def default_code(status: int) -> int:
    """Return the code of an answer whose exception names none."""
    return 100000 + status


class BadRequest(ServiceException):
    """The request cannot be understood (RFC 9110, 15.5.1)."""

    status_code = 400
    message = "Bad Request"


class MalformedJSON(BadRequest):
    """The body is no strict JSON (RFC 8259); `position` is the offset in bytes, where known."""

    message = "Malformed JSON"

    def __init__(self, error: str, *, position: int | None = None) -> None:
        self.position = position
        super().__init__(error if position is None else f"{error} (at byte {position})")


class Unauthorized(ServiceException):
    """The request needs credentials that it did not bring (RFC 9110, 15.5.2)."""

    status_code = 401
    message = "Unauthorized"


class Forbidden(ServiceException):
    """The caller may not do this (RFC 9110, 15.5.4)."""

    status_code = 403
    message = "Forbidden"


class NotFound(ServiceException):
    """There is no such thing (RFC 9110, 15.5.5)."""

    status_code = 404
    message = "Not Found"


class MethodNotAllowed(ServiceException):
    """The path has no such method; the answer names those it has (RFC 9110, 15.5.6)."""

    status_code = 405
    message = "Method Not Allowed"


class NotAcceptable(ServiceException):
    """The caller accepts no media type of the answer (RFC 9110, 15.5.7)."""

    status_code = 406
    message = "Not Acceptable"


class RequestTimeout(ServiceException):
    """The request did not arrive in time (RFC 9110, 15.5.9)."""

    status_code = 408
    message = "Request Timeout"


class Conflict(ServiceException):
    """The request conflicts with the stored state (RFC 9110, 15.5.10)."""

    status_code = 409
    message = "Conflict"


class _ConstraintFailure(ServiceException):
    """A constraint of PostgreSQL said no; `constraint` is its name, where PostgreSQL gave one."""

    def __init__(
        self,
        error: object = None,
        code: Code | None = None,
        message: str | None = None,
        *,
        constraint: str | None = None,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.constraint = constraint
        super().__init__(error, code, message, status_code=status_code, headers=headers)


class ConstraintConflict(_ConstraintFailure, Conflict):
    """A unique, exclusion or foreign-key constraint of PostgreSQL said no."""


class Gone(ServiceException):
    """The thing was there, and will not come back (RFC 9110, 15.5.11)."""

    status_code = 410
    message = "Gone"


class PreconditionFailed(ServiceException):
    """A condition in the request's headers does not hold (RFC 9110, 15.5.13)."""

    status_code = 412
    message = "Precondition Failed"


class PayloadTooLarge(ServiceException):
    """The body is larger than `REQUEST_MAX_SIZE` (RFC 9110, 15.5.14)."""

    status_code = 413
    message = "Payload Too Large"


class UnsupportedMediaType(ServiceException):
    """The body is of a type that this endpoint does not read (RFC 9110, 15.5.16)."""

    status_code = 415
    message = "Unsupported Media Type"


class UnprocessableEntity(ServiceException):
    """The request is well formed, but cannot be carried out (RFC 9110, 15.5.21)."""

    status_code = 422
    message = "Unprocessable Entity"


class InvalidInput(UnprocessableEntity):
    """Input that its schemas refuse; `error` is `{location: {field: [message, …]}}`."""

    message = "Invalid input"


class ConstraintViolation(_ConstraintFailure, UnprocessableEntity):
    """A not-null or check constraint of PostgreSQL, or a value that its column cannot hold."""


class PreconditionRequired(ServiceException):
    """The request has to be conditional (RFC 6585, 3)."""

    status_code = 428
    message = "Precondition Required"


class TooManyRequests(ServiceException):
    """The caller asks too often (RFC 6585, 4)."""

    status_code = 429
    message = "Too Many Requests"


class ServerError(ServiceException):
    """The service failed (RFC 9110, 15.6.1)."""

    status_code = 500
    message = "Internal Server Error"


class TransactionAborted(ServerError):
    """COMMIT rolled back, as a statement had failed and its exception was caught in the block."""


class BadGateway(ServiceException):
    """Another service gave an answer that this one cannot use (RFC 9110, 15.6.3)."""

    status_code = 502
    message = "Bad Gateway"


class UpstreamError(BadGateway):
    """A call to another service failed; uncaught it is a 502, 503 or 504.

    Args:
        service: the name of the other service, as in `SERVICES`.
        status: the status that it answered, or `None` when no answer came.
        code: the code in its envelope, if it sent one.
        error: the detail of its answer, or of the failure on the way.
    """

    def __init__(
        self,
        service: str,
        status: int | None = None,
        code: Code | None = None,
        error: object = None,
        *,
        status_code: int = 502,
        message: str | None = None,
    ) -> None:
        self.service, self.status, self.upstream_code = service, status, code
        self.upstream_error: JSONValue = error
        said = f"{service} answered {status}" if status is not None else f"{service} gave no answer"
        super().__init__(said, message=message, status_code=status_code)


class ServiceUnavailable(ServiceException):
    """The service cannot answer now; it may soon (RFC 9110, 15.6.4)."""

    status_code = 503
    message = "Service Unavailable"


class Overloaded(ServiceUnavailable):
    """The worker has more requests than it can serve."""

    headers: Mapping[str, str] = {"Retry-After": "1"}


class DatabaseUnavailable(ServiceUnavailable):
    """PostgreSQL cannot be reached, or ended the connection."""

    headers: Mapping[str, str] = {"Retry-After": "1"}


class PoolExhausted(DatabaseUnavailable):
    """No connection became free within `DB_ACQUIRE_TIMEOUT`."""


class GatewayTimeout(ServiceException):
    """Another service did not answer in time (RFC 9110, 15.6.5)."""

    status_code = 504
    message = "Gateway Timeout"
