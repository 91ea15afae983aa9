"""Passwords: hashed with Argon2id (RFC 9106) in a few threads, never on the event loop.

Runs where a caller registers or logs in; argon2-cffi is imported for the first hash.
"""

from __future__ import annotations

import logging
import re
import secrets
import unicodedata
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msframework.access.hashing import HashingThreads
from msframework.exceptions import ImproperlyConfigured, UnprocessableEntity
from msframework.problem import Problem

if TYPE_CHECKING:
    import argon2

MAX_PASSWORD_BYTES: Final = 1024
NOT_INSTALLED: Final = Problem(
    "passwords",
    "argon2-cffi is not installed",
    advice="Install it: pip install 'msframework[access]'.",
)
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
# A stored hash may cost this much, or four times what new ones do: whoever can write one hash must
# not be able to take all memory at each login.
_MOST_MEMORY: Final = 256 * 1024  # KiB
_MOST_PASSES: Final = 16
_MOST_LANES: Final = 16
_LONGEST_HASH: Final = 512
_read_hash = re.compile(
    r"\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{6,86}"
).fullmatch

logger = logging.getLogger("msframework.credentials")


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """The result of `verify_password`; true if the password is right.

    Attributes:
        matches: whether it is right.
        rehashed: the new hash to store, if it is right and the stored hash has another cost than
            new ones; else `None`.
    """

    matches: bool
    rehashed: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return self.matches


WRONG: Final = PasswordCheck(False)


class PasswordHasher:
    """Hashes and verifies passwords. Make one for a service: its threads limit the memory.

    The default cost is the second recommended option of RFC 9106, 4: three passes over 64 MiB in
    four lanes.

    Args:
        time_cost: the passes over the memory.
        memory_cost: the memory of one hash, in KiB.
        parallelism: the lanes.
        threads: how many hashes are computed at the same time.
        waiting: how many more may wait for a thread before `ServiceUnavailable`.

    Raises:
        ImproperlyConfigured: a number is out of the bounds of Argon2.
    """

    def __init__(
        self,
        *,
        time_cost: int = 3,
        memory_cost: int = 64 * 1024,
        parallelism: int = 4,
        threads: int = 2,
        waiting: int = 32,
    ) -> None:
        self.time_cost, self.memory_cost = time_cost, memory_cost
        self.parallelism = parallelism
        _check_cost(self, threads, waiting)
        self._threads: Final = HashingThreads(threads, waiting)
        salt, digest = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_HASH_BYTES)
        cost = f"m={memory_cost},t={time_cost},p={parallelism}"
        self._dummy: Final = f"$argon2id$v=19${cost}${_encode(salt)}${_encode(digest)}"

    async def hash(self, password: str) -> str:
        """Return the hash to store for *password*.

        Raises:
            UnprocessableEntity: it is empty, longer than 1024 bytes, or no text.
            ServiceUnavailable: too many hashes are being computed.
        """
        secret = _prepare(password)
        if secret is None:
            raise UnprocessableEntity(
                f"a password has 1 to {MAX_PASSWORD_BYTES} bytes of Unicode text in UTF-8"
            )
        return await self._threads.run(self._hash, secret)

    async def verify(
        self, password: str, stored: str | None, *, rehash: bool = True
    ) -> PasswordCheck:
        """Tell whether *password* is the one that *stored* is the hash of.

        Args:
            stored: the hash; `None` for a user who doesn't exist, which takes as long as a wrong
                password.
            rehash: whether to make a new hash where the cost has changed.

        Raises:
            ServiceUnavailable: too many hashes are being computed.
        """
        secret = _prepare(password)
        if secret is None:  # nobody has such a password, which takes the same time for all
            return WRONG
        problem = None if stored is None else self._judge(stored)
        if problem is not None:
            logger.error("a stored hash of a password is refused: %s", problem)
        if stored is None or problem is not None:
            await self._threads.run(self._verify, secret, self._dummy, False)
            return WRONG
        return await self._threads.run(self._verify, secret, stored, rehash)

    def _judge(self, stored: str) -> str | None:
        """Return why *stored* is refused; `None` for a valid hash at an acceptable cost."""
        found = _read_hash(stored) if is_hash(stored) else None
        if found is None:
            return "it is no hash of Argon2"
        memory, passes, lanes = map(int, found.groups())
        if (
            memory > max(_MOST_MEMORY, 4 * self.memory_cost)
            or passes > max(_MOST_PASSES, 4 * self.time_cost)
            or lanes > max(_MOST_LANES, 4 * self.parallelism)
        ):
            return f"it costs too much (m={memory}, t={passes}, p={lanes})"
        return None

    # What runs in the threads.

    def _hash(self, secret: bytes) -> str:
        return self._argon2().hash(secret)

    def _verify(self, secret: bytes, stored: str, rehash: bool) -> PasswordCheck:
        hasher = self._argon2()
        from argon2 import exceptions

        try:
            hasher.verify(stored, secret)
        except exceptions.VerifyMismatchError:
            return WRONG
        except (exceptions.VerificationError, exceptions.InvalidHashError) as exc:
            logger.error("a stored hash of a password is refused: %s", exc)
            with suppress(exceptions.VerificationError):  # the time of a wrong password
                hasher.verify(self._dummy, secret)
            return WRONG
        if rehash and hasher.check_needs_rehash(stored):
            return PasswordCheck(True, hasher.hash(secret))
        return PasswordCheck(True)

    def _argon2(self) -> argon2.PasswordHasher:
        """Return argon2-cffi's own hasher.

        Raises:
            ImproperlyConfigured: it is not installed.
        """
        try:
            import argon2
        except ModuleNotFoundError as exc:
            raise ImproperlyConfigured(NOT_INSTALLED) from exc
        return argon2.PasswordHasher(
            time_cost=self.time_cost,
            memory_cost=self.memory_cost,
            parallelism=self.parallelism,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )


def is_hash(stored: object) -> bool:
    """Tell whether *stored* has the form of a hash that `verify_password` reads."""
    return (
        isinstance(stored, str) and len(stored) <= _LONGEST_HASH and _read_hash(stored) is not None
    )


def _prepare(password: str) -> bytes | None:
    """Return the bytes of *password* that are hashed; `None` where it cannot be a password.

    Unicode has several ways to write the same letters, and each keyboard its own: NFKC makes them
    one (NIST SP 800-63B, 5.1.1.2).
    """
    if not 0 < len(password) <= MAX_PASSWORD_BYTES:
        return None
    try:
        secret = unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return secret if len(secret) <= MAX_PASSWORD_BYTES else None


def _encode(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _check_cost(hasher: PasswordHasher, threads: int, waiting: int) -> None:
    """Refuse a cost that Argon2 cannot have (RFC 9106, 3.1), and a pool without threads."""
    bounds: dict[str, tuple[object, int, int]] = {
        "parallelism": (hasher.parallelism, 1, 2**24 - 1),
        "time_cost": (hasher.time_cost, 1, 2**32 - 1),
        "memory_cost": (hasher.memory_cost, 8 * hasher.parallelism, 2**32 - 1),
        "threads": (threads, 1, 64),
        "waiting": (waiting, 0, 10_000),
    }
    problems = [
        Problem("PasswordHasher", f"{name} is {value!r}", f"a number from {least} to {most}")
        for name, (value, least, most) in bounds.items()
        if not isinstance(value, int) or not least <= value <= most
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)


default: PasswordHasher = PasswordHasher()


async def hash_password(password: str) -> str:
    """Return the hash to store for *password*, at the cost of `PasswordHasher()`.

    Raises:
        UnprocessableEntity: it is empty, longer than 1024 bytes, or no text.
        ServiceUnavailable: too many hashes are being computed.
    """
    return await default.hash(password)


async def verify_password(password: str, stored: str | None) -> PasswordCheck:
    """Tell whether *password* is the one that *stored* is the hash of.

    The result is true if it is, and its `rehashed` is the hash to store instead if the cost has
    changed since.

    Args:
        stored: the hash; `None` for a user who doesn't exist, which takes as long as a wrong
            password.

    Raises:
        ServiceUnavailable: too many hashes are being computed.
    """
    return await default.verify(password, stored)
