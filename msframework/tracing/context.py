"""The current span: one context variable, with or without opentracing's `Scope` around it.

Runs per request. The hot path stores the bare span; `Scope` objects exist only for those who ask
opentracing for them. A scope puts the span that it replaced back by value, not by token, so that
a scope may end in another context than it began in (asynchronous generators do that).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import opentracing

if TYPE_CHECKING:
    from msframework.tracing.span import Span

_current: ContextVar[Any] = ContextVar("msframework_current_span", default=None)

# PERF: bound methods of the variable, so that a request pays no lookup (benchmarks/tracing.py).
read_current = _current.get
write_current = _current.set


def current_span() -> Span | None:
    """Return the span that is active in this task; `None` outside of any."""
    current = read_current()
    if current.__class__ is ActiveScope:
        current = current.span
    return current  # type: ignore[no-any-return]


class ActiveScope(opentracing.Scope):  # type: ignore[misc]
    """opentracing's Scope: the time in which a span is current."""

    def __init__(self, manager: ScopeManager, span: Any, finish_on_close: bool) -> None:
        self._manager, self._span = manager, span
        self._finish_on_close = finish_on_close
        self._previous = read_current()

    def close(self) -> None:
        """End the scope; does nothing unless this scope is the current one, as opentracing asks."""
        current = read_current()
        if current is not self and current is not self._span:
            return
        write_current(self._previous)
        if self._finish_on_close:
            self._span.finish()

    def __exit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        if exc is not None:
            set_error = getattr(self._span, "set_error", None)
            if set_error is None:
                opentracing.Span._on_error(self._span, exc_type, exc, traceback)
            else:
                set_error(exc)
        self.close()


class ScopeManager(opentracing.ScopeManager):  # type: ignore[misc]
    """opentracing's scope manager over the context variable: tasks inherit, and never share."""

    def activate(self, span: Any, finish_on_close: bool) -> ActiveScope:
        """Make *span* current until the scope that this returns is closed."""
        scope = ActiveScope(self, span, finish_on_close)
        write_current(scope)
        return scope

    @property
    def active(self) -> ActiveScope | None:
        """The current scope; one is made where the span became current without."""
        current = read_current()
        if current is None or isinstance(current, ActiveScope):
            return current
        scope = ActiveScope(self, current, finish_on_close=False)
        scope._previous = None
        return scope
