"""`@logger`: a log line, and a span, for each call of a function.

The function is read once, when it is decorated; `log.call` runs per call. The span is current
only while the function itself runs: between two values of a generator it is not.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeAlias, cast, overload

from msframework.log.call import LoggedFunction
from msframework.types import F

Function: TypeAlias = Callable[..., object]


@overload
def logger(type: F, /) -> F: ...


@overload
def logger(
    type: str = "method",
    category: str | None = None,
    detail: str | None = None,
    description: str | None = None,
    tracing: bool = True,
    level: int = logging.INFO,
) -> Callable[[F], F]: ...


def logger(
    type: Any = "method",
    category: str | None = None,
    detail: str | None = None,
    description: str | None = None,
    tracing: bool = True,
    level: int = logging.INFO,
) -> Any:
    """Log and trace each call of a function, coroutine function, generator function, or method.

    Args:
        type: the kind of thing, such as `method` or `route`.
        category: the service's name when `None`.
        detail: any further text.
        description: the first line of the function's docstring when `None`.
        tracing: whether calls are spans.
        level: the level of the line that a call writes; one that fails unexpectedly writes at
            ERROR or above.
    """
    if not isinstance(type, str):
        return logger()(cast("Any", type))

    def decorate(function: Function) -> object:
        if isinstance(function, (classmethod, staticmethod)):
            make: Any = function.__class__
            return make(decorate(function.__func__))
        fields = {
            "type": cast("str | None", type),
            "category": category,
            "detail": detail,
            "description": _first_line(function) if description is None else description,
        }
        return _wrap(function, LoggedFunction(function, fields, tracing, level))

    return decorate


def _first_line(function: Function) -> str | None:
    text = inspect.getdoc(function)
    return text.partition("\n")[0] if text else None


def _wrap(function: Any, calls: LoggedFunction) -> Function:
    """Return the wrapper of *function*: of the same kind, with the same signature."""
    if inspect.isasyncgenfunction(function):
        wrapper = _wrap_async_generator(function, calls)
    elif inspect.isgeneratorfunction(function):
        wrapper = _wrap_generator(function, calls)
    elif inspect.iscoroutinefunction(function):
        wrapper = _wrap_coroutine(function, calls)
    else:
        wrapper = _wrap_function(function, calls)
    return functools.wraps(function)(wrapper)


def _wrap_function(function: Function, calls: LoggedFunction) -> Function:
    def run(*args: object, **kwargs: object) -> object:
        call = calls.begin(args)
        try:
            with call.active():
                result = function(*args, **kwargs)
        except BaseException as exc:
            call.end(exc)
            raise
        call.end()
        return result

    return run


def _wrap_coroutine(function: Callable[..., Awaitable[object]], calls: LoggedFunction) -> Function:
    async def run(*args: object, **kwargs: object) -> object:
        call = calls.begin(args)
        try:
            with call.active():
                result = await function(*args, **kwargs)
        except BaseException as exc:
            call.end(exc)
            raise
        call.end()
        return result

    return run


def _wrap_generator(
    function: Callable[..., Generator[object, object, object]], calls: LoggedFunction
) -> Function:
    def run(*args: object, **kwargs: object) -> Generator[object, object, object]:
        call, source = calls.begin(args), function(*args, **kwargs)
        step: Callable[..., object] = source.send
        given: object = None
        try:
            while True:
                with call.active():
                    value = step(given)
                step, given = source.send, None
                try:
                    given = yield value
                except GeneratorExit:
                    with call.active():
                        source.close()
                    raise
                except BaseException as exc:
                    step, given = source.throw, exc
        except StopIteration as exc:
            call.end()
            return exc.value
        except BaseException as exc:
            call.end(None if isinstance(exc, GeneratorExit) else exc)
            raise

    return run


def _wrap_async_generator(
    function: Callable[..., AsyncGenerator[object, object]], calls: LoggedFunction
) -> Function:
    async def run(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        call, source = calls.begin(args), function(*args, **kwargs)
        step: Callable[..., Awaitable[object]] = source.asend
        given: object = None
        try:
            while True:
                with call.active():
                    value = await step(given)
                step, given = source.asend, None
                try:
                    given = yield value
                except GeneratorExit:
                    with call.active():
                        await source.aclose()
                    raise
                except BaseException as exc:
                    step, given = source.athrow, exc
        except StopAsyncIteration:
            call.end()
        except BaseException as exc:
            call.end(None if isinstance(exc, GeneratorExit) else exc)
            raise

    return run
