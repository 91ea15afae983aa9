"""The mistakes in the attributes of a `ModelResource` class, and in the `lookup` of its rows.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import peewee

from msframework.collection.action import ACTIONS
from msframework.exceptions import ServiceException
from msframework.models.key import unique_keys
from msframework.problem import Problem


class AttributeRule(NamedTuple):
    """The values that an attribute may have: a test, and its words for a message."""

    holds: Callable[[Any], bool]
    expected: str


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_lookup(value: object) -> bool:
    return value is None or isinstance(value, str) or (_is_sequence(value) and bool(value))


def _is_paging(value: object) -> bool:
    return hasattr(value, "find_mistakes") and not isinstance(value, type)


def are_actions(value: Any) -> bool:
    """Tell whether *value* names actions."""
    is_collection = isinstance(value, Collection) and not isinstance(value, str)
    return is_collection and all(name in ACTIONS for name in value)


_NAMES: Final = AttributeRule(_is_sequence, "a tuple of names")
ATTRIBUTES: Final[Mapping[str, AttributeRule]] = {
    "actions": AttributeRule(are_actions, f"some of {', '.join(ACTIONS)}"),
    "lookup": AttributeRule(_is_lookup, "a name, or a tuple of names"),
    "parent": AttributeRule(_is_mapping, "a dict of fields by parameters of the path"),
    "filters": AttributeRule(_is_mapping, "a dict of operators by names of columns"),
    "sort": _NAMES,
    "default_sort": _NAMES,
    "search": _NAMES,
    "paging": AttributeRule(_is_paging, "one of Pages(…), Cursors(…), Offsets(…)"),
    "raises": AttributeRule(_is_mapping, "a dict of exceptions by constraint"),
    "bulk_size": AttributeRule(_is_size, "a whole number of 1 or more"),
    "noun": AttributeRule(_is_text, "a text"),
    "nouns": AttributeRule(_is_text, "a text"),
}


def find_wrong_attributes(where: str, cls: type) -> Iterator[Problem]:
    """Yield the attributes of *cls* that have a value of a wrong type."""
    for name, rule in ATTRIBUTES.items():
        value: Any = getattr(cls, name)
        if not rule.holds(value):
            is_names = rule is _NAMES and isinstance(value, str)
            advice = f"Write {name} = ({value!r},)." if is_names else ""
            yield Problem(where, f"{name} is {value!r:.100}", rule.expected, advice)
    raises: Any = getattr(cls, "raises", None)
    for constraint, exception in raises.items() if isinstance(raises, Mapping) else ():
        if not isinstance(constraint, str):
            yield Problem(where, f"raises names {constraint!r}", "the name of a constraint")
        if not (isinstance(exception, type) and issubclass(exception, ServiceException)):
            expected = "a class derived from msframework.ServiceException"
            yield Problem(where, f"raises names {exception!r} for {constraint!r}", expected)


def are_unique(model: type[peewee.Model], fields: Iterable[peewee.Field]) -> bool:
    """Tell whether no two rows of *model* have the same values of *fields*."""
    found = frozenset(fields)
    return any(key <= found for key in unique_keys(model))


def find_ambiguous_lookup(
    where: str, model: type[peewee.Model], fields: Collection[peewee.Field], *, scoped: bool
) -> Iterator[Problem]:
    """Yield the mistake of an item path whose *fields* may have the same values in several rows.

    Args:
        scoped: whether the collection has a scope, which may bind the rest of a unique key.
    """
    found = frozenset(fields)
    is_part = scoped and any(found <= key for key in unique_keys(model))
    if is_part or are_unique(model, fields):
        return
    names = ", ".join(field.name for field in fields)
    yield Problem(
        where,
        f"a row is looked up by {names}, and several rows of {model.__name__} may have the same",
        "columns that are unique together",
        "Declare them with unique=True or by Meta.indexes, or look rows up by another column.",
    )
