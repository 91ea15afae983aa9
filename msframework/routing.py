"""`Blueprint`, the blueprints of the installed apps, and the methods that answer by themselves.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from sanic import Blueprint as SanicBlueprint
from sanic.blueprint_group import BlueprintGroup
from sanic.models.futures import FutureRoute
from sanic.request import Request
from sanic_routing.route import Route

from msframework import doc
from msframework._imports import exists, import_module
from msframework._place import caller_place, origin_of, place_of
from msframework.access.guard import Guard
from msframework.collection.declaration import Paths
from msframework.collection.mount import build_routes
from msframework.compile.reader import Endpoint
from msframework.cors import CORS, check_sharing
from msframework.doc import Notes
from msframework.exceptions import ServiceException
from msframework.limits.rate import RateLimit
from msframework.problem import Problem
from msframework.provider import ProvidedValue, Raised, build_value
from msframework.resource import METHODS, Resource, misspelt_for_sure, resource_of
from msframework.sanic_decorators import (
    CheckedDecorators,
    check_class,
    check_given,
    check_handler,
    check_options,
)
from msframework.serving.files import BlueprintFiles
from msframework.types import Handler, Provider

R = TypeVar("R", bound=type[Resource])
T = TypeVar("T")
ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
MODULES = ("resources", "views")
_UNDOCUMENTED = ("HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Mounted:
    """The blueprint that a route was registered by, and its name there.

    NOTE: names of routes do not tell: they begin with the service's name, but for those of a
    blueprint of the same name; and groups may put a prefix before the blueprint's.
    """

    name: str = ""
    blueprint: SanicBlueprint | None = None

    @classmethod
    def by(cls, blueprint: object, name_prefix: str | None) -> Mounted:
        """Return the note for the routes of *blueprint*; groups and lists register nothing."""
        if not isinstance(blueprint, SanicBlueprint):
            return _NOWHERE
        name = f"{name_prefix}_{blueprint.name}" if name_prefix else blueprint.name
        return cls(name, blueprint)


_NOWHERE = Mounted()


def find_mounted(route: object, blueprints: Iterable[SanicBlueprint]) -> Mounted:
    """Return the note of *route*, or a new one where a blueprint took the route later."""
    noted = getattr(getattr(route, "extra", None), "mounted", _NOWHERE)
    if noted.blueprint is None:
        for blueprint in blueprints:
            if any(route is known for known in blueprint.routes):
                return Mounted(blueprint.name, blueprint)
    return noted


class Blueprint(CheckedDecorators, BlueprintFiles, SanicBlueprint):
    """Sanic's blueprint, which also mounts Resource classes and provides values to methods.

    Args:
        description: the text of its tag in the document.
        guards: whom its operations may be called by.
        priority: who is refused last under overload: high, normal, low.
        rate_limits: how often each caller may call them, all together.
        cors: the pages that may read its answers, in the place of the service's settings.
    """

    __slots__ = ("collections", "cors", "guards", "notes", "problems", "providers", "public_files")

    def __init__(
        self,
        name: str,
        url_prefix: str | None = None,
        host: list[str] | str | None = None,
        version: int | str | float | None = None,
        strict_slashes: bool | None = None,
        version_prefix: str = "/v",
        *,
        description: str = "",
        guards: Sequence[Guard] = (),
        rate_limits: str | Sequence[str | RateLimit] = (),
        cors: CORS | None = None,
        priority: str = "",
    ) -> None:
        super().__init__(name, url_prefix, host, version, strict_slashes, version_prefix)
        self.providers: dict[str, ProvidedValue] = {}
        self.guards, self.cors = guards, cors
        limits: list[object] = [rate_limits] if isinstance(rate_limits, str) else [*rate_limits]
        self.notes = Notes(description=description, priority=priority, rate_limits=limits)
        self.collections, self.public_files = list[object](), set[str]()
        self.problems = [*check_sharing(cors, f"{caller_place()}: blueprint {name!r}")]

    def raises(
        self,
        *exceptions: type[ServiceException],
        constraint: str | None = None,
        description: str = "",
    ) -> Callable[[T], T]:
        """Document *exceptions* for all operations of the blueprint, as `doc.raises` does.

        Returns:
            A decorator that notes a problem, as it would say nothing of the decorated function.
        """
        before, self.notes.failures = self.notes.failures, []
        doc.raises(*exceptions, constraint=constraint, description=description)(self)
        self.notes.failures[:0] = before

        def refuse(decorated: T) -> T:
            name = getattr(decorated, "__qualname__", repr(decorated))
            self.problems.append(
                Problem(
                    f"{caller_place()} {name}",
                    "@blueprint.raises(…) decorates it, but holds for the whole blueprint",
                    advice="Write @doc.raises(…), or the call on a line of its own.",
                )
            )
            return decorated

        return refuse

    def resource(self, uri: str, **options: object) -> Callable[[R], R]:
        """Mount a Resource class at *uri*; *options* are those of Sanic's `add_route`."""
        check_given(self, "resource", uri)
        given: Any = check_options(self, "resource", uri, options, self.problems)

        def mount(cls: object) -> Any:
            if not (isinstance(cls, type) and issubclass(cls, Resource)):
                self.problems.append(
                    Problem(
                        f"{caller_place()}: blueprint {self.name!r}",
                        f"resource({uri!r}) got {cls!r}, which is no Resource class",
                        advice="Derive it from msframework.Resource.",
                    )
                )
                return cls
            self.problems += misspelt_for_sure(cls)
            found = [method for method in METHODS if callable(getattr(cls, method, None))]
            if not found:
                self.problems.append(
                    Problem(
                        f"{caller_place()}: blueprint {self.name!r}",
                        f"{cls.__qualname__} has none of the methods {', '.join(METHODS)}",
                        advice="Write at least one.",
                    )
                )
            if takes := check_class(cls):
                self.problems.append(takes)
                return cls
            instance = cls()
            instance.mounted_at = uri
            for method in found:
                handler, name = getattr(instance, method), f"{cls.__name__}_{method}"
                if wrong := check_handler(handler, f"{cls.__qualname__}.{method}"):
                    self.problems.append(wrong)
                    continue
                self.add_route(handler, uri, methods=[method.upper()], name=name, **given)
            return cls

        return mount

    def collection(
        self, uri: str, *, item: str = "", bulk: str = "", name: str = "", **options: object
    ) -> Callable[[R], R]:
        """Mount a ModelResource: list and create at *uri*, the actions on a row at *item*.

        Bulk actions are at *bulk*, by default at `bulk` below *uri*; *name* is that of the routes.
        """
        for path in (uri, item, bulk):
            check_given(self, "collection", path)
        given: Any = check_options(self, "collection", uri, options, self.problems)
        paths = Paths(self.url_prefix or "", uri, item, bulk or f"{uri.rstrip('/')}/bulk")

        def mount(cls: R) -> R:
            if takes := check_class(cls):
                self.problems.append(takes)
                return cls
            for each in build_routes(cls, paths, name, self.problems, self.collections):
                self.add_route(each.handler, each.path, [each.method], name=each.name, **given)
            return cls

        return mount

    def _determine_error_format(self, handler: object) -> str:
        # NOTE: Sanic would read and parse the source of every handler here, to guess how an error
        # page is to look; failures are answered by the envelope.
        return ""

    def provide(
        self, name: str, provider: Provider, *, security: str | None = None, raises: Raised = ()
    ) -> None:
        """Make the value of *provider* available to the blueprint's methods that take *name*.

        It comes before the value of the service under the name; see `Service.provide`.
        """
        owner = f"blueprint {self.name!r}"
        self.providers[name] = build_value(name, provider, owner, security, raises)


def read_blueprints(
    apps: Sequence[str], problems: list[str]
) -> list[SanicBlueprint | BlueprintGroup]:
    """Return the blueprints in `<app>.resources` and `<app>.views` of *apps*, in that order."""
    found: list[SanicBlueprint | BlueprintGroup] = []
    for app in apps:
        if not exists(app):
            problems.append(
                Problem(
                    "INSTALLED_APPS",
                    f"there is no package {app!r}",
                    advice="Check the spelling and that the project's root is the current "
                    "directory.",
                )
            )
        elif import_module(app, problems) is not None:
            for name in MODULES:
                module = f"{app}.{name}"
                _add_blueprints(import_module(module, problems) if exists(module) else None, found)
    return found


def _add_blueprints(
    module: ModuleType | None, found: list[SanicBlueprint | BlueprintGroup]
) -> None:
    for value in vars(module).values() if module is not None else ():
        is_blueprint = isinstance(value, SanicBlueprint | BlueprintGroup)
        if is_blueprint and not any(value is known for known in found):
            found.append(value)


def is_compiled_kind(route: Route) -> bool:
    """Whether a route's handler is one of ours to compile: no stream, websocket or static file."""
    return not (
        getattr(route.extra, "websocket", False)
        or getattr(route.extra, "static", False)
        or getattr(route.extra, "stream", False)
        or getattr(route.handler, "is_stream", False)
        or getattr(route.handler, "is_websocket", False)
        or getattr(route.handler, "__msframework_plain__", False)
    )


def read_endpoints(
    route: Any, path: str, mounted: Mounted, providers: dict[str, ProvidedValue]
) -> list[Endpoint]:
    """Return the endpoints of one registered route: one for each of its methods.

    Args:
        route: Sanic's route, or one that was refused as its path was taken.
        path: its path, as Sanic writes it.
        mounted: who registered it.
        providers: the service's provided values.
    """
    name = _name_of(route.handler, route)
    values = {**providers, **getattr(mounted.blueprint, "providers", {})}
    methods = [method for method in ALL_METHODS if method in route.methods]
    if "GET" in methods and "HEAD" in methods:
        methods.remove("HEAD")  # the answer to GET, without its body
    # One function for several methods has several operations, which need names of their own.
    several = len([method for method in methods if method not in _UNDOCUMENTED]) > 1
    hosts = hosts_of(route)
    return [
        Endpoint(
            method,
            path,
            route.handler,
            mounted.name,
            f"{name}.{method.lower()}" if several or method in _UNDOCUMENTED else name,
            values,
            hosts,
            getattr(mounted.blueprint, "notes", None) or Notes(),
            getattr(mounted.blueprint, "guards", ()),
        )
        for method in methods
    ]


def hosts_of(route: object) -> tuple[str, ...]:
    """Return the hosts that *route* is for; none for all."""
    hosts = getattr(getattr(route, "extra", None), "hosts", getattr(route, "host", None))
    return tuple(host for host in ([hosts] if isinstance(hosts, str) else hosts or ()) if host)


def name_route(route: Route) -> str:
    """Return file, line and name of the handler of *route*, for messages."""
    handler = route.handler
    if isinstance(handler, partial) and handler.args:  # a websocket's
        handler = handler.args[0]
    return place_of(handler, _name_of(handler, route))


def _name_of(handler: Handler, route: Route | FutureRoute) -> str:
    name: str = getattr(handler, "__name__", route.name.rpartition(".")[2])
    cls = resource_of(handler)
    return name if cls is None else f"{cls.__name__}.{name}"


def full_uri(route: FutureRoute) -> str:
    """Return the path that *route* asked for, its version included."""
    if route.version is None:
        return str(route.uri)
    version = str(route.version).strip("/").lstrip("v")
    return f"{route.version_prefix}{version}/{route.uri.lstrip('/')}"


def declared_order(routes: Iterable[Route], blueprints: Sequence[SanicBlueprint]) -> list[Route]:
    """Sort *routes* as they were written: Sanic keeps those of a blueprint in a set."""
    places = {id(blueprint): place for place, blueprint in enumerate(blueprints)}

    def key(route: Route) -> tuple[int, str, int, int]:
        code = getattr(inspect.unwrap(route.handler), "__code__", None)
        place = places.get(id(find_mounted(route, blueprints).blueprint), -1)
        origin = origin_of(route.handler)
        if origin is not None:
            return place, origin.file, origin.line, origin.order
        return (place, code.co_filename, code.co_firstlineno, 0) if code else (place, "", 0, 0)

    return sorted(routes, key=key)


def dispatch(handlers: dict[str, Handler]) -> Handler:
    """Return one handler for a route with several methods; HEAD is answered as GET is."""
    if len(handlers) == 1:
        return next(iter(handlers.values()))
    if "GET" in handlers:
        handlers = {"HEAD": handlers["GET"], **handlers}

    async def handle_by_method(request: Request, **path: object) -> Any:
        return await handlers[request.method](request, **path)

    return handle_by_method


def group_paths(routes: Iterable[Route]) -> list[list[Route]]:
    """Return the routes of each path; the names in it do not count."""
    paths: dict[object, list[Route]] = defaultdict(list)
    for route in routes:
        paths[route.segments, str(route.requirements)].append(route)
    return list(paths.values())
