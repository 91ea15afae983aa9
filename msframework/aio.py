"""Several calls at once: `async_request` puts their results where they belong. Runs per request."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from types import CoroutineType
from typing import Any


async def async_request(
    datas: Iterable[Sequence[object]],
) -> None:
    """Await every `[record, key, awaitable]` at once, and set `record[key]` to its result.

    Raises:
        Exception: the first failure; the others are cancelled, awaited, and no record is changed.
    """
    entries: list[tuple[Any, ...]] = [tuple(data) for data in datas]
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Future[Any]] = [
        loop.create_task(awaitable)
        if awaitable.__class__ is CoroutineType
        else asyncio.ensure_future(awaitable)
        for _, _, awaitable in entries
    ]
    try:
        await _end_of(tasks, loop)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    for (record, key, _), task in zip(entries, tasks, strict=True):
        record[key] = task.result()


async def run_concurrently(coroutines: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Run *coroutines* concurrently, and return when all have ended; a single one needs no task.

    Raises:
        Exception: the first failure, once the others are cancelled and have ended.
    """
    if len(coroutines) == 1:
        await coroutines[0]
    else:
        results = [None] * len(coroutines)
        await async_request((results, place, each) for place, each in enumerate(coroutines))


def is_failure(exc: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Whether *exc* is a failure of the code that *task* runs, rather than its end from outside.

    From outside come a `KeyboardInterrupt`, a cancellation that somebody asked for, and the
    `GeneratorExit` by which the coroutine of a task is closed, which awaits no more.
    """
    if isinstance(exc, KeyboardInterrupt) or task is None:
        return False
    if isinstance(exc, asyncio.CancelledError):
        # NOTE: Sanic's own kind of it says that the client is gone.
        return exc.__class__ is asyncio.CancelledError and not task.cancelling()
    try:
        return asyncio.current_task() is task
    except RuntimeError:  # no loop runs
        return False


def _end_of(
    tasks: list[asyncio.Future[Any]], loop: asyncio.AbstractEventLoop
) -> asyncio.Future[None]:
    """Return a future that ends with the last of *tasks*, or as the first that fails.

    PERF: two thirds of the time of `asyncio.gather`, which is for more than this
    (benchmarks/client.py).
    """
    end: asyncio.Future[None] = loop.create_future()
    left = len(tasks)

    def note(task: asyncio.Future[object]) -> None:
        nonlocal left
        left -= 1
        if end.done():
            return
        if task.cancelled():
            end.cancel()
        elif (exc := task.exception()) is not None:
            end.set_exception(exc)
        elif not left:
            end.set_result(None)

    for task in tasks:
        task.add_done_callback(note)
    if not tasks:
        end.set_result(None)
    return end
