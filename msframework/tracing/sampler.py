"""Which traces are kept. Decided once, where a trace begins.

The rate of a name is looked up the first time the name is seen; names are route templates, so
there are few of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import random
from typing import Final

from msframework.conf.settings import Settings

NEVER: Final = -1.0
_MAX_NAMES: Final = 10_000


class Sampler:
    """Keeps a share of new traces.

    Args:
        rate: the share, 0 to 1.
        routes: other shares by name: `GET /users/{id}`, or only a path for all its methods.
        never: paths that are not traced whoever asks; one that ends in `/` means all below it.

    Attributes:
        rates: the share of each name that was seen, below zero for never.
    """

    __slots__ = ("_never", "_routes", "rate", "rates")

    def __init__(
        self,
        rate: float = 1.0,
        routes: Mapping[str, float] | None = None,
        never: Iterable[str] = (),
    ) -> None:
        self.rate = rate
        self._routes = {name.lower(): share for name, share in (routes or {}).items()}
        self._never = frozenset(path.lower() for path in never)
        self.rates: dict[str, float] = {}

    def decide(self, name: str, asked: bool | None = None) -> bool:
        """Return whether the trace that begins with *name* is kept.

        Args:
            asked: the decision of a trusted caller, or `None`.
        """
        rate = self.rates.get(name)
        if rate is None:
            rate = self._learn(name)
        if rate < 0.0:
            return False
        if asked is not None:
            return asked
        return rate >= 1.0 or random() < rate  # noqa: S311 - no secret depends on it

    def _learn(self, name: str) -> float:
        low = name.lower()
        path = low.partition(" ")[2] or low
        if path in self._never or any(
            path.startswith(prefix) for prefix in self._never if prefix.endswith("/")
        ):
            rate = NEVER
        else:
            rate = self._routes.get(low, self._routes.get(path, self.rate))
        if len(self.rates) < _MAX_NAMES:
            self.rates[name] = rate
        return rate


def build_sampler(settings: Settings) -> Sampler:
    """Build the sampler that *settings* ask for; health checks and the documents are left out."""
    prefix = settings.server.url_prefix.rstrip("/")
    paths = [settings.openapi.url, settings.openapi.docs_url or "", *settings.tracing.never]
    named = [path.rstrip("/") for path in paths]
    never = [place for path in named if path for place in (path, f"{path}/")]
    return Sampler(
        settings.tracing.sample_rate,
        settings.tracing.sample_routes,
        [*never, *(f"{prefix}{place}" for place in never)],
    )
