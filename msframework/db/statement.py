"""The facts of an SQL text: found once, and kept for whoever runs it.

`Statement.template` runs per request whose trace is kept, all else once for each text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from msframework.db.stateless import is_stateless, verb_of
from msframework.tracing.span import Template

_MOST_SQL: Final = 4000


class Kind(Enum):
    """The effect of a statement, as its first word tells."""

    READ = "read"
    WRITE = "write"
    OTHER = "other"


_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "SELECT": Kind.READ,
        "VALUES": Kind.READ,
        "INSERT": Kind.WRITE,
        "UPDATE": Kind.WRITE,
        "DELETE": Kind.WRITE,
        "MERGE": Kind.WRITE,
    }
)


class ServerTags:
    """The tags by which spans tell of one PostgreSQL server."""

    __slots__ = ("tags",)

    def __init__(self, tags: Mapping[str, object]) -> None:
        self.tags = tags


NO_SERVER: Final = ServerTags({})


class Statement:
    """One SQL text.

    Attributes:
        sql: the text.
        stateless: it is known to leave nothing behind in its session.
        verb: its first word, in capitals.
        kind: its effect.
    """

    __slots__ = ("_templates", "kind", "sql", "stateless", "verb")

    def __init__(self, sql: str, *, stateless: bool) -> None:
        self.sql, self.stateless = sql, stateless
        self.verb = verb_of(sql)
        self.kind = _KINDS.get(self.verb, Kind.OTHER)
        self._templates: dict[ServerTags, Template] = {}

    def template(self, server: ServerTags) -> Template:
        """Return the name and the tags that all its spans have."""
        found = self._templates.get(server)
        if found is None:
            tags = {
                "component": "db-execute",
                "db.type": "sql",
                "db.statement": self.sql[:_MOST_SQL],
            }
            found = Template(f"db.{self.verb.lower()}", "client", tags | dict(server.tags))
            self._templates[server] = found
        return found


class Statements:
    """The statements that were run, each made once for its text, the oldest forgotten first.

    Args:
        always_reset: none of them counts as stateless.
        limit: how many are kept.

    Attributes:
        known: all of them, by their text.
        stateless: those that leave nothing behind.
    """

    __slots__ = ("_always_reset", "_limit", "known", "stateless")

    def __init__(self, *, always_reset: bool, limit: int = 4096) -> None:
        self._always_reset = always_reset
        self._limit = limit
        self.known: dict[str, Statement] = {}
        self.stateless: dict[str, Statement] = {}

    def learn(self, sql: str) -> Statement:
        """Return the statement of *sql*, which is not known yet, and remember it."""
        statement = Statement(sql, stateless=not self._always_reset and is_stateless(sql))
        if len(self.known) >= self._limit:
            oldest = next(iter(self.known))
            del self.known[oldest]
            self.stateless.pop(oldest, None)
        self.known[sql] = statement
        if statement.stateless:
            self.stateless[sql] = statement
        return statement
