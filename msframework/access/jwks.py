"""`JWKS`: the public keys of an issuer, fetched from a URL (RFC 7517, 5).

Made at start-up. The keys are fetched in a task of their own, while a service runs; requests look
them up, and wait for a fetch where a token names a key that is not known.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextvars import Context
from ssl import SSLContext
from time import monotonic
from typing import Final

import aiohttp

from msframework.access.jwk_set import MAX_SIZE, check_address, read_keys, shorten
from msframework.access.jws import SignedToken
from msframework.access.keys import JWTKey, KeyRing, import_jwt
from msframework.exceptions import ImproperlyConfigured, MalformedJSON, ServiceUnavailable
from msframework.problem import Problem

# The seconds until the next try, while there are no keys at all.
FIRST_RETRY: Final = 5.0
WARNING_PAUSE: Final = 60.0
logger = logging.getLogger("msframework.credentials")


class FetchFailed(Exception):
    """A URL did not answer with a JWK Set; the message says why."""


class JWKS:
    """The keys at a URL; the last ones stay in use while it cannot be reached.

    They are fetched when a service starts, or when they are first needed; again in the background
    when they are older than `max_age`; and for an unknown key, at most once in `cooldown` for all
    requests together.

    Args:
        url: an https:// address; http:// is for the loopback alone.
        max_age: the seconds after which they are fetched again.
        cooldown: the seconds between two fetches at least.
        timeout: the seconds that a fetch may take.
        ssl: the context that verifies the server; with `None`, the CAs of the system.
        clock: returns seconds that never go back.

    Attributes:
        generation: a number that grows whenever the keys change.

    Raises:
        ImproperlyConfigured: the URL is not https://, or a number is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        max_age: float = 300,
        cooldown: float = 60,
        timeout: float = 5,
        ssl: SSLContext | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        import_jwt("JWKS")
        check_address(url)
        for name, value in (("max_age", max_age), ("cooldown", cooldown), ("timeout", timeout)):
            if not 0 < value < math.inf:
                raise ImproperlyConfigured(Problem("JWKS", f"{name}={value!r}", "seconds above 0"))
        self.url, self._max_age, self._cooldown = url, max_age, cooldown
        self._timeout, self._ssl, self._clock = timeout, ssl, clock
        self.generation = 0
        self._known: dict[bytes, JWTKey] = {}
        self._ring = KeyRing(())
        self._is_fetched = self._is_stopped = False
        self._stale_at = self._next_fetch = self._next_warning = -math.inf
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to fetch the keys; a service does not wait for them."""
        self._is_stopped, self._next_fetch = False, -math.inf
        self._begin()

    async def stop(self) -> None:
        """End the fetch that runs, if one does, and begin no other."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def touch(self) -> None:
        """Begin to fetch the keys in the background if they are older than `max_age`."""
        if self._is_fetched and self._clock() >= self._stale_at:
            self._begin()

    async def find(self, token: SignedToken) -> JWTKey | None:
        """Return the key for *token*; an unknown one makes the keys be fetched.

        Raises:
            ServiceUnavailable: no keys were ever fetched, and none can be now.
        """
        key = self._ring.find(token)
        is_known = key is not None and (token.kid is None or token.kid == key.kid)
        if not is_known and (task := self._begin()) is not None:
            # NOTE: whoever waits here may be cancelled, and the fetch goes on for the others.
            await asyncio.wait({task})
            key = self._ring.find(token)
        if not self._is_fetched:
            seconds = max(1, math.ceil(self._next_fetch - self._clock()))
            raise ServiceUnavailable(
                "the keys that verify tokens are not available",
                headers={"Retry-After": str(seconds)},
            )
        return key

    def _begin(self) -> asyncio.Task[None] | None:
        """Return the fetch that runs, or one that begins; `None` where it is too early for one."""
        if self._task is None:
            now = self._clock()
            if self._is_stopped or now < self._next_fetch:
                return None
            self._next_fetch = now + self._cooldown
            # NOTE: no request's span or id is the fetch's own, so it gets none of the context.
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._refresh(), context=Context())
            self._task.add_done_callback(self._end)
        return self._task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("fetching %s failed", shorten(self.url), exc_info=exc)

    async def _refresh(self) -> None:
        """Fetch the keys; where that fails, those that are known stay."""
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._fetch()
            known = read_keys(body, self._known)
        except FetchFailed as exc:
            self._note(str(exc))
        except MalformedJSON as exc:
            self._note(f"its answer is no JWK Set: {exc.error}")
        except Exception as exc:  # whatever the network, TLS or aiohttp has
            self._note(f"{type(exc).__name__} {exc}".strip())
        else:
            self._take(known)

    def _take(self, known: dict[bytes, JWTKey]) -> None:
        if not known:
            logger.warning("%s has no key that verifies tokens", shorten(self.url))
        if known.keys() != self._known.keys():
            self.generation += 1
            self._known, self._ring = known, KeyRing(known.values())
        self._is_fetched = True
        self._stale_at = self._clock() + self._max_age

    def _note(self, reason: str) -> None:
        """Log that a fetch failed, and why; not more often than once in `WARNING_PAUSE`."""
        now = self._clock()
        if not self._is_fetched:
            self._next_fetch = now + min(self._cooldown, FIRST_RETRY)
        if now >= self._next_warning:
            self._next_warning = now + WARNING_PAUSE
            kept = "the old ones are kept" if self._is_fetched else "tokens cannot be verified"
            logger.warning("no keys from %s: %s; %s", shorten(self.url), reason, kept)

    async def _fetch(self) -> bytes:
        """Return the body of the answer."""
        async with (
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            ) as session,
            session.get(
                self.url,
                allow_redirects=False,
                ssl=True if self._ssl is None else self._ssl,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
            ) as response,
        ):
            if response.status != 200:
                follows = "; redirects are not followed" if 300 <= response.status < 400 else ""
                raise FetchFailed(f"it answered {response.status}{follows}")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_SIZE:
                    raise FetchFailed(f"its answer is larger than {MAX_SIZE} bytes")
            return bytes(body)

    def __repr__(self) -> str:
        return f"JWKS({shorten(self.url)!r}, keys={list(self._ring.keys)!r})"
