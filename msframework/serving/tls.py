"""TLS of the server: its context, which can be reloaded, and its pending handshakes.

Runs per connection, before the protocol of `serving.protocol` sees it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from asyncio import Transport
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final, Protocol, cast

from sanic.models.server_types import Signal

from msframework.conf.settings import TLSSettings
from msframework.conf.tls import server_files

logger = logging.getLogger("msframework.server")
# The log lines about failed handshakes in one span of time; further ones are counted.
_MOST_LINES: Final = 10
_LINES_SPAN: Final = 60.0
# Seconds to shut TLS down: so many that the time-outs of `serving.timeouts`, which see whether the
# client still reads, always come first.
_SHUTDOWN: Final = 86_400.0
# Not logged: the client closed the connection, with or without a TLS alert.
_HUNG_UP: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def build_server_context(settings: TLSSettings) -> ssl.SSLContext:
    """Return the context of a server: TLS 1.2 or later, HTTP/1.1 by ALPN (RFC 7301).

    Raises:
        OSError: a file of the settings cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    server_files(settings).load_into(context)
    if settings.client_ca is not None:
        is_required = settings.client_cert == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    return context


class PendingProtocol(Protocol):
    """The part of `serving.protocol` that a handshake uses."""

    signal: Signal

    def begin(self, transport: Transport) -> None:
        """Begin the connection over *transport*."""

    def abandon(self) -> None:
        """Forget the connection: it came to nothing."""

    def data_received(self, data: bytes) -> None:
        """Take *data*."""

    def eof_received(self) -> bool | None:
        """Take note that nothing follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""


class ServerTLS:
    """The TLS of one worker.

    Args:
        settings: the files.
        timeout: the seconds that a handshake may take; 0 for no limit.

    Attributes:
        context: the context of new connections; those that exist keep theirs.
        timeout: the seconds that a handshake may take.
    """

    __slots__ = ("_lines", "_settings", "_since", "_tasks", "context", "timeout")

    def __init__(self, settings: TLSSettings, timeout: float) -> None:
        self._settings = settings
        self.context = build_server_context(settings)
        self.timeout = timeout or None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines, self._since = 0, 0.0

    def reload(self) -> None:
        """Read the files again, for new connections.

        NOTE: a new context rather than new files in the old one, so that removed CA certificates
        are no longer trusted, nor sessions that began with them resumed (RFC 8446, 2.2).
        """
        try:
            self.context = build_server_context(self._settings)
        except (OSError, ValueError) as exc:
            logger.error("the TLS files cannot be read anew, the old ones stay: %s", _said(exc))
        else:
            logger.info("the TLS files were read anew")

    def admit(self, protocol: PendingProtocol, raw: Transport) -> None:
        """Begin *protocol* over *raw* once its handshake is over."""
        handshake = Handshake(protocol, raw)
        raw.set_protocol(handshake)
        task = asyncio.get_running_loop().create_task(self._admit(handshake, raw))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(handshake.settle)

    async def _admit(self, handshake: Handshake, raw: Transport) -> None:
        if raw.is_closing():
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(handshake.hand_over)
        try:
            transport = await loop.start_tls(
                raw,
                handshake,
                self.context,
                server_side=True,
                ssl_handshake_timeout=self.timeout,
                ssl_shutdown_timeout=_SHUTDOWN,
            )
        except (OSError, EOFError) as exc:
            raw.abort()
            self._note(raw, exc)
            return
        except BaseException:
            raw.abort()
            raise
        if transport is not None:
            handshake.finish(transport)

    def _note(self, raw: Transport, exc: Exception) -> None:
        """Log a failed handshake, within the limit of lines."""
        if isinstance(exc, _HUNG_UP) and not isinstance(exc, ConnectionAbortedError):
            return
        now = monotonic()
        if now - self._since > _LINES_SPAN:
            if (more := self._lines - _MOST_LINES) > 0:
                logger.warning("%s more TLS handshakes failed", more)
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines <= _MOST_LINES:
            peer = raw.get_extra_info("peername")
            host = peer[0] if isinstance(peer, tuple) else "a local client"
            logger.warning("the TLS handshake with %s failed: %s", host, _said(exc))

    @property
    def pending(self) -> bool:
        """Whether a handshake is under way."""
        return bool(self._tasks)

    async def stop(self) -> None:
        """Abort the pending handshakes."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _said(exc: Exception) -> str:
    """Return the reason of *exc*, without OpenSSL's file names and line numbers."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc.verify_message
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "a mistake in PEM").replace("_", " ").lower()
    return str(exc) or type(exc).__name__


class Handshake(asyncio.Protocol):
    """The protocol of a connection during its handshake; it keeps what arrives meanwhile.

    It is used in three stages: on the plain transport before `start_tls` has begun; on the TLS
    transport, as data sent with the end of the handshake arrives before `start_tls` returns; and
    between that transport and the real protocol until `finish`.
    """

    def __init__(self, protocol: PendingProtocol, raw: Transport) -> None:
        self._protocol, self._raw = protocol, raw
        self._early: list[bytes] = []
        self._has_begun = self._has_ended = self._is_lost = False

    def hand_over(self) -> None:
        """Pass data that arrived before `start_tls` to the loop's TLS protocol.

        NOTE: uvloop (0.23) reads before anything can pause it. What `start_tls` puts in our place
        keeps bytes until its handshake begins.
        """
        early, self._early = b"".join(self._early), []
        protocol = self._raw.get_protocol()
        while early and protocol is not self and not self._raw.is_closing():
            tls = cast(asyncio.BufferedProtocol, protocol)
            buffer = memoryview(tls.get_buffer(len(early)))
            size = min(len(buffer), len(early))
            buffer[:size] = early[:size]
            tls.buffer_updated(size)
            early = early[size:]

    def finish(self, transport: Transport) -> None:
        """Begin the protocol over *transport*, with the data that has arrived."""
        protocol = self._protocol
        # NOTE: a server that stops has closed what was idle already.
        if self._is_lost or transport.is_closing() or protocol.signal.stopped:
            transport.close()
            return
        self._has_begun = True
        transport.set_protocol(cast(asyncio.Protocol, protocol))
        protocol.begin(TLSTransport(transport, self._raw))
        for data in self._early:
            protocol.data_received(data)
        if self._has_ended:
            protocol.eof_received()

    def settle(self, task: asyncio.Task[None]) -> None:
        """Let the protocol know if nothing came of the handshake, whose *task* is over."""
        if not self._has_begun:
            self._protocol.abandon()

    def data_received(self, data: bytes) -> None:
        """Keep *data*."""
        self._early.append(data)

    def eof_received(self) -> bool | None:
        """Note that nothing follows."""
        self._has_ended = True
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        self._is_lost = True
        if self._has_begun:
            self._protocol.connection_lost(exc)


class TLSTransport(Transport):
    """A TLS transport whose buffer size includes the encrypted bytes that are still to be sent.

    NOTE: the loop's own transport only counts bytes that are not encrypted yet. An answer that the
    client does not read waits encrypted in the transport below, and would be lost if the connection
    were closed too early. Nor has it `write_eof`: `close` does that, until `abort`.
    """

    __slots__ = ("_has_ended", "_raw", "_tls")

    def __init__(self, tls: Transport, raw: Transport) -> None:
        self._tls, self._raw = tls, raw
        self._has_ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*."""
        self._tls.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send *list_of_data*."""
        self._tls.writelines(list_of_data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the kernel did not take yet."""
        return self._tls.get_write_buffer_size() + self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Pause writing above *high* bytes that wait, and go on below *low*."""
        self._tls.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        """Return whether `write_eof` will do."""
        return True

    def write_eof(self) -> None:
        """Say that nothing follows what was written, and drop what still comes."""
        self._has_ended = True
        self._tls.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed, or about to be."""
        return self._raw.is_closing() or (self._tls.is_closing() and not self._has_ended)

    def close(self) -> None:
        """Close the connection when all is sent."""
        if self._has_ended and not self.get_write_buffer_size():
            self._tls.abort()
        else:
            self._has_ended = False
            self._tls.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._tls.abort()

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        self._tls.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._tls.resume_reading()

    def is_reading(self) -> bool:
        """Return whether reading is not paused."""
        return self._tls.is_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the fact *name* of the connection, as every transport does."""
        return self._tls.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes to *protocol*."""
        self._tls.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that receives the data."""
        return self._tls.get_protocol()
