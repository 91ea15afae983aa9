"""`Model`, bound to no connection, and the fields that asyncpg wants otherwise than peewee.

Runs at start-up; conversions of values run per query.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import peewee
from peewee import SQL, Cast, Value

from msframework._tested import demand
from msframework.exceptions import ImproperlyConfigured

# Options of Django's Meta and of older peewees, and what says it here.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "db_table_comment": "comment",
    "index_together": "indexes = (((…), False),)",
    "order_by": "order_by(…) of a query, or default_sort of a collection",
    "ordering": "order_by(…) of a query, or default_sort of a collection",
    "unique_together": "indexes = (((…), True),)",
}


class ModelMetadata(peewee.Metadata):
    """The options of a model's Meta; subclasses don't inherit `abstract` and `comment`.

    Args:
        abstract: the model is the base of others, and has no table.
        comment: the table's comment in the database.

    Raises:
        ImproperlyConfigured: an option is one of another library, or cannot be read.

    Attributes:
        auto_now: the fields that every UPDATE sets to the present time.
        given: the names of the options that Meta has, or inherits.
    """

    def __init__(
        self,
        model: type[peewee.Model],
        *args: Any,
        abstract: bool = False,
        comment: str | None = None,
        **options: Any,
    ) -> None:
        problems = [
            f"{model.__module__}.{model.__name__}.Meta: nothing reads its {name!r}. "
            f"Was {_ELSEWHERE[name]} meant?"
            for name in options.keys() & _ELSEWHERE.keys()
        ]
        if isinstance(options.get("constraints"), peewee.Node):
            problems.append(
                f"{model.__module__}.{model.__name__}.Meta: its constraints are one, not a list. "
                "Write `constraints = [SQL(…)]`."
            )
        if isinstance(options.get("primary_key"), str):
            problems.append(
                f"{model.__module__}.{model.__name__}.Meta: its primary_key is a text. Give the "
                "field `primary_key=True`, or write `CompositeKey(…)`."
            )
        if problems:
            raise ImproperlyConfigured.of(sorted(problems))
        super().__init__(model, *args, **options)
        self.auto_now: list[peewee.Field] = []
        self.given = frozenset(options)
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

    @classmethod
    def update(cls, data: Any = None, /, **changes: Any) -> peewee.ModelUpdate:
        """Return an UPDATE of *changes*, which sets the fields with `auto_now`, too."""
        query: Any = super().update(data, **changes)
        meta: Any = cls._meta
        if meta.auto_now and query._update and isinstance(query._update, dict):
            now = utcnow()
            for field in meta.auto_now:
                query._update.setdefault(field, now)
        updating: peewee.ModelUpdate = query
        return updating


def utcnow() -> datetime:
    """Return the present time with its zone, for `DateTimeTZField(default=utcnow)`."""
    return datetime.now(UTC)


class DateTimeTZField(peewee.DateTimeField):
    """A `timestamptz` column: a point in time, whose values carry a zone.

    Args:
        auto_now_add: an INSERT that says nothing else sets it to the present time.
        auto_now: an INSERT and an UPDATE do.

    Raises:
        TypeError: either is said beside a default, or of a model that is not ours.
    """

    field_type = "TIMESTAMPTZ"

    def __init__(
        self, *args: object, auto_now: bool = False, auto_now_add: bool = False, **kwargs: Any
    ) -> None:
        self.auto_now, self.auto_now_add = auto_now, auto_now_add
        if self.is_automatic:
            if kwargs.get("default") is not None:
                raise TypeError("a field with auto_now or auto_now_add has no other default")
            kwargs["default"] = utcnow
        super().__init__(*args, **kwargs)

    @property
    def is_automatic(self) -> bool:
        """Whether statements set it by themselves, so that callers do not."""
        return self.auto_now or self.auto_now_add

    def bind(self, model: type[peewee.Model], name: str, set_attribute: bool = True) -> None:
        """Make it a field of *model*."""
        super().bind(model, name, set_attribute)
        if self.auto_now:
            if not isinstance(model._meta, ModelMetadata):
                raise TypeError(
                    f"{model.__name__}.{name} has auto_now, which the UPDATEs of {model.__name__} "
                    "would not know of. Derive the model from msframework.models.Model."
                )
            model._meta.auto_now.append(self)

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
        return SQL("'null'::jsonb") if value is None else unconverted(value)

    def cast_for_case(self, field: object, value: object) -> Cast:
        return Cast(unconverted(value), "JSONB")


def unconverted(value: object) -> Value:
    """Return *value* as one argument that no field converts, also when it is a list."""
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
            self._wrap = unconverted
            self._read = _unchanged


def _unchanged(value: object) -> object:
    return value
