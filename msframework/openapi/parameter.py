"""The inputs of an operation: path, query, headers, cookies, pages, bodies. Runs at start-up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from marshmallow import Schema, fields

from msframework.openapi.answer import under_key
from msframework.openapi.components import Registry
from msframework.openapi.constraint import ecma_pattern, read_constraints
from msframework.openapi.converter import View
from msframework.openapi.pattern import without_nul
from msframework.operation import EXTENSION, Input, Operation, PathParam, QueryReader, Source
from msframework.schemas.lists import STYLES, JSONText
from msframework.schemas.naming import wire_name
from msframework.types import Field, JSONObject

_KINDS: dict[str, JSONObject] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string", "minLength": 1},
    "strorempty": {"type": "string"},
    "alpha": {"type": "string", "pattern": "^[A-Za-z]+$"},
    "slug": {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"},
    "path": {"type": "string", "description": "May hold slashes."},
    "ymd": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "ext": {"type": "string", "pattern": r"^[^/\x00]+\.[a-z0-9](?:[a-z0-9.]*[a-z0-9])?$"},
}
_LOCATIONS = {Source.QUERY: "query", Source.HEADERS: "header", Source.COOKIES: "cookie"}
_FILE: JSONObject = {"type": "string", "format": "binary"}


def read_columns(operations: Iterable[Operation]) -> dict[str, dict[str, JSONObject]]:
    """Return the bounds of path parameters, by path and name, that are members of its answers.

    `GET /users/{id}` answers the `id` of the user, so a column's range is that of the parameter.
    """
    found: dict[str, dict[str, JSONObject]] = {}
    for operation in operations:
        bounds = found.setdefault(operation.path, {})
        for answer in operation.answers:
            shown = {} if answer.schema is None else answer.schema.dump_fields
            for param in operation.path_params:
                field = shown.get(param.name)
                if param.kind == "int" and isinstance(field, fields.Integer):
                    bounds[param.name] = read_constraints(field, {"type": "integer"})
    return found


def build_parameters(
    operation: Operation, registry: Registry, columns: Mapping[str, JSONObject]
) -> list[JSONObject]:
    """Return the parameters of *operation*: path first, then query, headers and cookies."""
    found = [
        _path_parameter(param, columns.get(param.name, {}))
        for param in operation.path_params
        if param.kind != EXTENSION
    ]
    for item in operation.inputs:
        if item.reader is not None:
            declared = {(param["in"], param["name"]) for param in found}
            shown = _reader_parameters(item.reader, _LOCATIONS[item.source], registry)
            found += [param for param in shown if (param["in"], param["name"]) not in declared]
        elif item.source in _LOCATIONS:
            found += _input_parameters(item, registry)
    return found


def build_body(operation: Operation, registry: Registry) -> JSONObject | None:
    """Return the request body of *operation*, `None` where it reads none."""
    body = operation.input(Source.BODY)
    if body is not None:
        schema = registry.refer(body.schema, View(load=True, partial=body.partial))
        if body.key:
            schema = under_key(body.key, schema)
        return {"required": True, "content": {"application/json": {"schema": schema}}}
    forms, files = operation.inputs_of(Source.FORM), operation.inputs_of(Source.FILES)
    if not forms and not files:
        return None
    schema = _form_schema((*forms, *files), registry)
    media = {"schema": schema, **_encoding(forms)}
    content = {"multipart/form-data": media}
    if not files:
        content = {"application/x-www-form-urlencoded": media, **content}
    return {"required": True, "content": content}


def _path_parameter(param: PathParam, bounds: JSONObject) -> JSONObject:
    kind, _, extensions = param.kind.partition("=")
    schema = _KINDS.get(param.kind)
    if schema is None and kind == "ext":
        schema = {
            "type": "string",
            "pattern": rf"^[^/\x00]+\.(?:{extensions.replace('.', '[.]')})$",
        }
    if schema is None:
        schema = {"type": "string", **_regex(param.kind)}
    schema = without_nul({**schema, **bounds})
    found: JSONObject = {"in": "path", "name": param.name, "required": True, "schema": schema}
    if "description" in schema:
        found["description"] = found["schema"].pop("description")
    return found


def _regex(kind: str) -> JSONObject:
    try:
        pattern = ecma_pattern(re.compile(kind))
    except re.error:
        return {}
    if pattern is None:
        return {"x-pattern": kind}
    return {"pattern": pattern if pattern.endswith("$") else f"{pattern}$"}


def _input_parameters(item: Input, registry: Registry) -> list[JSONObject]:
    location = _LOCATIONS[item.source]
    body = registry.inline(item.schema, View(load=True, partial=item.partial))
    required = body.get("required", ())
    found = []
    for name, field in item.schema.load_fields.items():
        key = wire_name(field, name)
        spelled = key
        if item.source is Source.HEADERS and field.data_key is None:
            spelled = key.replace("_", "-").title()  # `x_token` reads X-Token
        shown = _parameter(spelled, location, without_nul(body["properties"][key]))
        shown |= {"required": key in required} | _style(field, item.source)
        found.append(_with_content(shown, field))
    return found


def _parameter(name: str, location: str, schema: JSONObject) -> JSONObject:
    found: JSONObject = {"in": location, "name": name}
    schema = dict(schema)
    for word in ("description", "deprecated"):
        if word in schema:
            found[word] = schema.pop(word)
    return {**found, "schema": schema}


def _style(field: Field, source: Source) -> JSONObject:
    if isinstance(field, fields.Nested) and not isinstance(field, fields.Pluck):
        return {"style": "deepObject", "explode": True}
    delimiter = getattr(field, "delimiter", None)
    if source is Source.COOKIES and delimiter is not None:
        return {"style": "form", "explode": False}
    if source is not Source.QUERY or not isinstance(field, (fields.List, fields.Tuple)):
        return {}
    if delimiter is None:
        return {"style": "form", "explode": True}
    return {"style": STYLES.get(delimiter, "form"), "explode": False}


def _with_content(parameter: JSONObject, field: Field) -> JSONObject:
    """Return *parameter* with its schema as that of JSON, where *field* reads it so."""
    if isinstance(field, JSONText):
        parameter["content"] = {"application/json": {"schema": parameter.pop("schema")}}
    return parameter


def _reader_parameters(reader: QueryReader, location: str, registry: Registry) -> list[JSONObject]:
    schema: Schema | None = getattr(reader, "parameter_schema", None)
    described = {} if schema is None else registry.inline(schema, View(load=True))["properties"]
    found = []
    for name, told in reader.document_parameters().items():
        parameter: JSONObject = {"in": location, "name": name, **told, "required": False}
        if schema is not None and name in described:
            field = schema.load_fields[name]
            parameter |= _parameter(name, location, without_nul(described[name]))
            parameter = _with_content(parameter | _style(field, Source.QUERY), field)
        found.append(parameter)
    return found


def _form_schema(inputs: Iterable[Input], registry: Registry) -> JSONObject:
    schema: JSONObject = {"type": "object", "properties": {}}
    closed = True
    for item in inputs:
        part = registry.inline(item.schema, View(load=True, partial=item.partial))
        schema["required"] = [*schema.get("required", ()), *part.get("required", ())]
        for name, field in item.schema.load_fields.items():
            key = wire_name(field, name)
            shown = without_nul(part["properties"][key])
            is_file = item.source is Source.FILES
            schema["properties"][key] = _as_file(field, shown) if is_file else shown
        closed = closed and part.get("additionalProperties") is False
    if closed:
        schema["additionalProperties"] = False
    if not schema.get("required"):
        schema.pop("required", None)
    return schema


def _encoding(inputs: Iterable[Input]) -> JSONObject:
    """Return how those parts of a form are written that are neither texts nor exploded lists."""
    found: JSONObject = {}
    for item in inputs:
        for name, field in item.schema.load_fields.items():
            key = wire_name(field, name)
            if isinstance(field, JSONText):
                found[key] = {"contentType": "application/json"}
            elif getattr(field, "delimiter", None) is not None:
                found[key] = {"style": "form", "explode": False}
    return {"encoding": found} if found else {}


def _as_file(field: Field, shown: JSONObject) -> JSONObject:
    words: JSONObject = {word: shown[word] for word in ("title", "description") if word in shown}
    if isinstance(field, fields.List):
        return {"type": "array", "items": dict(_FILE), **words}
    return {**_FILE, **words}
