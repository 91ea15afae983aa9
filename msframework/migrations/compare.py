"""Comparison of columns, constraints and indexes, and the pairs of old and new ones.

Texts of SQL are compared by their words, names are left out. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Generic, TypeVar

from msframework.migrations import sql
from msframework.migrations.schema import Column, Constraint, ForeignKey, Index

Part = TypeVar("Part", Constraint | ForeignKey, Index)


@dataclass(frozen=True, slots=True)
class Pairing(Generic[Part]):
    """The constraints, or the indexes, of a table that are kept, renamed, dropped or new."""

    kept: tuple[tuple[Part, Part], ...]
    renamed: tuple[tuple[Part, Part], ...]
    dropped: tuple[Part, ...]
    added: tuple[Part, ...]


def pair(
    old: Sequence[Part], new: Sequence[Part], same: Callable[[Part, Part], bool]
) -> Pairing[Part]:
    """Pair parts of equal name and content, then of equal content; drop or create the rest.

    If another old part still has the new name by then, the part is not renamed, but recreated.
    """
    kept, left = [], list(new)
    gone = []
    for one in old:
        other = next((each for each in left if each.name == one.name and same(one, each)), None)
        if other is None:
            gone.append(one)
        else:
            kept.append((one, other))
            left.remove(other)
    renamed, dropped = [], []
    taken = {one.name for one, _ in kept}
    for one in gone:
        other = next((each for each in left if same(one, each)), None)
        if other is None or other.name in taken:
            dropped.append(one)
        else:
            renamed.append((one, other))
            left.remove(other)
    return _without_collisions(Pairing(tuple(kept), tuple(renamed), tuple(dropped), tuple(left)))


def _without_collisions(found: Pairing[Part]) -> Pairing[Part]:
    """Replace a rename by drop and creation where another part still has the new name."""
    leaving = {one.name for one, _ in found.renamed}
    kept, dropped, added = [], list(found.dropped), list(found.added)
    for one, other in found.renamed:
        if other.name in leaving:
            dropped.append(one)
            added.append(other)
        else:
            kept.append((one, other))
    return Pairing(found.kept, tuple(kept), tuple(dropped), tuple(added))


def same_column(one: Column, other: Column) -> bool:
    """Say whether two columns of one name are the same."""
    return (
        (one.type, one.null, one.serial, one.identity, one.comment, one.client_default)
        == (
            other.type,
            other.null,
            other.serial,
            other.identity,
            other.comment,
            other.client_default,
        )
        and sql.same(one.default, other.default)
        and sql.same(one.generated, other.generated)
        and sql.same(one.collation, other.collation)
    )


def same_constraint(one: Constraint | ForeignKey, other: Constraint | ForeignKey) -> bool:
    """Say whether two constraints are equal but for their names."""
    if isinstance(one, ForeignKey) and isinstance(other, ForeignKey):
        return _said_by(one) == _said_by(other)
    if isinstance(one, Constraint) and isinstance(other, Constraint):
        return sql.same(one.definition, other.definition)
    return False


def same_index(one: Index, other: Index) -> bool:
    """Say whether two indexes are equal but for their names."""
    return (
        (one.unique, one.method, one.include, one.nulls_distinct)
        == (other.unique, other.method, other.include, other.nulls_distinct)
        and _same_texts(one.elements, other.elements)
        and sql.same(one.where, other.where)
        and _same_texts(one.storage, other.storage)
    )


def mentions(text: str, names: frozenset[str]) -> bool:
    """Say whether an SQL text names one of the columns."""
    return any(word.strip('"') in names for word in sql.canonical_words(text))


def is_about(constraint: Constraint | ForeignKey, columns: frozenset[str]) -> bool:
    """Say whether a constraint names one of the columns of its table."""
    if isinstance(constraint, ForeignKey):
        return not columns.isdisjoint(constraint.columns)
    return mentions(constraint.definition, columns)


def _said_by(key: ForeignKey) -> tuple[object, ...]:
    actions = [(action or "NO ACTION").upper() for action in (key.on_delete, key.on_update)]
    return key.columns, key.target, key.target_columns, *actions, key.deferrable


def _same_texts(one: Sequence[str], other: Sequence[str]) -> bool:
    return all(sql.same(a, b) for a, b in zip_longest(one, other))
