"""The bodies of answers that are packed (`Content-Encoding`), unpacked as they are read.

aiohttp unpacks what it receives, and takes a packed body that breaks off for a whole one. Here a
piece is unpacked when somebody waits for it, each in a turn of the loop. Runs per packed answer.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.client_proto import ResponseHandler

# NOTE: where aiohttp has no such module, it is never used; see `lean.is_known`.
_codings: Final[Any] = getattr(aiohttp, "compression_utils", None)
_STEP: Final = 65_536  # the most bytes that are unpacked at once
_WINDOW: Final = 16_384  # and of how many


class UnpackedBody(aiohttp.StreamReader):
    """A body as it was before it was packed.

    Args:
        packed: the body as it comes.
        coding: gzip, deflate, br or zstd.
        protocol: whose body it is.
        loop: the one that runs.
    """

    __slots__ = (
        "_coding",
        "_decoder",
        "_holds",
        "_is_full",
        "_left",
        "_open",
        "_packed",
        "_source",
    )

    def __init__(
        self,
        packed: aiohttp.StreamReader,
        coding: str,
        protocol: ResponseHandler,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(_UNBOUND, _STEP, timer=packed._timer, loop=loop)
        self._packed, self._coding, self._source = packed, coding, protocol
        self._open: Callable[[], Any] | None = None
        self._decoder: Any = None
        self._left = b""
        self._holds = self._is_full = False
        self.total_compressed_bytes = 0

    async def _wait(self, func_name: str) -> None:
        """Unpack a piece, or come to the end.

        Raises:
            ClientPayloadError: the body is cut off, or is not of its coding.
            TimeoutError: the time of the call is over, though the whole body may have come.
        """
        if self._is_full:
            await self._give_turn()
        while not (piece := self._unpack()):
            if self._left:
                await self._give_turn()
                continue
            self._left = await self._packed.readany()
            self.total_compressed_bytes = self._packed.total_bytes
            if not self._left:
                if self._decoder is not None:
                    raise self._fail("is cut off")
                self.feed_eof()
                return
        self.feed_data(piece)

    async def _give_turn(self) -> None:
        await asyncio.sleep(0)
        self._timer.assert_timeout()
        if isinstance(late := self._source.exception(), TimeoutError):
            raise late

    def _unpack(self) -> bytes:
        """Return some of what the bytes that are there unpack to."""
        decoder, left = self._decoder, self._left
        size = 0 if self._holds else _WINDOW
        try:
            if decoder is None:
                if not left:
                    return b""
                if self._open is None:
                    self._open = _opener(self._coding, left)
                decoder = self._open()
            piece: bytes = decoder.decompress(left[:size], _STEP)
        except Exception as exc:  # each library has its own
            raise self._fail("is broken") from exc
        if decoder.eof:
            self._decoder, self._holds, rest = None, False, decoder.unused_data
        else:
            # NOTE: zlib hands back what it has not read; the others keep it, and want no more then.
            rest = getattr(decoder, "unconsumed_tail", None)
            self._decoder, self._holds = decoder, rest is None and piece != b""
        self._left = (rest or b"") + left[size:]
        self._is_full = bool(self._left) or len(piece) > _WINDOW
        return piece

    def _fail(self, what: str) -> aiohttp.ClientPayloadError:
        failure = aiohttp.ClientPayloadError(f"the {self._coding} data {what}")
        self.set_exception(failure)
        return failure


def _opener(coding: str, start: bytes) -> Callable[[], Any]:
    """Return the factory of decoders of *coding*, for a body that begins with *start*."""
    match coding:
        case "gzip":
            return partial(zlib.decompressobj, 31)
        case "deflate":
            # NOTE: many send it without the frame of RFC 1950, which begins with 8.
            return partial(zlib.decompressobj, 15 if start[0] & 15 == 8 else -15)
        case "br":
            return _Brotli
        case _:
            opener: Callable[[], Any] = _codings.ZstdDecompressor
            return opener


class _Brotli:
    """aiohttp's decoder of Brotli, in the form of those of zlib and Zstandard."""

    __slots__ = ("_decoder",)

    unused_data = b""

    def __init__(self) -> None:
        self._decoder = _codings.BrotliDecompressor()

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return some of what *data*, and what was left before, unpack to."""
        piece: bytes = self._decoder.decompress_sync(data, max_length)
        return piece

    @property
    def eof(self) -> bool:
        """Whether the end of the data was reached."""
        return bool(self._decoder._obj.is_finished())


class _Unbound:
    """The connection of a stream that is filled only while somebody waits for it."""

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing: the packed stream does it."""


_UNBOUND: Final[BaseProtocol] = _Unbound()  # type: ignore[assignment]
