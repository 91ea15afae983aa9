"""The addresses of rows: keys as segments of a path, and those that can be none.

`read_row_keys` runs at start-up, the rest per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import peewee
from marshmallow.exceptions import SCHEMA

from msframework.collection.declaration import Collection
from msframework.collection.shapes import is_one_of, members_of
from msframework.exceptions import InvalidInput
from msframework.models.key import referenced_field
from msframework.types import Row

# Clients and proxies take such segments out of a path (RFC 3986, 5.2.4), encoded ones too.
_NONE: Final = ("", ".", "..")
_TEXT: Final = "May not be empty, '.' or '..', as the address of the row has it."


def quote_key(value: object) -> str:
    """Return a value as a segment of a path (RFC 3986, 3.3)."""
    return str(value) if value.__class__ is int else quote(str(value), safe="")


class RowKeys:
    """The columns of text by which a path names a row.

    Args:
        members: the member of the body that each of them is in, or `_schema`, by its name.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, str]) -> None:
        self._members = tuple(members.items())

    def check(self, rows: Iterable[Row], *, many: bool = False) -> None:
        """Refuse written *rows* that no path can name; their transaction is rolled back.

        Raises:
            InvalidInput: there are some; by index where there are *many*.
        """
        errors: dict[str, object] = {}
        for index, row in enumerate(rows):
            found = {member: [_TEXT] for name, member in self._members if row[name] in _NONE}
            if found:
                errors[str(index)] = found
                if not many:
                    raise InvalidInput({"body": found})
        if errors:
            raise InvalidInput({"body": errors})


def read_row_keys(collection: Collection, fixed: Sequence[peewee.Field] = ()) -> RowKeys | None:
    """Return the keys of text in the path of a row; `None` where it has none.

    Args:
        fixed: columns that are not written.
    """
    loaded = dict(members_of(collection.model, collection.shapes.create))
    members = {}
    for each in collection.lookup if collection.paths.item else ():
        field = referenced_field(each.field)
        is_text = isinstance(field, peewee.CharField | peewee.TextField)
        is_filled = isinstance(field, peewee.FixedCharField)  # with spaces, so it is never short
        if is_text and not is_filled and not is_one_of(each.field, fixed):
            name = each.field.column_name
            members[name] = loaded.get(name, SCHEMA)
    return RowKeys(members) if members else None
