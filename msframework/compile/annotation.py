"""Whether a parameter is annotated as what its part of the path is read as. Runs at start-up."""

from __future__ import annotations

import inspect
import types
import typing
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from msframework.problem import Problem

# What each kind of path parameter gives; regular expressions give texts.
_GIVEN: Final[dict[str, type]] = {"int": int, "float": float, "uuid": UUID, "ymd": date}
_KIND_OF: Final = {given: kind for kind, given in _GIVEN.items()} | {str: "str"}
_KNOWN: Final = (int, float, str, bool, bytes, UUID, date, datetime, Decimal)
# NOTE: annotations that are texts are not evaluated, as some names are there for checkers only.
_NAMES: Final = {
    name: known
    for known in _KNOWN
    for name in (known.__name__, f"{known.__module__}.{known.__name__}")
}


def check_annotation(
    parameter: inspect.Parameter, kind: str, where: str, problems: list[str]
) -> None:
    """Append to *problems* an annotation that a path parameter of *kind* does not keep."""
    if kind.partition("=")[0] == "ext" or parameter.annotation is inspect.Parameter.empty:
        return
    given = _GIVEN.get(kind, str)
    said = types_in(parameter.annotation)
    if not said or None in said or given in said or (given is int and float in said):
        return
    wanted = next(each for each in said if each is not None)
    name = parameter.name
    other = f"write <{name}:{_KIND_OF[wanted]}>" if wanted in _KIND_OF else "convert it"
    found = (
        f"its parameter {name!r} is annotated {wanted.__name__}, but <{name}:{kind}> of the path "
        f"gives {given.__name__}"
    )
    advice = f"Correct the annotation, or {other}."
    problems.append(Problem(where, found, advice=advice))


def types_in(annotation: object) -> list[type | None]:
    """Return the types of an annotation, with `None` for each that is not in `_KNOWN`."""
    if isinstance(annotation, str):
        parts = annotation.replace("Optional[", "").replace("]", "").split("|")
        return [_NAMES.get(part.strip()) for part in parts if part.strip() != "None"]
    if isinstance(annotation, typing.NewType):
        return types_in(annotation.__supertype__)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return types_in(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        return [
            each
            for part in typing.get_args(annotation)
            if part is not type(None)
            for each in types_in(part)
        ]
    return [annotation if annotation in _KNOWN else None]
