"""Which provided values an operation makes, in which order. Runs at start-up."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from msframework._place import short_path
from msframework._signature import read_signature
from msframework.alike import find_nearest
from msframework.compile.signature import is_left_out
from msframework.exceptions import ServiceException
from msframework.operation import Argument, PathParam, Provision, Source
from msframework.problem import Problem
from msframework.provider import BUILT_IN, ProvidedValue

Values = Mapping[str, ProvidedValue]
Security = Mapping[str, tuple[str, ...]]
_REQUEST: Final = inspect.Parameter("request", inspect.Parameter.POSITIONAL_ONLY)


# Their declarations.


def check_providers(
    values: Iterable[ProvidedValue], known: Collection[str], problems: list[str]
) -> None:
    """Append to *problems* the mistakes of provided values, whether a method takes them or not.

    Args:
        known: the names of all provided values, and of the parameters of all paths.
    """
    for value in values:
        mistake = _mistake(value)
        if mistake:
            problems.append(f"{value.where} got {mistake}")
        else:
            _, unknown = _read_given(value, known, {}, knows_callers=False)
            problems.extend(_unknown(value, name, known) for name in unknown)


def _mistake(value: ProvidedValue) -> str:
    function: Any = value.function
    if not callable(function):
        return (
            f"{function!r}, which cannot be called; expected a function that takes the request. "
            "Wrap the value in one."
        )
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        return (
            f"the generator {_name(function)}; expected a function that returns the value. "
            "Replace the yield by a return, or write `async def`: an async generator is run to its "
            "end when the method is over."
        )
    if getattr(function, "__code__", None) in _MANAGERS:
        return (
            f"{_name(function)}, which is made a context manager; expected the generator itself. "
            "Drop the decorator @asynccontextmanager."
        )
    for parameter in _parameters(value)[1:]:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            return (
                f"{_name(function)}, whose parameter {parameter.name!r} takes no name, as it "
                "stands before a slash; arguments are given by name. Drop the slash."
            )
    security: Any = value.security
    if not (security is None or isinstance(security, str)):
        return f"security={security!r}; expected the name of one scheme."
    for exception in value.raises:
        if not is_failure(exception):
            return (
                f"raises=({exception!r}, …), which is no exception of a service. "
                "Derive it from msframework.ServiceException."
            )
    return ""


def is_failure(given: object) -> bool:
    """Tell whether *given* is the class of an exception of a service."""
    return isinstance(given, type) and issubclass(given, ServiceException)


@contextlib.contextmanager
def _managed() -> Any:
    yield


@contextlib.asynccontextmanager
async def _managed_async() -> Any:
    yield


_MANAGERS = (_managed.__code__, _managed_async.__code__)


def _parameters(value: ProvidedValue) -> list[inspect.Parameter]:
    """Return the parameters that may be given something."""
    assert value.function is not None
    try:
        found = read_signature(value.function).parameters.values()
    except ValueError:  # a built-in, which does not say
        return [_REQUEST]
    star = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kept = [parameter for parameter in found if parameter.kind not in star]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in found)
    return [_REQUEST] if takes_any and not kept else kept


def _read_given(
    value: ProvidedValue, in_path: Collection[str], values: Values, *, knows_callers: bool
) -> tuple[tuple[Argument, ...], list[str]]:
    """Return the arguments of a provider, and the names of those that nothing declares.

    An argument without a name is passed by its place.
    """
    given, unknown = [], []
    for number, parameter in enumerate(_parameters(value)):
        name, first = parameter.name, number == 0 and parameter.kind is not parameter.KEYWORD_ONLY
        optional = parameter.default is not parameter.empty
        if first and (name == "request" or parameter.kind is parameter.POSITIONAL_ONLY):
            given.append(Argument("", Source.REQUEST))
        elif name in in_path:
            given.append(Argument(name, Source.PATH))
        elif name in values and not (
            values[name].function is None and is_left_out(parameter, knows_callers)
        ):
            given.append(Argument(name, Source.PROVIDED, values[name].function))
        elif first:
            given.append(Argument("", Source.REQUEST))
        elif name == "request":
            given.append(Argument(name, Source.REQUEST))
        elif not optional:
            unknown.append(name)
    return tuple(given), unknown


def _unknown(value: ProvidedValue, name: str, known: Collection[str]) -> Problem:
    found = f"{_takes(value, name)}, and nothing declares that ({_declared(known)})."
    advice = (
        f"{_hint(name, known)}A provider takes the request, parameters of the path and other "
        "provided values by name; give any other a default."
    )
    return Problem("", found, advice=advice, mendable=True)


def _declared(known: Iterable[str]) -> str:
    return f"declared: {', '.join(['request', *sorted(known)])}"


def _hint(name: str, known: Iterable[str]) -> str:
    """Return the question whether the one of *known* was meant that is most like *name*."""
    meant = find_nearest(name, known)
    return f"Was {meant!r} meant? " if meant else ""


def _takes(value: ProvidedValue, name: str) -> str:
    return f"{value.where} got {_name(value.function)}, which takes {name!r}"


def _name(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{short_path(code.co_filename)}:{code.co_firstlineno} {name}" if code else str(name)


# Those of one operation.


class _Order:
    """The provided values of one operation, each behind those that it needs."""

    def __init__(
        self,
        values: Values,
        in_path: Collection[str],
        where: str,
        problems: list[str],
        *,
        knows_callers: bool,
    ) -> None:
        self.found: dict[str, Provision] = {}
        self._values, self._in_path = values, in_path
        self._where, self._problems = where, problems
        self._knows_callers = knows_callers

    def add(self, name: str, chain: tuple[str, ...] = ()) -> None:
        """Add the value *name* after those that it needs; *chain* names those that need it."""
        if name in chain:
            self._refuse_circle(chain[chain.index(name) :])
        if name in chain or name in self.found:
            return
        value = self._values[name]
        given: tuple[Argument, ...] = ()
        unknown: list[str] = []
        if callable(value.function):
            given, unknown = _read_given(
                value, self._in_path, self._values, knows_callers=self._knows_callers
            )
        for argument in given:
            if argument.source is Source.PROVIDED:
                self.add(argument.name, (*chain, name))
        for parameter in unknown:
            self._refuse_unknown(value, parameter)
        self.found[name] = Provision(value, given)

    def _refuse_circle(self, circle: tuple[str, ...]) -> None:
        first = circle.index(min(circle))
        circle = circle[first:] + circle[:first]
        shown = " → ".join((*circle, circle[0]))
        places = ", ".join(_name(self._values[name].function) for name in circle)
        problem = (
            f"{self._values[circle[0]].where}: provided values need each other in a circle: "
            f"{shown} ({places}). Let one of them do without the next."
        )
        if problem not in self._problems:
            self._problems.append(problem)

    def _refuse_unknown(self, value: ProvidedValue, name: str) -> None:
        if any(problem.startswith(_takes(value, name)) for problem in self._problems):
            return
        known = [*self._in_path, *self._values]
        self._problems.append(
            Problem(
                self._where,
                f"it needs the provided value {value.name!r}, whose provider "
                f"{_name(value.function)} takes {name!r}",
                f"a parameter of this path or another provided value ({_declared(known)})",
                f"{_hint(name, known)}Put <{name}> into the path, or let the method do without "
                f"{value.name!r}.",
                mendable=True,
            )
        )


def read_provisions(
    arguments: Iterable[Argument],
    providers: Values,
    params: Iterable[PathParam],
    where: str,
    problems: list[str],
    *,
    knows_callers: bool = False,
) -> tuple[Provision, ...]:
    """Return the provided values that *arguments* need, in the order in which they are made.

    Args:
        knows_callers: whether a `principal` with a default is given, too.
    """
    order = _Order(
        {**BUILT_IN, **providers},
        [param.name for param in params],
        where,
        problems,
        knows_callers=knows_callers,
    )
    for argument in arguments:
        if argument.source is Source.PROVIDED:
            order.add(argument.name)
    return tuple(_share_connection(order.found))


def _share_connection(found: dict[str, Provision]) -> Iterable[Provision]:
    """Let `cur` be the cursor of `tx` where both are needed.

    Two connections for one request would be one more than a pool that is used up can give to all.
    """
    built_in = {name for name in ("cur", "tx") if name in found and not found[name].value.function}
    if len(built_in) < 2:
        return found.values()
    shared = Provision(found["cur"].value, (Argument("tx", Source.PROVIDED),))
    rest = [each for name, each in found.items() if name not in built_in]
    # NOTE: neither takes a connection before its first statement, so they may come first.
    return [found["tx"], shared, *rest]


def add_security(
    declared: tuple[Security, ...], values: Iterable[ProvidedValue]
) -> tuple[Security, ...]:
    """Return the alternatives of *declared*, each with the schemes that *values* enforce."""
    own: dict[str, tuple[str, ...]] = {
        value.security: () for value in values if isinstance(value.security, str)
    }
    return join_security((own,) if own else (), declared)


def join_security(one: Sequence[Security], other: Sequence[Security]) -> tuple[Security, ...]:
    """Return the alternatives that satisfy both *one* and *other*; an empty one asks for none."""
    if not one or not other:
        return (*one, *other)
    joined = [{**first, **second} for first in one for second in other]
    return tuple(each for number, each in enumerate(joined) if each not in joined[:number])
