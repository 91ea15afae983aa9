"""Bodies that are compressed (RFC 9110, 8.4), decoded within bounds.

Runs per request, where a `Content-Encoding` is declared.
"""

from __future__ import annotations

import zlib
from asyncio import sleep
from collections.abc import Callable
from typing import Final

from multidict import CIMultiDict

from msframework.exceptions import BadRequest, PayloadTooLarge, UnsupportedMediaType

# The window of each coding, as zlib wants it: gzip (RFC 1952), and zlib's own format (RFC 1950).
_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
ACCEPTED: Final = "gzip, deflate"
# How much larger than it was sent a body may become, and the most that any body may become.
MAX_RATIO: Final = 100
ALWAYS: Final = 65_536
MAX_MEMBERS: Final = 100
_STEP: Final = 65_536
_PAUSE: Final = 16


def read_coding(headers: CIMultiDict[str]) -> str | None:
    """Return the coding that the body has to be decoded by; `None` where it is as it is.

    Raises:
        UnsupportedMediaType: it is none that is read here, or several.
    """
    said = ",".join(headers.getall("content-encoding", ()))
    codings = [coding for item in said.split(",") if (coding := item.strip(" \t").lower())]
    if not set(codings) - {"identity"}:
        return None
    if len(codings) > 1 or codings[0] not in _WINDOWS:
        raise UnsupportedMediaType(
            f"the body is encoded as {', '.join(codings)!r}; what is read is {ACCEPTED}",
            headers={"Accept-Encoding": ACCEPTED},
        )
    return codings[0]


async def decode_body(
    body: bytes, coding: str, largest: int, hold: Callable[[int], None] | None = None
) -> bytes:
    """Return *body* decoded; other requests run in between.

    Args:
        largest: the most bytes that it may become.
        hold: is told of the bytes as they come; its exceptions end the work.

    Raises:
        BadRequest: it is broken, cut off, or something follows it.
        PayloadTooLarge: it becomes larger than *largest*, or than its size promises.
    """
    largest = min(largest, max(ALWAYS, MAX_RATIO * len(body)))
    decoder = zlib.decompressobj(_WINDOWS[coding])
    pieces: list[bytes] = []
    place = size = steps = 0
    members = 1
    waiting = b""
    try:
        while not decoder.eof or waiting or place < len(body):
            if decoder.eof:
                members += 1
                if coding == "deflate" or members > MAX_MEMBERS:
                    raise BadRequest(f"the body goes on after its {coding} data")
                decoder = zlib.decompressobj(_WINDOWS[coding])
            if not waiting:
                waiting = body[place : place + _STEP]
                place += len(waiting)
            is_over = not waiting
            piece = decoder.decompress(waiting, _STEP)
            if is_over and not piece and not decoder.eof:
                raise BadRequest(f"the {coding} data of the body is cut off")
            waiting = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            size += len(piece)
            if size > largest:
                raise PayloadTooLarge(f"the body becomes larger than {largest} bytes when decoded")
            if hold is not None:
                hold(len(piece))
            pieces.append(piece)
            steps += 1
            if steps % _PAUSE == 0:
                await sleep(0)
    except zlib.error as exc:
        raise BadRequest(f"the body is no {coding} data") from exc
    return b"".join(pieces)
