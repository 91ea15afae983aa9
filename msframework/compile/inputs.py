"""The inputs of an operation by source, and the declarations that cannot be read.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from keyword import iskeyword
from typing import Final

from marshmallow import Schema, fields

from msframework.compile.request import wire_keys
from msframework.compile.schema import KnownSchemas
from msframework.doc import InputNote, Notes
from msframework.operation import Input, PathParam, Source
from msframework.problem import Problem
from msframework.schemas.lists import STYLES, JSONText
from msframework.types import Field

BODY_SOURCES: Final = (Source.BODY, Source.FORM, Source.FILES)
_SEVERAL: Final = (fields.List, fields.Tuple, fields.Nested, fields.Mapping, JSONText)
# Fields that load no file.
_TEXTUAL: Final = (
    fields.Boolean,
    fields.DateTime,
    fields.Enum,
    fields.IP,
    fields.IPInterface,
    fields.Number,
    fields.String,
    fields.TimeDelta,
    fields.UUID,
)


def decorator_of(source: Source, declared: object = None) -> str:
    """Return the name of the decorator that notes an input of *source*, as *declared*."""
    if _is_reader(declared):
        return str(getattr(declared, "decorator", ""))
    return "@doc.consumes" if source is Source.BODY else f"@doc.{source.value}"


def read_inputs(
    notes: Notes,
    where: str,
    method: str,
    params: Sequence[PathParam],
    problems: list[str],
    schemas: KnownSchemas,
) -> tuple[Input, ...]:
    """Return the inputs that *notes* declare; append the mistakes to *problems*."""
    _check_bodies(notes, where, method, problems)
    inputs = []
    for note in _check_names(notes, where, params, problems):
        if _is_reader(note.schema):
            mistakes = [*note.schema.find_mistakes()]
            if hasattr(note.schema, "find_secrets"):
                mistakes += note.schema.find_secrets(schemas.sensitive)
            problems.extend(_placed(where, mistake) for mistake in mistakes)
            inputs.append(Input(note.source, note.schema, name=note.name))
            continue
        schema = _read_schema(note, where, problems, schemas)
        if schema is not None:
            partial = note.partial
            if partial is None:
                partial = method == "PATCH" and note.source in BODY_SOURCES and not schema.partial
            key = read_key(note.key, "@doc.consumes", where, problems)
            inputs.append(Input(note.source, schema, partial, note.name, key))
    if notes.page is not None:
        inputs.append(Input(Source.QUERY, notes.page, name="page"))
    _check_keys(inputs, where, problems)
    return tuple(inputs)


def _placed(where: str, mistake: str) -> str:
    """Return *mistake* with the place of its declaration."""
    if not isinstance(mistake, Problem):
        return f"{where}: {mistake}"
    return Problem(where, mistake.found, mistake.expected, mistake.advice)


def read_key(key: object, decorator: str, where: str, problems: list[str]) -> str:
    """Return the key that a body or an answer has its data under; empty where it has none."""
    if key is None:
        return ""
    if isinstance(key, str) and key:
        return key
    found = f"{decorator} got the key {key!r}"
    problems.append(Problem(where, found, "a text, as in key='article'", "Name it, or drop it."))
    return ""


def _is_reader(thing: object) -> bool:
    """Tell whether *thing* reads the query itself; a class of such readers does not."""
    return not isinstance(thing, type) and hasattr(thing, "document_parameters")


def _check_bodies(notes: Notes, where: str, method: str, problems: list[str]) -> None:
    noted = {note.source for note in notes.inputs}
    given = [source for source in BODY_SOURCES if source in noted]
    if Source.BODY in given and len(given) > 1:
        advice = "A request has one body: keep @doc.consumes, or @doc.form and @doc.files."
        problems.append(Problem(where, "it declares both a JSON body and a form", advice=advice))
    if given and method == "GET":
        found = f"a GET request has no body (RFC 9110, 9.3.1), but @doc declares {given[0].value}"
        problems.append(Problem(where, found, advice="Use @doc.query, or another method."))


def _check_names(
    notes: Notes, where: str, params: Iterable[PathParam], problems: list[str]
) -> list[InputNote]:
    """Refuse names that no argument can have, or that two have; return the other notes."""
    givers = {param.name: f"<{param.name}> of the path" for param in params}
    if notes.page is not None:
        givers["page"] = "@doc.paginate"
    good = []
    for note in notes.inputs:
        name, decorator = note.name, decorator_of(note.source, note.schema)
        if not str(name).isidentifier() or iskeyword(str(name)):
            expected = "a Python name, as that of a parameter of the method"
            found = f"{decorator} got the name {name!r}"
            problems.append(Problem(where, found, expected, "Correct the name."))
        elif name not in givers:
            givers[name] = decorator
            good.append(note)
        elif givers[name] != decorator:
            found = f"{decorator} gives the argument {name!r}, as does {givers[name]}"
            problems.append(Problem(where, found, "a name for each", "Rename one of them."))
        elif note.source is Source.BODY:
            found = "its body is declared twice, but a request has one JSON body"
            advice = "Keep one of the decorators, with one schema for the whole body."
            problems.append(Problem(where, found, advice=advice))
        else:
            found = f"its {name} is declared twice"
            advice = "Keep one of the decorators, or give one of them another argument: name=…."
            problems.append(Problem(where, found, advice=advice))
    return good


def _read_schema(
    note: InputNote, where: str, problems: list[str], schemas: KnownSchemas
) -> Schema | None:
    source, thing = note.source, note.schema
    schema = schemas.read(
        thing,
        source.value,
        where,
        problems,
        for_load=True,
        for_texts=source is not Source.BODY,
    )
    if schema is None:
        return None
    if schema.many and source is not Source.BODY:
        found = f"{source.value} cannot be read through a list ({thing!r})"
        problems.append(Problem(where, found, advice="Pass one Schema."))
    problems.extend(
        Problem(
            where,
            f"{source.value} cannot be read through {thing!r}: {why}",
            advice=(
                "Take a text or a list of texts (a file or a list of files), a CommaList or a "
                "JSONText of msframework.schemas, or @doc.consumes."
            ),
        )
        for why in _find_unreadable(source, schema)
    )
    return schema


def _check_keys(inputs: Iterable[Input], where: str, problems: list[str]) -> None:
    """Refuse a key that two inputs of one source read, as it could be meant for either."""
    readers: dict[tuple[Source, str], Input] = {}
    for item in inputs:
        for key in _keys_of(item):
            spelled = key.lower() if item.source is Source.HEADERS else key
            other = readers.setdefault((item.source, spelled), item)
            if other is item:
                continue
            if item.reader is not None:
                by = "@doc.query" if other.reader is None else other.reader.decorator
                found = f"{item.reader.decorator} reads {key!r} of the query, as does {by}"
                advice = "Drop one of them, or rename the field."
                problems.append(Problem(where, found, advice=advice))
            else:
                found = (
                    f"{decorator_of(item.source)} reads {key!r} for its argument {other.name!r} "
                    f"and for {item.name!r}"
                )
                advice = "Drop it from one, or rename the field."
                problems.append(Problem(where, found, "each key in one of them", advice))


def _keys_of(item: Input) -> Iterable[str]:
    """Return the names that an input reads; a JSON body is read whole."""
    if item.reader is not None:
        return item.reader.document_parameters()
    return () if item.source is Source.BODY else wire_keys(item.source, item.schema)


def _find_unreadable(source: Source, schema: Schema) -> Iterator[str]:
    """Yield a text for each field of *schema* that can never be read from *source*.

    Everything but a JSON body has texts, or files, and lists of these, by name. A query also has
    objects of texts, `?filter[age]=3`, and a text may be a list with commas or a JSON value.
    """
    if source is Source.BODY:
        return
    for name, field in schema.load_fields.items():
        if source is Source.QUERY and type(field) is fields.Nested and _is_flat(field):
            continue
        inner = [field]
        if isinstance(field, fields.List):
            inner = [field.inner]
        elif isinstance(field, fields.Tuple):
            inner = list(field.tuple_fields)
        for part in inner:
            kind = _structure(part, source)
            if part is not field and isinstance(part, JSONText):
                kind = "JSON values within a list"
            if kind is not None:
                yield f"the field {name!r} takes {kind}"
        if not _parts_text(field, source):
            yield f"the field {name!r} takes several values in one text"


def _is_flat(field: fields.Nested) -> bool:
    """Tell whether *field* is one object whose members are texts (OpenAPI's `deepObject`)."""
    schema = field.schema
    if field.many or schema.many:
        return False
    return not any(isinstance(each, _SEVERAL) for each in schema.load_fields.values())


def _parts_text(field: Field, source: Source) -> bool:
    """Tell whether *field* parts a text into values as the document says, or not at all."""
    delimiter = getattr(field, "delimiter", None)
    if delimiter is None:
        return True
    known = STYLES if source is Source.QUERY else {",": ""}
    itself = type(field)._deserialize not in (fields.List._deserialize, fields.Tuple._deserialize)
    return source is not Source.FILES and delimiter in known and itself


def _structure(field: Field, source: Source) -> str | None:
    """Name the kind of value that *field* takes; `None` for a text, or a file."""
    if isinstance(field, fields.Pluck) and not field.many:
        return None
    if isinstance(field, fields.Nested | fields.Mapping):
        return "an object"
    if isinstance(field, fields.List | fields.Tuple):
        return "a list within a list"
    if source is Source.FILES and isinstance(field, JSONText):
        return "a text, not a file"
    if source is Source.FILES and isinstance(field, _TEXTUAL):
        own = type(field)._deserialize.__module__
        return "a text, not a file" if own == fields.__name__ else None
    return None
