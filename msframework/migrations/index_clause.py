"""CREATE INDEX, read into an `Index`; PostgreSQL's own text of an index is read as well.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msframework.migrations.clauses import name_element, read_names
from msframework.migrations.naming import name_object
from msframework.migrations.scanner import Scanner
from msframework.migrations.schema import Index
from msframework.migrations.sql import quote


@dataclass(frozen=True, slots=True)
class IndexClause:
    """An index, and the name of its table in parts: the schema first, if it is given."""

    table: tuple[str, ...]
    index: Index


def read_index(text: str) -> IndexClause:
    """Return the index that the statement *text* makes.

    Raises:
        Unreadable: *text* is no CREATE INDEX, or says more than an `Index` holds.
    """
    scanner = Scanner(text)
    scanner.expect("create")
    unique = scanner.accept("unique")
    scanner.expect("index")
    scanner.accept("concurrently")
    scanner.accept("if not exists")
    name = None if scanner.sees("on") else scanner.qualified()[-1]
    scanner.expect("on")
    scanner.accept("only")
    table = scanner.qualified()
    method = scanner.identifier() if scanner.accept("using") else "btree"
    elements = tuple(_element(each) for each in Scanner(scanner.enclosed()).items())
    index = _read_options(scanner, Index(name or "", elements, unique=unique, method=method))
    if name is None:
        columns = _distinct((*elements, *map(quote, index.include)))
        index = replace(index, name=name_object(table[-1], columns, "idx", ()))
    scanner.accept(";")
    scanner.finish()
    return IndexClause(table, index)


def _read_options(scanner: Scanner, index: Index) -> Index:
    if scanner.accept("include"):
        index = replace(index, include=read_names(scanner.enclosed()))
    if scanner.accept("nulls not distinct"):
        index = replace(index, nulls_distinct=False)
    scanner.accept("nulls distinct")
    if scanner.accept("with"):
        index = replace(index, storage=_read_parameters(scanner.enclosed()))
    if scanner.accept("where"):
        predicate = Scanner(scanner.until(";"))
        while predicate.sees("("):
            inner = predicate.enclosed()
            if not predicate.done:
                return replace(index, where=_text(predicate, inner))
            predicate = Scanner(inner)
        index = replace(index, where=predicate.until())
    return index


def _text(rest: Scanner, inner: str) -> str:
    return f"({inner}) {rest.until()}"


def _read_parameters(text: str) -> tuple[str, ...]:
    """Return the storage parameters, as `fillfactor = 70`."""
    found = []
    for each in Scanner(text).items():
        scanner = Scanner(each)
        name = ".".join(scanner.qualified())
        if scanner.accept("="):
            value = scanner.until()
            name += f" = {value[1:-1] if value.startswith(chr(39)) else value}"
        scanner.finish()
        found.append(name)
    return tuple(found)


def _element(text: str) -> str:
    """Return one element without PostgreSQL's defaults (`ASC`, `NULLS LAST`)."""
    scanner = Scanner(text)
    head = scanner.until("asc", "desc", "nulls first", "nulls last")
    descending = scanner.accept("desc")
    scanner.accept("asc")
    last = not descending
    if scanner.accept("nulls last"):
        last = True
    elif scanner.accept("nulls first"):
        last = False
    scanner.finish()
    direction = " DESC" if descending else ""
    if last is descending:
        direction += " NULLS LAST" if last else " NULLS FIRST"
    return head + direction


def _distinct(elements: Sequence[str]) -> tuple[str, ...]:
    """Return the names of *elements* as the server tells them apart: `expr`, `expr1`."""
    found: list[str] = []
    for element in elements:
        first = name = name_element(element)
        number = 0
        while name in found:
            number += 1
            name = f"{first}{number}"
        found.append(name)
    return tuple(found)
