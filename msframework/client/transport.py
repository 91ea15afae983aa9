"""`Transport`: the protocol of everything that takes a request to a service and brings the answer.

`SessionTransport` is aiohttp's own way, `LeanTransport` a shorter one for plain requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import NamedTuple, Protocol

from msframework.client.outgoing import OutgoingRequest
from msframework.client.response import Response


class BufferedResponse(NamedTuple):
    """An answer whose body was read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """A way to one service.

    Its methods set the `status` of the request once the head of an answer has come, replay a
    request that a reused connection lost (`send_replayable`), and raise the errors of the way: a
    `TimeoutError`, an `aiohttp.ClientError`, `BodyTooLarge`, or an `UpstreamError` made of one.
    """

    def fetch(self, outgoing: OutgoingRequest) -> Awaitable[BufferedResponse]:
        """Send *outgoing*, and return the answer with its whole body."""

    def open(self, outgoing: OutgoingRequest) -> Awaitable[Response]:
        """Send *outgoing*, and return the answer once its head has come."""
