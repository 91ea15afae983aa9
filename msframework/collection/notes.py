"""The notes of a collection's actions: their texts, inputs, answers and failures.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import peewee

from msframework.collection.action import ActionPlace, CollectionAction
from msframework.collection.declaration import Collection
from msframework.collection.shapes import column_of, foreign_key, is_one_of
from msframework.doc import InputNote, Notes
from msframework.exceptions import (
    Conflict,
    ConstraintConflict,
    Forbidden,
    GatewayTimeout,
    NotFound,
    ServiceUnavailable,
    UpstreamError,
)
from msframework.models.key import primary_fields
from msframework.operation import Failure, Source

_VERBS: Final = {
    "create": "Create",
    "read": "Read",
    "replace": "Replace",
    "patch": "Change",
    "delete": "Delete",
}
_DESCRIPTIONS: Final = {
    "replace": "What the body leaves out is set to its default.",
    "patch": "What the body leaves out stays as it is.",
    "bulk_create": "All are created, or none.",
    "bulk_patch": "All are changed, or none; what a member leaves out stays as it is.",
    "bulk_delete": "All are deleted, or none.",
}


def inputs_of(collection: Collection, action: CollectionAction) -> tuple[InputNote, ...]:
    """Return the declared inputs of an action, but for the page."""
    shapes = collection.shapes
    if action.name == "list" and collection.filters is not None:
        return (InputNote(Source.QUERY, collection.filters, "filters"),)
    if action.name == "read" and collection.detail_reading is not None:
        reader = collection.detail_reading.reader(collection.model, collection.cls.__qualname__)
        return (InputNote(Source.QUERY, reader, "filters"),)
    if action.name == "bulk_delete":
        return (InputNote(Source.QUERY, shapes.bulk_delete, "chosen"),)
    body = shapes.body_of(action.name)
    return () if body is None else (InputNote(Source.BODY, body, Source.BODY.value),)


def complete_notes(
    notes: Notes, collection: Collection, action: CollectionAction, taken: Iterable[str]
) -> None:
    """Add to *notes* whatever its author did not say.

    Args:
        taken: the names that the method takes.
    """
    names = set(taken)
    declared = {note.name for note in notes.inputs}
    has_body = any(note.source is Source.BODY for note in notes.inputs)
    for note in inputs_of(collection, action):
        # A query may have several inputs, a body has one.
        is_replaced = note.source is Source.BODY and has_body
        if note.name in names - declared and not is_replaced:
            notes.inputs.append(note)
    if action.name == "list" and "page" in names and notes.page is None:
        notes.page = collection.cls.paging
    notes.summary = notes.summary or _summary(collection, action)
    notes.description = notes.description or _DESCRIPTIONS.get(action.name, "")
    if not notes.produces:
        _note_answer(notes, collection, action)
    notes.failures += _failures(collection, action)


def _summary(collection: Collection, action: CollectionAction) -> str:
    noun = collection.noun
    if action.name == "list":
        return f"List {noun.many}"
    if action.place is ActionPlace.BULK:
        return f"{_VERBS[action.name.removeprefix('bulk_')]} several {noun.many}"
    return f"{_VERBS[action.name]} {noun.with_article}"


def _note_answer(notes: Notes, collection: Collection, action: CollectionAction) -> None:
    shapes = collection.shapes
    reads = any(note.name == "filters" for note in notes.inputs)
    reading = collection.detail_reading
    if reading is not None and not reads and reading.related is None:
        reading = None
    if action.name == "list":
        rows = collection.row_reading if reads else None
        notes.produces.append((200, shapes.rows if rows is None else rows.schema, ""))
    elif action.method == "DELETE":
        notes.produces.append((204, None, ""))
    elif action.name == "create":
        notes.produces.append((201, shapes.created, ""))
        if collection.paths.item:
            notes.answer_headers[201] = (("Location", ""),)
    elif action.name == "read" and reading is not None:
        notes.produces.append((200, reading.schema, ""))
    elif action.place is ActionPlace.BULK:
        notes.produces.append((201 if action.method == "POST" else 200, shapes.details, ""))
    else:
        notes.produces.append((200, shapes.detail, ""))


def _failures(collection: Collection, action: CollectionAction) -> Iterator[Failure]:
    """Yield the failures of an action, those of constraints first."""
    raises = dict(collection.cls.raises)
    written = _written(collection, action)
    mine = set(_conflicts(collection, action, written))
    if action.writes:
        known = {*dict(_constraints(collection.model)), *_keys_of_others(collection.model)}
        for constraint, exception in raises.items():
            # NOTE: nothing is known of the columns of others, so they may hinder whatever writes.
            if constraint in mine or (constraint not in known and action.method != "DELETE"):
                yield Failure(exception, constraint)
    if action.name in ("create", "bulk_create"):
        for parent in collection.parents:
            if isinstance(parent.field, peewee.ForeignKeyField):
                constraint = foreign_key(parent.field)
                mine.discard(constraint)
                if constraint not in raises:
                    yield Failure(NotFound, constraint)
        if collection.parents and "scope" in collection.seams:
            yield Failure(NotFound)
    if action.place is ActionPlace.ITEM:
        yield Failure(NotFound)
        if not collection.finds_one:
            yield Failure(Conflict, description="There are several such rows.")
    if asks_others(collection, action):
        yield Failure(UpstreamError, description="Another service failed.")
        yield Failure(ServiceUnavailable, description="Another service cannot be reached.")
        yield Failure(GatewayTimeout, description="Another service did not answer in time.")
    if "scope" in collection.seams and (written or action.method == "POST"):
        yield Failure(Forbidden)
    if mine - raises.keys():
        yield Failure(ConstraintConflict)


def asks_others(collection: Collection, action: CollectionAction) -> bool:
    """Tell whether an action answers objects of other services."""
    reading = {"list": collection.row_reading, "read": collection.detail_reading}.get(action.name)
    related = None if reading is None else reading.related
    return related is not None and related.batches is not None and related.batches.is_remote


def _written(collection: Collection, action: CollectionAction) -> tuple[peewee.Field, ...]:
    """Return the columns that an action may write: those of its body, of its path, of a seam."""
    if action.method not in ("POST", "PUT", "PATCH"):
        return ()
    model, shapes, creates = collection.model, collection.shapes, action.method == "POST"
    seam = collection.seams.get("before_create" if creates else "before_update")
    schema = shapes.create if creates else shapes.write
    columns = [column_of(model, field, name) for name, field in schema.load_fields.items()]
    if creates:
        columns += [each.field for each in collection.parents]
    if seam is not None and "values" in seam.parameters:
        keys = () if creates else primary_fields(model)
        columns += [
            field
            for field in model._meta.sorted_fields
            if not (isinstance(field, peewee.AutoField) or is_one_of(field, keys))
        ]
    return tuple(column for column in columns if column is not None)


def _conflicts(
    collection: Collection, action: CollectionAction, written: Iterable[peewee.Field]
) -> Iterator[str]:
    """Yield the constraints that may refuse an action with a conflict, by PostgreSQL's names."""
    if action.method == "DELETE":
        yield from _keys_of_others(collection.model)
    for constraint, columns in _constraints(collection.model):
        if any(is_one_of(column, written) for column in columns):
            yield constraint


def _constraints(model: type[peewee.Model]) -> Iterator[tuple[str, Sequence[peewee.Field]]]:
    """Yield the constraints that the model declares, and the columns of each."""
    table = model._meta.table_name
    for columns, unique in _indexes(model):
        if unique:
            yield f"{table}_{'_'.join(each.column_name for each in columns)}", columns
    yield f"{table}_pkey", primary_fields(model)
    for field in model._meta.sorted_fields:
        if isinstance(field, peewee.ForeignKeyField):
            yield foreign_key(field), (field,)


def _indexes(model: type[peewee.Model]) -> Iterator[tuple[list[peewee.Field], bool]]:
    """Yield the columns of each index that the model's fields and Meta declare."""
    for field in model._meta.sorted_fields:
        if field.unique and not field.primary_key:
            yield [field], True
    for index in model._meta.indexes:
        if isinstance(index, (list, tuple)):
            names, unique = index
            yield [model._meta.combined[name] for name in names], unique


def _keys_of_others(model: type[peewee.Model]) -> Iterator[str]:
    """Yield the constraints of the foreign keys that refer to the model and hold its rows."""
    for field in model._meta.backrefs:
        if (field.on_delete or "").upper() not in ("CASCADE", "SET NULL", "SET DEFAULT"):
            yield foreign_key(field)
