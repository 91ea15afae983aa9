"""`RequestDatabase`: the data layer as the methods of one request see it. Runs per request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msframework.context import RequestContext
from msframework.db.cursor import Cursor
from msframework.db.database import Block, Database
from msframework.db.transaction import Isolation, Transaction

T = TypeVar("T")


class RequestDatabase:
    """The data layer, bound to one request: spans and read-your-writes follow that."""

    __slots__ = ("_database", "_request")

    def __init__(self, database: Database, request: RequestContext) -> None:
        self._database, self._request = database, request

    def acquire(self, *, primary: bool = False) -> Cursor:
        """Return a cursor for reading, as `Database.acquire` does."""
        return self._database.acquire(self._request, primary=primary)

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> Block:
        """Return a transaction, as `Database.transaction` does."""
        return self._database.transaction(
            self._request, isolation=isolation, readonly=readonly, deferrable=deferrable
        )

    async def retry(
        self,
        function: Callable[[Transaction], Awaitable[T]],
        *,
        attempts: int = 3,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> T:
        """Run `function(cur)` in a transaction that is begun again, as `Database.retry` does."""
        return await self._database.retry(
            function,
            self._request,
            attempts=attempts,
            isolation=isolation,
            readonly=readonly,
            deferrable=deferrable,
        )
