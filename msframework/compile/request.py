"""The steps before the method: one function an input, which loads it or says what is wrong.

`compile_input` runs at start-up; what it returns runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from msframework.exceptions import UnsupportedMediaType
from msframework.operation import Input, PathParam, Source
from msframework.schemas import CompiledSchema
from msframework.schemas.errors import Bad

Errors = dict[str, Any]
Load = Callable[[Any, Errors], Any]
CompileSchema = Callable[[Schema], CompiledSchema]

_PLAIN_JSON = frozenset(
    ("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8")
)
_FORM_TYPES = frozenset(("application/x-www-form-urlencoded", "multipart/form-data"))
_NUL = "Null characters are not allowed."
_TEXT_KINDS = frozenset(("str", "strorempty", "path", "ext"))


def compile_input(item: Input, compile_schema: CompileSchema) -> Load:
    """Return the function that loads one location of a request.

    It puts marshmallow's messages into its second argument, under the name of the location.
    """
    if item.source is Source.BODY:
        return _compile_body(item, compile_schema)
    return _compile_fields(item, _READERS[item.source], compile_schema)


def _compile_body(item: Input, compile_schema: CompileSchema) -> Load:
    read_json = compile_schema(item.schema).read_json
    partial = True if item.partial else None

    def load_body(request: Any, errors: Errors) -> Any:
        if request.fields.get("content-type", "application/json") not in _PLAIN_JSON:
            _check_json(request)
        data = read_json(request.body, partial)
        if data.__class__ is Bad:
            errors["body"] = data.messages
            return None
        request.data = data
        return data

    return load_body


def _check_json(request: Any) -> None:
    given = request.headers["content-type"]
    media_type = given.partition(";")[0].strip().lower()
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return
    raise UnsupportedMediaType(
        f"the body is {media_type or 'of no type'}, but this endpoint reads application/json",
        headers={"Accept": "application/json"},
    )


def _compile_fields(
    item: Input,
    read: Callable[[Any, Mapping[str, bool]], dict[str, Any]],
    compile_schema: CompileSchema,
) -> Load:
    location = item.source.value
    keys = _keys(item.schema, dashes=item.source is Source.HEADERS)
    lists = {given: many for given, (_, many) in keys.items()}
    names = {given: key for given, (key, _) in keys.items()}
    read_text = compile_schema(item.schema).read_text
    options: dict[str, Any] = {"partial": True} if item.partial else {}
    strict = item.source in (Source.FORM, Source.FILES)
    if not strict:
        options["unknown"] = EXCLUDE

    def load_fields(request: Any, errors: Errors) -> Any:
        found = read(request, lists if not strict else {**_unknown(request, location), **lists})
        wrong = {names.get(key, key): [_NUL] for key, value in found.items() if _has_nul(value)}
        if wrong:
            errors.setdefault(location, {}).update(wrong)
            return None
        data = read_text({names.get(key, key): value for key, value in found.items()}, **options)
        if data.__class__ is Bad:
            errors.setdefault(location, {}).update(data.messages)
            return None
        if strict and request.data is None:
            request.data = data
        return data

    return load_fields


def _keys(schema: Schema, *, dashes: bool) -> dict[str, tuple[str, bool]]:
    """Map each name on the wire to its key for the schema, and whether it is a list."""
    keys = {}
    for name, field in schema.load_fields.items():
        key = field.data_key if field.data_key is not None else name
        given = key.replace("_", "-").lower() if dashes and field.data_key is None else key
        keys[given] = (key, isinstance(field, fields.List | fields.Tuple))
    return keys


def _unknown(request: Any, location: str) -> dict[str, bool]:
    sent = request.files if location == "files" else request.form
    return dict.fromkeys(sent or (), False)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value or not _encodable(value)
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_query(request: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    if not request.query_string:
        return {}
    return _pick(request.get_args(keep_blank_values=True), lists)


def _read_headers(request: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    headers = request.headers
    return {
        name: headers.getall(name) if many else headers[name]
        for name, many in lists.items()
        if name in headers
    }


def _read_cookies(request: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    return _pick(request.cookies, lists)


def _read_form(request: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    _check_form(request)
    return _pick(request.form or {}, lists)


def _read_files(request: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    _check_form(request)
    return _pick(request.files or {}, lists)


def _check_form(request: Any) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORM_TYPES:
        raise UnsupportedMediaType(
            f"the body is {media_type or 'of no type'}, but this endpoint reads a form",
            headers={"Accept": ", ".join(sorted(_FORM_TYPES))},
        )


def _pick(values: Any, lists: Mapping[str, bool]) -> dict[str, Any]:
    return {
        name: values.getlist(name) if many else values.get(name)
        for name, many in lists.items()
        if name in values
    }


_READERS: dict[Source, Callable[[Any, Mapping[str, bool]], dict[str, Any]]] = {
    Source.QUERY: _read_query,
    Source.HEADERS: _read_headers,
    Source.COOKIES: _read_cookies,
    Source.FORM: _read_form,
    Source.FILES: _read_files,
}


def text_params(params: tuple[PathParam, ...]) -> tuple[str, ...]:
    """Return the names of the path parameters that are text, and so may hold anything."""
    return tuple(
        param.name for param in params if param.kind in _TEXT_KINDS or not param.kind.isalpha()
    )


def check_text(name: str, value: str, errors: Errors) -> None:
    """Refuse a path parameter that PostgreSQL could not take as text."""
    if "\0" in value or not _encodable(value):
        errors.setdefault("path", {})[name] = [_NUL]
