"""`EnumField`, a column of a PostgreSQL enumerated type. Runs at start-up."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

import peewee
from playhouse import fields as extra

from msframework._place import full_name
from msframework.exceptions import ImproperlyConfigured

_TYPE_NAME: Final = re.compile(r"(?:[a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*\Z")
_MOST_BYTES: Final = 63  # of a value, as of any name (PostgreSQL's manual, CREATE TYPE)
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class EnumField(extra.EnumFieldMixin, peewee.Field):  # type: ignore[misc]
    """A column of an enumerated type, whose values are those of *enum_class*, in their order.

    Migrations make the type, and add values to it. In the schemas of a model it is the enum.

    Args:
        enum_class: an enum whose values are texts.
        enum_type: the name of the type, with its schema if need be; `OrderState` makes it
            `order_state`.

    Raises:
        ImproperlyConfigured: the values cannot be those of a type, or it cannot have that name.
    """

    def __init__(
        self, enum_class: type[Enum], enum_type: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        self.enum_type = enum_type or _WORD_START.sub("_", enum_class.__name__).lower()
        self.enum_values = tuple(member.value for member in enum_class)
        self.field_type = self.enum_type  # type: ignore[misc]
        where = full_name(enum_class)
        if not _TYPE_NAME.match(self.enum_type):
            raise ImproperlyConfigured(
                f"{where}: {self.enum_type!r} cannot be the name of its type; expected small "
                "letters, digits and _, with a schema and a point before it if need be."
            )
        for value in self.enum_values:
            if not isinstance(value, str) or not 0 < len(value.encode()) <= _MOST_BYTES:
                raise ImproperlyConfigured(
                    f"{where}: {value!r} cannot be a value of a type in PostgreSQL; expected a "
                    f"text of 1 to {_MOST_BYTES} bytes."
                )
        super().__init__(enum_class, *args, **kwargs)
