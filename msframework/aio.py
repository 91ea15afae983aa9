"""`async_request`: several calls at once, their results put where they belong. Runs per request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, MutableMapping
from typing import Any


async def async_request(
    datas: Iterable[tuple[MutableMapping[Any, Any], Any, Awaitable[Any]] | list[Any]],
) -> None:
    """Await every `[record, key, awaitable]` at once, and set `record[key]` to its result.

    Raises:
        Exception: the first failure; the others are cancelled, awaited, and no record is changed.
    """
    entries = [tuple(data) for data in datas]
    tasks = [asyncio.ensure_future(awaitable) for _, _, awaitable in entries]
    try:
        results = await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    for (record, key, _), result in zip(entries, results, strict=True):
        record[key] = result
