"""A document of OpenAPI 3.0 as Swagger 2.0. Runs at start-up.

Source: the OpenAPI Specification 2.0. A fact without a word in it is kept under an `x-` keyword, so
the document says less than 3.0 there, and never something else.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msframework.openapi.security import requirements_20, scheme_20
from msframework.types import JSONObject, JSONValue

_PLAIN = {
    "type",
    "format",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
}
_RENAMED = {"nullable", "writeOnly", "deprecated", "anyOf", "oneOf", "not"}


def read_as_20(document: JSONObject) -> JSONObject:
    """Return *document*, which is of version 3.0, as Swagger 2.0."""
    components = document.get("components", {})
    found: JSONObject = {"swagger": "2.0", "info": document["info"]}
    found |= _address([server["url"] for server in document.get("servers", ())])
    found |= {word: document[word] for word in ("security", "tags") if word in document}
    given = components.get("securitySchemes", {})
    schemes = {name: scheme_20(scheme) for name, scheme in given.items()}
    shared = components.get("responses", {})
    headers = {name: _header(header) for name, header in components.get("headers", {}).items()}
    found["paths"] = {
        path: {
            method: _operation(operation, shared, schemes, headers)
            for method, operation in item.items()
        }
        for path, item in document["paths"].items()
    }
    schemas = components.get("schemas", {})
    if schemas:
        found["definitions"] = {name: _schema(schema) for name, schema in schemas.items()}
    if shared:
        found["responses"] = {name: _response(answer, headers) for name, answer in shared.items()}
    if schemes:
        found["securityDefinitions"] = schemes
    if "externalDocs" in document:
        found["externalDocs"] = document["externalDocs"]
    return found


def _address(urls: list[str]) -> JSONObject:
    """Return the address of the first of *urls* that is a whole one: 2.0 knows one host."""
    whole = [url for url in urls if urlsplit(url).netloc]
    parts = urlsplit((whole or urls or [""])[0])
    found: JSONObject = {"host": parts.netloc} if parts.netloc else {}
    if parts.path:
        found["basePath"] = parts.path
    schemes = [urlsplit(url).scheme for url in whole if urlsplit(url).netloc == parts.netloc]
    return {**found, "schemes": list(dict.fromkeys(schemes))} if schemes else found


def _operation(
    operation: JSONObject, shared: JSONObject, schemes: JSONObject, headers: JSONObject
) -> JSONObject:
    words = ("tags", "summary", "description", "operationId", "deprecated")
    found: JSONObject = {word: operation[word] for word in words if word in operation}
    parameters = [p for p in operation.get("parameters", ()) if p["in"] != "cookie"]
    found["parameters"] = [_parameter(parameter) for parameter in parameters]
    cookies = [p for p in operation.get("parameters", ()) if p["in"] == "cookie"]
    if cookies:
        found["x-cookies"] = [_parameter(parameter) for parameter in cookies]
    body = operation.get("requestBody")
    if body is not None:
        found["consumes"] = list(body["content"])
        found["parameters"] += _body(body)
    produces: dict[str, None] = {}
    for answer in operation["responses"].values():
        resolved = shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        produces.update(dict.fromkeys(resolved.get("content", ())))
    found["produces"] = list(produces)
    found["responses"] = {
        status: _response(answer, headers) for status, answer in operation["responses"].items()
    }
    found = {key: value for key, value in found.items() if value != []}
    return found | requirements_20(operation, schemes)


def _parameter(parameter: JSONObject) -> JSONObject:
    words = ("in", "name", "description")
    found: JSONObject = {word: parameter[word] for word in words if word in parameter}
    found["required"] = parameter.get("required", False)
    schema = parameter.get("schema")
    # NOTE: 2.0 knows a JSON value in a parameter as a text alone.
    plain: JSONObject = {"type": "string"} if schema is None else _plain(schema)
    if plain["type"] == "array" and parameter["in"] == "query":
        plain["collectionFormat"] = "multi" if parameter.get("explode", True) else "csv"
    if parameter.get("deprecated"):
        plain["x-deprecated"] = True
    return {**found, **plain}


def _plain(schema: JSONObject) -> JSONObject:
    """Return *schema* as parameters other than bodies have it: no objects, no references."""
    converted = _schema(schema)
    found = {key: v for key, v in converted.items() if key in _PLAIN or key.startswith("x-")}
    if found.get("format") == "binary":
        return {"type": "file"}
    if found.get("type") not in ("string", "number", "integer", "boolean", "array"):
        found["type"] = "string"
    if found["type"] == "array":
        found["items"] = _plain(converted.get("items", {}))
    return found


def _body(body: JSONObject) -> list[JSONObject]:
    media_type, media = next(iter(body["content"].items()))
    if media_type == "application/json":
        return [
            {"in": "body", "name": "body", "required": True, "schema": _schema(media["schema"])}
        ]
    required = media["schema"].get("required", ())
    found = []
    for name, schema in media["schema"]["properties"].items():
        parameter: JSONObject = {"in": "formData", "name": name, "required": name in required}
        if "description" in schema:
            parameter["description"] = schema["description"]
        plain = _plain(schema)
        if plain["type"] == "array":
            # NOTE: 2.0 knows no list of files; a list of texts is the nearest it has.
            plain["collectionFormat"] = "multi"
            if plain["items"]["type"] == "file":
                plain["items"] = {"type": "string", "format": "binary"}
        found.append({**parameter, **plain})
    return found


def _header(header: JSONObject) -> JSONObject:
    found = {"description": header["description"]} if "description" in header else {}
    shown = {"x-example": header["example"]} if "example" in header else {}
    return {**found, **_plain(header["schema"]), **shown}


def _response(answer: JSONObject, headers: JSONObject) -> JSONObject:
    if "$ref" in answer:
        return {"$ref": answer["$ref"].replace("#/components/responses/", "#/responses/")}
    found: JSONObject = {"description": answer["description"]}
    if "headers" in answer:
        found["headers"] = {
            name: headers[name] if "$ref" in header else _header(header)
            for name, header in answer["headers"].items()
        }
    for media_type, media in answer.get("content", {}).items():
        found["schema"] = _schema(media["schema"])
        examples = [shown["value"] for shown in media.get("examples", {}).values()]
        if examples:
            found["examples"] = {media_type: examples[0]}
        if len(examples) > 1:
            found["x-examples"] = examples
    return found


def _schema(schema: JSONValue) -> JSONValue:
    """Return a schema of OpenAPI 3.0 in the words of Swagger 2.0."""
    if not isinstance(schema, dict):
        return schema
    schema = _without_null(schema)
    found: JSONObject = {}
    for key, item in schema.items():
        if key == "$ref":
            found[key] = item.replace("#/components/schemas/", "#/definitions/")
        elif key == "properties":
            found[key] = {name: _schema(inner) for name, inner in item.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = _schema(item)
        elif key in ("allOf", "anyOf", "oneOf"):
            inner = [_schema(one) for one in item]
            found[key if key == "allOf" else f"x-{key}"] = inner
        elif key == "not":
            found["x-not"] = _schema(item)
        else:
            found[f"x-{key}" if key in _RENAMED else key] = item
    if found.get("type") == "array":
        found.setdefault("items", {})
    return found


def _without_null(schema: JSONObject) -> JSONObject:
    """Take null out of the choices: no type of 2.0 has it, and `x-nullable` says it."""
    if None not in schema.get("enum", ()):
        return schema
    choices = [choice for choice in schema["enum"] if choice is not None]
    rest = {key: item for key, item in schema.items() if key != "enum"}
    return {**rest, **({"enum": choices} if choices else {}), "nullable": True}
