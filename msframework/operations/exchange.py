"""The head of a request to the operations port, and the bytes of its answer.

Runs per request to the operations port. Strict, after RFC 9112: malformed requests are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from msframework.headers import TOKEN
from msframework.operations.source import Report
from msframework.serving.head import HEAD_END, read_field

_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])" % TOKEN.encode())
_JSON: Final = "application/json"


class UnfitRequest(Exception):
    """A request that is malformed, or has a body; its connection ends with the answer."""

    def __init__(self, status: HTTPStatus, said: str) -> None:
        super().__init__(said)
        self.status = status


@dataclass(frozen=True, slots=True)
class OperationsRequest:
    """One request.

    Attributes:
        accept: the value of the header `Accept`.
        keep_alive: whether the client keeps the connection open.
    """

    method: str
    path: str
    accept: str = ""
    keep_alive: bool = False


@dataclass(frozen=True, slots=True)
class OperationsAnswer:
    """One answer.

    Attributes:
        allow: the value of the header `Allow`, which a 405 has.
    """

    status: HTTPStatus
    body: bytes
    media_type: str = _JSON
    allow: str | None = None


def read_request(head: bytes) -> OperationsRequest:
    """Return the request in the bytes of *head*.

    Raises:
        UnfitRequest: the request is malformed, or has a body.
    """
    first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise UnfitRequest(HTTPStatus.BAD_REQUEST, "malformed request line")
    method, target, major, minor = line.groups()
    if major != b"1":
        raise UnfitRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "expected HTTP/1.1")
    fields: dict[str, list[str]] = {}
    for each in lines:
        try:
            name, value = read_field(each.decode("latin-1"))
        except ValueError:
            raise UnfitRequest(HTTPStatus.BAD_REQUEST, "malformed header") from None
        fields.setdefault(name, []).append(value)
    is_new = minor != b"0"
    if is_new and len(fields.get("host", ())) != 1:  # RFC 9112, 3.2
        raise UnfitRequest(HTTPStatus.BAD_REQUEST, "expected one Host header")
    if "transfer-encoding" in fields or fields.get("content-length", ["0"]) != ["0"]:
        raise UnfitRequest(HTTPStatus.BAD_REQUEST, "expected no body")
    words = {word.strip().lower() for word in ",".join(fields.get("connection", ())).split(",")}
    return OperationsRequest(
        method.decode(),
        _path_of(target.decode()),
        ", ".join(fields.get("accept", ())),
        is_new and "close" not in words,
    )


def _path_of(target: str) -> str:
    """Return the path of *target*, which may be in absolute form, too (RFC 9112, 3.2.2)."""
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError:
        raise UnfitRequest(HTTPStatus.BAD_REQUEST, "malformed target") from None


def answer_report(report: Report, word: str) -> OperationsAnswer:
    """Return the answer for *report*, such as `{"status": "ready", "parts": {"db": "ok"}}`."""
    told = {
        "status": word if report.ok else f"not {word}",
        "parts": {name: reason or "ok" for name, reason in report.parts.items()},
    }
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return OperationsAnswer(status, json.dumps(told, ensure_ascii=False).encode())


def answer_plain(status: HTTPStatus, said: str = "", allow: str | None = None) -> OperationsAnswer:
    """Return an answer of *status*; its body has *said*, or the phrase of the status."""
    told = {"status": said or status.phrase.lower()}
    return OperationsAnswer(status, json.dumps(told).encode(), allow=allow)


def write_answer(answer: OperationsAnswer, *, has_body: bool, keep_alive: bool) -> bytes:
    """Return the bytes of *answer*.

    Args:
        has_body: whether the body is sent; for HEAD it is not (RFC 9110, 9.3.2).
        keep_alive: whether the connection stays open.
    """
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {answer.media_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    ]
    if answer.allow is not None:
        lines.append(f"Allow: {answer.allow}")
    if not keep_alive:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return head + answer.body if has_body else head
