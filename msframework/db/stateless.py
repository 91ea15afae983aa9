"""Which statements leave nothing behind in the session that ran them.

Runs once for each SQL text (`Statement` keeps the answer). The answer is conservative: a statement
is stateless when it is one plain SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES, in parentheses or
not, and every function that its text calls is on `STATELESS_FUNCTIONS`. Whatever is not understood
is not stateless.

NOTE: a text cannot tell what runs below it. Triggers, views, rules, row security, and functions
behind operators, casts, defaults and computed columns may change the session too; see
docs/concepts/data.md and `DB_RESET = "always"`.
"""

from __future__ import annotations

import re

from msframework.db.functions import STATELESS_FUNCTIONS

# The order matters: what may contain the next one's characters comes first.
_TOKENS = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*(?:\n|$))
  | (?P<comment>/\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/)
  | (?P<string>(?:\b[nN])?'(?:[^'\\]|'')*')
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<param>\$\d+)
  | (?P<number>\d[\w.]*|\.\d\w*)
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<word>[^\W\d][\w$]*)
  | (?P<cast>::)
  | (?P<sign>[-+*/<>=~!@\#%^&|`?]+)
  | (?P<mark>[(),.;:\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_VERBS = frozenset({"select", "insert", "update", "delete", "merge", "values", "with"})
# Reserved words, and those whose grammar is their own: before "(" they never call a user's function
# (PostgreSQL 18, appendix C: "reserved" and "non-reserved (cannot be function or type)").
_CALLED_BY_NOBODY = """
    all and any array as asymmetric case cast distinct else end except fetch for from group having
    in intersect lateral limit not offset on only or order returning select some symmetric then
    union using variadic when where window with between bigint bit boolean char character
    coalesce dec decimal exists extract float greatest grouping int integer interval json_array
    json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
    json_table json_value least national nchar none normalize nullif numeric overlay position
    precision real row smallint substring time timestamp trim values varchar xmlagg xmlconcat
    xmlelement xmlexists xmlforest xmlparse xmlpi xmlroot xmlserialize
"""
_NEVER_FUNCTIONS = frozenset(_CALLED_BY_NOBODY.split())
# Words that may also name a function: keywords only after one of these.
_KEYWORD_AFTER = {
    "by": frozenset({"order", "group", "partition"}),
    "conflict": frozenset({"on"}),
    "insert": frozenset({"then"}),
    "sets": frozenset({"grouping"}),
    "materialized": frozenset({"as", "not"}),
    "over": frozenset({")"}),
    "filter": frozenset({")"}),
    "rollup": frozenset({"by", ","}),
    "cube": frozenset({"by", ","}),
}
# Words that stand between two operands; after anything but an operand they could be a call.
_INFIX = frozenset({"is", "like", "ilike", "similar", "to", "join", "collate"})
# A name after one of these is a table, an alias, a type or a common table expression.
_BEFORE_A_NAME = frozenset({"into", "as", "recursive", "::", "with"})
_OPERAND_KINDS = frozenset({"string", "dollar", "param", "number", "quoted"})

Token = tuple[str, str]
# The words before a statement whose plan alone is asked for: nothing else may stand among them.
_PLAN = ("explain", "(", "format", "json", ")")


def is_stateless(sql: str) -> bool:
    """Whether *sql* is known to leave no state in its session."""
    tokens = _read_tokens(sql)
    if tokens and tuple(text for _, text in tokens[: len(_PLAN)]) == _PLAN:
        del tokens[: len(_PLAN)]  # it plans the rest, and at most what that calls is run
    first = next((token for token in tokens or () if token != ("mark", "(")), ("", ""))
    if not tokens or first[0] != "word" or first[1] not in _VERBS:
        return False
    for index, (kind, text) in enumerate(tokens):
        if text == ";":
            return False
        if kind == "word" and text == "into" and tokens[index - 1][1] not in {"insert", "merge"}:
            return False
        if text == "(" and kind == "mark" and not _opens_harmlessly(tokens, index):
            return False
    return True


def verb_of(sql: str) -> str:
    """Return the first word of *sql* in capitals, as the name of its span; `SQL` if it has none."""
    for match in _TOKENS.finditer(sql):
        if match.lastgroup == "word":
            return match.group().upper()
        if match.lastgroup not in {"space", "comment"} and match.group() != "(":
            break
    return "SQL"


def _read_tokens(sql: str) -> list[Token] | None:
    """Split *sql*; `None` when a part of it isn't understood, nested comments for instance."""
    tokens: list[Token] = []
    position = 0
    while position < len(sql):
        match = _TOKENS.match(sql, position)
        if match is None:
            return None
        position = match.end()
        # NOTE: the group of a dollar quote's tag closes before the quote's own.
        kind = str(match.lastgroup)
        if kind in {"space", "comment"}:
            continue
        text = match.group()
        if kind == "word":
            text = text.lower()
            # E'…' and U&"…" have escapes of their own, B'…' and X'…' cannot matter.
            after = sql[position : position + 1]
            if after == "'" or (text == "u" and after == "&"):
                return None
        tokens.append((kind, text))
    while tokens and tokens[-1][1] == ";":
        tokens.pop()
    return tokens


def _opens_harmlessly(tokens: list[Token], index: int) -> bool:
    """Whether the parenthesis at *index* begins no call of an unknown function."""
    if index == 0:
        return True
    kind, text = tokens[index - 1]
    if kind not in {"word", "quoted"}:
        return True
    before = tokens[index - 2] if index > 1 else ("", "")
    if kind == "word" and before[1] != ".":
        if text in _NEVER_FUNCTIONS:
            return True
        if text in _KEYWORD_AFTER:
            return before[1] in _KEYWORD_AFTER[text]
        if text in _INFIX:
            return _is_operand(before)
    start = index - 1
    path = [text.strip('"')]
    while start > 1 and tokens[start - 1] == ("mark", "."):
        path.append(tokens[start - 2][1].strip('"'))
        start -= 2
    ahead = tokens[start - 1] if start > 0 else ("", "")
    if ahead[0] in {"word", "cast"} and ahead[1] in _BEFORE_A_NAME:
        return True
    if path[1:] not in ([], ["pg_catalog"]):
        return False
    return path[0] in STATELESS_FUNCTIONS


def _is_operand(token: Token) -> bool:
    kind, text = token
    if kind == "word":
        return text not in _NEVER_FUNCTIONS or text in {"end", "not"}
    return kind in _OPERAND_KINDS or text in {")", "]"}
