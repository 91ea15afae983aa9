"""`Blueprint`, the blueprints of the installed apps, and the methods that answer by themselves.

Runs at start-up; the handlers for OPTIONS and 405 run per request.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sanic import Blueprint as SanicBlueprint
from sanic.blueprint_group import BlueprintGroup
from sanic_routing.route import Route

from msframework.compile.reader import Endpoint
from msframework.exceptions import MethodNotAllowed
from msframework.resource import METHODS, Resource
from msframework.types import Handler, Provider

R = TypeVar("R", bound=type)
ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
MODULES = ("resources", "views")


class Blueprint(SanicBlueprint):
    """Sanic's blueprint, which also mounts Resource classes and provides values to methods.

    Args:
        description: what its tag says in the document.
        args: those of Sanic's, `name` and `url_prefix` among them.
        kwargs: those of Sanic's.
    """

    __slots__ = ("description", "problems", "providers")

    def __init__(self, *args: Any, description: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.description = description
        self.providers: dict[str, Provider] = {}
        self.problems: list[str] = []

    def resource(self, uri: str, **options: Any) -> Callable[[R], R]:
        """Mount a Resource class at *uri*; *options* are those of Sanic's `add_route`."""

        def mount(cls: Any) -> Any:
            if not (isinstance(cls, type) and issubclass(cls, Resource)):
                self.problems.append(
                    f"blueprint {self.name!r}: resource({uri!r}) got {cls!r}, "
                    "which is no Resource class. Derive it from msframework.Resource."
                )
                return cls
            found = [method for method in METHODS if hasattr(cls, method)]
            if not found:
                self.problems.append(
                    f"blueprint {self.name!r}: {cls.__module__}.{cls.__qualname__} has none of "
                    f"the methods {', '.join(METHODS)}. Write at least one."
                )
            instance = cls()
            instance.mounted_at = uri
            for method in found:
                self.add_route(
                    getattr(instance, method),
                    uri,
                    methods=[method.upper()],
                    name=f"{cls.__name__}_{method}",
                    **options,
                )
            return cls

        return mount

    def _determine_error_format(self, handler: Any) -> str:
        # NOTE: Sanic would read and parse the source of every handler here, to guess how an error
        # page is to look; failures are answered by the envelope.
        return ""

    def provide(self, name: str, provider: Provider) -> None:
        """Make `await provider(request)` available to the blueprint's methods that take *name*."""
        self.providers[name] = provider


def read_blueprints(
    apps: Sequence[str], problems: list[str]
) -> list[SanicBlueprint | BlueprintGroup]:
    """Return the blueprints in `<app>.resources` and `<app>.views` of *apps*, in that order."""
    found: list[SanicBlueprint | BlueprintGroup] = []
    for app in apps:
        if not _exists(app):
            problems.append(
                f"INSTALLED_APPS: there is no package {app!r}. Check the spelling and that the "
                "project's root is the current directory."
            )
            continue
        for name in MODULES:
            if not _exists(f"{app}.{name}"):
                continue
            try:
                module = importlib.import_module(f"{app}.{name}")
            except Exception as exc:
                problems.append(f"{app}.{name} cannot be imported: {type(exc).__name__}: {exc}")
                continue
            for value in vars(module).values():
                is_blueprint = isinstance(value, SanicBlueprint | BlueprintGroup)
                if is_blueprint and not any(value is known for known in found):
                    found.append(value)
    return found


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


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
    route: Any, path: str, app_name: str, providers: dict[str, Provider], blueprints: dict[str, Any]
) -> list[Endpoint]:
    """Return the endpoints of one registered route: one for each of its methods.

    Args:
        route: Sanic's route, or what would have become one had its path not been taken.
        path: its path, as Sanic writes it.
    """
    owner = getattr(route.handler, "__self__", None)
    blueprint, _, short = route.name.removeprefix(f"{app_name}.").rpartition(".")
    name = getattr(route.handler, "__name__", short)
    if isinstance(owner, Resource):
        name = f"{type(owner).__name__}.{name}"
    known = blueprints.get(blueprint)
    values = {**providers, **getattr(known, "providers", {})}
    description = getattr(known, "description", "")
    methods = [
        method
        for method in ALL_METHODS
        if method in route.methods and method not in ("HEAD", "OPTIONS")
    ]
    # One function for several methods has several operations, which need names of their own.
    names = [name] if len(methods) == 1 else [f"{name}.{method.lower()}" for method in methods]
    return [
        Endpoint(method, path, route.handler, blueprint, known_as, values, description)
        for method, known_as in zip(methods, names, strict=True)
    ]


def declared_order(routes: Iterable[Any], app_name: str, blueprints: Sequence[str]) -> list[Any]:
    """Sort *routes* as they were written: Sanic keeps those of a blueprint in a set."""

    def key(route: Any) -> tuple[int, str, int]:
        code = getattr(inspect.unwrap(route.handler), "__code__", None)
        name = route.name.removeprefix(f"{app_name}.").rpartition(".")[0]
        place = blueprints.index(name) if name in blueprints else -1
        return (place, code.co_filename, code.co_firstlineno) if code else (place, "", 0)

    return sorted(routes, key=key)


def dispatch(handlers: dict[str, Handler]) -> Handler:
    """Return one handler for a route with several methods."""
    if len(handlers) == 1:
        return next(iter(handlers.values()))

    async def handle_by_method(request: Any, **path: Any) -> Any:
        return await handlers[request.method](request, **path)

    return handle_by_method


def compiled_paths(routes: Iterable[Route]) -> list[list[Route]]:
    """Return the routes of each path that has compiled methods."""
    paths: dict[Any, list[Route]] = defaultdict(list)
    for route in routes:
        paths[route.path, str(route.requirements)].append(route)
    return [group for group in paths.values() if any(is_compiled_kind(route) for route in group)]


def refuse_method(allow: str) -> Callable[..., Any]:
    """Return the endpoint that answers 405 for the methods that a path does not have."""

    async def method_not_allowed(request: Any, **path: Any) -> None:
        raise MethodNotAllowed(
            f"{request.method} is not allowed here; allowed are {allow}", headers={"Allow": allow}
        )

    return method_not_allowed
