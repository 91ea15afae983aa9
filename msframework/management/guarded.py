"""The access table of a service, as `manage.py routes --access` prints it.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from msframework.access.guard import Guard
from msframework.access.policy import Access, build_access, normalize
from msframework.access.text import guard_text
from msframework.admission import surroundings_of
from msframework.compile.guarding import Surroundings, opens, read_access
from msframework.compile.rates import asks_principal, read_rates
from msframework.compile.shared import shared_notes
from msframework.doc import Notes, notes_of
from msframework.operation import Operation, path_params
from msframework.resource import resource_of
from msframework.routing import find_mounted, is_compiled_kind
from msframework.types import JSONObject

COLUMNS: Final = ("method", "path", "name", "access", "from")


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A row of the access table: one operation, or one other route.

    Attributes:
        kind: what it is: an operation, a stream, a websocket, a static file or a document.
        where: file and line, for messages.
        guards: its guards in words.
        elsewhere: what else requires credentials: provided values, a gateway.
        origins: where its guards are declared, from the outside in.
    """

    kind: str
    method: str
    path: str
    name: str
    where: str
    access: Access
    guards: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    tells_callers: bool = field(default=False, repr=False)

    @property
    def is_forgotten(self) -> bool:
        """Whether anybody may call it though it is not declared public."""
        return self.tells_callers and not (self.access.is_public or self.guards or self.elsewhere)

    @property
    def text(self) -> str:
        """The conditions of a caller; `open!` where nothing guards it or declares it public."""
        if self.access.is_public:
            return "public"
        asked = (*self.guards, *self.elsewhere)
        return ", ".join(asked) or ("open!" if self.is_forgotten else "open")

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return self.method, self.path, self.name, self.text, ", ".join(self.origins)

    def facts(self) -> JSONObject:
        """Return the row as JSON."""
        return {
            "kind": self.kind,
            "method": self.method,
            "path": self.path,
            "name": self.name,
            "access": self.text.rstrip("!") if self.text.startswith("open") else self.text,
            "is_public": self.access.is_public,
            "guards": list(self.guards),
            "elsewhere": list(self.elsewhere),
            "authenticators": [each.name for each in self.access.authenticators],
            "from": list(self.origins),
        }


def read_access_rows(service: Any) -> list[AccessRow]:
    """Return a row for each operation of *service*, then one for each other route."""
    rows = [_read(operation, service) for operation in service.operations]
    return [*rows, *_plain_rows(service), *_document_rows(service)]


def _read(operation: Operation, service: Any) -> AccessRow:
    return AccessRow(
        "operation",
        operation.method.upper(),
        operation.path,
        operation.name,
        operation.where,
        operation.access,
        tuple(map(guard_text, operation.access.guards)),
        tuple(_elsewhere(operation)),
        tuple(_origins(operation, service)),
        bool(service.authenticators),
    )


def _elsewhere(operation: Operation) -> Iterator[str]:
    """Yield the requirements of credentials beside the guards."""
    own = {authenticator.name for authenticator in operation.access.authenticators}
    enforced = {
        provision.value.security: provision.value.name
        for provision in operation.provisions
        if provision.value.security is not None
    }
    for name in dict.fromkeys(name for need in operation.security for name in need):
        if name in enforced:
            yield f"{name}, by the provided value {enforced[name]}"
        elif name not in own:
            yield f"{name}, by a gateway"


def _origins(operation: Operation, service: Any) -> list[str]:
    """Return where the guards of *operation* are declared, from the outside in."""
    resource = resource_of(operation.handler)
    blueprint = service.blueprints.get(operation.blueprint)
    around = Surroundings(
        operation.where,
        notes_of(operation.handler),
        shared_notes(resource),
        getattr(blueprint, "notes", None) or Notes(),
        resource,
        operation.blueprint,
        getattr(blueprint, "guards", ()),
    )
    return _levels(around, operation.method, operation.access, service)


def _levels(around: Surroundings, method: str, access: Access, service: Any) -> list[str]:
    """Return the names of the declarations around a method that guard it."""
    notes, shared, outer, resource = around.notes, around.shared, around.outer, around.resource
    levels: list[tuple[str, Iterable[Guard], Notes]] = []
    if not (notes.public or opens(around, method)):
        blueprint: Any = around.guards
        levels.append(("service", service.guards, Notes()))
        levels.append((f"blueprint {around.blueprint}", blueprint, outer))
        for cls in reversed(resource.__mro__ if resource is not None else ()):
            own = shared if cls is resource else Notes()
            levels.append((cls.__qualname__, vars(cls).get("guards", ()), own))
    levels.append(("method", notes.guards, notes))
    names = {each.name for each in access.authenticators}
    declared = next((each for each in (notes, shared, outer) if each.security is not None), None)
    return [
        name
        for name, guards, given in levels
        if normalize(guards, method)
        or (given is declared and any(names & need.keys() for need in given.security or ()))
    ]


def _plain_rows(service: Any) -> Iterator[AccessRow]:
    """Yield the rows of streams, websockets and static files."""
    for route in service.router.routes:
        if is_compiled_kind(route) or getattr(route.handler, "__msframework_plain__", False):
            continue
        around = surroundings_of(route, find_mounted(route, service.blueprints.values()))
        params = path_params(f"/{route.path}")
        limits = service.settings.operations.rate_limits
        asks = asks_principal(read_rates(around, "", limits, []))
        for method in sorted(route.methods - {"HEAD"} or route.methods):  # HEAD goes with GET
            access, _ = read_access(
                around, method, params, (), service.access, [], asks_principal=asks
            )
            yield AccessRow(
                _kind_of(route),
                method,
                f"/{route.path}",
                route.name.rpartition(".")[2],
                around.where,
                access,
                tuple(map(guard_text, access.guards)),
                origins=tuple(_levels(around, method, access, service)),
                tells_callers=bool(service.authenticators),
            )


def _kind_of(route: Any) -> str:
    if getattr(route.extra, "static", False):
        return "static"
    is_websocket = getattr(route.extra, "websocket", False)
    return "websocket" if is_websocket else "stream"


def _document_rows(service: Any) -> Iterator[AccessRow]:
    """Yield the rows of the document and the page that shows it."""
    openapi, guards = service.settings.openapi, service.access.document_guards
    if not openapi.enabled:
        return
    access = build_access(guards, "GET", service.authenticators)
    shown = tuple(map(guard_text, access.guards))
    origins = ("OPENAPI_GUARDS",) if guards else ()
    for path, name in ((openapi.url, "openapi_document"), (openapi.docs_url, "docs_page")):
        if path is not None:
            yield AccessRow(
                "document", "GET", path, name, "OPENAPI_URL", access, shown, origins=origins
            )
