"""The warnings of `check` about rate limits. Runs on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msframework.limits.meter import MEMORY


def find_rate_advice(service: Any) -> Iterator[str]:
    """Yield the warnings about the rate limits of *service*."""
    settings = service.settings
    limited = [operation for operation in service.operations if operation.rates]
    if not limited or settings.operations.rate_limit_storage != MEMORY:
        return
    workers = settings.server.workers
    if not settings.debug or (workers or 1) > 1:
        yield (
            f"{len(limited)} operations have rate limits, and RATE_LIMIT_STORAGE is {MEMORY}: each "
            "worker counts for itself, so that N processes let through N times as much. Set it to "
            "the address of a Redis or Valkey, or leave it where one process serves, or N times is "
            "meant."
        )
