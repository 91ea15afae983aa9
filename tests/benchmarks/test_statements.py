"""The statement log is read as PostgreSQL writes it."""

import pytest

from benchmarks.statements import count_kinds, kind_of, missing, read_entries

LOG = """\
@@ LOG:  parameter "log_statement" changed to "all"
@bench@ LOG:  statement: BEGIN;
@bench@ LOG:  execute __asyncpg_stmt_3__: \n\t    INSERT INTO users (name, email)
\t    VALUES ($1, $2) RETURNING id
@bench@ DETAIL:  Parameters: $1 = 'statement: x', $2 = 'y'
@other@ LOG:  statement: SELECT * FROM users
@bench@ ERROR:  relation "x" does not exist at character 15
@bench@ STATEMENT:  SELECT * FROM x
@bench@ LOG:  execute <unnamed>: SELECT count(*) FROM users
@bench@ LOG:  execute fetch from C_1/P_1: SELECT id FROM users
@bench@ LOG:  statement: COMMIT;
"""


def test_each_statement_of_the_database_is_read_once():
    assert read_entries(LOG, "bench") == [
        "BEGIN;",
        "INSERT INTO users (name, email)\n    VALUES ($1, $2) RETURNING id",
        "SELECT count(*) FROM users",
        "SELECT id FROM users",
        "COMMIT;",
    ]


def test_statements_are_counted_by_kind():
    found = count_kinds(read_entries(LOG, "bench"))

    assert found == {"begin": 1, "insert": 1, "count": 1, "select": 1, "commit": 1}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("START TRANSACTION", "begin"),
        ("BEGIN READ WRITE", "begin"),
        ('SELECT "users"."id" FROM "users" WHERE "users"."id" = $1 LIMIT 21', "select"),
        ('SELECT COUNT(*) AS "__count" FROM "users"', "count"),
        ("SELECT pg_advisory_unlock_all(); RESET ALL", "other"),
        ("END", "commit"),
        ("", "other"),
    ],
)
def test_the_kind_of_a_statement(statement, kind):
    assert kind_of(statement) == kind


def test_what_is_missing_is_named():
    short = missing("fanout", 10, {"select": 9, "other": 50}, 19)

    assert short == [
        "9 select statements for 10 requests, not 10",
        "19 calls of the upstream for 10 requests, not 20",
    ]


def test_more_than_is_needed_is_not_missing():
    assert missing("create", 2, {"begin": 2, "insert": 2, "commit": 3, "other": 9}, 0) == []
