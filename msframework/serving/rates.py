"""The headers by which answers tell callers what is left of their rate limits.

`RateHeaders` is made when routes are closed; it is called per answer.
"""

from __future__ import annotations

from typing import Any

from msframework.headers import OwnHeaders
from msframework.serving.answer import Heads, Varying

_NAMES = frozenset(("ratelimit", "ratelimit-policy"))


class RateHeaders:
    """The headers of an answer that depend on its request, those of rate limits included.

    They are `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: lists of
    quoted names (RFC 9651) with the quota `q` in `w` seconds, and what is left: `r` for `t` ones.
    """

    def __init__(self, others: Varying | None) -> None:
        self.others = others

    def __call__(self, request: Any) -> OwnHeaders | None:
        """Return the headers for *request*."""
        others = None if self.others is None else self.others(request)
        rates = request.rates
        if rates is None:
            return others
        policies = ", ".join([meter.item for meter, _ in rates])
        left = ", ".join(
            [f'"{meter.name}";r={rest};t={seconds}' for meter, (_, rest, seconds) in rates]
        )
        # PERF: nothing in them needs to be checked (benchmarks/rates.py).
        own = object.__new__(OwnHeaders)
        own.pairs = (("ratelimit-policy", policies), ("ratelimit", left))
        own.names = _NAMES
        own.lines = f"ratelimit-policy: {policies}\r\nratelimit: {left}\r\n".encode()
        return own if others is None else others.joined(own)


def tell_rates(heads: Heads) -> None:
    """Give the answers of *heads* the headers of rate limits."""
    heads.varying = RateHeaders(heads.varying)
