"""The keys of callers: digests of one length, of a principal, an address or a value.

Made per request. So no names or addresses are in a store. A digest is a pseudonym, not a secret:
whoever has it can try all addresses.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

_SIZE = 16  # bytes of a digest
_KEPT = 4_096  # addresses whose keys are remembered


def key_of_principal(authenticator: str, id: str) -> bytes:
    """Return the key of a principal; equal ids of two authenticators are two callers."""
    text = f"p{len(authenticator)}:{authenticator}{id}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SIZE).digest()


def key_of_value(value: str | int) -> bytes:
    """Return the key of a value that a function of the service returned, a number or a text."""
    text = f"{'n' if isinstance(value, int) else 'o'}{value}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SIZE).digest()


# PERF: most requests come from an address that was seen before (benchmarks/rates.py).
@lru_cache(maxsize=_KEPT)
def key_of_address(address: str) -> bytes:
    """Return the key of an address: of one IPv4 address, or of the /64 of an IPv6 address.

    A subscriber has a /64 at the least (RFC 6177, 2), and may use every address in it. Where there
    is no address, as behind a Unix socket, all callers have one key.
    """
    return blake2b(b"a" + _network_of(address), digest_size=_SIZE).digest()


def _network_of(address: str) -> bytes:
    for text in (address, address.rpartition(":")[0]):  # some proxies add the port
        try:
            found = ip_address(text.strip("[]"))
        except ValueError:
            continue
        if isinstance(found, IPv6Address):
            mapped = found.ipv4_mapped
            return found.packed[:8] if mapped is None else mapped.packed
        return found.packed
    return address.encode("utf-8", "surrogatepass")
