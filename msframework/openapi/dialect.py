"""A document of OpenAPI 3.1 as one of 3.0: its schemas in the older JSON Schema.

Runs at start-up.

Sources: the OpenAPI Specification 3.0.3 ("Schema Object") and 3.1.0.
"""

from __future__ import annotations

from msframework.openapi.security import requirements_30, scheme_30
from msframework.types import JSONObject, JSONValue

_NULL: JSONObject = {"type": "null"}
_UNKNOWN = ("propertyNames", "contentMediaType")


def read_as_30(document: JSONObject) -> JSONObject:
    """Return *document*, which is of version 3.1, as version 3.0."""
    found = _walk(document)
    found["info"] = _info(found["info"])
    _say_security(found)
    return {**found, "openapi": "3.0.3"}  # the key keeps its place in front


def _say_security(document: JSONObject) -> None:
    schemes = document.get("components", {}).get("securitySchemes", {})
    schemes |= {name: scheme_30(scheme) for name, scheme in schemes.items()}
    for item in document.get("paths", {}).values():
        for operation in item.values():
            operation |= requirements_30(operation, schemes)


def _info(info: JSONObject) -> JSONObject:
    """Return *info* without the words that came with 3.1: a summary, and a licence's identifier."""
    found = {word: value for word, value in info.items() if word != "summary"}
    license = dict(found.get("license", ()))
    identifier = license.pop("identifier", None)
    if identifier is not None:
        license["url"] = f"https://spdx.org/licenses/{identifier}.html"
    return {**found, "license": license} if license else found


def _walk(value: JSONValue) -> JSONValue:
    """Return *value* with every schema in it converted."""
    if isinstance(value, list):
        return [_walk(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: JSONObject = {}
    for key, item in value.items():
        if key == "schema":
            found[key] = schema_30(item)
        elif key == "schemas":
            found[key] = {name: schema_30(schema) for name, schema in item.items()}
        elif key in ("examples", "example"):
            found[key] = item
        else:
            found[key] = _walk(item)
    return found


def schema_30(schema: JSONValue) -> JSONValue:
    """Return a schema of JSON Schema 2020-12 in the words of OpenAPI 3.0."""
    if not isinstance(schema, dict):
        return schema
    found = {key: _inner(key, item) for key, item in schema.items() if key not in _UNKNOWN}
    _const(found)
    _bounds(found)
    _examples(found)
    _places(found)
    _types(found)
    _alternatives(found)
    if "$ref" in found and len(found) > 1:  # the keys beside $ref are not read in 3.0
        found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


def _inner(key: str, item: JSONValue) -> JSONValue:
    if key == "properties":
        return {name: schema_30(schema) for name, schema in item.items()}
    if key in ("items", "additionalProperties", "not"):
        return schema_30(item)
    if key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        # NOTE: null among alternatives is kept for `_alternatives`.
        return [schema if schema == _NULL else schema_30(schema) for schema in item]
    return item


def _const(found: JSONObject) -> None:
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if None in found.get("enum", ()) and "type" not in found:
        found["nullable"] = True


def _bounds(found: JSONObject) -> None:
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in found and not isinstance(found[exclusive], bool):
            found[bound] = found[exclusive]
            found[exclusive] = True


def _examples(found: JSONObject) -> None:
    examples = found.pop("examples", None)
    if examples:
        found["example"] = examples[0]


def _places(found: JSONObject) -> None:
    if "prefixItems" in found:
        places = found.pop("prefixItems")
        different = [place for number, place in enumerate(places) if place not in places[:number]]
        found["items"] = different[0] if len(different) == 1 else {"anyOf": different}


def _types(found: JSONObject) -> None:
    """Write a list of types as one type, or as alternatives; an array names its items."""
    kinds = found.get("type")
    if kinds == "null":
        kinds = ["null"]
    if not isinstance(kinds, list):
        return
    del found["type"]
    real = [kind for kind in kinds if kind != "null"]
    if len(real) < len(kinds):
        found["nullable"] = True
    if not real and kinds:
        found["enum"] = [None]
    elif len(real) == 1:
        found["type"] = real[0]
    elif real:
        choices = {"anyOf": [{"type": kind} for kind in real]}
        if "anyOf" in found:
            found.setdefault("allOf", []).append(choices)
        else:
            found.update(choices)


def _alternatives(found: JSONObject) -> None:
    """Write `X or null` as X that is nullable, as tools of 3.0 read it."""
    for key in ("anyOf", "oneOf"):
        choices = found.get(key, ())
        real = [choice for choice in choices if choice != _NULL]
        if len(real) == len(choices):
            continue
        del found[key]
        found["nullable"] = True
        if len(real) == 1 and "allOf" not in found:
            found["allOf"] = real
        elif real:
            found[key] = real
