"""What the spans of statements have in common. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msframework.db.stateless import verb_of
from msframework.tracing.span import Template

_MOST_SQL = 4000
_MOST_KNOWN = 1024


class StatementSpans:
    """What the spans of statements have in common, for the statements of one pool.

    Args:
        tags: what tells of the server.
    """

    def __init__(self, tags: Mapping[str, Any]) -> None:
        self.tags = tags
        self._templates: dict[str, Template] = {}

    def template(self, sql: str) -> Template:
        """Return the template of *sql*: the name `db.select` and the like, and the text."""
        found = self._templates.get(sql)
        if found is None:
            tags = {"component": "db-execute", "db.type": "sql", "db.statement": sql[:_MOST_SQL]}
            found = Template(f"db.{verb_of(sql).lower()}", "client", tags | dict(self.tags))
            if len(self._templates) >= _MOST_KNOWN:
                self._templates.clear()
            self._templates[sql] = found
        return found


NO_SERVER: Final = StatementSpans({})
