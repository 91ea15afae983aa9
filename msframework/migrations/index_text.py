"""The text of CREATE INDEX as a value. Runs at start-up.

Reads what `pg_get_indexdef` writes, and what people write (PostgreSQL's manual, CREATE INDEX).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from msframework.migrations.naming import clip
from msframework.migrations.schema import Index
from msframework.migrations.sql import placed_words, quote

_LONGEST: Final = 64  # characters, which peewee allows
_PLAIN_VALUE: Final = re.compile(r"'([\w.+-]+)'\Z")


def unquote(word: str) -> str:
    """Return the name that a word says, in quotes or without."""
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind of each word of *text*, and where it begins and ends."""
    for kind, word, start in placed_words(text):
        yield kind, start, start + len(word)


def split(text: str) -> list[str]:
    """Return the parts of *text* between its commas, but for those within parentheses."""
    found, depth, last = [], 0, 0
    for kind, word, start in placed_words(text):
        sign = word if kind == "sign" else ""
        depth += (sign in ("(", "[")) - (sign in (")", "]"))
        if sign == "," and not depth:
            found.append(text[last:start].strip())
            last = start + 1
    return [*found, text[last:].strip()]


class _IndexWords:
    """The words of a statement, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans = [span for span in spans(text) if text[span[1]] != ";"]
        self._next = 0

    def take(self, *wanted: str) -> bool:
        """Step over the words *wanted*, if they come next."""
        ahead = self._spans[self._next : self._next + len(wanted)]
        found = [self._text[start:end].lower() for _, start, end in ahead]
        if found != [word.lower() for word in wanted]:
            return False
        self._next += len(wanted)
        return True

    def demand(self, *wanted: str) -> None:
        """Step over the words *wanted*.

        Raises:
            ValueError: something else comes next.
        """
        if not self.take(*wanted):
            raise ValueError(f"expected {' '.join(wanted)} in {self._text!r}")

    def name(self) -> str:
        """Step over a name, which may have a schema, and return it."""
        found = [unquote(self._word())]
        while self.take("."):
            found.append(unquote(self._word()))
        return ".".join(found)

    def enclosed(self) -> str:
        """Step over a pair of parentheses, and return the text between them."""
        self.demand("(")
        first, depth = self._spans[self._next - 1][2], 1
        while depth:
            word = self._word()
            depth += (word == "(") - (word == ")")
        return self._text[first : self._spans[self._next - 1][1]].strip()

    def rest(self) -> str:
        """Return all that is left."""
        if self._next >= len(self._spans):
            return ""
        return self._text[self._spans[self._next][1] : self._spans[-1][2]]

    def _word(self) -> str:
        if self._next >= len(self._spans):
            raise ValueError(f"{self._text!r} ends too early")
        _, start, end = self._spans[self._next]
        self._next += 1
        return self._text[start:end]


def read_index(text: str) -> tuple[str, Index]:
    """Return the table and the index of a CREATE INDEX statement.

    Raises:
        ValueError: it is no such statement, or the index has no name.
    """
    words = _IndexWords(text)
    words.demand("CREATE")
    unique = words.take("UNIQUE")
    words.demand("INDEX")
    words.take("CONCURRENTLY")
    words.take("IF", "NOT", "EXISTS")
    name = words.name().rpartition(".")[2]
    words.demand("ON")
    words.take("ONLY")
    table = words.name()
    method = words.name() if words.take("USING") else "btree"
    elements = tuple(_plain(each) for each in split(words.enclosed()))
    include = split(words.enclosed()) if words.take("INCLUDE") else []
    nulls_distinct = not words.take("NULLS", "NOT", "DISTINCT")
    words.take("NULLS", "DISTINCT")
    storage = split(words.enclosed()) if words.take("WITH") else []
    if words.take("TABLESPACE"):
        words.name()
    where = words.rest() if words.take("WHERE") else None
    return table, Index(
        name,
        elements,
        unique=unique,
        method=method.lower(),
        where=where,
        include=tuple(unquote(each) for each in include),
        nulls_distinct=nulls_distinct,
        storage=tuple(_parameter(each) for each in storage),
    )


def plain_columns(elements: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the columns of elements that are nothing else; `None` where one is."""
    found = []
    for element in elements:
        kinds = [kind for kind, _, _ in spans(element)]
        if kinds not in (["name"], ["quoted"]):
            return None
        found.append(unquote(element))
    return tuple(found)


def _plain(element: str) -> str:
    """Return *element* with its column in quotes only where that is needed."""
    first, *others = spans(element)
    follows = element[others[0][1] : others[0][2]] if others else ""
    if first[0] != "quoted" or follows in ("(", "."):
        return element
    return quote(unquote(element[: first[2]])) + element[first[2] :]


def _parameter(text: str) -> str:
    """Return a storage parameter as `name = value`."""
    name, _, value = (part.strip() for part in text.partition("="))
    match = _PLAIN_VALUE.match(value)
    return f"{name.lower()} = {match.group(1) if match else value}" if value else name.lower()


def generated_name(table: str, columns: Iterable[str]) -> str:
    """Return the name that peewee gives to an index of *columns* of the bare name *table*."""
    joined = re.sub(r"[^\w]+", "", "_".join(columns))
    name = f"{table}_{joined}"
    if len(name) > _LONGEST:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: _LONGEST - 8]}_{digest[:7]}"
    return clip(name)
