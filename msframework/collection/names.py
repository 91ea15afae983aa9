"""Names that a collection may not have, or that mean another one. Read at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Names of other frameworks for what is here.
ELSEWHERE: Final[Mapping[str, str]] = {
    "destroy": "delete",
    "get_queryset": "query or scope",
    "partial_update": "patch",
    "perform_create": "before_create or after_create",
    "perform_destroy": "before_delete or after_delete",
    "perform_update": "before_update or after_update",
    "retrieve": "read",
    "update": "patch or replace",
    "get": "list or read",
    "post": "create",
    "put": "replace",
}


# Names of variables in generated functions, and of functions that they call, which no parameter of
# a path can have. Other names that they reach are in capitals.
LOCALS: Final = (
    frozenset(
        ("self", "request", "body", "page", "filters", "query", "row", "rows", "scope", "values")
    )
    | {"asked", "joined", "result", "cur", "tx", "principal"}
    | {"missing_row", "in_scope", "check_scope", "insert_rows", "update_rows", "lock_rows", "Reply"}
)
BULK_LOCALS: Final = frozenset(("bounds", "chosen", "key", "keys"))
