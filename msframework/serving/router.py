"""Sanic's router, for which slashes at the end of a path cost no more than other characters.

Runs per request, where the fast path does not find an endpoint.
"""

from __future__ import annotations

from typing import Any

from sanic.router import Router as SanicRouter
from sanic_routing.exceptions import NoMethod, NotFound

_MOST = 2  # slashes that are left out one by one


class Router(SanicRouter):
    """Sanic's router, which leaves out many slashes at the end of a path all at once."""

    def resolve(self, path: str, **options: Any) -> Any:
        """Find route, handler and parameters.

        Sanic's tries the path, then the path without its last slash, and so on, each time by a call
        of itself.
        """
        bare = path.rstrip("/")
        if len(path) - len(bare) > _MOST and not self._matches(path, **options):
            path = f"{bare}//"
        return super().resolve(path, **options)

    def _matches(self, path: str, *, method: str | None = None, extra: Any = None) -> bool:
        """Whether a route has *path* as it is."""
        basket: dict[str, Any] = {"__params__": {}, "__matches__": {}}
        try:
            self.find_route(path, method, self, basket, extra)
        except (NotFound, NoMethod):
            return False
        return True
