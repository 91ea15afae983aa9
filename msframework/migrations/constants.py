"""Constants of SQL in answers to `makemigrations`: an example of each type, and forgotten quotes.

Runs when a migration is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msframework.migrations.operations import AddColumn, AlterColumn
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.schema import SchemaState

_EXAMPLES: Final = (
    ("0", ("smallint", "integer", "bigint", "numeric", "real", "double precision", "money")),
    ("false", ("boolean",)),
    ("now()", ("timestamp", "timestamptz", "date", "time", "timetz")),
    ("gen_random_uuid()", ("uuid",)),
    ("'{}'", ("json", "jsonb")),
)
_WORD: Final = re.compile(r"[^\W\d]\w*\Z")
# The words that are values without quotes and parentheses.
_VALUES: Final = frozenset(
    (
        *("null", "true", "false", "default", "user", "session_user", "system_user"),
        *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
        *("current_user", "current_role", "current_catalog", "current_schema"),
    )
)


def example_of(kind: str) -> str:
    """Return a constant of the type *kind*, as SQL; `'…'` for a text and what is written as one."""
    if kind.endswith("[]"):
        return "'{}'"
    base = kind.partition("(")[0].strip()
    return next((value for value, kinds in _EXAMPLES if base in kinds), "'…'")


def option_of(option: str, name: str, value: str) -> str:
    """Return an option as a shell takes it: `--fill "users.sex=''"`."""
    text = f"{name}={value}"
    return f"{option} {text}" if re.fullmatch(r"[\w.=]*", text) else f'{option} "{text}"'


def missing_quotes(
    operations: Iterable[MigrationOperation], old: SchemaState, new: SchemaState
) -> Iterator[str]:
    """Yield a problem for each value that is a single word, and neither a column nor a constant.

    A shell takes quotes away: `--fill users.sex='x'` is `x`, which PostgreSQL takes for a column.
    """
    for each in operations:
        match each:
            case AddColumn(name, column, str(value)) | AlterColumn(name, _, column, _, str(value)):
                pass
            case _:
                continue
        tables = (old.table(name), new.table(name))
        known = {part.name.lower() for table in tables if table for part in table.columns}
        if tables[0] is None or not _WORD.match(value) or value.lower() in (known | _VALUES):
            continue
        option = option_of("--fill", f"{name}.{column.name}", f"'{value}'")
        yield (
            f"{name}.{column.name}: the value {value} is no column of {name}. A text stands in "
            f"quotes of its own: {option}."
        )
