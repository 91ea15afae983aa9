"""Names that a collection may not have, or that mean another one. Read at start-up."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final

from msframework._place import place_of
from msframework.alike import find_nearest
from msframework.collection.action import ACTIONS
from msframework.collection.model_resource import ModelResource
from msframework.collection.seam import SEAMS
from msframework.doc import find_notes
from msframework.problem import Problem
from msframework.resource import GUARDING_ELSEWHERE, Resource, nothing_reads

# Names of other frameworks for what is here.
ELSEWHERE: Final[Mapping[str, str]] = {
    **GUARDING_ELSEWHERE,
    "destroy": "delete",
    "filter_backends": "filters, sort and search",
    "filter_queryset": "query",
    "filterset_class": "filters",
    "filterset_fields": "filters",
    "get_object": "read",
    "get_queryset": "query or scope",
    "get_serializer_class": "list_schema or create_schema",
    "http_method_names": "actions",
    "lookup_field": "lookup",
    "lookup_url_kwarg": "lookup, and the parameter of item=",
    "ordering": "default_sort",
    "ordering_fields": "sort",
    "pagination_class": "paging",
    "partial_update": "patch",
    "perform_create": "before_create or after_create",
    "perform_destroy": "before_delete or after_delete",
    "perform_update": "before_update or after_update",
    "queryset": "schema, whose model it is, or scope",
    "retrieve": "read",
    "search_fields": "search",
    "serializer_class": "schema",
    "update": "patch or replace",
    "get": "list or read",
    "post": "create",
    "put": "replace",
}


# Variables of generated methods, and those of bulk actions alone: no parameter of theirs has such a
# name.
ASSIGNED: Final = frozenset(
    ("asked", "exc", "joined", "query", "result", "row", "rows", "scope", "values")
)
_HOOK: Final = re.compile(
    r"(pre|post|on)_?(create|insert|save|update|change|replace|patch|delete|destroy|remove|commit)d?",
    re.IGNORECASE,
)
BULK_ASSIGNED: Final = frozenset(("bounds", "key", "keys"))
# Names that no parameter of a path can have: beside those, a method's own arguments, and functions
# that it calls. Other names that it reaches begin with a word in capitals.
LOCALS: Final = (
    ASSIGNED
    | {"self", "request", "body", "page", "filters", "cur", "tx", "principal"}
    | {"missing_row", "in_scope", "check_scope", "insert_rows", "update_rows", "delete_rows"}
    | {"lock_rows", "only_row", "Reply"}
)
BULK_LOCALS: Final = BULK_ASSIGNED | {"chosen"}


def own_names(cls: type[ModelResource]) -> Iterator[tuple[str, object]]:
    """Yield name and value of the attributes of *cls* and its bases below `ModelResource`."""
    for base in cls.__mro__:
        if issubclass(base, ModelResource) and base is not ModelResource:
            yield from vars(base).items()


def find_wrong_names(where: str, cls: type[ModelResource]) -> Iterator[Problem]:
    """Yield the public names that are nearly those of an attribute, an action or a seam."""
    known = [name for name in dir(ModelResource) if not name.startswith("_")]
    known += [name for name in ModelResource.__annotations__ if name not in known]
    for name, value in own_names(cls):
        if name.startswith("_") or name in known or hasattr(Resource, name):
            continue
        label = f"{cls.__name__}.{name}"
        place = place_of(value, label) if inspect.isfunction(value) else where
        meant = ELSEWHERE.get(name) or find_nearest(name, known, 0.8)
        if not meant and (name.startswith(("before_", "after_")) or _HOOK.fullmatch(name)):
            meant = f"one of {', '.join(each for each in SEAMS if each[0] in 'ab')}"
        if meant:
            yield nothing_reads(place, name, meant)
        elif inspect.isfunction(value) and find_notes(value) is not None:
            advice = "Write a function beside the class: @blueprint.post(…)."
            found = f"nothing calls its method {name!r}, on which @doc stands"
            yield Problem(place, found, advice=advice)
    for name in ACTIONS:
        method = inspect.getattr_static(cls, name)
        if not inspect.isfunction(method):
            found = f"its {name!r} is {method!r}"
            yield Problem(where, found, "a method", "Write one, or rename it.")
