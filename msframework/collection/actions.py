"""Generates the methods of a collection's actions: straight-line coroutines, one for each.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import peewee
from asyncpg import PostgresError

from msframework.collection.action import CollectionAction, Generated
from msframework.collection.bulk import delete_rows, insert_rows, lock_rows, update_rows
from msframework.collection.declaration import Collection
from msframework.collection.reading import AnswerReading
from msframework.collection.related import Related
from msframework.collection.source import ActionSource
from msframework.collection.statements import Queries, check_body, check_scope, in_scope, is_plain
from msframework.exceptions import Forbidden
from msframework.response import Reply


def generate(
    collection: Collection,
    action: CollectionAction,
    queries: Queries,
    inputs: Sequence[str],
    problems: list[str],
) -> tuple[Generated, str]:
    """Return the function of an action, and its source.

    Args:
        inputs: the names of its declared inputs.
        problems: where mistakes are appended, after which the function is not to be run.
    """
    source = ActionSource(collection, action, inputs)
    _check_body(source)
    _WRITERS[action.name](source, queries)
    problems += [each for each in source.find_clashes() if each not in problems]
    return source.compile(f"{collection.cls.__name__}_{action.name}")


def _check_body(source: ActionSource) -> None:
    """Write the line that refuses a body which `post_load` made an object of."""
    schema = source.collection.shapes.body_of(source.action.name)
    if schema is not None and schema._hooks["post_load"]:
        source.bind("CHECK_BODY", partial(check_body, type(schema).__name__))
        source.line("CHECK_BODY(body)")


def _write_list(source: ActionSource, queries: Queries) -> None:
    source.bind("LIST", queries.list())
    if not (source.bounds or source.has("scope", "query") or "filters" in source.parameters):
        source.line("return await page.fetch(cur, LIST)")
        return
    source.seam("scope", "scope")
    _select(source, "LIST")
    if "filters" in source.parameters:
        _scope_filters(source)
        source.line("query = filters.apply(query)")
    reading = source.collection.row_reading
    _narrow(source, reading)
    if reading is None or reading.related is None:
        source.line("return await page.fetch(cur, query)")
        return
    _join(source, reading.related)
    source.line("result = await page.fetch(cur, query)")
    _fold(source, reading.related, "result.rows")
    source.line("return result")


def _scope_filters(source: ActionSource) -> None:
    """Write the line that keeps filters to the related rows which the caller may see."""
    filters = source.collection.filters
    if filters is None or not filters.has_scope:
        return
    who = ""
    if filters.asks_principal:
        source.take("principal")
        who = ", principal"
    source.line(f"filters = await filters.scoped(request{who})")


def _write_read(source: ActionSource, queries: Queries) -> None:
    reading = source.collection.detail_reading
    related = None if reading is None else reading.related
    if source.has("scope", "query") or reading is not None or not is_plain(source.bounds):
        source.bind("READ", queries.read())
        source.seam("scope", "scope")
        _select(source, "READ")
        _narrow(source, reading)
        if related is not None:
            _join(source, related)
        source.fetch_row("cur")
    else:
        source.bind("READ", queries.text_of_read(source.bounds))
        source.line(f"row = await cur.fetchrow(READ{_arguments(source)})")
        source.refuse_missing()
    if related is not None:
        _fold(source, related, "(row,)")
    source.line("return row")


def _join(source: ActionSource, related: Related) -> None:
    """Write the lines that join the related objects which are to be answered."""
    source.bind("RELATED", related)
    source.line("asked = RELATED.asked(filters)")
    source.line("if asked:")
    caller = _caller(source, related)
    source.line(f"    query, joined = await RELATED.join(query, asked, request, {caller})")


def _fold(source: ActionSource, related: Related, rows: str) -> None:
    """Write the lines that put the related objects into *rows*, and fetch those that follow."""
    source.line("if asked:")
    source.line(f"    RELATED.fold({rows}, joined)")
    if related.batches is not None:
        caller = _caller(source, related)
        source.line(f"    await RELATED.batches.fill({rows}, asked, request, {caller}, cur)")


def _caller(source: ActionSource, related: Related) -> str:
    """Return the expression of the caller, if a scope of *related* may ask for him."""
    if not related.has_scope:
        return "None"
    source.take("principal")
    return "principal"


def _select(source: ActionSource, base: str) -> None:
    """Write the lines that change the select *base* by its seam, and bind it."""
    seam = source.collection.seams.get("query")
    source.seam("query", "query", query=base)
    source.where("query", "" if seam is not None else base)


def _narrow(source: ActionSource, reading: AnswerReading | None) -> None:
    """Write the lines that select only the fields which the caller chose."""
    if reading is not None and reading.choice is not None:
        source.bind("FIELDS", reading.choice)
        source.line("if filters.fields is not None:")
        source.line("    query = FIELDS.narrow(query, filters.fields)")


def _write_create(source: ActionSource, queries: Queries) -> None:
    source.bind("MODEL", queries.model)
    source.set_parents("body")
    source.seam("before_create", values="body")
    source.seam("scope", "scope")
    source.line(f"query = MODEL.insert(body).returning(*{_returned(source, queries.created)})")
    with _below_parents(source, queries):
        source.line("row = await tx.fetchrow(query)")
        _check_scope(source)
    source.check_keys()
    source.seam("after_create", values="body")
    source.commit_seam()
    if not source.collection.paths.item:
        source.line("return row")
    else:
        source.bind("Reply", Reply)
        source.line(f'return Reply(row, headers={{"Location": {source.location()}}})')


def _write_replace(source: ActionSource, queries: Queries) -> None:
    source.bind("DEFAULTS", queries.defaults())
    source.line("values = {**DEFAULTS, **body}")
    _write_update(source, queries)


def _write_patch(source: ActionSource, queries: Queries) -> None:
    source.line("values = body")
    _write_update(source, queries)


def _write_update(source: ActionSource, queries: Queries) -> None:
    source.bind("MODEL", queries.model)
    source.seam("scope", "scope")
    _read_first(source, queries, "before_update")
    source.seam("before_update", key=source.key)
    columns = _returned(source, queries.columns)
    source.line("if values:")
    source.line(f"    query = MODEL.update(values).returning(*{columns})")
    source.line("else:")
    source.line(f"    query = MODEL.select(*{columns})")
    source.where("query")
    source.fetch_row("tx")
    _check_scope(source)
    source.check_keys()
    source.seam("after_update", key=source.key)
    source.commit_seam()
    source.line("return row")


def _write_delete(source: ActionSource, queries: Queries) -> None:
    if source.has("scope", *_AROUND_DELETE) or not is_plain(source.bounds):
        source.bind("MODEL", queries.model)
        source.bind("COLUMNS", queries.whole if source.has(*_AROUND_DELETE) else queries.keys)
        source.seam("scope", "scope")
        _read_first(source, queries, "before_delete")
        source.seam("before_delete", key=source.key)
        source.where("query", "MODEL.delete().returning(*COLUMNS)")
        source.fetch_row("tx")
    else:
        source.bind("DELETE", queries.text_of_delete(source.bounds))
        source.line(f"row = await tx.fetchrow(DELETE{_arguments(source)})")
        source.refuse_missing()
    source.seam("after_delete", key=source.key)
    source.commit_seam()


_AROUND_DELETE: Final = ("before_delete", "after_delete", "after_commit")


def _read_first(source: ActionSource, queries: Queries, seam: str) -> None:
    """Write the lines that read and lock the row, where a seam takes it."""
    if source.wants(seam, "row"):
        source.bind("LOCKED", queries.locked())
        source.where("query", "LOCKED")
        source.fetch_row("tx")


def _returned(source: ActionSource, columns: Sequence[peewee.Node]) -> str:
    """Return the expression of the *columns* that a write gives back."""
    source.bind("COLUMNS", columns)
    if not source.has("scope"):
        return "COLUMNS"
    source.bind("in_scope", in_scope)
    return "in_scope(COLUMNS, scope)"


def _check_scope(source: ActionSource) -> None:
    if source.has("scope"):
        source.bind("check_scope", check_scope)
        source.line("check_scope(row, scope)")


@contextmanager
def _below_parents(source: ActionSource, queries: Queries) -> Iterator[None]:
    """Write the lines of the block in a `try` that refuses parents outside of scope as missing."""
    parents = source.collection.parents
    if not parents or not source.has("scope"):
        yield
        return
    source.bind("PARENTS", queries.parents())
    source.bind("REFUSALS", (PostgresError, Forbidden))
    source.line("try:")
    with source.indented():
        yield
    source.line("except REFUSALS as exc:")
    with source.indented():
        values = "".join(f", {each.name}" for each in parents)
        source.lines(f"await PARENTS.check(tx, exc, scope{values})", "raise")


def _arguments(source: ActionSource) -> str:
    return "".join(f", {each.name}" for each in source.bounds)


def _write_bulk_create(source: ActionSource, queries: Queries) -> None:
    source.bind("KEY", queries.bulk_key(source.collection.shapes.bulk_create))
    source.bind("MODEL", queries.model)
    source.bind("insert_rows", insert_rows)
    source.line("KEY.check_number(body)")
    if source.collection.parents or source.has("before_create"):
        source.line("for values in body:")
        with source.indented():
            source.set_parents("values")
            source.seam("before_create")
    source.seam("scope", "scope")
    columns = _returned(source, queries.columns)
    with _below_parents(source, queries):
        source.line(f"rows = await insert_rows(tx, MODEL, KEY, body, {columns})")
        source.check_keys("rows", many=True)
        _follow(source, "after_create")
    source.line("return rows")


def _write_bulk_patch(source: ActionSource, queries: Queries) -> None:
    source.bind("KEY", queries.bulk_key(source.collection.shapes.bulk_patch))
    source.bind("MODEL", queries.model)
    source.bind("update_rows", update_rows)
    source.line("KEY.check_number(body)")
    source.line("keys = KEY.take(body)")
    _bounds(source)
    _lock(source, queries, "before_update")
    if source.has("before_update"):
        wants_row = source.wants("before_update", "row")
        source.line(
            "for key, row, values in zip(keys, rows, body):"
            if wants_row
            else "for key, values in zip(keys, body):"
        )
        with source.indented():
            source.seam("before_update", key="KEY.shown(key)")
    columns = _returned(source, queries.columns)
    source.line(f"rows = await update_rows(tx, MODEL, KEY, keys, body, {columns}, bounds)")
    source.check_keys("rows", many=True)
    _follow(source, "after_update")
    source.line("return rows")


def _write_bulk_delete(source: ActionSource, queries: Queries) -> None:
    key = source.bind("KEY", queries.bulk_key())
    source.bind("MODEL", queries.model)
    source.bind("COLUMNS", queries.whole if source.has(*_AROUND_DELETE) else queries.keys)
    source.line(f"keys = KEY.of_values(chosen[{queries.bulk_name()!r}])")
    _bounds(source)
    _lock(source, queries, "before_delete")
    if source.has("before_delete"):
        wants_row = source.wants("before_delete", "row")
        source.line("for key, row in zip(keys, rows):" if wants_row else "for key in keys:")
        with source.indented():
            source.seam("before_delete", key=f"{key}.shown(key)")
    source.bind("delete_rows", delete_rows)
    source.line("rows = await delete_rows(tx, MODEL, KEY, keys, COLUMNS, bounds)")
    if source.has("after_delete", "after_commit"):
        source.line("for row in rows:")
        with source.indented():
            source.seam("after_delete", key="KEY.shown(KEY.of(row))")
            source.commit_seam()


def _bounds(source: ActionSource) -> None:
    """Write the lines that make the conditions of the path and of the scope."""
    terms = [f"{source.bind_field(each)} == {each.name}" for each in source.bounds]
    source.seam("scope", "scope")
    source.line(f"bounds = [{', '.join(terms)}]")
    if source.has("scope"):
        source.lines("if scope is not None:", "    bounds.append(scope)")


def _lock(source: ActionSource, queries: Queries, seam: str) -> None:
    """Write the line that reads and locks the rows, where a seam takes each."""
    if source.wants(seam, "row"):
        source.bind("LOCKED", queries.locked())
        source.bind("lock_rows", lock_rows)
        source.line("rows = await lock_rows(tx, LOCKED, KEY, keys, bounds)")


def _follow(source: ActionSource, seam: str) -> None:
    """Write the lines that follow each written row."""
    if source.has("scope", seam, "after_commit"):
        wants = source.wants(seam, "values")
        source.line("for row, values in zip(rows, body):" if wants else "for row in rows:")
        with source.indented():
            _check_scope(source)
            source.seam(seam, key="KEY.shown(KEY.of(row))")
            source.commit_seam()


_WRITERS: Final[Mapping[str, Callable[[ActionSource, Queries], None]]] = {
    "list": _write_list,
    "create": _write_create,
    "read": _write_read,
    "replace": _write_replace,
    "patch": _write_patch,
    "delete": _write_delete,
    "bulk_create": _write_bulk_create,
    "bulk_patch": _write_bulk_patch,
    "bulk_delete": _write_bulk_delete,
}
