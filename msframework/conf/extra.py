"""`EXTRA_SCHEMA`: the names and types of the settings of a service's own. Runs at start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, UnionType
from typing import Any, Final, get_args, get_origin

from msframework.conf.catalogue import Declaration
from msframework.conf.convert import expected, from_python, from_text
from msframework.conf.findings import HIDDEN, Findings, did_you_mean, shown
from msframework.types import UNSET

# The types whose values a variable may hold, as the settings have them.
_KINDS: Final[Mapping[Any, Any]] = MappingProxyType(
    {
        bool: bool,
        int: int,
        float: float,
        str: str,
        tuple: tuple[str, ...],
        list: tuple[str, ...],
        dict: Mapping[str, Any],
    }
)
_PREFIX: Final = "EXTRA_"
# Variables of these names mean something else.
_TAKEN: Final = ("schema", "file")
ReadVariable = Callable[[str], str | None]


def read_extra(
    schema: Mapping[str, Any],
    extra: Mapping[str, Any],
    where: str,
    environment: str,
    read_variable: ReadVariable,
    findings: Findings,
) -> Mapping[str, Any]:
    """Return *extra* with the variables of `EXTRA_` over it, each value as *schema* says.

    Args:
        read_variable: returns the text of a variable; `None` where it is not set.
    """
    found = dict(extra)
    for name in sorted(extra.keys() - schema.keys()):
        advice = did_you_mean(name, schema, "Declare it in EXTRA_SCHEMA, or drop it.")
        findings.add(where, f"EXTRA[{name!r}]", "unknown", "a name of EXTRA_SCHEMA", advice)
    for declared, kind in _declarations(schema, where, findings):
        key = declared.attribute
        variable = f"{_PREFIX}{key.upper()}"
        text = read_variable(variable) if kind in _KINDS else None
        if text is not None:
            found[key] = _convert(declared, variable, text, environment, findings)
        elif key in extra:
            found[key] = _check(declared, kind, extra[key], where, findings)
        elif declared.optional:
            found[key] = None
        else:
            advice = f"Set it in EXTRA{f', or by {variable}' if kind in _KINDS else ''}."
            findings.add(where, declared.name, "not set", _expected(declared, kind), advice)
    return MappingProxyType(found)


def _convert(
    declared: Declaration, variable: str, text: str, where: str, findings: Findings
) -> object:
    value = from_text(declared, text, where, Findings())
    if value is UNSET:
        advice = "Correct the variable, or unset it."
        findings.add(where, variable, HIDDEN, expected(declared, as_text=True), advice)
    return value


def _check(
    declared: Declaration, kind: type, value: object, where: str, findings: Findings
) -> object:
    if declared.kind is not Any:
        typed = from_python(declared, value, where, Findings())
    else:
        typed = value if isinstance(value, kind) or (declared.optional and value is None) else UNSET
    if typed is UNSET:
        found = shown(value, secret=True)
        findings.add(where, declared.name, found, _expected(declared, kind), "Correct it.")
    return typed


def _expected(declared: Declaration, kind: type) -> str:
    if declared.kind is not Any:
        return expected(declared)
    return f"an instance of {kind.__name__}{', or None' if declared.optional else ''}"


def _declarations(
    schema: Mapping[str, Any], where: str, findings: Findings
) -> Iterator[tuple[Declaration, Any]]:
    """Yield the declaration and the type of each name of *schema*."""
    for name, said in schema.items():
        kind, optional = said, False
        if get_origin(said) is UnionType and type(None) in get_args(said):
            kinds = [part for part in get_args(said) if part is not type(None)]
            kind, optional = kinds[0] if len(kinds) == 1 else said, True
        if not isinstance(kind, type) or name in _TAKEN or not name.isidentifier():
            findings.add(
                where,
                f"EXTRA_SCHEMA[{name!r}]",
                repr(said),
                "a type such as int or str | None, under a name other than schema and file",
                "Correct it.",
            )
            continue
        yield _declare(name, kind, optional), kind


def _declare(name: str, kind: type, optional: bool) -> Declaration:
    return Declaration(
        name=f"EXTRA[{name!r}]",
        section="",
        attribute=name,
        kind=_KINDS.get(kind, Any),
        optional=optional,
        default=None,
        help="",
        secret=True,
        alias=None,
        choices=(),
        least=None,
        most=None,
        takes_text=False,
    )
