"""The numbers that a caller gives for a page. Runs per request; `show_number` at start-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from msframework.types import JSONObject

PageErrors = dict[str, Any]
Wrong = dict[str, list[str]]

NOT_A_NUMBER: Final = "Not a valid integer."
# The largest LIMIT and OFFSET: PostgreSQL's type bigint.
LARGEST: Final = 2**63 - 1


class PageRequest(Protocol):
    """The part of a request that says which page is asked for."""

    @property
    def query_string(self) -> str:
        """The query, as it was sent."""

    def get_args(self, *, keep_blank_values: bool) -> Any:
        """Return the parameters of the query: `getlist(name)` gives the values of one."""


def read_number(
    texts: list[str], default: int, least: int, most: int, wrong: Wrong, name: str
) -> int:
    """Return the number that a parameter says; note in *wrong* why it is none."""
    if not texts:
        return default
    if len(texts) > 1:
        wrong[name] = [given_often(texts)]
        return default
    text = texts[0]
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
        wrong[name] = [NOT_A_NUMBER]
        return default
    number = int(text)
    if not least <= number <= most:
        bounds = f"greater than or equal to {least} and less than or equal to {most}"
        wrong[name] = [f"Must be {bounds}."]
        return default
    return number


def given_often(texts: list[str]) -> str:
    """Return the message about a parameter that stands several times in a query."""
    return f"Given {len(texts)} times, but takes one value."


def show_number(text: str, least: int, most: int, default: int) -> JSONObject:
    """Return how the document shows a parameter that is a number."""
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return {"description": text, "schema": schema}


def find_wrong_sizes(**sizes: object) -> Iterator[str]:
    """Yield a mistake for each of *sizes* that is no whole number of 1 or more."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            yield f"@doc.paginate got {name}={size!r}; expected a whole number of 1 or more."
