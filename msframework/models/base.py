"""`Model`, bound to no connection, and the fields that asyncpg wants otherwise than peewee.

Runs at start-up; conversions of values run per query.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import peewee
from peewee import SQL, Cast, Value

from msframework._tested import demand


class ModelMetadata(peewee.Metadata):
    """The options of a model's Meta; subclasses don't inherit `abstract` and `comment`.

    Args:
        abstract: the model is the base of others, and has no table.
        comment: the table's comment in the database.
    """

    def __init__(
        self,
        model: type[peewee.Model],
        *args: Any,
        abstract: bool = False,
        comment: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model, *args, **options)
        self.abstract = abstract
        self.comment = comment


class Model(peewee.Model):
    """peewee's model without a database: it describes a table and builds queries.

    Queries run on the cursors of `db.acquire()` and `db.transaction()`, never by themselves.
    """

    # NOTE: as a class statement, pyright would ask each model's own Meta to derive from it.
    Meta: Any = type(
        "Meta",
        (),
        {"legacy_table_names": False, "abstract": True, "model_metadata_class": ModelMetadata},
    )


def utcnow() -> datetime:
    """Return the present time with its zone, for `DateTimeTZField(default=utcnow)`."""
    return datetime.now(UTC)


class DateTimeTZField(peewee.DateTimeField):
    """A `timestamptz` column: a point in time, whose values carry a zone."""

    field_type = "TIMESTAMPTZ"

    def adapt(self, value: object) -> object:
        """Return *value* as an aware datetime; texts are read as ISO 8601.

        Raises:
            ValueError: it has no zone, or is no ISO 8601 text.
        """
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError(
                f"{self.name}: {value.isoformat()} has no time zone. Use utcnow(), or "
                "datetime(…, tzinfo=UTC)."
            )
        return value


_METHODS: Any = getattr(peewee, "PostgresqlJSONMethods", object)


class _JSONMethods(_METHODS):  # type: ignore[misc]
    """PostgreSQL's JSON expressions, with values as Python objects for asyncpg's codecs."""

    def _jsonb_wrap(self, field: object, value: object) -> SQL | Value:
        # NOTE: NULL within jsonb_set() would make the whole column NULL.
        return SQL("'null'::jsonb") if value is None else _json_value(value)

    def cast_for_case(self, field: object, value: object) -> Cast:
        return Cast(_json_value(value), "JSONB")


def _json_value(value: object) -> Value:
    """Return *value* as one parameter, also when it is a list."""
    return Value(value, converter=False, unpack=False)


class JSONField(peewee.JSONField):
    """A `jsonb` column whose values are Python objects.

    Raises:
        ImproperlyConfigured: peewee lacks the names by which its JSON expressions are ours.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        demand("peewee", "a JSON column")
        super().__init__(*args, **kwargs)

    def _db_hook(self, database: object) -> None:
        super()._db_hook(database)  # type: ignore[misc]
        if database is None:
            self._helper = _JSONMethods(None)
            self._wrap = _json_value
            self._read = _unchanged


def _unchanged(value: object) -> object:
    return value
