"""The schema of tables as values, which migrations carry, compare and write as SQL.

All parts are plain values, and their text is Python that makes them again. A table is named as in
SQL, `users` or `shop.notes`; without a schema it is found on the connection's search path. Names
of columns are bare; expressions, predicates and elements of indexes are SQL text, in which a name
is quoted where SQL wants that.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

Identity = Literal["always", "by default"]
Deferral = Literal["immediate", "deferred"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        type: as `migrations.types.canonical` writes it: `varchar(128)`, `integer`, `timestamptz[]`.
        default: the server's default, as SQL.
        serial: filled from a sequence that the column owns (`serial`, `bigserial`).
        identity: an identity column, and whether it takes values that a statement gives.
        generated: the expression of a stored generated column.
        collation: as SQL; `None` for the type's own.
        client_default: the text of peewee's default, which the database does not know.
    """

    name: str
    type: str
    _: KW_ONLY
    null: bool = False
    default: str | None = None
    serial: bool = False
    identity: Identity | None = None
    generated: str | None = None
    collation: str | None = None
    comment: str | None = None
    client_default: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table.

    Args:
        elements: as SQL, in order: `email`, `lower(email)`, `age DESC NULLS LAST`,
            `data jsonb_path_ops`.
        where: the predicate of a partial index, as SQL.
        include: columns that are only stored.
        nulls_distinct: `False` lets a unique index take one NULL only.
        storage: the parameters of `WITH (…)`, as SQL: `fillfactor = 70`.
    """

    name: str
    elements: tuple[str, ...]
    _: KW_ONLY
    unique: bool = False
    method: str = "btree"
    where: str | None = None
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True
    storage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of a table; an action of `None` is `NO ACTION`.

    Args:
        target: the other table, named as a table is.
        deferrable: when a deferrable one is checked unless a transaction says otherwise.
    """

    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    _: KW_ONLY
    on_delete: str | None = None
    on_update: str | None = None
    deferrable: Deferral | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint that is no foreign key.

    Args:
        definition: as SQL: `PRIMARY KEY (id)`, `UNIQUE (a, b)`, `CHECK (age > 0)`, `EXCLUDE …`.
    """

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class EnumType:
    """An enumerated type, named as a table is; its values in their order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with its columns in the order of their declaration.

    Args:
        storage: the clauses after the columns in CREATE TABLE, as SQL.
    """

    name: str
    columns: tuple[Column, ...]
    _: KW_ONLY
    constraints: tuple[Constraint | ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    comment: str | None = None
    storage: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """Return the column *name*.

        Raises:
            KeyError: there is none.
        """
        for each in self.columns:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """The constraints that are foreign keys."""
        return tuple(each for each in self.constraints if isinstance(each, ForeignKey))


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The tables and types of one app, or of all apps."""

    tables: tuple[Table, ...] = ()
    enums: tuple[EnumType, ...] = field(default=(), kw_only=True)

    def table(self, name: str) -> Table | None:
        """Return the table *name*, if there is one."""
        return next((each for each in self.tables if each.name == name), None)
