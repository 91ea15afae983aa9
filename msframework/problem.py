"""`Problem`: one mistake found at start-up, in its parts and as the text that is printed.

Declarations, settings and routes are read to their end, and all problems are shown together by
`ImproperlyConfigured`. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Sequence


class Problem(str):
    """A mistake as a paragraph of text, which is what is collected and printed, and its parts.

    Args:
        where: file and line, a setting, a class, or whatever else leads there; *found* is the whole
            text where it is empty.
        found: the mistake.
        expected: the right form, where *found* does not say it.
        advice: the cure, as a sentence.
        mendable: whether a later `service.provide` or `service.authenticate` can still mend it.

    Attributes:
        cause: the exception that brought it up, if one did.
    """

    where: str
    found: str
    expected: str
    advice: str
    mendable: bool
    cause: BaseException | None

    def __new__(
        cls,
        where: str,
        found: str,
        expected: str = "",
        advice: str = "",
        *,
        mendable: bool = False,
    ) -> Problem:
        """Put the parts into one paragraph."""
        text = found
        if where:
            text = f"{where}: {found}; expected {expected}." if expected else f"{where}: {found}."
        problem = super().__new__(cls, f"{text} {advice}" if advice else text)
        problem.where, problem.found, problem.expected = where, found, expected
        problem.advice, problem.mendable, problem.cause = advice, mendable, None
        return problem

    def __getnewargs__(self) -> tuple[str, str, str, str]:  # type: ignore[override]
        return self.where, self.found, self.expected, self.advice

    @classmethod
    def caused(cls, cause: BaseException, text: str) -> Problem:
        """Return the problem that *cause* brought up, as *text* tells it."""
        problem = cls("", text)
        problem.cause = cause
        return problem


def list_names(names: Sequence[str], most: int) -> str:
    """Return the first *most* of *names*, and an ellipsis where there are more."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
