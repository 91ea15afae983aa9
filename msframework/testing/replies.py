"""The calls to other services, and the replies that tests declare. Runs in tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from msframework.types import JSONValue

_PARAMETER = re.compile(r"\{[^{}/]*\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call to another service, as it came in; `path` is percent-encoded as it was sent."""

    service: str
    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> JSONValue:
        """The body parsed as JSON."""
        return orjson.loads(self.body)

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.method} {self.path}{'?' if query else ''}{query} of {self.service}"


class ReplyOptions(TypedDict, total=False):
    """The options of a declared reply beside method, path and payload; see `MockService.reply`."""

    status: int
    body: str | bytes
    headers: Mapping[str, str] | None
    exception: BaseException | type[BaseException] | None
    service: str | None


@dataclass(slots=True)
class MockReply:
    """One declared reply, and how often it was given."""

    method: str
    path: str
    service: str | None
    status: int
    body: bytes
    headers: Mapping[str, str]
    exception: BaseException | None
    pattern: re.Pattern[str]
    params: Mapping[str, str] | None
    given: int = 0

    def matches(self, call: Call) -> bool:
        """Tell whether *call* is one that this reply was declared for."""
        return (
            self.method == call.method
            and self.service in (None, call.service)
            and self.params in (None, call.params)
            and self.pattern.fullmatch(unquote(call.path)) is not None
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" of {self.service}" if self.service else "")


def build_reply(
    method: str,
    path: str,
    service: str | None,
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    exception: BaseException | None,
) -> MockReply:
    """Build the reply to *method* on *path*, whose `{name}` stand for any one segment."""
    parts = urlsplit(path)
    literal = map(re.escape, map(unquote, _PARAMETER.split(parts.path)))
    params = dict(parse_qsl(parts.query, keep_blank_values=True)) if "?" in path else None
    return MockReply(
        method,
        path,
        service,
        status,
        body,
        headers,
        exception,
        re.compile("[^/]+".join(literal)),
        params,
    )
