"""The answer that a test looks at, read to its end. Runs in tests."""

from __future__ import annotations

import orjson
from multidict import CIMultiDictProxy

from msframework.types import JSONValue


class Answer:
    """One answer: `status`, `headers`, `body`, `text`, and `json()`."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        """The body as text, in the charset that the answer names."""
        _, _, charset = self.headers.get("Content-Type", "").lower().partition("charset=")
        return self.body.decode(charset.split(";")[0].strip(' "') or "utf-8")

    def json(self) -> JSONValue:
        """Return the body parsed as JSON."""
        return _parse(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.body[:200]!r}>"


class TestResponse:
    """One answer: `status`, `headers`, `body`, `text`, and `json` as a property."""

    __test__ = False

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.status, self.headers, self.body = answer.status, answer.headers, answer.body

    @property
    def text(self) -> str:
        """The body as text."""
        return self.answer.text

    @property
    def json(self) -> JSONValue:
        """The body parsed as JSON."""
        return self.answer.json()

    def __repr__(self) -> str:
        return f"<TestResponse {self.status} {self.body[:200]!r}>"


def _parse(answer: Answer) -> JSONValue:
    try:
        return orjson.loads(answer.body)
    except ValueError as exc:
        raise AssertionError(f"the answer is no JSON: {answer!r}") from exc
