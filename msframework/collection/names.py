"""Names that a collection may not have, or that mean another one. Read at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msframework.resource import GUARDING_ELSEWHERE

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


# Variables of generated methods, and those of bulk actions alone: nothing that the methods take is
# called so.
ASSIGNED: Final = frozenset(
    ("asked", "joined", "query", "result", "row", "rows", "scope", "values")
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
