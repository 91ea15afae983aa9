"""The failures between two services, as exceptions of ours.

The table is built at start-up; the functions run for each call that fails.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from msframework import exceptions
from msframework.client.body import BodyTooLarge
from msframework.client.tls import read_tls_failure
from msframework.exceptions import Code, ServiceException, UpstreamError

logger = logging.getLogger("msframework.client")
_without_query = re.compile(r"(https?://[^\s?]*)\?\S*").sub
# Headers without which an answer of their status says too little (RFC 9110, 15.5 and 10.2.3).
_PASSED_ON = ("Allow", "Retry-After", "WWW-Authenticate")
_PASSING: dict[int, type[ServiceException]] = {
    cls.status_code: cls
    for cls in (
        exceptions.BadRequest,
        exceptions.Unauthorized,
        exceptions.Forbidden,
        exceptions.NotFound,
        exceptions.MethodNotAllowed,
        exceptions.NotAcceptable,
        exceptions.RequestTimeout,
        exceptions.Conflict,
        exceptions.Gone,
        exceptions.PreconditionFailed,
        exceptions.PayloadTooLarge,
        exceptions.UnsupportedMediaType,
        exceptions.UnprocessableEntity,
        exceptions.PreconditionRequired,
        exceptions.TooManyRequests,
        exceptions.ServerError,
        exceptions.BadGateway,
        exceptions.ServiceUnavailable,
        exceptions.GatewayTimeout,
    )
}


def upstream_error(
    service: str,
    status: int | None = None,
    code: Code | None = None,
    error: Any = None,
    *,
    status_code: int = 502,
) -> UpstreamError:
    """Return an `UpstreamError` with the message of *status_code*."""
    message = HTTPStatus(status_code).phrase
    return UpstreamError(service, status, code, error, status_code=status_code, message=message)


def read_failure(
    service: str, exc: BaseException, status: int | None = None
) -> UpstreamError | None:
    """Return the failure of *service* that *exc* means; `None` for an error of our own code.

    A time-out is a 504, a service that cannot be reached or hangs up a 503, and an answer that
    is no HTTP a 502 (RFC 9110, 15.6.3 to 15.6.5), as is a service that does not prove who it is.

    Args:
        status: the status, where the head of an answer had come already.
    """
    match exc:
        case TimeoutError():
            return upstream_error(service, status, error="no answer in time", status_code=504)
        case aiohttp.RedirectClientError():
            lost = "its redirect leads to no address of HTTP"
            return upstream_error(service, status, error=lost, status_code=502)
        case aiohttp.InvalidURL():
            return None
        case OSError() | aiohttp.ClientError() if (error := read_tls_failure(exc)) is not None:
            return upstream_error(service, status, error=error, status_code=502)
        case BodyTooLarge():
            error = f"its answer is larger than {exc.limit} bytes"
            return upstream_error(service, status, error=error, status_code=502)
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return upstream_error(service, status, error="its answer is broken", status_code=502)
        case aiohttp.ClientConnectionError() | OSError():
            return upstream_error(service, status, error="the connection failed", status_code=503)
        case aiohttp.ClientError():
            return upstream_error(service, status, error="the call failed", status_code=502)
        case _:
            return None


def tell(failure: UpstreamError, cause: BaseException) -> None:
    """Log the *cause* of *failure*, such as a bad certificate, which callers are not told."""
    if cause is not failure:
        said = f"{type(cause).__name__}: {_describe(cause)}".rstrip(": ")
        logger.warning("%s: %s: %s", failure, failure.upstream_error, said)


def _describe(cause: BaseException) -> str:
    """Return the text of *cause*, without anything that either side sent.

    aiohttp's texts have the whole address in them, with its query, and bytes or headers of the
    answer: there may be tokens and cookies among them.
    """
    match cause:
        case aiohttp.ClientResponseError():
            return cause.message.partition(":")[0]
        case aiohttp.ServerDisconnectedError() | aiohttp.RedirectClientError():
            return ""
        case _:
            return _without_query(r"\1", str(cause))


def refuse_answer(
    service: str, status: int, headers: Mapping[str, str], body: bytes, passing: tuple[int, ...]
) -> ServiceException:
    """Return the exception that an answer other than a success becomes.

    A status in *passing* becomes our own exception of that status, with the code and error of the
    other side. Any other is an `UpstreamError`: 503 and 504 stay the same, the rest is a 502.
    """
    code, error = _read_error(body)
    kept = {name: headers[name] for name in _PASSED_ON if name in headers}
    if status in passing:
        cls = _PASSING.get(status, ServiceException)
        return cls(error, code, _phrase(status), status_code=status, headers=kept)
    refused = upstream_error(
        service, status, code, error, status_code=status if status in (503, 504) else 502
    )
    if status == 503 and "Retry-After" in kept:
        refused.headers = {"Retry-After": kept["Retry-After"]}
    return refused


def _read_error(body: bytes) -> tuple[Code | None, Any]:
    """Read code and error out of our envelope, or out of problem details (RFC 9457)."""
    try:
        said = orjson.loads(body)
    except ValueError:
        return None, None
    if not isinstance(said, dict):
        return None, None
    code = said.get("code")
    if isinstance(code, bool) or not isinstance(code, int | str):
        code = None
    names = ("error", "errors", "detail", "message")
    return code, next((said[name] for name in names if said.get(name) is not None), None)


def _phrase(status: int) -> str | None:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return None
