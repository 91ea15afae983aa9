"""The origin document, taken apart: its chapters, their sentences, and their code blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "origin.zh.md"
_FENCE = re.compile(r"^```$")
_LINK_ALONE = re.compile(r"^(!?\[[^\]]*\]\([^)]*\)\s*)+$")
# A sentence ends at a Chinese full stop, or at a Latin one that a space follows.
_END = re.compile(r"(?<=。)\s*|(?<=[a-z)][.!?])\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the document's prose; list items and table cells count as sentences."""

    chapter: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """One code block; *number* counts from 1 within its chapter."""

    chapter: str
    number: int
    text: str

    @property
    def name(self) -> str:
        """How tests name it."""
        return f"{self.chapter}, code {self.number}"


@cache
def read_document() -> tuple[tuple[Sentence, ...], tuple[Block, ...]]:
    """Return the sentences and the code blocks of the document, in order."""
    sentences: list[Sentence] = []
    blocks: list[Block] = []
    for chapter, lines in _chapters(SOURCE.read_text(encoding="utf-8")):
        prose, code = _separate(lines)
        sentences += [Sentence(chapter, text) for line in prose for text in _split(line)]
        blocks += [Block(chapter, number, text) for number, text in enumerate(code, 1)]
    return tuple(sentences), tuple(blocks)


def chapters() -> tuple[str, ...]:
    """Return the names of the chapters, in order."""
    return tuple(chapter for chapter, _ in _chapters(SOURCE.read_text(encoding="utf-8")))


def block(name: str) -> str:
    """Return the text of the code block *name* as it is printed."""
    return next(block.text for block in read_document()[1] if block.name == name)


def _chapters(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the chapters; what stands above the first heading is the `Title`."""
    name, lines = "Title", []
    for line in text.splitlines():
        if line.startswith("## "):
            yield name, lines
            name, lines = line.removeprefix("## ").strip(), []
        else:
            lines.append(line)
    yield name, lines


def _separate(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the lines of prose, and the code blocks."""
    prose: list[str] = []
    code: list[str] = []
    inside: list[str] | None = None
    for line in lines:
        if _FENCE.match(line):
            if inside is not None:
                code.append("\n".join(inside) + "\n")
            inside = [] if inside is None else None
        elif inside is not None:
            inside.append(line)
        elif line.strip() and not line.startswith("#"):
            prose.append(line)
    assert inside is None, "a code block is not closed"
    return prose, code


def _split(line: str) -> Iterator[str]:
    """Yield the sentences of one line, without the signs of Markdown."""
    if _LINK_ALONE.match(line):
        return
    text = re.sub(r"^[>*\s]+", "", line.strip()).replace("**", "")
    for part in _END.split(text):
        if part.strip():
            yield part.strip()
