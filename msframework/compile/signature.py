"""A method's signature: where each of its arguments comes from. Runs at start-up."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msframework._signature import read_signature
from msframework.compile.annotation import check_annotation
from msframework.doc import Notes
from msframework.operation import EXTENSION, Argument, PathParam, Provision, Source
from msframework.problem import Problem
from msframework.provider import BUILT_IN, ProvidedValue, ProviderKind
from msframework.types import Handler

INPUTS = {
    source.value: source
    for source in (
        Source.BODY,
        Source.QUERY,
        Source.HEADERS,
        Source.COOKIES,
        Source.FORM,
        Source.FILES,
    )
}
# Names by which other frameworks pass what is passed here by another one.
_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("caller", "current_user", "user"), "'principal', the caller,"),
    **dict.fromkeys(("connection", "conn", "cursor"), "'cur', for reading, or 'tx'"),
    **dict.fromkeys(("session", "transaction"), "'tx', a transaction, or 'cur', for reading,"),
    **dict.fromkeys(("data", "item", "json", "payload"), "'body', of @doc.consumes(…),"),
    **dict.fromkeys(("args", "params", "query_params"), "'query', of @doc.query(…),"),
    **dict.fromkeys(("file", "upload"), "'files', of @doc.files(…),"),
    "pk": "the parameter of the path",
}
_DECORATOR = {"body": "@doc.consumes", "page": "@doc.paginate", "filters": "@doc.filter"} | {
    name: f"@doc.{name}" for name in INPUTS if name != "body"
}


def read_arguments(
    handler: Handler,
    where: str,
    params: Sequence[PathParam],
    notes: Notes,
    providers: Mapping[str, ProvidedValue],
    problems: list[str],
    *,
    knows_callers: bool = False,
) -> tuple[Argument, ...]:
    """Return the arguments of *handler* in order; append the mistakes to *problems*.

    Args:
        knows_callers: whether a `principal` with a default is given, too.
    """
    parameters = list(read_signature(handler).parameters.values())
    if not parameters or parameters[0].kind in (
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    ):
        problems.append(Problem(where, "its first parameter must be the request; it has none"))
        return ()
    in_path = {param.name: param.kind for param in params}
    inputs = {note.name: note.source for note in notes.inputs}
    first = parameters[0].name
    if first in {*in_path, *INPUTS, *inputs, "page", *providers, *BUILT_IN}:
        problems.append(request_missing(where, first))
    arguments = [Argument(first, Source.REQUEST)]
    takes_all = False
    for parameter in parameters[1:]:
        name = parameter.name
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            continue
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            found = (
                f"its parameter {name!r} takes no name, as it stands before a slash; arguments are "
                "given by name"
            )
            problems.append(Problem(where, found, advice="Drop the slash."))
        elif name in in_path:
            arguments.append(Argument(name, Source.PATH))
            check_annotation(parameter, in_path[name], where, problems)
        elif name in inputs:
            arguments.append(Argument(name, inputs[name]))
        elif name == "page" and notes.page is not None:
            arguments.append(Argument(name, Source.PAGE))
        elif name in providers:
            arguments.append(Argument(name, Source.PROVIDED, providers[name].function))
        elif is_left_out(parameter, knows_callers):
            continue
        elif name in BUILT_IN:
            arguments.append(Argument(name, Source.PROVIDED))
        else:
            problems.append(_undeclared(where, name, in_path, notes, providers))
    problems.extend(
        Problem(
            where,
            f"its parameter {argument.name!r} is the {argument.source.value} of the request, so "
            "what provide() gives under that name never runs",
            advice="Rename one of them.",
        )
        for argument in arguments[1:]
        if argument.name in providers and argument.source is not Source.PROVIDED
    )
    named = {argument.name for argument in arguments[1:]}
    if takes_all:
        arguments += [
            Argument(param.name, Source.PATH) for param in params if param.name not in named
        ]
    return tuple(arguments)


def is_left_out(parameter: inspect.Parameter, knows_callers: bool) -> bool:
    """Tell whether a parameter keeps its default where a value of this name is built in.

    A `principal` does not where there are authenticators: the method asks who calls.
    """
    if parameter.default is parameter.empty:
        return False
    return not (knows_callers and parameter.name == ProviderKind.PRINCIPAL.value)


def check_path_taken(
    arguments: Sequence[Argument],
    provisions: Iterable[Provision],
    params: Sequence[PathParam],
    where: str,
    problems: list[str],
) -> None:
    """Append to *problems* the parameters of the path that neither method nor provider takes."""
    if not arguments:
        return
    taken = {argument.name for argument in arguments[1:]}
    for provision in provisions:
        taken |= {each.name for each in provision.arguments if each.source is Source.PATH}
    problems.extend(
        Problem(
            where,
            f"the path has <{param.name}>, but the method does not take it",
            advice=f"Add the parameter {param.name!r}, or drop it from the path.",
        )
        for param in params
        if param.name not in taken and param.kind != EXTENSION
    )


def request_missing(where: str, name: str) -> Problem:
    """Return the problem of a method whose first parameter is called as what something declares."""
    return Problem(
        where,
        f"its first parameter {name!r} receives the request, whatever else is called {name!r}",
        advice=f"Put the request before it: (request, {name}, …).",
    )


def _undeclared(
    where: str,
    name: str,
    in_path: Iterable[str],
    notes: Notes,
    providers: Mapping[str, ProvidedValue],
) -> Problem:
    if name == "request":
        found = "its parameter 'request' is not the first one, which receives the request"
        advice = (
            "Put it first. What a blueprint mounts within a class has no self: write it beside it."
        )
        return Problem(where, found, advice=advice)
    declared = [*in_path, *(note.name for note in notes.inputs)]
    if notes.page is not None:
        declared.append("page")
    declared += providers
    known = ", ".join(sorted(set(declared))) or "nothing"
    hint = (
        f"Add {_DECORATOR[name]} to the method."
        if name in _DECORATOR
        else f"Put <{name}> into the path, declare it with service.provide({name!r}, …), "
        "or drop the parameter."
    )
    if name in _ELSEWHERE:
        hint = f"Was {_ELSEWHERE[name]} meant? {hint}"
    found = f"nothing declares its parameter {name!r} (declared: {known})"
    return Problem(where, found, advice=hint, mendable=True)
