"""SQL text: quoting, its tokens, equality of two texts, renames in it. Runs at start-up.

A text is cut into words as PostgreSQL's lexer cuts it (its manual, 4.1), so that a change never
reaches into a string or a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(
    r"""
      (?P<space>\s+ | --[^\n]* | /\*.*?\*/)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'
        | \$(?P<tag>[A-Za-z_]?\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<name>[^\W\d][\w$]*)
    | (?P<number>\d[\w.]*|\.\d+\w*)
    | (?P<sign>::|<=|>=|<>|!=|\|\||[-+*/<>=~!@\#%^&|`?]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(r"[a-z_][a-z0-9_$]*\Z")
# Key words that cannot be the name of a column without quotes (the manual, appendix C).
_RESERVED_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign freeze from full grant group having ilike in
    initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
    references returning right select session_user similar some symmetric system_user table
    tablesample then to trailing true union unique user using variadic verbose when where window
    with"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())


def quote(name: str) -> str:
    """Return *name* as an identifier, in quotes where SQL needs them."""
    if _BARE.match(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def unquote(word: str) -> str:
    """Return the name that *word*, an identifier in quotes, names."""
    return word[1:-1].replace('""', '"')


def quote_qualified(name: str) -> str:
    """Return the name of a table, with its schema if it has one, as SQL."""
    return ".".join(quote(part) for part in name.split(".", 1))


def literal(value: str) -> str:
    """Return *value* as a string constant."""
    escaped = value.replace("'", "''")
    if "\\" in escaped:
        return "E'" + escaped.replace("\\", "\\\\") + "'"
    return f"'{escaped}'"


def words(text: str) -> Iterator[tuple[str, str]]:
    """Yield the words of *text*, each with its kind: string, quoted, name, number or sign."""
    for kind, word, _ in placed_words(text):
        yield kind, word


def placed_words(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield the words of *text*, each with its kind and its place."""
    for match in _WORD.finditer(text):
        kind = next(k for k in _KINDS if match.group(k) is not None)
        if kind != "space":
            yield kind, match.group(), match.start()


_KINDS: Final = ("space", "string", "quoted", "name", "number", "sign")


def canonical_words(text: str) -> tuple[str, ...]:
    """Return the words of *text* without case, spaces and needless parentheses."""
    found = []
    for kind, word in words(text):
        if kind == "name":
            found.append(word.lower())
        elif kind == "quoted":
            found.append(quote(unquote(word)))
        else:
            found.append(word)
    return _without_parentheses(tuple(found))


def same(one: str | None, other: str | None) -> bool:
    """Say whether two texts of SQL have the same words."""
    if one is None or other is None:
        return one is other
    return canonical_words(one) == canonical_words(other)


def rename(text: str, old: str, new: str) -> str:
    """Return *text* with the column *old* called *new*; functions of that name are left alone."""
    found, last = [], 0
    matches = list(_WORD.finditer(text))
    for number, match in enumerate(matches):
        name = match.group("name")
        bare = name.lower() if name else None
        if match.group("quoted"):
            bare = unquote(match.group())
        if bare == old and not _is_call(matches, number):
            found += [text[last : match.start()], quote(new)]
            last = match.end()
    return "".join((*found, text[last:]))


def rename_type(text: str, old: str, new: str) -> str:
    """Return *text* with the type *old* called *new* in casts; columns of that name are left alone.

    Args:
        old: its name, with its schema if it has one; so is *new*.
    """
    found, last = [], 0
    matches = [each for each in _WORD.finditer(text) if each.group("space") is None]
    name = canonical_words(quote_qualified(old))
    length = len(name)
    for number in range(len(matches) - length + 1):
        one, end = matches[number], matches[number + length - 1]
        before = matches[number - 1].group().lower() if number else ""
        behind = matches[number + length] if number + length < len(matches) else None
        is_string = behind is not None and behind.group("string") is not None
        is_cast = before in ("::", "as") and (behind is None or behind.group() != ".")
        if (is_string or is_cast) and canonical_words(text[one.start() : end.end()]) == name:
            found += [text[last : one.start()], quote_qualified(new)]
            last = end.end()
    return "".join((*found, text[last:]))


def _is_call(matches: list[re.Match[str]], number: int) -> bool:
    behind = (m for m in matches[number + 1 :] if m.group("space") is None)
    following = next(behind, None)
    return following is not None and following.group() == "(" and not matches[number]["quoted"]


def _without_parentheses(found: tuple[str, ...]) -> tuple[str, ...]:
    """Take off parentheses around the whole, and those that only stand within others."""
    ends = _ends(found)
    extra = set()
    for start, end in ends.items():
        if (start == 0 and end == len(found) - 1) or ends.get(start - 1) == end + 1:
            extra |= {start, end}
    if not extra:
        return found
    return _without_parentheses(tuple(w for n, w in enumerate(found) if n not in extra))


def _ends(found: tuple[str, ...]) -> dict[int, int]:
    """Return the place of the closing parenthesis for each opening one."""
    ends, opened = {}, []
    for number, word in enumerate(found):
        if word == "(":
            opened.append(number)
        elif word == ")" and opened:
            ends[opened.pop()] = number
    return ends
