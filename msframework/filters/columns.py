"""The columns that a declaration of filters names: their kind, their field, their name on the wire.

Runs at start-up.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import peewee
from marshmallow import Schema, fields, missing, validate
from playhouse import fields as extra
from playhouse import postgres_ext

from msframework.alike import find_alike
from msframework.exceptions import ImproperlyConfigured
from msframework.models.key import referenced_field
from msframework.problem import Problem
from msframework.schemas.field_map import make_field
from msframework.schemas.model import derive_field
from msframework.schemas.naming import spell_as
from msframework.schemas.strict import reading_text
from msframework.types import Field, FieldOptions

# Fields of a schema that read no value of their column.
_READS_NONE: Final = (fields.Constant, fields.Function, fields.Method, fields.Nested)


class ColumnKind(Enum):
    """The operators that fit a column, in a word."""

    TEXT = "text"
    ORDERED = "ordered values"
    CHOICE = "choices"
    BOOLEAN = "true and false"
    BYTES = "bytes"
    ARRAY = "arrays"
    JSONB = "JSON"
    OTHER = "values of another type"


# The first class of a column's MRO that stands here decides.
_KINDS: Final[Mapping[type, ColumnKind]] = {
    extra.EnumFieldMixin: ColumnKind.CHOICE,
    peewee.BooleanField: ColumnKind.BOOLEAN,
    peewee.BinaryUUIDField: ColumnKind.ORDERED,
    peewee.UUIDField: ColumnKind.ORDERED,
    peewee.BlobField: ColumnKind.BYTES,
    postgres_ext.TSVectorField: ColumnKind.OTHER,
    peewee.CharField: ColumnKind.TEXT,
    peewee.TextField: ColumnKind.TEXT,
    peewee.IntegerField: ColumnKind.ORDERED,
    peewee.AutoField: ColumnKind.ORDERED,
    peewee.FloatField: ColumnKind.ORDERED,
    peewee.DecimalField: ColumnKind.ORDERED,
    peewee.DateTimeField: ColumnKind.ORDERED,
    peewee.DateField: ColumnKind.ORDERED,
    peewee.TimeField: ColumnKind.ORDERED,
    postgres_ext.IntervalField: ColumnKind.ORDERED,
    postgres_ext.ArrayField: ColumnKind.ARRAY,
    postgres_ext.BinaryJSONField: ColumnKind.JSONB,
    peewee.JSONField: ColumnKind.JSONB,
}


def kind_of_column(column: peewee.Field) -> ColumnKind:
    """Return the kind of *column*; that of its target for a foreign key."""
    field = referenced_field(column)
    for each in type(field).__mro__:
        kind = _KINDS.get(each)
        if kind is not None:
            return ColumnKind.CHOICE if field.choices else kind
    return ColumnKind.OTHER


@dataclass(frozen=True, slots=True)
class FilterColumn:
    """One column, as callers name it.

    Attributes:
        name: its name in declarations.
        wire: its name in a query.
        field: the field that reads a value of it, with the schema's own checks.
        keys: the foreign keys that lead to its row, from that of a row of the listing on.
    """

    name: str
    wire: str
    column: peewee.Field
    kind: ColumnKind
    field: Field
    keys: tuple[peewee.ForeignKeyField, ...] = ()

    @property
    def path(self) -> str:
        """The names of its foreign keys, with dots between."""
        return ".".join(key.name for key in self.keys)

    @property
    def may_be_null(self) -> bool:
        """Whether there may be no value, as NULL or for want of a row."""
        return any(each.null for each in (self.column, *self.keys))

    @property
    def sql(self) -> str:
        """The column's name, quoted."""
        return quote(self.column.column_name)

    def exact(self, **options: object) -> Field:
        """Return the field for values that rows may be equal to."""
        return plain_field(self.field, **options)

    def bound(self, **options: object) -> Field:
        """Return the field for values that rows are compared with: any that the type holds."""
        ranges = (validate.Range,)
        try:
            own = make_field(self.column, {}).validators
        except LookupError:
            own = []
        validators = [check for check in own if isinstance(check, ranges)]
        return plain_field(self.field, validators=validators, **options)

    def item(self) -> Field:
        """Return the field of the items of an array."""
        inner = getattr(self.field, "inner", None)
        return plain_field(inner if isinstance(inner, fields.Field) else fields.String())

    def stored(self, value: Any) -> Any:
        """Return *value* as PostgreSQL's driver takes it.

        Raises:
            ValueError: the column has no such value.
        """
        column: Any = self.column
        return column.db_value(value)


def quote(name: str) -> str:
    """Return *name* as an identifier of SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def plain_field(field: Field, **changes: object) -> Field:
    """Return *field* for the text of a query, bound to no schema, and neither needed nor null."""
    found: Field = copy.copy(reading_text(field))
    options: FieldOptions = {
        **dict.fromkeys(("parent", "root", "name", "attribute", "data_key")),
        **dict.fromkeys(("required", "allow_none", "load_only", "dump_only"), False),
        **dict.fromkeys(("load_default", "dump_default"), missing),
        "metadata": {},
        **changes,
    }
    for name, value in options.items():
        setattr(found, name, value)
    return found


class ColumnReader:
    """Finds the columns that a declaration names, and notes what is wrong with the names.

    Args:
        label: the declaration, for problems.
        schema: the schema whose fields read the values; the model's own without one.
        before: what stands before the names in the declaration.

    Attributes:
        named: the columns that were found, each behind the place that names it first.
    """

    def __init__(
        self,
        label: str,
        model: type[peewee.Model],
        schema: Schema | None,
        problems: list[Problem],
        before: str = "",
    ) -> None:
        self.label, self.model, self.problems, self.before = label, model, problems, before
        self._schema = schema
        self._fields: Mapping[str, Field] = {} if schema is None else schema.fields
        self._found: dict[str, FilterColumn | None] = {}
        self._hidden = self._find_hidden()
        self.named: list[tuple[str, FilterColumn]] = []

    def find(self, name: object, place: str) -> FilterColumn | None:
        """Return the column that *name* means; `None` where it means none, which is a problem.

        Args:
            place: the attribute of the declaration that names it.
        """
        if not isinstance(name, str) or name not in self._found:
            column = self._found[str(name)] = self.read(name, place)
            if column is not None:
                self.named.append((place, column))
        return self._found[str(name)]

    def refuse(self, place: str, found: str, expected: str = "", advice: str = "") -> None:
        """Note a mistake in the attribute *place* of the declaration."""
        self.problems.append(Problem("", f"{self.label}.{place} {found}", expected, advice))

    def read(self, name: object, place: str) -> FilterColumn | None:
        """Return what `find` does, anew for each call."""
        columns: Mapping[str, peewee.Field] = self.model._meta.combined
        shown = f"{self.before}{name}" if isinstance(name, str) else name
        declared = self._fields.get(name) if isinstance(name, str) else None
        column = self._column_of(name, declared)
        if column is None or not isinstance(name, str):
            model = self.model.__name__
            found = f"names {shown!r}, which is no column of {model}"
            self.refuse(place, found, f"one of {', '.join(columns)}", suggest(name, columns))
            return None
        if column.name in self._hidden:
            found = (
                f"names {shown!r}, which is never answered, and filters would tell what it holds"
            )
            self.refuse(place, found, advice="Leave it out.")
            return None
        reads = None if isinstance(declared, _READS_NONE) else declared
        try:
            field = derive_field(column, name, self.label) if reads is None else reads
        except ImproperlyConfigured as exc:
            self.refuse(place, f"names {shown!r}: {exc}")
            return None
        if declared is None:
            wire = spell_as(self._schema, name)
        else:
            wire = name if declared.data_key is None else declared.data_key
        return FilterColumn(name, wire, column, kind_of_column(column), field)

    def _column_of(self, name: object, declared: Field | None) -> peewee.Field | None:
        kept = name if declared is None or declared.attribute is None else declared.attribute
        found: peewee.Field | None = None
        if isinstance(kept, str):
            found = self.model._meta.combined.get(kept)
        return found

    def _find_hidden(self) -> set[str]:
        """Return the names of the columns that the schema reads, and does not answer."""
        hidden, shown = set[str](), set[str]()
        for name, field in self._fields.items():
            column = self._column_of(name, field)
            if column is not None:
                (hidden if field.load_only else shown).add(column.name)
        return hidden - shown


def suggest(name: object, known: Iterable[str]) -> str:
    """Return the question whether *name* is one of the *known*; empty where none is like it."""
    meant = find_alike(str(name), known)
    return f"Did you mean {meant!r}?" if meant else ""
