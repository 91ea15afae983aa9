"""The name and the docstring of a migration, made from its operations.

Runs when a migration is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Final

from msframework.migrations import operations as ops
from msframework.migrations.operations.base import MigrationOperation

_LONGEST_NAME: Final = 40
_LONGEST_FIRST_NAME: Final = 60  # of one change, cut off there
_LONGEST_TITLE: Final = 90
_LONGEST_FIRST: Final = 60  # where more changes are counted behind it


def slug(text: str) -> str:
    """Return *text* as a part of a file's name."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "changes"


def file_title(operations: Sequence[MigrationOperation]) -> str:
    """Return a name such as `add_sex`, and whether operations are missing in it."""
    found = list(dict.fromkeys(_names(operations))) or ["changes"]
    joined = slug("_".join(found))
    if len(joined) <= _LONGEST_NAME:
        return joined
    more = "_and_more" if len(found) > 1 else ""
    return slug(found[0])[:_LONGEST_FIRST_NAME].rstrip("_") + more


def _names(operations: Iterable[MigrationOperation]) -> list[str]:
    """Return a name for each change; those of indexes and constraints if there are no others."""
    whole: list[str] = []
    parts: list[str] = []
    for each in operations:
        name = _name(each)
        (parts if isinstance(each, _PARTS) else whole).append(name)
    return whole or parts


_PARTS: Final = (
    *(ops.AddConstraint, ops.DropConstraint, ops.RenameConstraint),
    *(ops.CreateIndex, ops.DropIndex, ops.RenameIndex),
)


def _name(operation: MigrationOperation) -> str:
    match operation:
        case ops.CreateTable(table):
            return f"create_{table.name}"
        case ops.DropTable(table):
            return f"drop_{table.name}"
        case ops.AddColumn(_, column):
            return f"add_{column.name}"
        case ops.DropColumn(_, column):
            return f"drop_{column.name}"
        case ops.AlterColumn(_, _, column):
            return f"alter_{column.name}"
        case ops.RenameTable(old, new) | ops.RenameColumn(_, old, new):
            return f"rename_{old}_to_{new}"
        case ops.RenameConstraint(_, _, new) | ops.RenameIndex(_, _, new):
            return f"rename_to_{new}"
        case ops.CommentTable(table):
            return f"comment_{table}"
        case ops.CreateEnum(enum):
            return f"create_{enum.name}"
        case ops.DropEnum(enum):
            return f"drop_{enum.name}"
        case ops.AlterEnum(enum):
            return f"alter_{enum.name}"
        case ops.AddConstraint(_, part) | ops.CreateIndex(_, part):
            return f"add_{part.name}"
        case ops.DropConstraint(_, part) | ops.DropIndex(_, part):
            return f"drop_{part.name}"
    return "run"


def docstring(operations: Sequence[MigrationOperation]) -> str:
    """Return a sentence that says what *operations* do."""
    texts = [re.sub(r" \(.*", "", each.describe(), flags=re.DOTALL) for each in operations]
    for count in range(len(texts), 0, -1):
        more = len(texts) - count
        text = "; ".join(texts[:count])
        text += f"; and {more} more change{'s' if more > 1 else ''}" if more else ""
        if len(text) > _LONGEST_TITLE and count == 1:
            text = text.replace(texts[0], shorten(texts[0], _LONGEST_FIRST, placeholder=" …"))
        if len(text) <= _LONGEST_TITLE:
            return f"{text[:1].upper()}{text[1:]}."
    return "Update the state."
