"""`Client`: calls one service; `Clients`: those of `SERVICES` by name.

Built at start-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import replace

import aiohttp

from msframework.client.address import Address
from msframework.client.caller import BoundClient, Caller
from msframework.client.channel import Channel
from msframework.client.lean import supports_lean
from msframework.client.response import Response
from msframework.conf.settings import ServiceEntry
from msframework.context import RequestContext
from msframework.envelope import Envelope
from msframework.metrics.calls import CallTimer
from msframework.tracing import Tracer


class Client(Caller):
    """Calls one service over connections that are kept alive.

    Calls made on the client itself belong to no request; `cli(request)` binds them to one, whose
    span and id then go along.

    Args:
        loop: taken for the origin's sake; sessions belong to the loop that runs them.
        url: the address of the service; that of *entry* by default.
        name: the name of the service in spans and errors; its host by default.
        tracer: makes the spans of the calls; `opentracing.tracer` when it is one of ours.
        entry: the service's entry in `SERVICES`, with its time-outs and headers.
        envelope: the envelope around the answers of the service.
        max_size: the largest answer in bytes.
        fast: whether plain calls may take the lean path; aiohttp's session is used otherwise.

    Raises:
        ImproperlyConfigured: the address is none of HTTP, or holds a password.
    """

    __slots__ = ()

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        url: str | None = None,
        name: str = "",
        tracer: Tracer | None = None,
        entry: ServiceEntry | None = None,
        envelope: Envelope | None = None,
        max_size: int = Response.max_size,
        fast: bool = True,
    ) -> None:
        if entry is None:
            entry = ServiceEntry(name=name, url=url or "")
        entry = replace(entry, name=name or entry.name, url=url or entry.url)
        super().__init__(Channel(entry, tracer, envelope, max_size, fast), None)

    def __repr__(self) -> str:
        return f"<Client {self.name!r} of {self.address.base}>"

    @property
    def name(self) -> str:
        """The name of the service in spans and errors."""
        return self._channel.name

    @property
    def address(self) -> Address:
        """The address of the service."""
        return self._channel.address

    def measure(self, timer: CallTimer) -> None:
        """Count the calls by *timer* from now on."""
        self._channel.timer = timer

    def cli(self, request: RequestContext | None = None) -> BoundClient:
        """Return the same client, for calls on behalf of *request*."""
        return BoundClient(self._channel, request)

    def relocate(self, url: str) -> None:
        """Call the service at *url* from now on; connections to the old address are closed.

        Raises:
            ImproperlyConfigured: the address is none of HTTP, or holds a password.
        """
        self._channel.relocate(url)

    def session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop, opened when there is none.

        Raises:
            RuntimeError: the client is closed, or no loop is running.
        """
        return self._channel.session()

    def reload(self) -> None:
        """Read the certificates anew, for connections that begin from now on."""
        self._channel.reload()

    async def start(self) -> None:
        """Let the client be used, again after `stop`."""
        self._channel.reopen()

    async def stop(self) -> None:
        """Close the session, and wait until its connections are closed."""
        await self._channel.close()

    def close(self) -> Awaitable[None]:
        """Close the session; the result may be awaited, and need not be."""
        return self._channel.close()


class Clients(Mapping[str, Client]):
    """The clients of `SERVICES` by name; a part of the service.

    Args:
        entries: the entries of `SERVICES`.
        tracer: makes the spans of all calls.
        fast: whether their calls may take the lean path.
    """

    def __init__(
        self,
        entries: Mapping[str, ServiceEntry],
        tracer: Tracer | None = None,
        fast: bool = True,
    ) -> None:
        fast = bool(entries) and supports_lean(fast)
        self._clients = {
            name: Client(entry=entry, name=name, tracer=tracer, fast=fast)
            for name, entry in entries.items()
        }

    def __getitem__(self, name: str) -> Client:
        try:
            return self._clients[name]
        except KeyError:
            known = ", ".join(sorted(self._clients)) or "none"
            raise KeyError(f"SERVICES has no entry {name!r}; it has {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    def reload(self) -> None:
        """Read all certificates anew, for connections that begin from now on."""
        for client in self._clients.values():
            client.reload()

    async def start(self) -> None:
        """Let the clients be used; connections open with the first call."""
        for client in self._clients.values():
            await client.start()

    async def stop(self) -> None:
        """Close all sessions, and wait until their connections are closed."""
        await asyncio.gather(*(client.stop() for client in self._clients.values()))
