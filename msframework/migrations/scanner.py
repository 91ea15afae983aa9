"""`Scanner`: SQL text, read word by word. Runs at start-up."""

from __future__ import annotations

from typing import Final

from msframework.migrations.naming import clip
from msframework.migrations.sql import placed_words, quote, unquote

_OPENING: Final = frozenset("([")
_CLOSING: Final = frozenset(")]")


class Unreadable(ValueError):
    """A part of a model that is no SQL which can be read; its text says at which word."""


class Scanner:
    """The words of one text, from left to right.

    Key words are given in small letters; several of them are separated by spaces.
    """

    __slots__ = ("_at", "_text", "_words")

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(placed_words(text))
        self._at = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._words)

    def peek(self, offset: int = 0) -> str:
        """Return the next word, in small letters if it is a bare one; nothing at the end."""
        if self._at + offset >= len(self._words):
            return ""
        kind, word, _ = self._words[self._at + offset]
        return word.lower() if kind == "name" else word

    def sees(self, phrase: str) -> bool:
        """Say whether the next words are those of *phrase*."""
        return all(self.peek(number) == word for number, word in enumerate(phrase.split()))

    def accept(self, phrase: str) -> bool:
        """Step over *phrase*, and say whether it stood there."""
        found = self.sees(phrase)
        if found:
            self._at += len(phrase.split())
        return found

    def expect(self, phrase: str) -> None:
        """Step over *phrase*.

        Raises:
            Unreadable: something else stands there.
        """
        if not self.accept(phrase):
            raise Unreadable(f"{self._here()} stands where {phrase.upper()} should")

    def identifier(self) -> str:
        """Return the next name as PostgreSQL keeps it, and step over it.

        Raises:
            Unreadable: there is none.
        """
        if self.done or self._words[self._at][0] not in ("name", "quoted"):
            raise Unreadable(f"{self._here()} stands where a name should")
        kind, word, _ = self._words[self._at]
        self._at += 1
        return clip(word.lower() if kind == "name" else unquote(word))

    def qualified(self) -> tuple[str, ...]:
        """Return the parts of a name that may have a schema, and step over them."""
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        return tuple(parts)

    def enclosed(self) -> str:
        """Return the text in the parentheses that begin here, and step over them.

        Raises:
            Unreadable: there are none, or they are not closed.
        """
        self.expect("(")
        start, depth = self._at, 1
        while not self.done:
            word = self.peek()
            depth += (word in _OPENING) - (word in _CLOSING)
            if not depth:
                self._at += 1
                return self._between(start, self._at - 1)
            self._at += 1
        raise Unreadable("a parenthesis is not closed")

    def until(self, *stops: str) -> str:
        """Return the text before the first of *stops* outside of parentheses, one word at least."""
        start, depth = self._at, 0
        while not self.done and (
            depth or self._at == start or not any(self.sees(stop) for stop in stops)
        ):
            word = self.peek()
            depth += (word in _OPENING) - (word in _CLOSING)
            self._at += 1
        if depth:
            raise Unreadable("a parenthesis is not closed")
        return self._between(start, self._at)

    def items(self) -> tuple[str, ...]:
        """Return the rest of the text, cut at the commas outside of parentheses."""
        found = []
        more = not self.done
        while more:
            if self.done or self.sees(","):
                raise Unreadable("a comma has nothing beside it")
            found.append(self.until(","))
            more = self.accept(",")
        return tuple(found)

    def finish(self) -> None:
        """See to it that nothing is left.

        Raises:
            Unreadable: something is.
        """
        if not self.done:
            raise Unreadable(f"{self._here()} cannot be read there")

    def _here(self) -> str:
        return f"{self._words[self._at][1]!r:.40}" if not self.done else "the end"

    def _between(self, start: int, end: int) -> str:
        """Return the text from one word to another, tidy."""
        parts = []
        last = None
        for kind, word, place in self._words[start:end]:
            if last is not None and place > last:
                parts.append(" ")
            parts.append(_bare(word) if kind == "quoted" else word)
            last = place + len(word)
        return "".join(parts)


def tidy(text: str) -> str:
    """Return *text* without needless quotes around names, spaces and comments."""
    scanner = Scanner(text)
    return scanner.until() if not scanner.done else ""


def _bare(word: str) -> str:
    return quote(clip(unquote(word)))
