"""Registration of routes and blueprints, whose mistakes wait for `compile`.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sanic import Blueprint as SanicBlueprint
from sanic.blueprint_group import BlueprintGroup
from sanic.exceptions import SanicException
from sanic.models.futures import FutureRoute
from sanic_routing.exceptions import BaseException as RoutingError
from sanic_routing.exceptions import RouteExists

from msframework.conf.settings import Settings
from msframework.problem import Problem
from msframework.routing import Mounted, full_uri, name_route
from msframework.sanic_decorators import CheckedDecorators


class CheckedRegistration(CheckedDecorators):
    """A part of Sanic's app: collects mistakes in the place of raising the first one.

    Attributes:
        problems: the mistakes so far.
        refused: routes whose path another one has, with their blueprints.
    """

    if not TYPE_CHECKING:  # Sanic's app has the dict
        __slots__ = ()
    settings: Settings
    problems: list[str]
    refused: list[tuple[FutureRoute, Mounted]]
    _mounting: Mounted

    def blueprint(
        self,
        blueprint: SanicBlueprint | BlueprintGroup | Iterable[SanicBlueprint | BlueprintGroup],
        **options: Any,
    ) -> None:
        """Register a blueprint, or several; mistakes are collected for `compile` to raise."""
        outer = self._mounting
        self._mounting = Mounted.by(blueprint, options.get("name_prefix"))
        try:
            super().blueprint(blueprint, **options)  # type: ignore[misc]
        except (RoutingError, SanicException, AssertionError) as exc:
            name, refused = self._mounting.name, self._mounting.blueprint
            other = self.blueprints.get(name)  # type: ignore[attr-defined]
            if refused is None or other in (None, refused):
                self.problems.append(Problem.caused(exc, str(exc)))
                return
            paths = " and ".join(each.url_prefix or "/" for each in (other, refused))
            found = f"two blueprints have this name, at {paths}"
            advice = "Rename one of them, or register it with name_prefix=…."
            self.problems.append(Problem(f"blueprint {name!r}", found, advice=advice))
        finally:
            self._mounting = outer

    def _apply_route(self, route: Any, overwrite: bool = False) -> Any:
        # NOTE: `serving.router` decodes what a path holds, once, for every kind of parameter.
        prefix = self.settings.server.url_prefix.rstrip("/")
        # NOTE: a version comes before all that Sanic knows of the path.
        where = {"uri": prefix + route.uri}
        if prefix and route.version is not None:
            where = {"version_prefix": f"{prefix}/{route.version_prefix.lstrip('/')}"}
        route = route._replace(**where, unquote=False)
        try:
            added = super()._apply_route(route, overwrite)  # type: ignore[misc]
        except RouteExists:
            self.refused.append((route, self._mounting))  # compile() says which two are alike
            return []
        except (RoutingError, SanicException, ValueError, re.error) as exc:
            text = f"{name_route(route)}: the path {full_uri(route)} is refused: {exc}"
            self.problems.append(Problem.caused(exc, text))
            return []
        for one in added:
            one.extra.mounted = self._mounting
        return added

    def _determine_error_format(self, handler: object) -> str:
        return ""  # as in Blueprint: the envelope answers failures
