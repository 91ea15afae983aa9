"""Marshmallow schemas as JSON Schema 2020-12: apispec's converter, mended where it errs.

A schema is rendered for one `View`: as it is dumped, as it is loaded, or as a partial body. What it
nests becomes a reference that `components.Registry` resolves. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import INCLUDE, RAISE, Schema, fields, missing

from msframework.openapi.constraint import read_constraints
from msframework.openapi.literal import read_literal, read_literals
from msframework.openapi.pattern import kind_pattern
from msframework.schemas.columns import Base64
from msframework.schemas.lists import JSONText
from msframework.schemas.naming import wire_name
from msframework.schemas.presence import is_always_answered
from msframework.schemas.reference import Reference
from msframework.types import UNSET, Field, JSONObject

Partial = bool | frozenset[str]

_TYPES: dict[type, tuple[str | None, str | None]] = {
    **OpenAPIConverter.field_mapping,
    fields.Decimal: ("string", "decimal"),
    fields.NaiveDateTime: ("string", "date-time-local"),
    fields.Time: ("string", "time-local"),
    fields.URL: ("string", "uri"),
    fields.IP: ("string", None),
    fields.IPv4: ("string", "ipv4"),
    fields.IPv6: ("string", "ipv6"),
    fields.IPInterface: ("string", None),
    fields.Tuple: ("array", None),
    Base64: ("string", "byte"),
}
_DATE_FORMATS: dict[str, JSONObject] = {
    "iso": {},
    "iso8601": {},
    "rfc": {"type": "string", "examples": ["Wed, 02 Oct 2002 13:00:00 GMT"]},
    "rfc822": {"type": "string", "examples": ["Wed, 02 Oct 2002 13:00:00 GMT"]},
    "timestamp": {"type": "number", "minimum": 0, "examples": [1676451245.596]},
    "timestamp_ms": {"type": "number", "minimum": 0, "examples": [1676451277514.654]},
}
_TEXTS = ("title", "description", "format", "pattern")
# What metadata may say, of all that a schema holds: what JSON Schema has as something else than
# marshmallow's habits put into metadata, `required` for instance, is left out.
_METADATA = {
    *("additionalProperties", "allOf", "anyOf", "deprecated", "description", "enum", "example"),
    *("examples", "externalDocs", "format", "items", "maxItems", "maxLength", "maxProperties"),
    *("maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not"),
    *("oneOf", "pattern", "properties", "readOnly", "title", "type", "uniqueItems", "writeOnly"),
}
_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True, slots=True)
class View:
    """How a schema is looked at: dumped or loaded, how partially, with which unknown keys."""

    load: bool = False
    partial: Partial = False
    unknown: str | None = None

    def covers(self, name: str) -> bool:
        """Whether the field *name* may be absent although it is required."""
        return self.partial if isinstance(self.partial, bool) else name in self.partial

    def inner(self, name: str) -> Partial:
        """Return the partial fields below the field *name*, as marshmallow hands them on."""
        if isinstance(self.partial, bool):
            return self.partial
        prefix = f"{name}."
        return frozenset(
            item.removeprefix(prefix) for item in self.partial if item.startswith(prefix)
        )


Refer = Callable[[Schema, View], JSONObject]


class Converter(OpenAPIConverter):
    """Renders one schema at a time; `refer` turns each nested one into a reference."""

    field_mapping = _TYPES
    refer: Refer
    view: View = View()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.targets: dict[int, Schema] = {}

    def render(self, schema: Schema, view: View) -> JSONObject:
        """Return the JSON Schema of one object of *schema*, as *view* sees it."""
        before, self.view = self.view, view
        try:
            return self._object(schema, view)
        finally:
            self.view = before

    def render_texts(self, schema: Schema) -> JSONObject:
        """Return title and description of *schema*; its own code may read any data."""
        meta = getattr(schema, "Meta", None)
        texts = {word: getattr(meta, word, None) for word in ("title", "description")}
        return {word: text for word, text in texts.items() if isinstance(text, str)}

    def _object(self, schema: Schema, view: View) -> JSONObject:
        shown = schema.load_fields if view.load else schema.dump_fields
        body: JSONObject = {"type": "object", "properties": {}, **self.render_texts(schema)}
        required = []
        for name, field in shown.items():
            key = wire_name(field, name)
            body["properties"][key] = self.field2property(field)
            asked = field.required and not view.covers(name)
            if asked if view.load else is_always_answered(schema, name, field):
                required.append(key)
        if required:
            body["required"] = required
        unknown = schema.unknown if view.unknown is None else view.unknown
        hooked = schema._hooks.get("pre_load" if view.load else "post_dump")
        if unknown == INCLUDE:
            body["additionalProperties"] = True
        elif unknown == RAISE and not hooked:
            body["additionalProperties"] = False
        return body

    def init_attribute_functions(self) -> None:
        """List our readers of a field, in the order in which they add to its schema."""
        self.attribute_functions = [
            self.field2type_and_format,
            self.datetime2properties,
            self.timedelta2properties,
            self.ip2properties,
            self.nested2properties,
            self.pluck2properties,
            self.list2properties,
            self.tuple2properties,
            self.json2properties,
            self.dict2properties,
            self.enum2properties,
            self.constant2properties,
            self.pattern2properties,
            self.reference2properties,
            self.constraint2properties,
            self.metadata2properties,
            self.field2default,
            self.field2read_only,
            self.field2write_only,
            self.field2nullable,
        ]

    def datetime2properties(self, field: Field, **kwargs: JSONObject) -> JSONObject:
        """Describe a date in another format than ISO 8601."""
        written = getattr(field, "format", None)
        if not isinstance(field, (fields.DateTime, fields.Time)) or written is None:
            return {}
        found = dict(_DATE_FORMATS.get(written, {"type": "string", "x-format": written}))
        if found:
            kwargs["ret"].pop("format", None)
        return found

    def ip2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Say that an address may be of either kind."""
        either = isinstance(field, fields.IP) and not isinstance(field, fields.IPv4 | fields.IPv6)
        return {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]} if either else {}

    def nested2properties(self, field: Field, ret: JSONObject) -> JSONObject:
        """Refer to the nested schema, seen in the same direction and as partially."""
        if not isinstance(field, fields.Nested) or isinstance(field, fields.Pluck):
            return {}
        schema, view = field.schema, self.view
        inner = View(view.load, view.inner(field.name or ""), field.unknown)
        found = self.refer(schema, inner)
        many = schema.many or field.many
        return {"type": "array", "items": found} if many else found

    def pluck2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Show the plucked field in the place of its object."""
        if not isinstance(field, fields.Pluck):
            return {}
        found = self.field2property(field.schema.fields[field.field_name])
        return {"type": "array", "items": found} if field.many else found

    def tuple2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Describe each place of a tuple."""
        if not isinstance(field, fields.Tuple):
            return {}
        places = [self.field2property(inner) for inner in field.tuple_fields]
        if not places:
            return {"items": {}, "maxItems": 0}
        size = len(places)
        return {"prefixItems": places, "minItems": size, "maxItems": size}

    def json2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Describe the value that a text of JSON holds."""
        return self.field2property(field.inner) if isinstance(field, JSONText) else {}

    def dict2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Describe the keys and values of a mapping."""
        if not isinstance(field, fields.Mapping):
            return {}
        found: JSONObject = {"type": "object"}
        if field.key_field is not None:
            keys = self.field2property(field.key_field)
            # NOTE: every key of a JSON object is a string, whatever it is read as.
            if keys.get("type") == "string":
                found["propertyNames"] = keys
        if field.value_field is not None:
            found["additionalProperties"] = self.field2property(field.value_field)
        return found

    def enum2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """List the values (or names) of an enum as they stand on the wire."""
        if not isinstance(field, fields.Enum):
            return {}
        inner = field.field
        members = field.enum
        values = (m.value for m in members) if field.by_value else iter(members.__members__)
        listed = read_literals(inner._serialize(value, "", None) for value in values)
        found = self.field2property(inner)
        kinds = {_JSON_TYPES.get(type(value)) for value in listed if value is not None}
        if "type" not in found and len(kinds) == 1 and None not in kinds:
            found["type"] = kinds.pop()
        return {**found, "enum": listed}

    def constant2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """State the one value of a constant; the value that is sent for it is ignored."""
        literal = read_literal(getattr(field, "constant", UNSET))
        if not isinstance(field, fields.Constant) or literal is UNSET or self.view.load:
            return {}
        return {"const": literal}

    def pattern2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Say how a number, a time or bytes are written as text, where the format does not."""
        pattern = kind_pattern(field)
        return {} if pattern is None else {"pattern": pattern}

    def reference2properties(self, field: Field, **kwargs: object) -> JSONObject:
        """Describe another service's object: its id when loaded, the id or it when dumped."""
        if not isinstance(field, Reference):
            return {}
        shown = self.field2property(field.id_field)
        shown.update(read_constraints(field, shown))
        if self.view.load:
            return shown
        # NOTE: each copy of a field makes its own schema of the target; one that leads back to
        # itself would never end.
        schema = self.targets.setdefault(id(field.target), field.schema)
        found = self.refer(schema, View())
        return {"anyOf": [shown, {"type": "array", "items": found} if schema.many else found]}

    def constraint2properties(self, field: Field, ret: JSONObject) -> JSONObject:
        """Add the constraints of the field's validators."""
        if isinstance(field, Reference):  # they see the id
            return {}
        return read_constraints(field, ret)

    def metadata2properties(self, field: Field, **kwargs: JSONObject) -> JSONObject:
        """Take over the keywords of JSON Schema in the field's metadata, JSON values only."""
        found: JSONObject = {}
        for key, value in field.metadata.items():
            name = key.replace("_", "-") if key.startswith("x_") else key
            literal = read_literal(value)
            known = name in _METADATA or name.startswith("x-")
            if not known or literal is UNSET or (name in _TEXTS and not isinstance(literal, str)):
                continue
            if name == "example":
                found.setdefault("examples", [literal])
            elif literal != "":
                found[name] = literal
        kinds = found.get("type")
        if isinstance(kinds, list) and len(set(kinds) - {"null"}) > 1:
            kwargs["ret"].pop("type", None)
            found["anyOf"] = [{"type": kind} for kind in found.pop("type")]
        return found

    def field2default(self, field: Field, **kwargs: object) -> JSONObject:
        """Give the value that stands in for an absent one, where it is fixed and plain.

        Nothing stands in where absent means unchanged, and nothing is absent from an answer: a
        client that is generated from a default there sends it, or shows it for an absent
        value.
        """
        if not self.view.load or self.view.covers(field.name or ""):
            return {}
        value = field.metadata.get("default", UNSET)
        if value is UNSET:
            value = field.load_default
            if value is missing or callable(value) or isinstance(field, fields.Constant):
                return {}
            try:
                value = field._serialize(value, "", None)
            except Exception:  # a default that its own field cannot dump
                return {}
        literal = read_literal(value)
        return {} if literal is UNSET else {"default": literal}

    def field2nullable(self, field: Field, ret: JSONObject) -> JSONObject:
        """Let `null` in, wherever it would else be refused."""
        if not field.allow_none and (self.view.load or field.dump_default is not None):
            return {}
        if "$ref" in ret:
            return {"anyOf": [{"$ref": ret.pop("$ref")}, {"type": "null"}]}
        found: JSONObject = {}
        if ret.get("const", UNSET) not in (None, UNSET):
            return {"enum": [ret.pop("const"), None]}
        if isinstance(ret.get("type"), str):
            found["type"] = [ret["type"], "null"]
        if "enum" in ret and None not in ret["enum"]:
            found["enum"] = [*ret["enum"], None]
        if "anyOf" in ret:
            found["anyOf"] = [*ret["anyOf"], {"type": "null"}]
        return found
