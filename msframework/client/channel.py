"""`Channel`: the way to one service: its address, and one aiohttp session for the running loop.

The session opens with the first call and closes when the service stops.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Generator
from contextlib import suppress
from typing import Any, Final

import aiohttp
import opentracing

from msframework._tested import is_untouched
from msframework.client.address import Address, is_clean
from msframework.client.connector import Connector
from msframework.client.head import are_plain
from msframework.client.lean import LeanTransport, is_known, supports_lean
from msframework.client.plan import CallPlan
from msframework.client.protocol import use_bounded_protocol
from msframework.client.response import Response
from msframework.client.session import SessionTransport, open_session, timeout_of
from msframework.client.tls import build_client_context
from msframework.client.transport import Transport
from msframework.conf.settings import ServiceEntry
from msframework.envelope import DefaultEnvelope, Envelope
from msframework.exceptions import ImproperlyConfigured
from msframework.metrics.calls import CallTimer
from msframework.tracing import Tracer

logger = logging.getLogger("msframework.client")
# Templates stand in code, so there are few; somebody may format paths by hand all the same.
_MOST_PLANS: Final = 1024


class Channel:
    """One service: its address, the facts known of it, and the connections to it.

    Attributes:
        name: the name of the service in spans and errors.
        address: the address of the service.
        envelope: the envelope around its answers.
        fast: whether plain calls may take the lean path.
        max_size: the largest answer in bytes.
        total_timeout: the seconds that a call may take.
        tracer: makes the spans of the calls; known once the session is open.
        peer_tags: the tags of the service in every span.
        timer: counts the calls; `None` where nobody reads that.
    """

    __slots__ = (
        "_closed",
        "_closing",
        "_context",
        "_entry",
        "_loop",
        "_plans",
        "_session",
        "_tracer",
        "_transport",
        "address",
        "envelope",
        "fast",
        "max_size",
        "name",
        "peer_tags",
        "timer",
        "total_timeout",
        "tracer",
    )

    def __init__(
        self,
        entry: ServiceEntry,
        tracer: Tracer | None = None,
        envelope: Envelope | None = None,
        max_size: int = Response.max_size,
        fast: bool = True,
    ) -> None:
        self._entry = entry
        self._plans: dict[tuple[str, str], CallPlan] = {}
        self._transport: Transport | None = None
        self.fast = supports_lean(fast) and are_plain(entry.headers, fixed=True)
        self.total_timeout: float | None = entry.total_timeout
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None
        self._closed = False
        self._context: ssl.SSLContext | None = None
        self.name = entry.name
        self.relocate(entry.url)
        self.envelope = envelope or DefaultEnvelope()
        self.max_size = max_size
        self.tracer = self._tracer = tracer
        self.timer: CallTimer | None = None

    def relocate(self, url: str) -> None:
        """Call the service at *url* from now on; connections to the old address are closed.

        Raises:
            ImproperlyConfigured: the address is none of HTTP, or holds a password.
        """
        where = f"SERVICES[{self.name!r}]" if self.name else "Client"
        self.address = Address(url, where)
        host, port = self.address.parsed.host or "", self.address.parsed.port
        self.name = self.name or host
        self.peer_tags = {"peer.service": self.name, "peer.hostname": host, "peer.port": port}
        self._plans.clear()
        self._let_go()

    def plan(self, method: str, template: str) -> CallPlan:
        """Return the plan of calls of *method* to *template*."""
        plan = self._plans.get((method, template))
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[method, template] = CallPlan(self.address, method, template)
        return plan

    def session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop, opened when there is none.

        Raises:
            RuntimeError: the client is closed, or no loop is running.
        """
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            if self._closed:
                raise RuntimeError(f"the client of {self.name!r} is closed")
            self._let_go()
            self._session, self._loop = self._open(), loop
        return self._session

    def transport(self) -> Transport:
        """Return the transport of the running loop, opened when there is none.

        Raises:
            RuntimeError: the client is closed, or no loop is running.
        """
        if self._transport is None or self._loop is not asyncio.get_running_loop():
            self.session()
        assert self._transport is not None
        return self._transport

    def _open(self) -> aiohttp.ClientSession:
        entry = self._entry
        if self._tracer is None:
            # NOTE: opentracing.tracer is set when the service starts, so it is not read before.
            tracer = opentracing.global_tracer()
            self.tracer = tracer if isinstance(tracer, Tracer) else None
        if self._context is None:
            self._context = build_client_context(entry)
        connector = Connector(entry.limit, self.address.origin, self._context)
        bounded = is_known()
        if bounded:
            use_bounded_protocol(connector, asyncio.get_running_loop())
        # NOTE: aiohttp takes what is no dict, read-only mappings included, for a list of pairs.
        headers = dict(entry.headers)
        session = open_session(entry, connector, headers, not bounded)
        self._transport = whole = SessionTransport(
            session, entry, self.address, self.name, self.max_size
        )
        watched = session.trace_configs or not is_untouched(aiohttp.ClientSession)
        if self.fast and not watched and is_clean(self.address.prefix):
            url, timeout = self.address.of("/"), timeout_of(entry, None)
            self._transport = LeanTransport(
                whole, session, url, headers, timeout, self.name, self.max_size
            )
        return session

    def reopen(self) -> None:
        """Let the channel be used, again after `close`; its certificates are read.

        Raises:
            ImproperlyConfigured: they cannot be used.
        """
        self._context = build_client_context(self._entry)
        self._closed = False

    def reload(self) -> None:
        """Read the certificates anew, for connections that begin from now on."""
        try:
            self._context = build_client_context(self._entry)
        except ImproperlyConfigured as exc:
            logger.error("the old files stay: %s", exc)
        else:
            if self._session is not None and isinstance(self._session.connector, Connector):
                self._session.connector.context = self._context

    def close(self) -> Awaitable[None]:
        """Close the session; the result may be awaited, and need not be."""
        self._closed = True
        self._let_go()
        return CloseWaiter(self._closing)

    def _let_go(self) -> None:
        session, loop = self._session, self._loop
        self._session = self._loop = self._transport = None
        if session is None or loop is None:
            return
        if loop.is_running():
            self._closing = _close_on(loop, session)
        elif loop.is_closed():
            # NOTE: the sockets went with the loop, so closing has nothing left to wait for.
            with suppress(StopIteration):
                session.close().send(None)
        else:
            loop.run_until_complete(session.close())


def _close_on(
    loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession
) -> asyncio.Future[None] | None:
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        return loop.create_task(session.close())
    asyncio.run_coroutine_threadsafe(session.close(), loop).result()
    return None


class CloseWaiter:
    """An awaitable for the end of a session, silent when nobody awaits it."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Future[None] | None) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, None]:
        if self._task is not None and not self._task.done():
            yield from self._task
