"""The report of a failed migration says what to do."""

from types import SimpleNamespace

import pytest

from msframework.migrations.failure import describe_failure
from msframework.migrations.tasks import Position


class Failure(Exception):
    def __init__(self, sqlstate):
        super().__init__("no")
        self.sqlstate = sqlstate
        names = ("detail", "hint", "position")
        parts = {f"message_{name}": None for name in names} | {"statement_position": None}
        self.diag = SimpleNamespace(message_primary="no", sqlstate=sqlstate, **parts)


TYPE = "alter column age of users: type text → integer"


@pytest.mark.parametrize(
    ("sqlstate", "operation", "advice"),
    [
        ("42P07", "create table users", "`manage.py migrate APP NAME --fake` records it."),
        ("42701", "add column age to users", "`manage.py migrate APP NAME --fake` records it."),
        ("42846", TYPE, 'using="…" of its AlterColumn.'),
        ("55P03", "create table users", "wait longer by --lock-timeout or MIGRATION_LOCK_RETRIES."),
    ],
)
def test_a_failure_says_what_to_do(sqlstate, operation, advice):
    text = describe_failure(Failure(sqlstate), Position((1, operation)), None)
    assert text.endswith(advice)


def test_a_failure_without_a_known_cure_says_the_reason_alone():
    text = describe_failure(Failure("42846"), Position((1, "add column age to users")), None)
    assert text.splitlines() == [
        "  operation 1: add column age to users",
        "  PostgreSQL: no (SQLSTATE 42846)",
    ]
