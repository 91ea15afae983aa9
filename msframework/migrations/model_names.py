"""Names of Python for tables and columns. Runs on the command line."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import peewee

from msframework.models import Model

# Names that a field would hide: methods of a model, and what its class statement holds.
_OF_MODELS: Final = frozenset(dir(Model)) - {"id"} | {"DoesNotExist", "Meta"}
_TAKEN: Final = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(peewee.__all__)


def name_classes(tables: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Return a name of a class for each of *tables*; their small letters are unique too.

    Args:
        taken: names that the module holds already.
    """
    used = {name.lower() for name in taken}
    found: dict[str, str] = {}
    for table in sorted(tables, key=lambda name: ("." in name, name)):
        schema, _, bare = table.rpartition(".")
        name = _camel(bare)
        choices = [name, _camel(f"{schema}_{bare}") if schema else name, f"{name}Table"]
        choices += [f"{name}{number}" for number in range(2, len(used) + 3)]
        found[table] = next(
            each for each in choices if each.lower() not in used and each not in _TAKEN
        )
        used.add(found[table].lower())
    return found


def name_fields(columns: Iterable[str], keys: Collection[str]) -> dict[str, str]:
    """Return a name of a field for each of *columns*.

    Args:
        keys: those of the columns that become foreign keys, which lose the end `_id`.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    for column in sorted(columns, key=lambda each: (each in keys, _field(each) != each)):
        name = _field(column)
        if column in keys and column.endswith("_id"):
            short = _field(column[:-3])
            if f"{short}_id" == column and short not in used and short not in keys:
                name = short
        found[column] = _unused(name, used)
        used.add(found[column])
    return found


def name_values(fields: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return the attribute for the plain value of each foreign key, where peewee's is taken.

    Args:
        fields: the names of all fields, by their columns.
    """
    used = set(fields.values())
    found: dict[str, str] = {}
    for column in sorted(keys):
        name = f"{column}_id" if fields[column] == column else column
        if name in used:
            name = found[column] = _unused(f"{fields[column]}_key", used)
        used.add(name)
    return found


def _unused(name: str, used: Collection[str]) -> str:
    first, number = name, 2
    while name in used:
        name, number = f"{first}_{number}", number + 1
    return name


def name_members(values: Iterable[str]) -> dict[str, str]:
    """Return *values*, each by the name of a member of an enum."""
    found: dict[str, str] = {}
    for value in values:
        name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", value)).strip("_").upper()
        name = name if name.isidentifier() else f"VALUE_{name}".rstrip("_")
        found[_unused(name, found)] = value
    return found


def _field(column: str) -> str:
    name = unicodedata.normalize("NFKC", re.sub(r"\W", "_", column)).strip("_")
    if not name.isidentifier():
        name = f"column_{name}" if name else "column"
    return f"{name}_" if keyword.iskeyword(name) or name in _OF_MODELS else name


def _camel(name: str) -> str:
    parts = [part for part in re.split(r"[\W_]+", unicodedata.normalize("NFKC", name)) if part]
    joined = "".join(part[0].upper() + part[1:] for part in parts)
    return joined if joined.isidentifier() else f"Table{joined}"
