"""The steps before the method: one function an input, which loads it or lists its mistakes.

`compile_input` runs at start-up; its result runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Final

from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields
from sanic.request import File

from msframework.codec import CompiledSchema
from msframework.codec.bounds import MAX_ERRORS, bound_messages
from msframework.codec.errors import Rejected
from msframework.inputs.form import FORMS
from msframework.inputs.media import require_media_type, unsupported
from msframework.operation import Input, Source
from msframework.schemas.lists import CommaList
from msframework.schemas.naming import wire_name
from msframework.schemas.storable import why_not_storable
from msframework.serving.request import Request
from msframework.types import Field

Errors = dict[str, Any]
Load = Callable[[Request, Errors], Any]
CompileSchema = Callable[[Schema], CompiledSchema]
# The names that are declared, each with whether it takes several values.
Declared = Mapping[str, bool]
Given = Mapping[str, list[Any]]
# The keys of a schema by the names on the wire, each with whether it takes several values.
Keys = Mapping[str, tuple[str, bool]]
Read = Callable[[Request, Declared], Given]

_JSON: Final = "application/json"
_PLAIN_JSON: Final = frozenset(
    (_JSON, "application/json; charset=utf-8", "application/json;charset=utf-8")
)
_FORM_SOURCES: Final = frozenset((Source.FORM, Source.FILES))
# Fields whose lines are one list, and may be joined with commas (RFC 9110, 5.3).
_LISTED: Final = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "forwarded",
        "if-match",
        "if-none-match",
        "pragma",
        "prefer",
        "te",
        "trailer",
        "tracestate",
        "upgrade",
        "vary",
        "via",
        "x-forwarded-for",
    )
)


def compile_input(
    item: Input,
    inputs: Sequence[Input],
    compile_schema: CompileSchema,
    *,
    max_errors: int = MAX_ERRORS,
) -> Load:
    """Return the function that loads one input of a request.

    It puts marshmallow's messages into its second argument, under the name of the location.

    Args:
        inputs: all inputs of the operation, *item* among them.
        max_errors: how many messages a location gets.
    """
    if item.reader is not None:
        return _compile_reader(item, inputs, max_errors)
    if item.source is Source.BODY:
        return _compile_body(item, compile_schema)
    read = _READERS[item.source]
    deep = deep_objects(item.source, item.schema)
    if deep:
        read = _read_deep(read, tuple(deep))
    beside: list[Input] = []
    if item.source in _FORM_SOURCES:
        if {other.source for other in inputs}.isdisjoint(_FORM_SOURCES - {item.source}):
            read = _read_whole_form  # its fields, or its files, are all that is declared of it
        beside = [o for o in inputs if o.source is item.source and o is not item]
        if beside:
            read = _leave_others(item, beside, read)
    return _compile_fields(item, read, compile_schema, max_errors, joins=bool(beside))


def _compile_reader(item: Input, inputs: Sequence[Input], max_errors: int) -> Load:
    """Return the function of what reads the query itself, which may ask for the others' names."""
    assert item.reader is not None
    compile_beside = getattr(item.reader, "compile_beside", None)
    if compile_beside is None:
        return item.reader.compile()
    others = query_names(other for other in inputs if other is not item)

    def note(errors: Errors, wrong: Errors) -> None:
        add_errors(errors, item.source.value, wrong, max_errors)

    load: Load = compile_beside(others, note)
    return load


def query_names(inputs: Iterable[Input]) -> frozenset[str]:
    """Return the names that *inputs* read of a query."""
    found: set[str] = set()
    for item in inputs:
        if item.reader is not None:
            found.update(item.reader.document_parameters())
        elif item.source is Source.QUERY:
            found.update(wire_keys(item.source, item.schema))
            found.update(
                f"{key}[{inner}]"
                for key, schema in deep_objects(item.source, item.schema).items()
                for inner in wire_keys(item.source, schema)
            )
    return frozenset(found)


def _compile_body(item: Input, compile_schema: CompileSchema) -> Load:
    if item.key:
        return _compile_keyed_body(item, compile_schema)
    read_json = compile_schema(item.schema).read_json
    partial = True if item.partial else None

    def load_body(request: Request, errors: Errors) -> Any:
        if request.fields.get("content-type") not in _PLAIN_JSON or request.repeats:
            _check_json(request)
        data = read_json(request.body, partial)
        if data.__class__ is Rejected:
            errors["body"] = data.messages
            return None
        request.data = data
        return data

    return load_body


def _compile_keyed_body(item: Input, compile_schema: CompileSchema) -> Load:
    """Return the load of a body that is an object with the data under one key."""
    key, inner = item.key, copy(item.schema)
    if item.partial:
        inner.partial = True
    keyed = Schema.from_dict({key: fields.Nested(inner, required=True)})
    read_json = compile_schema(keyed()).read_json

    def load_keyed_body(request: Request, errors: Errors) -> Any:
        if request.fields.get("content-type") not in _PLAIN_JSON or request.repeats:
            _check_json(request)
        data = read_json(request.body)
        if data.__class__ is Rejected:
            errors["body"] = data.messages
            return None
        request.data = data = data[key]
        return data

    return load_keyed_body


def _check_json(request: Request) -> None:
    media_type = require_media_type(request, _JSON, _JSON).name
    if media_type != _JSON and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise unsupported(f"the body is {media_type}, but this endpoint reads {_JSON}", _JSON)


def _compile_fields(
    item: Input, read: Read, compile_schema: CompileSchema, max_errors: int, *, joins: bool
) -> Load:
    location = item.source.value
    keys = wire_keys(item.source, item.schema)
    declared = {given: many for given, (_, many) in keys.items()}
    read_text = compile_schema(item.schema).read_text
    options: dict[str, Any] = {"partial": True} if item.partial else {}
    strict = item.source in _FORM_SOURCES
    keeps = strict and item.schema.unknown == INCLUDE
    if not strict:
        options["unknown"] = EXCLUDE
    why_wrong = _why_no_file if item.source is Source.FILES else why_not_storable

    def load_fields(request: Request, errors: Errors) -> Any:
        given = read(request, declared)
        values, wrong = {}, {}
        for name, (key, many) in (_add_keys(keys, given) if keeps else keys).items():
            if name in given:
                found = given[name]
                if many or len(found) == 1:
                    values[key] = found if many else found[0]
                    message = why_wrong(values[key])
                else:
                    message = f"Given {len(found)} times, but takes one value."
                if message is not None:
                    values.pop(key, None)
                    wrong[key] = [message]
        if strict:
            values |= _read_unknown(given, declared)
        data = read_text(values, **options)
        if data.__class__ is Rejected:
            wrong = data.messages | wrong
        if wrong:
            add_errors(errors, location, wrong, max_errors)
            return None
        if strict and request.data is None:
            request.data = data
        elif joins:
            _join_data(request, data)
        return data

    return load_fields


def add_errors(errors: Errors, location: str, wrong: Errors, most: int) -> None:
    """Add the messages of one input to those of the others of its location."""
    known = errors.get(location)
    if known:
        for key in known.keys() & wrong.keys():
            messages, more = known[key], wrong[key]
            if isinstance(messages, list) and isinstance(more, list):
                wrong[key] = [*messages, *(each for each in more if each not in messages)]
        wrong = known | wrong
    errors[location] = bound_messages(wrong, most)


def _join_data(request: Request, data: object) -> None:
    """Add one input of a form to the result of its others."""
    if isinstance(request.data, dict) and isinstance(data, dict):
        request.data = request.data | data


def _leave_others(item: Input, beside: Sequence[Input], read: Read) -> Read:
    """Return *read* without the keys that inputs beside *item* declare.

    Keys that none of them declares are for *item* to judge, unless others take or ignore them.
    """
    others = {key for other in beside for key in wire_keys(other.source, other.schema)}
    judges = item.schema.unknown != RAISE or all(o.schema.unknown == RAISE for o in beside)

    def read_own(request: Request, declared: Declared) -> Given:
        return {
            name: values
            for name, values in read(request, declared).items()
            if name in declared or (judges and name not in others)
        }

    return read_own


def wire_keys(source: Source, schema: Schema) -> Keys:
    """Map each name on the wire to its key for the schema, and whether it is a list."""
    dashes = source is Source.HEADERS
    keys = {}
    for name, field in schema.load_fields.items():
        key = wire_name(field, name)
        given = key.replace("_", "-").lower() if dashes and field.data_key is None else key
        keys[given] = (key, takes_several(field))
    return keys


def takes_several(field: Field) -> bool:
    """Whether *field* reads a list of texts: not where it parts one text by itself."""
    if isinstance(field, CommaList):
        return True
    return isinstance(field, fields.List | fields.Tuple) and not hasattr(field, "delimiter")


def deep_objects(source: Source, schema: Schema) -> Mapping[str, Schema]:
    """Return the schemas of the objects that a query gives member by member: `?filter[age]=3`."""
    if source is not Source.QUERY:
        return {}
    return {
        wire_name(field, name): field.schema
        for name, field in schema.load_fields.items()
        if isinstance(field, fields.Nested) and not isinstance(field, fields.Pluck)
    }


def _read_deep(read: Read, names: Sequence[str]) -> Read:
    """Return *read* with the members of each of *names* put together (OpenAPI's `deepObject`)."""

    def read_deep(request: Request, declared: Declared) -> Given:
        given = read(request, declared)
        found: dict[str, dict[str, Any]] = {}
        for name, texts in given.items():
            start, bracket, member = name.partition("[")
            if bracket and start in names and member.endswith("]"):
                text = texts[0] if len(texts) == 1 else texts
                found.setdefault(start, {})[member[:-1]] = text
        if not found:
            return given
        return {**given, **{name: [*given.get(name, ()), each] for name, each in found.items()}}

    return read_deep


def _add_keys(keys: Keys, given: Given) -> Keys:
    """Return *keys* with those of *given* that the schema takes though it declares none."""
    return {**{name: (name, len(values) > 1) for name, values in given.items()}, **keys}


def _read_unknown(given: Given, declared: Declared) -> dict[str, Any]:
    """Return the values that nobody declared, for the schema to judge."""
    return {
        name: values[0] if len(values) == 1 else values
        for name, values in given.items()
        if name not in declared
    }


def _read_query(request: Request, declared: Declared) -> Given:
    if not request.query_string:
        return {}
    values: Given = request.get_args(keep_blank_values=True)
    return values


def _read_headers(request: Request, declared: Declared) -> Given:
    """Return the values of the declared headers; a list has one for each of its elements."""
    found = {}
    for name, many in declared.items():
        lines = request.headers.getall(name, None)
        if lines is None:
            continue
        if many:
            elements = ",".join(lines).split(",")
            lines = [stripped for element in elements if (stripped := element.strip(" \t"))]
        elif len(lines) > 1 and name.lower() in _LISTED:
            lines = [", ".join(lines)]
        found[name] = lines
    return found


def _read_cookies(request: Request, declared: Declared) -> Given:
    # NOTE: for Sanic `a` also means `__Host-a` and `__Secure-a`; here it is what is declared.
    return dict(request.cookies)


def _read_form(request: Request, declared: Declared) -> Given:
    _check_form(request)
    values: Given = request.form
    return values


def _read_files(request: Request, declared: Declared) -> Given:
    _check_form(request)
    values: Given = request.files
    return values


def _read_whole_form(request: Request, declared: Declared) -> Given:
    """Return fields and files together, so that none of either is lost."""
    _check_form(request)
    found = dict(request.form)
    for name, files in request.files.items():
        found[name] = [*found.get(name, ()), *files]
    return found


def _why_no_file(value: object) -> str | None:
    """Return why *value* is not what `@doc.files` declares, or `None` when it is."""
    values = value if isinstance(value, list) else [value]
    return None if all(isinstance(item, File) for item in values) else "Not a file."


def _check_form(request: Request) -> None:
    media_type = require_media_type(request, "a form", FORMS).name
    if media_type not in FORMS.split(", "):
        raise unsupported(f"the body is {media_type}, but this endpoint reads a form", FORMS)


_READERS: dict[Source, Read] = {
    Source.QUERY: _read_query,
    Source.HEADERS: _read_headers,
    Source.COOKIES: _read_cookies,
    Source.FORM: _read_form,
    Source.FILES: _read_files,
}


def check_text(name: str, value: str, errors: Errors) -> None:
    """Refuse a path parameter that PostgreSQL could not take as text."""
    message = why_not_storable(value)
    if message is not None:
        errors.setdefault("path", {})[name] = [message]
