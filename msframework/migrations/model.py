"""The class style: a `MigrationModel` for each model, a `migrate_*` method for each version.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from peewee import Field, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator, make_index_name

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.connection import db, say
from msframework.migrations.declared import table_name
from msframework.migrations.execute import Execution
from msframework.migrations.model_operations import (
    ModelOperation,
    add_field,
    as_elements,
    find_indexes,
    table_exists,
)
from msframework.migrations.operations import (
    AlterColumn,
    CreateIndex,
    DropIndex,
    RenameColumn,
    RenameTable,
    Run,
)
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.schema import Column, Index
from msframework.migrations.sql import quote, quote_qualified
from msframework.migrations.versions import Info, auto_migrate
from msframework.types import F


def info(
    version: str | None = None,
    author: str | None = None,
    datetime: object = None,
    *,
    atomic: bool = True,
) -> Callable[[F], F]:
    """Note the version of a `migrate_*` method, by which it is recorded.

    Args:
        version: unique within the model; without it, the method's name after `migrate_`.
        author: who wrote it.
        datetime: when it was written: a text, or a date.
        atomic: `False` runs it outside of a transaction, as `CONCURRENTLY` wants it.
    """
    written = None if datetime is None else str(datetime)

    def take_note(method: F) -> F:
        method.migration_info = Info(version, author, written, atomic)  # type: ignore[attr-defined]
        return method

    return take_note


def migrate(*operations: Any) -> None:
    """Run the operations that `add_column` and the like returned, in this order."""
    for operation in operations:
        if isinstance(operation, (list, tuple)):
            migrate(*operation)
        else:
            operation.run()


class MigrationModel:
    """The migrations of one model, each a `migrate_*` method, run in the order of their definition.

        class UserMigration(MigrationModel):
            _model = User

            @info(version="v1", author="…")
            def migrate_v1(self):
                migrate(self.add_column("sex"))

    A field is first added to the model, then to the table by its name. The methods that take names
    return operations for `migrate` and do nothing by themselves.
    """

    _model: ClassVar[Any] = None
    _execution: Execution | None = None  # of the run that this is a part of
    _app: ClassVar[str] = ""  # where it is recorded; without it, the name of the app's directory
    _depends: ClassVar[tuple[str, ...]] = ()  # "app.name" of the migrations before it

    def __init__(self, database: PostgresqlDatabase | None = None) -> None:
        self._given = database

    @property
    def database(self) -> PostgresqlDatabase:
        """The database given, or the one that `msframework.migrations.db` stands for."""
        return db.resolve() if self._given is None else self._given

    @property
    def migrator(self) -> SchemaMigrator:
        """The migrator of playhouse, for operations that have no method here."""
        return SchemaMigrator.from_database(self.database, schema=self._model._meta.schema)

    @property
    def _table(self) -> str:
        return table_name(self._model)

    def add_column(self, name: str, field: Field | None = None) -> ModelOperation:
        """Add the column of the model's field *name*, or of *field*.

        A column that may not be null needs a default in the model when the table has rows.

        Raises:
            ImproperlyConfigured: the model has no such field.
        """
        if field is None:
            field = self._field(name)
            if field is None:
                raise ImproperlyConfigured(
                    f"{type(self).__name__}: add_column({name!r}), but {self._model.__name__} has "
                    f"no field {name!r}. Add it to the model first, or pass a field."
                )
        elif not field.column_name:
            field.name = field.column_name = name
        return self._operation(*add_field(self._model, field))

    def rename_column(self, old_name: str, new_name: str) -> ModelOperation:
        """Rename a column; names are the columns', or those of today's fields."""
        old, new = self._column(old_name), self._column(new_name)
        return self._operation(RenameColumn(self._table, old, new))

    def drop_column(self, name: str, cascade: bool = True) -> ModelOperation:
        """Drop a column and, with *cascade*, all that depends on it."""
        drop = f"DROP COLUMN {quote(self._column(name))}{' CASCADE' if cascade else ''}"
        return self._operation(Run(f"ALTER TABLE {quote_qualified(self._table)} {drop}"))

    def add_not_null(self, name: str) -> ModelOperation:
        """Forbid null in a column."""
        return self._alter(name, required=True)

    def drop_not_null(self, name: str) -> ModelOperation:
        """Allow null in a column."""
        return self._alter(name, required=False)

    def rename_table(self, old_name: str, new_name: str | None = None) -> ModelOperation:
        """Rename a table: `rename_table("users", "members")`.

        With one name, it is the other name than the model's: the old one where the model says the
        new one already, the new one where the model's table is still there.
        """
        old = self._qualified(old_name)
        if new_name is not None:
            new = self._qualified(new_name)
        else:
            new = self._table
            if table_exists(self.database, new):
                old, new = new, old
        return self._operation(RenameTable(old, new))

    def add_index(
        self, columns: str | Sequence[str], unique: bool = False, name: str | None = None
    ) -> ModelOperation:
        """Add an index on one or more columns."""
        names = self._columns(columns)
        name = name or make_index_name(self._model._meta.table_name, names)
        index = Index(name, as_elements(names), unique=unique)
        return self._operation(CreateIndex(self._table, index))

    def drop_index(self, columns: str | Sequence[str]) -> ModelOperation:
        """Drop an index, given by its name or by its columns.

        Raises:
            ImproperlyConfigured: the table has no such index.
        """
        indexes = find_indexes(self.database, self._table)
        wanted = self._columns(columns)
        found = [name for name, own in indexes.items() if own == wanted]
        if isinstance(columns, str) and columns in indexes:
            found = [columns]
        if not found:
            raise ImproperlyConfigured(
                f"{type(self).__name__}: drop_index({columns!r}), but {self._table} has no such "
                f"index; it has {', '.join(indexes) or 'none'}."
            )
        by_convention = make_index_name(self._model._meta.table_name, wanted)
        name = by_convention if by_convention in found else found[0]
        return self._operation(DropIndex(self._table, Index(name, as_elements(wanted))))

    def auto_migrate(self) -> None:
        """Bring the model's table up to date: make a missing one, else run the pending versions.

        Raises:
            ImproperlyConfigured: a version is used twice.
        """
        auto_migrate(self)

    def _operation(self, *operations: MigrationOperation) -> ModelOperation:
        if self._execution is not None:
            return ModelOperation(self._execution, operations)
        return ModelOperation(Execution(self.database, say), operations, is_alone=True)

    def _alter(self, name: str, required: bool) -> ModelOperation:
        # The type is not looked at where it does not change.
        forms = {null: Column(self._column(name), "text", null=null) for null in (True, False)}
        return self._operation(AlterColumn(self._table, forms[required], forms[not required]))

    def _qualified(self, name: str) -> str:
        schema = self._model._meta.schema
        return f"{schema}.{name}" if schema and "." not in name else name

    def _field(self, name: str) -> Field | None:
        meta = self._model._meta
        field: Field | None = meta.fields.get(name) or meta.columns.get(name)
        return field

    def _column(self, name: str) -> str:
        field = self._field(name)
        return name if field is None else str(field.column_name)

    def _columns(self, columns: str | Iterable[str]) -> tuple[str, ...]:
        names = (columns,) if isinstance(columns, str) else tuple(columns)
        return tuple(self._column(name) for name in names)
