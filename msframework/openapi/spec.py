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
from msframework.openapi.about import about_problems, read_info, read_servers, read_tags
from msframework.openapi.answer import build_responses, code_schema
from msframework.openapi.components import Registry
from msframework.openapi.converter import Converter
from msframework.openapi.dialect import read_as_30
from msframework.openapi.headers import add_common, used_headers
from msframework.openapi.parameter import build_body, build_parameters, read_columns
from msframework.openapi.security import build_requirements, build_schemes, scheme_problems
from msframework.openapi.swagger import read_as_20
from msframework.operation import Operation, OperationText
from msframework.problem import Problem
from msframework.types import JSONObject

VERSIONS = ("3.1", "3.0", "2.0")
_METHODS = ("get", "post", "put", "patch", "delete", "trace")
_VERBS = ("list", "read", "create", "replace", "update", "delete")
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
_ORDER = ("openapi", "info", "servers", "security", "tags", "paths", "components", "externalDocs")


def build_document(operations: Sequence[Operation], settings: Settings) -> JSONObject:
    """Return the OpenAPI document of *operations*, as JSON would hold it.

    HEAD and OPTIONS, which answer by themselves, are left out.

    Raises:
        ImproperlyConfigured: `OPENAPI_VERSION` is none of ours, `SWAGGER` holds an unknown word, or
            an operation asks for a security scheme that nothing declares.
    """
    shown = _sorted(operations)
    _check(shown, settings)
    prefix = _prefix(shown, settings)
    spec = _start(settings, prefix, shown)
    registry = Registry(Converter("3.1.0", lambda schema: None, spec))
    columns, code = read_columns(shown), code_schema(shown)
    secured = _is_secured(shown, settings)
    paths: dict[str, JSONObject] = {}
    for operation in shown:
        path = _template(operation).removeprefix(prefix) or "/"
        described = _describe(operation, registry, columns[operation.path], code)
        if secured:
            described["security"] = build_requirements(operation)
        paths.setdefault(path, {})[operation.method.lower()] = described
    _fill(spec, registry, paths, traced=settings.tracing.enabled)
    for tag in read_tags(settings, shown):
        spec.tag(tag)
    document = _ordered(spec)
    if settings.openapi.version == "3.1":
        return document
    older = read_as_30(document)
    return older if settings.openapi.version == "3.0" else read_as_20(older)


def _fill(spec: APISpec, registry: Registry, paths: dict[str, JSONObject], *, traced: bool) -> None:
    """Put *paths* into *spec*, and the components that they refer to."""
    schemas = registry.finish()
    resolved = registry.resolve(paths)
    for name, schema in _without_unused(schemas, resolved).items():
        spec.components.schema(name, schema)
    add_common(resolved, traced=traced)
    for name, header in used_headers(resolved).items():
        spec.components.header(name, header)
    for name, response in _share_responses(resolved).items():
        spec.components.response(name, response)
    for path, item in resolved.items():
        spec.path(path, operations=_Kept(item))


class _Kept(dict[str, Any]):
    """Operations that nobody else holds: apispec may change them, and need not copy them first."""

    def __deepcopy__(self, memo: object) -> _Kept:
        return self


def _sorted(operations: Iterable[Operation]) -> list[Operation]:
    """Return the documented operations: paths as they come, the methods of each in one order.

    A route of Sanic's keeps its methods as a set, so they come in any order.
    """
    places: dict[str, int] = {}
    found = [operation for operation in operations if operation.method.lower() in _METHODS]
    for operation in found:
        places.setdefault(operation.path, len(places))
    return sorted(found, key=lambda o: (places[o.path], _METHODS.index(o.method.lower())))


def _check(operations: Sequence[Operation], settings: Settings) -> None:
    openapi = settings.openapi
    problems: list[str] = []
    if openapi.version not in VERSIONS:
        problems.append(
            f"OPENAPI_VERSION is {openapi.version!r}. Set it to one of {', '.join(VERSIONS)}."
        )
    problems += about_problems(openapi.info)
    words = ("document_data", "document_page", "document_error")
    for operation in operations:
        missing = [word for word in words if not hasattr(operation.envelope or Bare, word)]
        if missing:
            found = (
                f"its envelope {operation.envelope!r} cannot be documented: it has no "
                f"{', '.join(missing)}"
            )
            advice = "Derive it from msframework.envelope.DefaultEnvelope."
            problems.append(Problem(operation.where, found, advice=advice))
    problems += scheme_problems(operations, settings)
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


def _start(settings: Settings, prefix: str, operations: Sequence[Operation]) -> APISpec:
    given = settings.openapi.info
    options: JSONObject = {
        "info": read_info(settings),
        "servers": read_servers(settings, prefix),
    }
    if not _is_secured(operations, settings):
        options["security"] = []
    if given.get("externalDocs"):
        options["externalDocs"] = dict(given["externalDocs"])
    spec = APISpec(
        title=given.get("title") or settings.service_name,
        version=given.get("version") or "1.0.0",
        openapi_version="3.1.0",
        **options,
    )
    for name, scheme in build_schemes(operations, settings).items():
        spec.components.security_scheme(name, scheme)
    return spec


def _is_secured(operations: Iterable[Operation], settings: Settings) -> bool:
    """Whether anything of the service asks for credentials, so that the rest is said to be open."""
    return bool(settings.openapi.security_schemes) or any(map(build_requirements, operations))


def _describe(
    operation: Operation, registry: Registry, columns: Mapping[str, JSONObject], code: JSONObject
) -> JSONObject:
    found: JSONObject = {"operationId": operation.id}
    text = operation.text
    tags = text.tags or ((operation.blueprint,) if operation.blueprint else ())
    if tags:
        found["tags"] = list(tags)
    found["summary"] = text.summary or _usual_summary(operation, tags)
    description = _without_summary(text)
    if description:
        found["description"] = description
    if text.deprecated:
        found["deprecated"] = True
    parameters = build_parameters(operation, registry, columns)
    if parameters:
        found["parameters"] = parameters
    body = build_body(operation, registry)
    if body is not None:
        found["requestBody"] = body
    found["responses"] = build_responses(operation, registry, code)
    return found


def _usual_summary(operation: Operation, tags: Sequence[str]) -> str:
    """Return the summary of an operation without a text: the words of its id, the verb first."""
    blueprint = "_".join(re.findall(r"\w+", operation.blueprint or "")).lower()
    *nouns, last = operation.id.removeprefix(f"{blueprint}_").split("_")
    words = [last, *(nouns or tags[:1])] if last in _VERBS else [*nouns, last]
    return " ".join(words).strip().capitalize()


def _without_unused(
    schemas: Mapping[str, JSONObject], paths: Mapping[str, JSONObject]
) -> dict[str, JSONObject]:
    """Return the components that the document refers to: an envelope may leave a schema out."""
    used: set[str] = set()
    waiting = [json.dumps(paths)]
    while waiting:
        found = set(_REFERENCE.findall(waiting.pop())) - used
        used |= found
        waiting += [json.dumps(schemas[name]) for name in found]
    return {name: schema for name, schema in schemas.items() if name in used}


def _without_summary(text: OperationText) -> str:
    """Return the description without a first line that only repeats the summary."""
    first, _, rest = text.description.partition("\n")
    if text.summary and first.strip().rstrip(".") == text.summary.rstrip("."):
        return rest.strip()
    return text.description.strip()


def _ordered(spec: APISpec) -> JSONObject:
    document: JSONObject = json.loads(json.dumps(spec.to_dict()), object_hook=_close_tuple)
    return {word: document[word] for word in _ORDER if word in document}


def _close_tuple(found: JSONObject) -> JSONObject:
    """Say of a tuple that nothing follows its places; apispec would read `false` as a name."""
    return {**found, "items": False} if "prefixItems" in found else found


def _share_responses(paths: JSONObject) -> dict[str, JSONObject]:
    """Move failures that several operations share out of *paths*; return them by name.

    A name says which failures there are. Where two answers want one name, the one that more
    operations have gets it, and the other stays in its places.
    """
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
    for places in sorted(counted.values(), key=len, reverse=True):
        responses, status = places[0]
        response = responses[status]
        (media,) = response["content"].values()
        name = "Or".join(media["examples"])
        if len(places) < 2 or name in shared:
            continue
        shared[name] = response
        for holder, code in places:
            holder[code] = {"$ref": f"#/components/responses/{name}"}
    return {name: shared[name] for name in sorted(shared)}
