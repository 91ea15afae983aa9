"""The answer of another service: aiohttp's, read up to a bound. Runs per request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import ClientResponse, ContentTypeError, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy

from msframework.client.body import read_bounded
from msframework.client.failure import read_failure, tell, upstream_error
from msframework.types import JSONValue


class Response(ClientResponse):
    """aiohttp's `ClientResponse`, whose failures are those of the service that sent it.

    Attributes:
        service: the name of that service.
        sent: the head of the request, where aiohttp has not made one.
        max_size: the most bytes that `read`, `text` and `json` take, after decompression.
    """

    service: str = ""
    max_size: int = 10_000_000
    sent: bytes = b""

    @property
    def request_info(self) -> RequestInfo:
        """The request in aiohttp's form, made when it is first read."""
        known: RequestInfo | None = self._request_info
        if known is None:
            lines = self.sent.decode().split("\r\n")[1:-2]
            parts = (line.partition(": ") for line in lines)
            headers = CIMultiDict((name, value) for name, _, value in parts)
            self._request_info = known = RequestInfo(
                self._url, self.method, CIMultiDictProxy(headers), self._real_url
            )
        return known

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            UpstreamError: it is larger than `max_size`, broken off, or late.
        """
        if self._body is None:
            try:
                self._body = await read_bounded(self.content, self.max_size)
            except BaseException as exc:
                self.close()
                failure = read_failure(self.service, exc, self.status)
                if failure is None:
                    raise
                tell(failure, exc)
                raise failure from exc
        return await super().read()

    async def json(
        self,
        *,
        encoding: str | None = None,
        loads: Callable[[Any], Any] = orjson.loads,
        content_type: str | None = None,
    ) -> JSONValue:
        """Return the body parsed as JSON, and `None` when it is empty.

        Args:
            content_type: the media type that the answer must have; any by default.

        Raises:
            UpstreamError: it is no JSON, or not of *content_type*.
        """
        body = await self.read()
        try:
            if encoding is None and content_type is None:
                return loads(body) if body.strip() else None
            return await super().json(encoding=encoding, loads=loads, content_type=content_type)
        except (ContentTypeError, LookupError, ValueError) as exc:
            raise upstream_error(self.service, self.status, error="its answer is no JSON") from exc
