"""The value of an async generator, from its `yield` until the method is over. Runs per request."""

from __future__ import annotations

import logging
from types import AsyncGeneratorType
from typing import Any, Final

from asyncpg import PostgresError

from msframework._place import short_path
from msframework.compile.fault import read_fault
from msframework.serving.request import Request

PROVIDER: Final = "a provider"  # in messages
logger = logging.getLogger("msframework.errors")


class YieldedValue:
    """An async generator as a context manager: `async with` gives its value.

    What the database refuses before the `yield` is no mistake of the caller's. What it refuses
    afterwards may be, as the method's statements run within the generator, in a transaction of its
    own for instance.

    What ends the block is raised at the `yield`, which lets a generator roll back; it surfaces
    also where the generator catches it, as there is no answer then. What the clean-up raises
    takes its place, but for a cancellation, which stays one.
    """

    __slots__ = ("_generator", "_request")

    def __init__(self, generator: AsyncGeneratorType[Any, None], request: Request) -> None:
        self._generator, self._request = generator, request

    async def __aenter__(self) -> Any:
        try:
            return await anext(self._generator)
        except StopAsyncIteration:
            raise RuntimeError(f"{self._place()}: it yielded nothing; expected one yield") from None
        except PostgresError as exc:
            raise read_fault(self._request, exc, PROVIDER) from exc

    async def __aexit__(
        self, exc_type: object, exc: BaseException | None, traceback: object
    ) -> None:
        if exc is None:
            await self._finish()
            return
        try:
            await self._throw(exc)
        except Exception as failure:
            if isinstance(exc, Exception):
                raise
            logger.error("%s failed while it was cancelled", self._place(), exc_info=failure)

    async def _finish(self) -> None:
        try:
            await anext(self._generator)
        except StopAsyncIteration:
            return
        await self._refuse_second()

    async def _throw(self, exc: BaseException) -> None:
        """Raise *exc* at the yield; return where the generator lets it pass, or catches it."""
        kept = exc.__traceback__
        try:
            await self._generator.athrow(exc)
        except StopAsyncIteration:
            return
        except BaseException as raised:
            # NOTE: Python wraps StopIteration and StopAsyncIteration that leave a generator.
            if raised is exc or (isinstance(raised, RuntimeError) and raised.__cause__ is exc):
                exc.__traceback__ = kept
                return
            raise
        await self._refuse_second()

    async def _refuse_second(self) -> None:
        await self._generator.aclose()
        raise RuntimeError(f"{self._place()}: it yielded twice; expected one yield")

    def _place(self) -> str:
        code = self._generator.ag_code
        return f"{short_path(code.co_filename)}:{code.co_firstlineno} {code.co_qualname}"
