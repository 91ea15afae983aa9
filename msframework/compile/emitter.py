"""`Emitter`: the lines of one handler and the names in its reach, which the steps write to.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from msframework._codegen import SourceWriter
from msframework.operation import Argument, Source


class Emitter(SourceWriter):
    """The body of one handler while it is written.

    Blocks that a step opens stay open, so that the lines of later steps stand inside of them, until
    a step closes them again.

    Args:
        mapped: names of path parameters that the handler takes as `path[name]`, as they would hide
            names of ours.
    """

    __slots__ = ("_mapped", "called", "namespace", "strict")

    def __init__(self, mapped: Collection[str] = ()) -> None:
        super().__init__()
        self._mapped = mapped
        self.namespace: dict[str, Any] = {}
        # The sources of generated functions that the handler calls.
        self.called: list[str] = []
        # What makes the handler refuse answers that lack members, which costs time.
        self.strict: list[Callable[[], None]] = []

    @property
    def depth(self) -> int:
        """How many blocks are open."""
        return self._depth

    def bind(self, name: str, value: object) -> None:
        """Put *value* within the handler's reach as *name*.

        Raises:
            ValueError: another step has bound something else to it.
        """
        if self.namespace.setdefault(name, value) is not value:
            raise ValueError(f"two steps of a handler bind the name {name!r} to different values")

    def open(self, header: str) -> None:
        """Write the *header* of a block that is left open."""
        self.line(header)
        self._depth += 1

    def close_to(self, depth: int) -> None:
        """Close the blocks that were opened since *depth* were open."""
        self._depth = depth

    def leave_if(self, condition: str, answer: str) -> None:
        """Write an early exit: where *condition* holds, *answer* is it and later steps are not run.

        What follows `close_to` is run all the same, so steps may stand behind every exit.
        """
        self.lines(f"if {condition}:", f"    answer = {answer}")
        self.open("else:")

    def path_value(self, name: str) -> str:
        """Return the expression of a path parameter."""
        return f"path[{name!r}]" if self._mapped else name

    def arguments(self, arguments: Iterable[Argument]) -> str:
        """Return the arguments of a call; one without a name is passed by its place."""
        return ", ".join(
            f"{each.name}={self._value(each)}" if each.name else self._value(each)
            for each in arguments
        )

    def _value(self, argument: Argument) -> str:
        if argument.source is Source.REQUEST:
            return "request"
        if argument.source is Source.PATH:
            return self.path_value(argument.name)
        made = "provided" if argument.source is Source.PROVIDED else "given"
        return f"{made}_{argument.name}"
