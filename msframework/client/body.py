"""The body of an answer, read up to a bound without holding the loop. Runs per request."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from msframework.client.protocol import PIECE

_BETWEEN_TURNS: Final = 4 * PIECE  # bytes that are taken before others may run


class BodyTooLarge(Exception):
    """The answer is larger than allowed.

    Attributes:
        limit: the largest size in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return the rest of *content*, and give the loop a turn between pieces.

    aiohttp unpacks more of a body whenever some of it was taken, so one that is packed tightly
    would otherwise be unpacked in a single turn.

    Raises:
        BodyTooLarge: there are more than *limit* bytes.
    """
    chunks: list[bytes] = []
    left, taken = limit, 0
    while chunk := await content.readany():
        left -= len(chunk)
        if left < 0:
            raise BodyTooLarge(limit)
        chunks.append(chunk)
        taken += len(chunk)
        if taken >= _BETWEEN_TURNS:
            taken = 0
            await asyncio.sleep(0)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
