"""What PostgreSQL and asyncpg raise -> exceptions of ours, by SQLSTATE and by constraint name.

No text of the server goes into an answer: its messages and DETAIL carry the values of rows. Runs
per request, when something failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
from marshmallow import fields
from marshmallow.exceptions import SCHEMA

from msframework.exceptions import (
    ConstraintConflict,
    ConstraintViolation,
    DatabaseUnavailable,
    ServiceException,
    UnprocessableEntity,
)


@dataclass(frozen=True, slots=True)
class Translation:
    """The answer to one kind of failure.

    Args:
        kind: its name, as answers tell it.
        states: its SQLSTATEs (PostgreSQL 18, appendix A); two characters stand for a class.
        answer: the exception that a request is answered with.
        writes: whether only a statement that writes meets it.
    """

    kind: str
    states: frozenset[str]
    answer: type[ServiceException]
    writes: bool = False


def _states(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What stands in no row is a fault of ours, and a 500. Codes of five characters come first.
TRANSLATIONS: Final = (
    Translation("unique", _states("23505"), ConstraintConflict, writes=True),
    Translation("exclusion", _states("23P01"), ConstraintConflict, writes=True),
    Translation("foreign key", _states("23503"), ConstraintConflict, writes=True),
    Translation("restrict", _states("23001"), ConstraintConflict, writes=True),
    Translation("integrity", _states("23000"), ConstraintConflict, writes=True),
    Translation("not null", _states("23502"), ConstraintViolation, writes=True),
    Translation("check", _states("23514"), ConstraintViolation, writes=True),
    Translation("check option", _states("44000"), ConstraintViolation, writes=True),
    # too long a value for an index; JSON or a pattern that is too deep
    Translation("too large", _states("54000 54001"), ConstraintViolation),
    # serialization failure, deadlock, lock timeout, idle transaction ended, transaction timeout
    Translation("busy", _states("40001 40P01 40003 55P03 25P03 25P04"), DatabaseUnavailable),
    # a number out of range, too long a text, a date that is none, bytes that are no text, …
    Translation("value", _states("22"), ConstraintViolation),
    # no connection, no resources (disk full), cancelled or shut down by the server
    Translation("unavailable", _states("08 53 57"), DatabaseUnavailable),
)
_BY_STATE: Final = {state: row for row in TRANSLATIONS for state in row.states}
_TEXTS: Final = {
    "value": "a value does not fit its column",
    "too large": "a value is too large",
}
# As marshmallow says it.
NULL: Final = str(fields.Field.default_error_messages["null"])
SCHEMA_CHANGED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# DETAIL reads "Key (city_id, lower(name))=(1, x) …"; what stands before ")=(" are columns.
_KEY = re.compile(r"\((.*?)\)=\(", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_TOKEN = re.compile(rf"{_QUOTED.pattern}|'(?:[^']|'')*'|[(),]")
_ARGUMENT = re.compile(r"invalid input for query argument \$\d+[^:]*: ")
_LONGEST_SHOWN: Final = 40
# The attribute of a failure that has its `RefusedRow`.
_REFUSED: Final = "msframework_refused_row"


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """The one of several rows of a request that PostgreSQL refused.

    Args:
        index: its place among them.
        parameter: the parameter of the query that names the rows; empty for those of the body.
        member: the member that may not be null; empty where it is refused for something else.
    """

    index: int
    parameter: str = ""
    member: str = ""

    def errors(self, text: str) -> dict[str, object]:
        """Return the errors of a 422 that says *text* of the row."""
        if self.parameter:
            return {"query": {self.parameter: {str(self.index): [text]}}}
        if self.member:
            return {"body": {str(self.index): {self.member: [NULL]}}}
        return {"body": {str(self.index): {SCHEMA: [text]}}}


class Hidden(str):
    """A text of the server that `str(exc)` leaves out, as it may hold the values of a row."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Hidden()"


def translate(
    exc: BaseException, constraints: Mapping[str, type[ServiceException]] | None = None
) -> ServiceException | None:
    """Return the answer to *exc*; `None` when it isn't the database's, or is a fault of ours.

    Args:
        constraints: exceptions by the name of the constraint that raises them.
    """
    if isinstance(exc, SCHEMA_CHANGED):
        return caused(DatabaseUnavailable(), exc)
    # asyncpg raises it for an argument that it cannot send, with the class of a server's error.
    if shown_argument(exc) is not None:
        return caused(ConstraintViolation(_TEXTS["value"]), exc)
    if isinstance(exc, asyncpg.PostgresError):
        return _from_server(exc, constraints or {})
    return None


def _from_server(
    exc: asyncpg.PostgresError, constraints: Mapping[str, type[ServiceException]]
) -> ServiceException | None:
    state = exc.sqlstate or ""
    name = exc.constraint_name
    refused: RefusedRow | None = getattr(exc, _REFUSED, None)
    if name is not None and name in constraints:
        return caused(_place(constraints[name](), refused), exc)
    row = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    if row is None:
        return None
    if issubclass(row.answer, DatabaseUnavailable):
        return caused(DatabaseUnavailable(), exc)
    facts: str | dict[str, object] = _TEXTS.get(row.kind) or _facts(exc, row.kind)
    if issubclass(row.answer, ConstraintConflict):
        if refused is not None and isinstance(facts, dict):
            facts["index"] = refused.index
        return caused(ConstraintConflict(facts, constraint=name), exc)
    if refused is not None:
        facts = refused.errors(_sentence(exc, row.kind))
    return caused(ConstraintViolation(facts, constraint=name), exc)


def refuses_row(exc: asyncpg.PostgresError) -> bool:
    """Tell whether the server raised *exc* for what a row holds, so that the caller is told."""
    if shown_argument(exc) is not None:
        return False
    if exc.constraint_name is not None:
        return True
    state = exc.sqlstate or ""
    row = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    return row is not None and not issubclass(row.answer, DatabaseUnavailable)


def refuses_alike(one: asyncpg.PostgresError, other: asyncpg.PostgresError) -> bool:
    """Tell whether two failures are about the same constraint, and the same key where it has one.

    The DETAIL of a key has its values; that of other constraints has the whole row, of which a
    serial number differs each time.
    """
    names = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
    if any(getattr(one, name) != getattr(other, name) for name in names):
        return False
    row = _BY_STATE.get(one.sqlstate or "")
    is_of_key = row is not None and issubclass(row.answer, ConstraintConflict)
    return not is_of_key or bool(one.detail == other.detail)


def note_refused(exc: asyncpg.PostgresError, row: RefusedRow) -> None:
    """Let the answer to *exc* say that *row* was refused."""
    setattr(exc, _REFUSED, row)


def _place(answer: ServiceException, refused: RefusedRow | None) -> ServiceException:
    """Let *answer*, an exception of the user's, say which row it is about, if it says nothing."""
    if refused is not None and answer.error is None:
        is_input = answer.status_code == UnprocessableEntity.status_code
        answer.error = refused.errors(answer.message) if is_input else {"index": refused.index}
    return answer


def _sentence(exc: asyncpg.PostgresError, kind: str) -> str:
    """Return the text about a row that was refused, without its values."""
    text = _TEXTS.get(kind)
    if text is not None:
        return f"{text[0].upper()}{text[1:]}."
    if exc.column_name:
        return f"Violates the {kind} constraint of {exc.column_name}."
    if exc.constraint_name:
        return f"Violates the {kind} constraint {exc.constraint_name}."
    return f"Violates the {kind}."


def shown_argument(exc: BaseException) -> str | None:
    """Return how asyncpg shows the argument that it could not send; `None` for other failures.

    It is the beginning of its `repr`, with an ellipsis where that is long (see `shows`).
    """
    if not isinstance(exc, asyncpg.DataError) or exc.__cause__ is None:
        return None
    text = str(exc)
    found = _ARGUMENT.match(text)
    return text[found.end() :].removesuffix(f" ({exc.__cause__})") if found else None


def shows(shown: str, value: object) -> bool:
    """Tell whether *shown* is *value*, as far as asyncpg shows it."""
    text = repr(value)
    return shown == text or (
        len(text) > _LONGEST_SHOWN
        and shown.endswith("...")
        and text.startswith(shown.removesuffix("..."))
    )


def _facts(exc: asyncpg.PostgresError, kind: str) -> dict[str, object]:
    """Return which constraint said no and for which columns, without their values."""
    found = _KEY.search(str.__str__(exc.detail)) if isinstance(exc.detail, str) else None
    columns = [exc.column_name] if exc.column_name else []
    if found:
        columns = list(_columns_of(found[1]))
    return {"violated": kind, "constraint": exc.constraint_name, "columns": columns}


def _columns_of(key: str) -> Iterator[str]:
    """Yield the columns and expressions of *key*, names without the quotes of SQL."""
    depth = start = 0
    for token in _TOKEN.finditer(f"{key},"):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == "," and depth == 0:
            part = key[start : token.start()].strip()
            yield part[1:-1].replace('""', '"') if _QUOTED.fullmatch(part) else part
            start = token.end()


def caused(answer: ServiceException, exc: BaseException) -> ServiceException:
    """Return *answer* with *exc* as its cause, as `raise ... from` would leave it."""
    answer.__cause__ = exc
    return answer


def hide_values(exc: BaseException) -> None:
    """Keep the values of rows out of what `str(exc)` gives, and with it out of spans and logs."""
    if isinstance(exc, asyncpg.PostgresError) and exc.detail:
        exc.detail = Hidden(exc.detail)
