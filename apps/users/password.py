"""Passwords are kept as salted scrypt hashes (RFC 7914), never as text."""

import asyncio
import base64
import hashlib
import os

COST = {"n": 2**14, "r": 8, "p": 1}


async def hash_password(password: str) -> str:
    """Return what is stored for *password*; computed in a thread, as it takes its time."""
    return await asyncio.to_thread(_hash, password)


def _hash(password: str) -> str:
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, dklen=32, **COST)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", *map(str, COST.values()), *parts))
