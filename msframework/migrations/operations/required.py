"""NOT NULL on a column of a table with rows, and values for its existing rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msframework.migrations.operations.base import Action, Backfill, Phase, SqlAction
from msframework.migrations.operations.ddl import alter, bare, object_name, refusal
from msframework.migrations.schema import Column
from msframework.migrations.sql import literal, quote, quote_qualified, words

FillValue = str | Callable[[], object]
# Constants, and what has one value for the whole statement: PostgreSQL computes both once for all
# existing rows.
_ONE_VALUE: Final = """
    true false null array now current_timestamp localtimestamp current_date current_time localtime
    transaction_timestamp statement_timestamp current_user session_user"""
_ONE_VALUE_NAMES: Final = frozenset(_ONE_VALUE.split())
_NO_FILL: Final = (
    "Give the operation a fill, or change those rows. If the code that still runs writes NULL, "
    "deploy code that gives a value first."
)
_FILLED: Final = (
    "Either the fill gave NULL for them, so give the operation one that never does; or the code "
    "that still runs has written NULL since, so deploy code that gives a value first. Then change "
    "those rows, and run migrate again."
)
_TYPE_WORDS: Final = frozenset(("precision", "varying", "with", "without", "time", "zone"))
_CONSTANT_SIGNS: Final = frozenset(("::", "-", "+", "(", ")", "[", "]", ","))


def is_constant(text: str) -> bool:
    """Say whether *text* is one value for all rows, which ADD COLUMN sets without a rewrite."""
    return all(
        kind in ("string", "number")
        or (kind == "name" and word.lower() in _ONE_VALUE_NAMES)
        or (kind == "sign" and word in _CONSTANT_SIGNS)
        for kind, word in _without_types(text)
    )


def _without_types(text: str) -> Iterator[tuple[str, str]]:
    """Yield the words of *text* but for the types of its casts: `double precision`, `a.b(3)[]`."""
    expected = behind = False  # a name of a type is; one was
    depth = 0
    for kind, word in words(text):
        if depth:  # within the modifiers of a type
            depth += (word == "(") - (word == ")")
        elif expected and kind in ("name", "quoted"):
            expected, behind = False, True
        elif behind and (word in ("[", "]", ".") or word.lower() in _TYPE_WORDS):
            expected = word == "."
        elif behind and word == "(":
            depth = 1
        else:
            expected, behind = word == "::", False
            yield kind, word


def fill_action(table: str, column: str, fill: FillValue) -> Action:
    """Return the action that fills the rows without a value, all at once where it is SQL."""
    if callable(fill):
        return backfill(table, column, fill)
    name = quote(column)
    update = f"UPDATE {quote_qualified(table)} SET {name} = {fill} WHERE {name} IS NULL"  # noqa: S608 - quoted
    return SqlAction(update)


def backfill(table: str, column: str, fill: FillValue) -> Backfill:
    """Return the action that fills the rows without a value in batches."""
    return Backfill(quote_qualified(table), column, fill)


def offline_phase(table: str, column: str, fill: FillValue | None, required: bool) -> Phase | None:
    """Return the one phase that fills all rows, then sets NOT NULL."""
    actions: list[Action] = []
    if fill is not None:
        # A table cannot be altered while checks of the filled rows are put off.
        actions += [fill_action(table, column, fill), SqlAction("SET CONSTRAINTS ALL IMMEDIATE")]
    if required:
        actions.append(SqlAction(alter(table, f"ALTER COLUMN {quote(column)} SET NOT NULL")))
    return Phase(tuple(actions)) if actions else None


def online_phases(table: str, column: str, fill: FillValue | None, required: bool) -> list[Phase]:
    """Return the phases that fill in batches, validate a check, then set NOT NULL.

    Rows are filled again once the check keeps new ones without a value out. SET NOT NULL does not
    read the table where a valid check says the same.
    """
    filled = []
    if fill is not None:
        filled = [Phase((backfill(table, column, fill),), transaction=False, waits=False)]
    if not required:
        return filled
    name = quote(object_name(bare(table), column, "is_set"))
    check = f"ADD CONSTRAINT {name} CHECK ({quote(column)} IS NOT NULL) NOT VALID"
    return [
        *filled,
        Phase((_refuse_null(table, column, fill),), waits=False),
        Phase((SqlAction(alter(table, check)),)),
        *filled,
        Phase((SqlAction(alter(table, f"VALIDATE CONSTRAINT {name}")),), waits=False),
        Phase(
            (
                SqlAction(alter(table, f"ALTER COLUMN {quote(column)} SET NOT NULL")),
                SqlAction(alter(table, f"DROP CONSTRAINT {name}")),
            )
        ),
    ]


def _refuse_null(table: str, column: str, fill: FillValue | None) -> SqlAction:
    """Return the action that fails on NULL before the check, which would otherwise stay."""
    message = literal(f"The column {column} of {table} becomes NOT NULL, and some rows have NULL.")
    hint = literal(_NO_FILL if fill is None else _FILLED)
    rows = f"SELECT FROM {quote_qualified(table)} WHERE {quote(column)} IS NULL"
    return SqlAction(refusal(rows, message, hint))


def required_phases(
    table: str, column: Column, fill: FillValue | None, required: bool, online: bool
) -> list[Phase]:
    """Return the phases that fill *column* and, if *required*, set it NOT NULL."""
    if online:
        return online_phases(table, column.name, fill, required)
    phase = offline_phase(table, column.name, fill, required)
    return [] if phase is None else [phase]
