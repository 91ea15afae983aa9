"""Shared aliases and protocols; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final, runtime_checkable

Handler: TypeAlias = Callable[..., Any]
Row: TypeAlias = dict[str, Any]
Headers: TypeAlias = Mapping[str, str]
JSONObject: TypeAlias = dict[str, Any]
Provider: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])


@final
class Unset:
    """The type of `UNSET`: says that nothing was given where `None` has a meaning of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset()


@runtime_checkable
class Part(Protocol):
    """What a service starts before it serves, and stops in reverse order afterwards."""

    async def start(self) -> None:
        """Open what the part needs; an exception keeps the service from starting."""

    async def stop(self) -> None:
        """Close it again; called once for each `start` that succeeded."""
