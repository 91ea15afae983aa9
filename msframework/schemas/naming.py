"""`Schema`: marshmallow's, whose `Meta.naming` says how its fields are called on the wire.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import marshmallow

from msframework.exceptions import ImproperlyConfigured
from msframework.types import Field

Spell = Callable[[str], str]


def camel_case(name: str) -> str:
    """Return *name* with capitals in the place of underscores, as in `createTime`."""
    bare = name.lstrip("_")
    first, *others = bare.split("_")
    spelled = first + "".join(part[:1].upper() + part[1:] for part in others)
    return name[: len(name) - len(bare)] + spelled


NAMINGS: Final[Mapping[str, Spell]] = MappingProxyType({"camel": camel_case})

# Options of other libraries that say who may write and read a field, and what says it here. What
# nothing reads would leave the field open.
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "extra_kwargs": "a declared field, dump_only or load_only",
        "read_only": "dump_only",
        "read_only_fields": "dump_only",
        "write_only": "load_only",
        "write_only_fields": "load_only",
    }
)


def wire_name(field: Field, name: str) -> str:
    """Return the name of a schema's field *name* on the wire: its `data_key`, if it has one."""
    return name if field.data_key is None else field.data_key


def spell_as(schema: marshmallow.Schema | None, name: str) -> str:
    """Return *name*, which is no field of *schema*, as its naming says."""
    spell: Spell | None = getattr(getattr(schema, "opts", None), "naming", None)
    return name if spell is None else spell(name)


class NamingOpts(marshmallow.SchemaOpts):
    """marshmallow's options, and `naming`.

    Raises:
        ImproperlyConfigured: `naming` is none of ours, or an option is one of another library.
    """

    def __init__(self, meta: type) -> None:
        super().__init__(meta)
        problems = [
            f"{meta.__qualname__}: nothing reads its {name!r}. Was {meant} meant?"
            for name, meant in _ELSEWHERE.items()
            if hasattr(meta, name)
        ]
        if problems:
            raise ImproperlyConfigured.of(problems)
        naming = getattr(meta, "naming", None)
        if naming is not None and naming not in NAMINGS:
            raise ImproperlyConfigured(
                f"{meta.__qualname__}: naming is {naming!r}, expected one of "
                f"{', '.join(map(repr, NAMINGS))}. Correct it, or drop it."
            )
        self.naming: Spell | None = None if naming is None else NAMINGS[naming]


class Schema(marshmallow.Schema):
    """marshmallow's Schema, whose Meta may say `naming = "camel"`: fields are called as in JSON.

    A field's own `data_key` takes precedence. Errors, documents and the names of parameters follow.
    """

    OPTIONS_CLASS = NamingOpts
    opts: NamingOpts

    def on_bind_field(self, field_name: str, field_obj: Field) -> None:
        """Name the field; call it by `super()` where you override it."""
        spell = self.opts.naming
        if spell is not None and field_obj.data_key is None:
            field_obj.data_key = spell(field_name)
