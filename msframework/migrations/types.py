"""Canonical names of column types, which models, peewee and PostgreSQL spell differently.

It is the short one of PostgreSQL's manual (8.1): `varchar(128)`, `timestamptz`, `boolean`. A type
that is not known here, of an extension or of the user, keeps its name. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msframework.migrations.sql import quote, unquote, words

# What a type is called elsewhere; a name of several words is joined by single spaces.
_ALIASES: Final = {
    "bit varying": "varbit",
    "bool": "boolean",
    "char varying": "varchar",
    "character": "char",
    "character varying": "varchar",
    "dec": "numeric",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "national char": "char",
    "national char varying": "varchar",
    "national character": "char",
    "national character varying": "varchar",
    "nchar": "char",
    "nchar varying": "varchar",
    "serial2": "smallserial",
    "serial4": "serial",
    "serial8": "bigserial",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
# The integer types behind PostgreSQL's short ways to a column that is filled from a sequence.
SERIALS: Final = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}
_LARGEST_REAL_PRECISION: Final = 24  # FLOAT(p) up to it is a real (the manual, 8.1.3)
_NAMED_LENGTH: Final = frozenset({"char", "bit"})  # one, where no length is given


def canonical(text: str) -> str:
    """Return the type *text* in its canonical spelling.

    An array is an array of any number of dimensions, as PostgreSQL stores neither their number nor
    their sizes.
    """
    found = list(words(text))
    found, is_array = _without_dimensions(found)
    name, modifiers = _split(found)
    name = _ALIASES.get(name, name)
    if name == "float":
        small = bool(modifiers) and int(modifiers[0]) <= _LARGEST_REAL_PRECISION
        name, modifiers = ("real" if small else "double precision"), []
    elif name == "numeric" and len(modifiers) == 1:
        modifiers = [*modifiers, "0"]
    elif name in _NAMED_LENGTH and not modifiers:
        modifiers = ["1"]
    elif name == "bpchar" and modifiers:
        name = "char"
    inside = f"({', '.join(modifiers)})" if modifiers else ""
    return f"{name}{inside}{'[]' if is_array else ''}"


def _without_dimensions(found: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], bool]:
    """Take the dimensions off the end: `[]`, `[3]`, `ARRAY`, `ARRAY[3]`."""
    is_array = False
    while found:
        if found[-1][1] == "]":
            start = max((i for i, (_, word) in enumerate(found) if word == "["), default=0)
            found = found[:start]
        elif found[-1][0] == "name" and found[-1][1].lower() == "array" and len(found) > 1:
            found = found[:-1]
        else:
            break
        is_array = True
    return found, is_array


def _split(found: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
    """Return the name, without the part in parentheses, and that part."""
    names: list[str] = []
    modifiers: list[str] = []
    depth = 0
    for number, (kind, word) in enumerate(found):
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif depth and word == ",":
            continue
        elif depth:
            modifiers.append(word)
        elif word == "." or (number and found[number - 1][1] == "."):
            names[-1:] = [(names[-1] if names else "") + _name(kind, word)]
        else:
            names.append(_name(kind, word))
    name = " ".join(names).removeprefix("pg_catalog.")
    return name, _signed(modifiers)


def _name(kind: str, word: str) -> str:
    if kind == "name":
        return word.lower()
    if kind == "quoted" and word != '"char"':  # not the type that char is without quotes
        return quote(unquote(word))
    return word


def _signed(modifiers: list[str]) -> list[str]:
    """Join a sign to its number: `numeric(3, -2)`."""
    joined: list[str] = []
    for word in modifiers:
        if joined and joined[-1] in ("-", "+"):
            joined[-1] = word if joined[-1] == "+" else f"-{word}"
        else:
            joined.append(word)
    return joined
