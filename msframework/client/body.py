"""The body of an answer, read up to a bound. Runs per request."""

from __future__ import annotations

import aiohttp


class BodyTooLarge(Exception):
    """The answer is larger than allowed.

    Attributes:
        limit: the largest size in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return the rest of *content*.

    Raises:
        BodyTooLarge: there are more than *limit* bytes.
    """
    chunks: list[bytes] = []
    left = limit
    while chunk := await content.readany():
        left -= len(chunk)
        if left < 0:
            raise BodyTooLarge(limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
