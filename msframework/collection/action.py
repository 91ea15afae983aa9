"""The actions of a collection: their methods and paths, and the generated functions of one mount.

Read at start-up; `Usual.run` runs per request, for methods that replace an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from msframework.filters import Filters
from msframework.filters.ordering import SortOrder
from msframework.serving.request import Request
from msframework.types import Handler


class ActionPlace(Enum):
    """The path of a collection that an action is served at."""

    LIST = "list"
    ITEM = "item"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class CollectionAction:
    """One action: its name, its HTTP method, the place of its path, whether it writes."""

    name: str
    method: str
    place: ActionPlace

    @property
    def writes(self) -> bool:
        """Whether it runs in a transaction."""
        return self.method != "GET"


ACTIONS: Final[Mapping[str, CollectionAction]] = {
    action.name: action
    for action in (
        CollectionAction("list", "GET", ActionPlace.LIST),
        CollectionAction("create", "POST", ActionPlace.LIST),
        CollectionAction("read", "GET", ActionPlace.ITEM),
        CollectionAction("replace", "PUT", ActionPlace.ITEM),
        CollectionAction("patch", "PATCH", ActionPlace.ITEM),
        CollectionAction("delete", "DELETE", ActionPlace.ITEM),
        CollectionAction("bulk_create", "POST", ActionPlace.BULK),
        CollectionAction("bulk_patch", "PATCH", ActionPlace.BULK),
        CollectionAction("bulk_delete", "DELETE", ActionPlace.BULK),
    )
}
USUAL_ACTIONS: Final = ("list", "create", "read", "replace", "patch", "delete")

# What a method asks for that reads a row without saying what of it.
_WHOLE: Final = Filters(SortOrder((), (), ()))


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated function of an action: `(self, request, …)`, and its other parameters."""

    function: Handler
    parameters: tuple[str, ...]


@dataclass(slots=True)
class Usual:
    """The generated actions of one mounted collection, for methods that replace them."""

    owner: Any = None
    functions: dict[str, Generated] = field(default_factory=dict)

    def run(
        self, name: str, request: Request, args: tuple[object, ...], given: dict[str, object]
    ) -> Any:
        """Return the coroutine of an action; the request gives the principal and path parameters.

        Raises:
            TypeError: the collection lacks the action, or arguments are missing.
        """
        generated = self.functions.get(name)
        if generated is None:
            raise TypeError(f"{type(self.owner).__qualname__} is no collection with {name!r}")
        for parameter in generated.parameters[len(args) :]:
            if parameter == "principal":
                given.setdefault(parameter, request.principal)
            elif parameter == "filters" and name == "read":
                given.setdefault(parameter, _WHOLE)
            elif parameter in request.match_info:
                given.setdefault(parameter, request.match_info[parameter])
        return generated.function(self.owner, request, *args, **given)
