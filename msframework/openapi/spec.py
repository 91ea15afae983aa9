"""The OpenAPI document: Operations in, a plain dict out. Runs at start-up.

The document is put together by apispec in version 3.1, and then said again in the older version
that `OPENAPI_VERSION` asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apispec import APISpec

from msframework.conf.settings import Settings
from msframework.envelope import Bare
from msframework.exceptions import ImproperlyConfigured
from msframework.openapi.answer import build_responses
from msframework.openapi.components import Registry
from msframework.openapi.converter import Converter, Plugin
from msframework.openapi.dialect import read_as_30
from msframework.openapi.literal import read_literal
from msframework.openapi.parameter import build_body, build_parameters
from msframework.openapi.swagger import read_as_20
from msframework.operation import Operation
from msframework.types import UNSET, JSONObject

VERSIONS = ("3.1", "3.0", "2.0")
_METHODS = ("get", "post", "put", "patch", "delete", "trace")
_ORDER = ("openapi", "info", "servers", "tags", "paths", "components")
_INFO = ("version", "title", "description", "termsOfService", "contact_email")


def build_document(operations: Sequence[Operation], settings: Settings) -> JSONObject:
    """Return the OpenAPI document of *operations*, as JSON would hold it.

    HEAD and OPTIONS, which answer by themselves, are left out.

    Raises:
        ImproperlyConfigured: `OPENAPI_VERSION` is none of ours, `SWAGGER` holds an unknown word, or
            an operation asks for a security scheme that `SECURITY_SCHEMES` does not have.
    """
    shown = _sorted(operations)
    _check(shown, settings)
    prefix = _prefix(shown, settings)
    spec, converter = _start(settings, prefix)
    registry = Registry(converter)
    paths: dict[str, JSONObject] = {}
    for operation in shown:
        path = _template(operation).removeprefix(prefix) or "/"
        paths.setdefault(path, {})[operation.method.lower()] = _describe(operation, registry)
    for name, schema in registry.finish().items():
        spec.components.schema(name, schema)
    resolved = registry.resolve(paths)
    for name, response in _share_responses(resolved).items():
        spec.components.response(name, response)
    for path, item in resolved.items():
        spec.path(path, operations=_Kept(item))
    _add_tags(spec, shown)
    document = _ordered(spec)
    if settings.openapi.version == "3.1":
        return document
    older = read_as_30(document)
    return older if settings.openapi.version == "3.0" else read_as_20(older)


class _Kept(dict[str, Any]):
    """Operations that nobody else holds: apispec may change them, and need not copy them first."""

    def __deepcopy__(self, memo: Any) -> _Kept:
        return self


def _sorted(operations: Iterable[Operation]) -> list[Operation]:
    """Return what is documented: paths as they come, the methods of each in one order.

    A route of Sanic's keeps its methods as a set, so they come in any order.
    """
    places: dict[str, int] = {}
    found = [operation for operation in operations if operation.method.lower() in _METHODS]
    for operation in found:
        places.setdefault(operation.path, len(places))
    return sorted(found, key=lambda o: (places[o.path], _METHODS.index(o.method.lower())))


def _check(operations: Iterable[Operation], settings: Settings) -> None:
    openapi = settings.openapi
    problems = []
    if openapi.version not in VERSIONS:
        problems.append(
            f"OPENAPI_VERSION is {openapi.version!r}. Set it to one of {', '.join(VERSIONS)}."
        )
    for word in sorted(set(openapi.info) - set(_INFO)):
        problems.append(f"SWAGGER has the unknown key {word!r}. It may hold {', '.join(_INFO)}.")
    known = ", ".join(sorted(openapi.security_schemes)) or "none"
    words = ("document_data", "document_page", "document_error")
    for operation in operations:
        missing = [word for word in words if not hasattr(operation.envelope or Bare, word)]
        if missing:
            problems.append(
                f"{operation.where}: its envelope {operation.envelope!r} cannot be documented: it "
                f"has no {', '.join(missing)}. Derive it from msframework.envelope.DefaultEnvelope."
            )
        for name in dict.fromkeys(name for need in operation.security for name in need):
            if name not in openapi.security_schemes:
                problems.append(
                    f"{operation.where}: @doc.security names the scheme {name!r}, which is not in "
                    f"SECURITY_SCHEMES (there: {known}). Add it there, or correct the name."
                )
    if problems:
        raise ImproperlyConfigured.of(problems)


def _prefix(operations: Sequence[Operation], settings: Settings) -> str:
    """Return the part of every path that the document writes once, as the server's address."""
    prefix = settings.server.url_prefix.rstrip("/")
    shared = all(operation.path.startswith(f"{prefix}/") for operation in operations)
    return prefix if shared else ""


def _template(operation: Operation) -> str:
    # NOTE: Sanic's `<file=int:ext=png>` is a parameter called `file`.
    return re.sub(r"{(\w+)=[^{}]*}", r"{\1}", operation.template)


def _start(settings: Settings, prefix: str) -> tuple[APISpec, Converter]:
    given = settings.openapi.info
    info = {key: given[key] for key in ("description", "termsOfService") if given.get(key)}
    if given.get("contact_email"):
        info["contact"] = {"email": given["contact_email"]}
    options: dict[str, Any] = {"info": info}
    if prefix:
        options["servers"] = [{"url": prefix}]
    plugin = Plugin()
    spec = APISpec(
        title=given.get("title") or settings.service_name,
        version=given.get("version") or "1.0.0",
        openapi_version="3.1.0",
        plugins=[plugin],
        **options,
    )
    for name, scheme in settings.openapi.security_schemes.items():
        literal = read_literal(scheme)
        if literal is not UNSET:
            spec.components.security_scheme(name, literal)
    converter = plugin.converter
    assert isinstance(converter, Converter)
    return spec, converter


def _describe(operation: Operation, registry: Registry) -> JSONObject:
    found: JSONObject = {"operationId": operation.id}
    tags = operation.tags or ((operation.blueprint,) if operation.blueprint else ())
    if tags:
        found["tags"] = list(tags)
    if operation.summary:
        found["summary"] = operation.summary
    description = _without_summary(operation)
    if description:
        found["description"] = description
    if operation.deprecated:
        found["deprecated"] = True
    parameters = build_parameters(operation, registry)
    if parameters:
        found["parameters"] = parameters
    body = build_body(operation, registry)
    if body is not None:
        found["requestBody"] = body
    found["responses"] = build_responses(operation, registry)
    if operation.security:
        found["security"] = [_requirement(need) for need in operation.security]
    return found


def _requirement(need: Mapping[str, tuple[str, ...]]) -> JSONObject:
    return {name: list(scopes) for name, scopes in need.items()}


def _without_summary(operation: Operation) -> str:
    """Return the description without a first line that only repeats the summary."""
    first, _, rest = operation.description.partition("\n")
    if operation.summary and first.strip().rstrip(".") == operation.summary.rstrip("."):
        return rest.strip()
    return operation.description.strip()


def _ordered(spec: APISpec) -> JSONObject:
    document: JSONObject = json.loads(json.dumps(spec.to_dict()))
    return {word: document[word] for word in _ORDER if word in document}


def _share_responses(paths: JSONObject) -> dict[str, JSONObject]:
    """Move failures that several operations share out of *paths*; return them by name."""
    counted: dict[str, list[tuple[JSONObject, str]]] = {}
    texts: dict[int, str] = {}
    for item in paths.values():
        for operation in item.values():
            responses = operation["responses"]
            for status, response in responses.items():
                if int(status) >= 400:
                    text = texts.get(id(response)) or json.dumps(response)
                    texts[id(response)] = text
                    counted.setdefault(text, []).append((responses, status))
    shared: dict[str, JSONObject] = {}
    for places in counted.values():
        if len(places) < 2:
            continue
        responses, status = places[0]
        response = responses[status]
        (media,) = response["content"].values()
        name = base = next(iter(media["examples"]))
        number = 2
        while name in shared:
            name, number = f"{base}{number}", number + 1
        shared[name] = response
        for holder, code in places:
            holder[code] = {"$ref": f"#/components/responses/{name}"}
    return {name: shared[name] for name in sorted(shared)}


def _add_tags(spec: APISpec, operations: Iterable[Operation]) -> None:
    names: dict[str, None] = {}
    for operation in operations:
        names.update(dict.fromkeys(operation.tags or (operation.blueprint,)))
    for name in names:
        if name:
            spec.tag({"name": name})
