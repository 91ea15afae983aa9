"""Columns as the source text of fields. Runs on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.model_names import name_members
from msframework.migrations.operations.ddl import bare
from msframework.migrations.schema import Column, EnumType
from msframework.migrations.source_layout import WIDTH, Bracketed, lay_out, source
from msframework.models import EnumField

OURS: Final = "msframework.models"
# Names that a module may import from elsewhere.
FOREIGN_NAMES: Final = frozenset(
    ["ArrayField", "Field", "HStoreField", "IntervalField", "TSVectorField", "TextJSONField"]
)
_PEEWEE: Final = "peewee"
_ENUM: Final = "enum"
_EXTENSION: Final = "playhouse.postgres_ext"
_SIMPLE: Final = {
    "bigint": "BigIntegerField",
    "boolean": "BooleanField",
    "bytea": "BlobField",
    "date": "DateField",
    "double precision": "DoubleField",
    "integer": "IntegerField",
    "jsonb": "JSONField",
    "smallint": "SmallIntegerField",
    "text": "TextField",
    "time": "TimeField",
    "timestamp": "DateTimeField",
    "timestamptz": "DateTimeTZField",
    "uuid": "UUIDField",
}
# Of playhouse; those that are indexed unless they are told otherwise come with the method.
_EXTENDED: Final = {
    "hstore": "HStoreField",
    "interval": "IntervalField",
    "tsvector": "TSVectorField",
}
_INDEXED: Final = {"hstore": "gin", "tsvector": "gin"}
# The class that a type's own one derives from, by the beginning of the type's name.
_FAMILIES: Final = {
    "timestamptz": "DateTimeTZField",
    "timestamp": "DateTimeField",
    "time": "TimeField",
    "real": "FloatField",
    "numeric": "DecimalField",
    "citext": "TextField",
    "smallserial": "SmallIntegerField",
    "serial": "IntegerField",
    "bigserial": "BigIntegerField",
}
_SERIALS: Final = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
_NUMERIC: Final = re.compile(r"numeric\((\d+), (\d+)\)\Z")
_SIZED: Final = re.compile(r"(varchar|char)\((\d+)\)\Z")


# NOTE: mypy knows the call with a constant name only.
_make_enum: Callable[[str, list[tuple[str, str]]], type[Enum]] = Enum  # type: ignore[assignment]


@dataclass(slots=True)
class SourceImports:
    """The imports of a module that is written, and the field classes that it defines.

    Args:
        taken: names that no defined class may have.
    """

    taken: set[str]
    names: dict[str, set[str]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    _by_type: dict[str, str] = field(default_factory=dict)

    def use(self, name: str, module: str = OURS) -> str:
        """Note that *name* is imported from *module*, and return it."""
        self.names.setdefault(module, set()).add(name)
        return name

    def lines(self) -> list[str]:
        """Return the statements, the standard library's first."""
        lines: list[str] = []
        for module in sorted(self.names, key=lambda name: (name != _ENUM, name)):
            names = sorted(self.names[module], key=lambda name: (not name.isupper(), name))
            line = f"from {module} import {', '.join(names)}"
            wide = lay_out(Bracketed(f"from {module} import (", tuple(names)), 0)
            lines += [line] if len(line) <= WIDTH else wide
            lines += [""] if module == _ENUM else []
        return lines

    def define(self, type_text: str) -> str:
        """Return the name of a class of this module, for columns of a type without one."""
        if type_text not in self._by_type:
            name = self._new_name(type_text, "Field")
            self._by_type[type_text] = name
            self.classes[name] = self._class_text(name, type_text)
        return self._by_type[type_text]

    def define_enum(self, enum: EnumType) -> tuple[str, ...]:
        """Return the arguments of an EnumField for *enum*: its class here, and its name."""
        if enum.name not in self._by_type:
            name = self._by_type[enum.name] = self._new_name(bare(enum.name), "")
            lines = [f"class {name}({self.use('StrEnum', _ENUM)}):"]
            members = name_members(enum.values)
            lines += [f"    {member} = {source(members[member])}" for member in members]
            self.classes[name] = "\n".join([*lines, ""])
        name = self._by_type[enum.name]
        own = EnumField(_enum_class(name, enum)).enum_type
        arguments = (f"enum_class={name}",)
        return arguments if own == enum.name else (*arguments, f"enum_type={source(enum.name)}")

    def _new_name(self, text: str, tail: str) -> str:
        words = "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text))
        words = words if words.isidentifier() else f"Type{words}"
        name, number = f"{words}{tail}", 1
        while name in self.taken:
            name, number = f"{words}Type{number if number > 1 else ''}{tail}", number + 1
        self.taken.add(name)
        return name

    def _class_text(self, name: str, type_text: str) -> str:
        family = _FAMILIES.get(type_text.partition("(")[0])
        base = self.use(family) if family else self.use("Field", _PEEWEE)
        text = f"class {name}({base}):\n    field_type = {source(type_text)}\n"
        if family == "DecimalField":
            text += "\n    def get_modifiers(self):\n        return None\n"
        return text


@dataclass(frozen=True, slots=True)
class FieldClass:
    """The class of a field, and the arguments that make its type.

    Args:
        method: of the index that the field has by default.
    """

    name: str
    arguments: tuple[str, ...] = ()
    method: str | None = None


def choose_class(
    column: Column, enums: Mapping[str, EnumType], imports: SourceImports, is_key: bool
) -> FieldClass:
    """Return the class of the field for *column*.

    Args:
        is_key: the column alone is the primary key.
    """
    if column.serial:
        if is_key and column.type != "smallint":
            return FieldClass(
                imports.use("AutoField" if column.type == "integer" else "BigAutoField")
            )
        return FieldClass(imports.define(_SERIALS[column.type]))
    if is_key and column.identity and column.type == "integer":
        always = ("generate_always=True",) if column.identity == "always" else ()
        return FieldClass(imports.use("IdentityField"), always)
    chosen = _by_type(column.type, enums, imports)
    arguments = tuple(each.removeprefix("enum_class=") for each in chosen.arguments)
    return replace(chosen, arguments=arguments)


def _enum_class(name: str, enum: EnumType) -> type[Enum]:
    members = [(f"VALUE_{number}", value) for number, value in enumerate(enum.values)]
    return _make_enum(name, members)


def can_be_field(enum: EnumType) -> bool:
    """Say whether an EnumField can stand for *enum*."""
    try:
        EnumField(_enum_class("Values", enum), enum.name)
    except (ImproperlyConfigured, ValueError):
        return False
    return True


def _by_type(type_text: str, enums: Mapping[str, EnumType], imports: SourceImports) -> FieldClass:
    enum = enums.get(type_text)
    if enum is not None and can_be_field(enum):
        return FieldClass(imports.use("EnumField"), imports.define_enum(enum))
    if type_text in _SIMPLE:
        return FieldClass(imports.use(_SIMPLE[type_text]))
    if type_text in _EXTENDED:
        name = imports.use(_EXTENDED[type_text], _EXTENSION)
        return FieldClass(name, method=_INDEXED.get(type_text))
    if type_text.endswith("[]"):
        inner = _by_type(type_text[:-2], enums, imports)
        given = [argument.partition("=") for argument in inner.arguments]
        keywords = ", ".join(f'"{name}": {value}' for name, _, value in given)
        arguments = (inner.name, *((f"{{{keywords}}}",) if keywords else ()))
        return FieldClass(imports.use("ArrayField", _EXTENSION), arguments, method="gin")
    if sized := _SIZED.match(type_text):
        name = "CharField" if sized[1] == "varchar" else "FixedCharField"
        return FieldClass(imports.use(name), (f"max_length={sized[2]}",))
    if type_text == "varchar":
        return FieldClass(imports.use("CharField"), ("max_length=None",))
    if numeric := _NUMERIC.match(type_text):
        arguments = (f"max_digits={numeric[1]}", f"decimal_places={numeric[2]}")
        return FieldClass(imports.use("DecimalField"), arguments)
    if type_text == "json":  # NOTE: peewee's own name for it means jsonb
        imports.use("JSONField as TextJSONField", _EXTENSION)
        return FieldClass("TextJSONField")
    return FieldClass(imports.define(type_text))
