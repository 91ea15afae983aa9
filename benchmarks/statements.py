"""Reads PostgreSQL's statement log: how many statements of which kind a client ran.

Pure functions; the log is written with `log_line_prefix = '@%d@ '` and `log_statement = 'all'`.
"""

import re
from collections import Counter

_ENTRY = re.compile(r"^@(?P<database>[^@]*)@ (?P<level>[A-Z]+): +(?P<text>.*)$")
_SIMPLE = re.compile(r"^statement: (.*)$", re.DOTALL)
_EXTENDED = re.compile(r"^execute (?:fetch from )?[^:]*: (.*)$", re.DOTALL)
_COUNT = re.compile(r"\bcount\s*\(", re.IGNORECASE)

# What each workload needs, for each of its requests; whatever else is sent is counted as "other".
NEEDED: dict[str, dict[str, int]] = {
    "json": {},
    "read_one": {"select": 1},
    "list": {"select": 1, "count": 1},
    "create": {"begin": 1, "insert": 1, "commit": 1},
    "invalid": {},
    "fanout": {"select": 1},
}
CALLS = {"fanout": 2}


def read_entries(text: str, database: str) -> list[str]:
    """Return the SQL of each statement that *text*, a piece of the log, shows for *database*."""
    entries: list[list[str]] = []
    for line in text.splitlines():
        match = _ENTRY.match(line)
        if match is None:
            if entries and line.startswith("\t"):
                entries[-1].append(line[1:])
            continue
        wanted = match["database"] == database and match["level"] == "LOG"
        # NOTE: an entry of another kind takes its continuation lines with it, unread.
        entries.append([match["text"]] if wanted else [""])
    statements = []
    for lines in entries:
        whole = "\n".join(lines)
        found = _SIMPLE.match(whole) or _EXTENDED.match(whole)
        if found is not None:
            statements.append(found[1].strip())
    return statements


def kind_of(statement: str) -> str:
    """Return what *statement* is for: select, count, insert, begin, commit, or other."""
    words = statement.lower().split(None, 2)
    first = words[0].rstrip(";") if words else ""
    if first == "start":
        return "begin"
    if first in ("begin", "commit", "insert"):
        return first
    if first == "end":
        return "commit"
    if first == "select" and "users" in statement:
        return "count" if _COUNT.search(statement) else "select"
    return "other"


def count_kinds(statements: list[str]) -> dict[str, int]:
    """Return how many of *statements* are of each kind."""
    return dict(Counter(map(kind_of, statements)))


def missing(workload: str, requests: int, counts: dict[str, int], calls: int) -> list[str]:
    """Say which statements and calls are fewer than *requests* of *workload* need."""
    short = [
        f"{counts.get(kind, 0)} {kind} statements for {requests} requests, not {times * requests}"
        for kind, times in NEEDED[workload].items()
        if counts.get(kind, 0) < times * requests
    ]
    wanted = CALLS.get(workload, 0) * requests
    if calls < wanted:
        short.append(f"{calls} calls of the upstream for {requests} requests, not {wanted}")
    return short
