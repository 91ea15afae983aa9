"""Every setting that there is, read from the fields of `conf.settings`. Runs at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from msframework.conf.settings import Settings


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting: its name in capitals, its place among the values, and its type.

    `section` is the field of `Settings` that holds it (empty for `Settings` itself) and
    `attribute` the field in there. `kind` is the type without the `None` that `optional` tells.
    """

    name: str
    section: str
    attribute: str
    kind: Any
    optional: bool
    default: Any
    help: str
    secret: bool
    alias: str | None
    choices: tuple[str, ...]
    least: float | None
    most: float | None
    takes_text: bool

    def read(self, settings: Settings) -> Any:
        """Return the value that *settings* holds."""
        holder = getattr(settings, self.section) if self.section else settings
        return getattr(holder, self.attribute)


@cache
def declarations() -> Mapping[str, Declaration]:
    """Return every setting by its name, in the order of declaration."""
    found = list(_read_section(Settings, ""))
    hints = get_type_hints(Settings)
    for item in fields(Settings):
        if is_dataclass(hints[item.name]):
            found += _read_section(hints[item.name], item.name)
    return MappingProxyType({declaration.name: declaration for declaration in found})


def _read_section(section: Any, name: str) -> list[Declaration]:
    hints = get_type_hints(section)
    found = []
    for item in fields(section):
        notes = dict(item.metadata)
        if not notes:
            continue
        default = item.default if item.default is not MISSING else {}
        kind, optional = _without_none(hints[item.name])
        found.append(
            Declaration(
                section=name,
                attribute=item.name,
                kind=kind,
                optional=optional,
                default=default,
                **notes,
            )
        )
    return found


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) is not UnionType:
        return hint, False
    (kind,) = (part for part in get_args(hint) if part is not type(None))
    return kind, True
