"""Python's source text, laid out in lines that are not too long. Runs on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 100
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class QuotedText:
    """A string constant; a long one is cut between its words."""

    value: str


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Items in brackets: a call, a list.

    Args:
        head: the text up to the opening bracket, which ends it.
    """

    head: str
    items: tuple[SourcePart, ...]


SourcePart = str | QuotedText | Bracketed


def source(value: object) -> str:
    """Return *value* as Python writes it, a text in double quotes where it can be."""
    text = repr(value)
    if text.startswith("'") and '"' not in text:
        return '"' + text[1:-1].replace("\\'", "'") + '"'
    return text


def lay_out(part: SourcePart, indent: int, tail: str = "") -> Iterator[str]:
    """Yield the lines of *part*: one, if it fits.

    Args:
        tail: what follows on its last line.
    """
    space = " " * indent
    line = f"{space}{_flat(part)}{tail}"
    if len(line) <= WIDTH or isinstance(part, str):
        yield line
    elif isinstance(part, QuotedText):
        *chunks, last = _chunks(part.value, WIDTH - indent - len(tail) - 2)
        yield from (f"{space}{source(chunk)}" for chunk in chunks)
        yield f"{space}{source(last)}{tail}"
    else:
        yield f"{space}{part.head}"
        alone = len(part.items) == 1 and isinstance(part.items[0], QuotedText)
        for item in part.items:
            yield from lay_out(item, indent + 4, "" if alone else ",")
        yield f"{space}{_CLOSING[part.head[-1]]}{tail}"


def _flat(part: SourcePart) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, QuotedText):
        return source(part.value)
    return f"{part.head}{', '.join(map(_flat, part.items))}{_CLOSING[part.head[-1]]}"


def _chunks(text: str, room: int) -> list[str]:
    """Cut *text* before its spaces, so that each piece has room; all joined are the text."""
    chunks = [""]
    for word in text.replace(" ", "\0 ").split("\0"):
        if chunks[-1] and len(source(chunks[-1] + word)) - 2 > room:
            chunks.append(word)
        else:
            chunks[-1] += word
    return chunks
