"""Spans over HTTP to a Zipkin collector. Runs in the queue's task, never in a request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from random import random
from typing import Final

import aiohttp

from msframework.pace import Pace
from msframework.tracing.exporter import SpansDropped, encode_all
from msframework.tracing.span import Span
from msframework.tracing.zipkin import Encoder

ATTEMPTS: Final = 3
BACKOFF: Final = 0.2
LONGEST_PAUSE: Final = 5.0
# Enough to find two spans that are too large among 256.
MAX_HALVINGS: Final = 16
_DEEP_EVERY: Final = 8  # batches, while all are too large
_HEADERS: Final = {"Content-Type": "application/json"}


class ZipkinExporter:
    """Posts spans to *url*, such as `http://zipkin:9411/api/v2/spans`.

    Answers from 500 on and network errors are tried again, at most three times in all and with
    full jitter; on 413 the batch is halved, seldom more than once after one of which every part was
    too large; on any other answer but 2xx its spans are dropped.
    While a collector takes nothing at all, batches come at growing distances, up to 5 s: requests
    pay for encoding and posting, as both run on their core.

    Args:
        timeout: seconds for one POST.
        batch_bytes: bytes of one POST at most; a single span that is longer goes alone.
        backoff: seconds before the second attempt at most; doubled before the third.
    """

    name = "zipkin"

    def __init__(
        self,
        url: str,
        encoder: Encoder,
        *,
        timeout: float = 2.0,
        batch_bytes: int = 500_000,
        backoff: float = BACKOFF,
    ) -> None:
        self._url, self._encoder = url, encoder
        self._timeout, self._batch_bytes, self._backoff = timeout, batch_bytes, backoff
        self._session: aiohttp.ClientSession | None = None
        self._failures = 0
        self._all_too_large = False
        self._halvings = 0

    async def start(self) -> None:
        """Make the session; a collector that is down keeps nothing from starting."""
        # NOTE: a session of its own, not a traced client: exporting must not make spans.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            connector=aiohttp.TCPConnector(limit=1),
        )

    async def stop(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def export(self, spans: Sequence[Span]) -> None:
        """Post *spans*, in as many requests as their bytes need."""
        if self._failures:
            longest = min(self._backoff * 2.0 ** min(self._failures, 16), LONGEST_PAUSE)
            await asyncio.sleep((0.5 + random() / 2) * longest)  # noqa: S311
        dropped: Counter[str] = Counter()
        # NOTE: one that found all too large is seldom asked again which part it would take.
        shallow = self._all_too_large and self._failures % _DEEP_EVERY
        self._halvings = MAX_HALVINGS - 1 if shallow else 0
        encoded = await encode_all(self._encoder, spans, Pace())
        for batch in _split(encoded, self._batch_bytes):
            await self._send(batch, dropped)
        self._failures = self._failures + 1 if dropped.total() == len(spans) else 0
        self._all_too_large = dropped["too_large"] == len(spans)
        if dropped:
            raise SpansDropped(dropped)

    async def _send(self, batch: Sequence[bytes], dropped: Counter[str]) -> None:
        reason = await self._try(b"[%b]" % b",".join(batch))
        if reason == "too_large" and len(batch) > 1 and self._halvings < MAX_HALVINGS:
            self._halvings += 1
            middle = len(batch) // 2
            await self._send(batch[:middle], dropped)
            await self._send(batch[middle:], dropped)
        elif reason:
            dropped[reason] += len(batch)

    async def _try(self, body: bytes) -> str:
        """Post *body*; return why it was given up, or nothing."""
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(random() * self._backoff * 2 ** (attempt - 1))  # noqa: S311
            reason = await self._post(body)
            if reason not in ("unreachable", "timeout", "collector_error"):
                break
        return reason

    async def _post(self, body: bytes) -> str:
        assert self._session is not None, "the exporter was not started"
        try:
            async with self._session.post(
                self._url, data=body, headers=_HEADERS, allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError):
            return "unreachable"
        if status >= 500:
            return "collector_error"
        if status == 413:
            return "too_large"
        return "" if 200 <= status < 300 else "refused"


def _split(encoded: Sequence[bytes], limit: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 2
    for item in encoded:
        if batch and size + len(item) + 1 > limit:
            yield batch
            batch, size = [], 2
        batch.append(item)
        size += len(item) + 1
    if batch:
        yield batch
