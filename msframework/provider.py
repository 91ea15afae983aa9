"""Provided values: the declarations of `provide()`, and the values that come with the framework.

Made at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from msframework.exceptions import ServiceException
from msframework.types import Provider

Raised: TypeAlias = tuple[type[ServiceException], ...]


class ProviderKind(Enum):
    """How a provided value is made; the last four come with the framework."""

    FUNCTION = "function"
    COROUTINE = "coroutine function"
    GENERATOR = "async generator"
    DATABASE = "db"
    CURSOR = "cur"
    TRANSACTION = "tx"
    PRINCIPAL = "principal"


@dataclass(frozen=True, slots=True)
class ProvidedValue:
    """A value that methods take by name.

    Attributes:
        function: what makes it; `None` for the values that come with the framework.
        owner: who provides it, for messages: the service, or a blueprint.
        security: the security scheme that it enforces.
        raises: the failures that it adds to the operations that take it.
    """

    name: str
    function: Provider | None
    kind: ProviderKind
    owner: str = ""
    security: str | None = None
    raises: Raised = ()

    @property
    def where(self) -> str:
        """The call that declares it, for messages."""
        return f"{self.owner}.provide({self.name!r}, …)"


BUILT_IN: Final[Mapping[str, ProvidedValue]] = {
    kind.value: ProvidedValue(kind.value, None, kind)
    for kind in (
        ProviderKind.DATABASE,
        ProviderKind.CURSOR,
        ProviderKind.TRANSACTION,
        ProviderKind.PRINCIPAL,
    )
}


def build_value(
    name: str,
    function: Provider,
    owner: str,
    security: str | None,
    raises: object,
) -> ProvidedValue:
    """Return the declaration of `provide()`; `compile.provider` checks it."""
    given = tuple(raises) if isinstance(raises, tuple | list) else (raises,)
    return ProvidedValue(name, function, kind_of(function), owner, security, given)


def kind_of(function: object) -> ProviderKind:
    """Return how the values of *function* are made."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an instance with an async __call__
    if inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call):
        return ProviderKind.GENERATOR
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        return ProviderKind.COROUTINE
    return ProviderKind.FUNCTION
