"""The SQL that operations are, as text: casts, constants, statements, scripts for psql."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from msframework.db.cluster import find_binaries
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterEnum,
    Column,
    CommentTable,
    Constraint,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropEnum,
    DropIndex,
    DropTable,
    EnumType,
    ForeignKey,
    Index,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    Run,
    Table,
)
from msframework.migrations.operations.base import PhaseContext
from msframework.migrations.operations.casts import cast_between
from msframework.migrations.operations.required import is_constant
from msframework.migrations.operations.statements import is_outside, split
from msframework.migrations.script import write_script

USERS = Table(
    "users",
    (Column("id", "integer", serial=True), Column("name", "text", null=True)),
    constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
)


@pytest.mark.parametrize(
    ("old", "new", "cast"),
    [
        ("integer", "bigint", None),
        ("numeric(5, 2)", "double precision", None),
        ("text", "varchar(3)", None),
        ("uuid", "text", None),
        ("date", "timestamp", None),
        ("timestamptz", "timestamp", "a AT TIME ZONE 'UTC'"),
        ("integer[]", "bigint[]", None),
        ("mood", "text", None),
        ("varchar(3)", "varchar(4)", None),
        ("text", "integer", "a::integer"),
        ("text", "mood", "a::mood"),
        ("mood", "shop.temper", "a::text::shop.temper"),
        ("mood[]", "temper[]", "a::text[]::temper[]"),
        ("boolean", "integer", "a::integer"),
        ("bigint", "boolean", "a <> 0"),
        ("integer", "boolean", "a <> 0"),
        ("text", "bytea", "a::bytea"),
        ("jsonb", "integer", "(a #>> '{}')::integer"),
        ("integer", "mood", "a::text::mood"),
        ("text[]", "integer", "a::integer"),
        ("text", "text[]", "ARRAY[a]::text[]"),
    ],
)
def test_a_cast_is_left_to_postgresql_where_it_refuses_what_does_not_fit(old, new, cast):
    assert cast_between("a", old, new) == cast


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("''", True),
        ("-1.5", True),
        ("'{}'::jsonb", True),
        ("'1'::double precision", True),
        ("ARRAY['a', 'b']::varchar(3)[]", True),
        ("CURRENT_TIMESTAMP", True),
        ("'12:00'::time(3) with time zone", True),
        ("ARRAY['a'::text, name]", False),
        ("true::boolean AND used", False),
        ("'sad'::shop.\"Mood\"[]", True),
        ("'a'::varchar(3) || name", False),
        ("now()", True),
        ("gen_random_uuid()", False),
        ("nextval('a'::regclass)", False),
        ("lower(name)", False),
        ("name", False),
        ('"name"', False),
        ("1 * 2", False),
        ("'a'::text || name", False),
    ],
)
def test_a_constant_is_one_value_for_all_rows(text, constant):
    assert is_constant(text) is constant


def test_a_text_is_cut_into_its_statements():
    text = """
        -- one; and
        SELECT ';' AS "a;b"; /* ; */
        CREATE FUNCTION f() RETURNS void BEGIN ATOMIC
            SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
        DO $$ BEGIN; END $$; ;
        -- nothing
    """

    assert [each[:15] for each in split(text)] == [
        "-- one; and\n   ",
        "/* ; */\n       ",
        "DO $$ BEGIN; EN",
    ]


@pytest.mark.parametrize(
    ("statement", "outside"),
    [
        ("CREATE INDEX CONCURRENTLY a ON b (c)", True),
        ("DROP INDEX CONCURRENTLY a", True),
        ("reindex table concurrently a", True),
        ("VACUUM ANALYZE a", True),
        ("ALTER SYSTEM SET a = 1", True),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", False),
        ("CREATE INDEX a ON b (c)", False),
        ("SELECT 'concurrently'", False),
    ],
)
def test_what_cannot_run_in_a_transaction_is_known(statement, outside):
    assert is_outside(statement) is outside


def test_statements_outside_of_a_transaction_are_phases_of_their_own():
    operation = Run("CREATE INDEX CONCURRENTLY a ON b (c); SELECT 1")

    assert [each.transaction for each in operation.phases(PhaseContext(online=True))] == [
        False,
        True,
    ]
    assert len(Run("SELECT 1; SELECT 2").phases(PhaseContext(online=True))) == 1
    with pytest.raises(ImproperlyConfigured, match=r"Run: 'CREATE INDEX .* Write `atomic = False`"):
        operation.phases(PhaseContext())


AGE = Column("age", "integer")
MOOD = EnumType("mood", ("sad", "glad"))
KEY = ForeignKey("f", ("a",), "cities", ("id",))


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (CreateTable(USERS), "create table users"),
        (DropTable(USERS), "drop table users (its rows are lost)"),
        (RenameTable("a", "b.c"), "rename table a to b.c"),
        (CommentTable("a", "x", None), "drop the comment of table a"),
        (CommentTable("a", "x", "y"), "set the comment of table a"),
        (AddColumn("users", AGE), "add column age to users"),
        (
            DropColumn("users", AGE),
            "drop column age of users (its values are lost; reversible only without rows)",
        ),
        (
            DropColumn("users", AGE, "0"),
            "drop column age of users (its values are lost; reversed, rows get 0)",
        ),
        (
            DropColumn("users", Column("age", "uuid", null=True), uuid4),
            "drop column age of users (its values are lost; reversed, rows get values of a call)",
        ),
        (
            DropColumn("users", Column("age", "uuid", null=True)),
            "drop column age of users (its values are lost; reversed, rows get NULL)",
        ),
        (
            DropColumn("users", Column("age", "integer", default="7")),
            "drop column age of users (its values are lost; reversed, rows get 7)",
        ),
        (
            DropColumn("users", Column("n", "integer", serial=True)),
            "drop column n of users (its values are lost; reversed, rows are numbered again)",
        ),
        (DropColumn("users", Column("n", "integer", generated="1")), "drop column n of users"),
        (RenameColumn("users", "a", "b"), "rename column a of users to b"),
        (
            AlterColumn("users", AGE, Column("age", "bigint", null=True)),
            "alter column age of users: type integer → bigint, NULL allowed",
        ),
        (
            AlterColumn("users", AGE, Column("age", "integer", client_default="1")),
            "alter column age of users: Python default 1 (no SQL)",
        ),
        (
            AlterColumn("users", AGE, Column("age", "integer", default="7", comment="in\nyears")),
            "alter column age of users: default 7, comment 'in\\nyears'",
        ),
        (
            AlterColumn("users", Column("age", "text", null=True, default="7", comment="x"), AGE),
            "alter column age of users: type text → integer, no default, NOT NULL, no comment",
        ),
        (AlterColumn("users", AGE, AGE), "alter column age of users: no change"),
        (AddConstraint("a", KEY), "add foreign key f to a"),
        (AddConstraint("a", Constraint("b", "CHECK (true)")), "add check b to a"),
        (DropConstraint("a", Constraint("b", "primary key (c)")), "drop primary key b of a"),
        (DropConstraint("a", Constraint("b", "UNIQUE (c)")), "drop unique constraint b of a"),
        (DropConstraint("a", Constraint("b", "EXCLUDE (a WITH =)")), "drop constraint b of a"),
        (RenameConstraint("a", "b", "c"), "rename constraint b of a to c"),
        (CreateIndex("a", Index("b", ("c",))), "create index b on a"),
        (CreateIndex("a", Index("b", ("c",), unique=True)), "create unique index b on a"),
        (DropIndex("a", Index("b", ("c",), unique=True)), "drop unique index b of a"),
        (DropIndex("a", Index("b", ("c",))), "drop index b of a"),
        (RenameIndex("a", "b", "c"), "rename index b of a to c"),
        (CreateEnum(MOOD), "create enum mood"),
        (DropEnum(MOOD), "drop enum mood"),
        (
            AlterEnum(MOOD, EnumType("temper", ("sad", "bad"))),
            "alter enum mood: rename it to temper, rename 'glad' to 'bad'",
        ),
        (AlterEnum(MOOD, EnumType("mood", ("sad",))), "alter enum mood: remove 'glad'"),
        (AlterEnum(MOOD, EnumType("mood", ("sad", "glad", "x"))), "alter enum mood: add 'x'"),
        (Run("SELECT\n  1"), "run SELECT 1"),
        (
            Run("SELECT 1" + " + 1" * 30),
            "run SELECT 1" + " + 1" * 12 + " ...",
        ),
        (Run(uuid4), "run the function uuid4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_operation_says_what_it_does(operation, text):
    assert operation.describe() == text


def count(database):
    """Count the users."""


OPERATIONS = [
    AddColumn("users", Column("low", "text"), "lower(name)"),
    CreateIndex("users", Index("users_low", ("low",))),
    AlterColumn("users", AGE, Column("age", "integer", client_default="1")),
    Run(count),
]


def test_a_script_of_an_atomic_migration_is_one_transaction():
    assert (
        write_script("users.0002_low", OPERATIONS, atomic=True)
        == """\
-- users.0002_low
\\set ON_ERROR_STOP on

BEGIN;

-- add column low to users
ALTER TABLE users ADD COLUMN low text;
UPDATE users SET low = lower(name) WHERE low IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE users ALTER COLUMN low SET NOT NULL;

-- create index users_low on users
CREATE INDEX users_low ON users (low);

-- alter column age of users: Python default 1 (no SQL)

-- run the function count
-- Python: count(database)

COMMIT;
"""
    )


def test_a_script_has_the_transactions_of_the_phases():
    golden = Path(__file__).with_name("golden") / "online.sql"

    assert write_script("users.0002_low", OPERATIONS[:2], atomic=False) == golden.read_text()


def test_a_function_that_fills_rows_stands_in_a_comment():
    script = write_script("a", [AddColumn("users", Column("c", "uuid", null=True), uuid4)], True)

    assert "-- Python: uuid4() is called for each row; in batches:\n-- UPDATE users SET" in script


def test_psql_runs_the_scripts(url, query):
    """They are run by the psql that comes with the embedded server."""
    column = Column("low", "text", comment="it's")
    operations = [
        CreateEnum(MOOD),
        CreateTable(USERS),
        Run("INSERT INTO users (name) VALUES ('Ada')", "DELETE FROM users"),
    ]
    changes = [
        AddColumn("users", column, "lower(name)"),
        AlterEnum(MOOD, EnumType("mood", ("sad", "so-so", "glad"))),
        AddColumn("users", Column("mood", "mood", default="'so-so'::mood")),
        AddConstraint("users", Constraint("users_low", "UNIQUE (low)")),
        RenameTable("users", "people"),
    ]
    back = [each.reverse() for each in reversed(changes)]
    script = write_script("first", operations, atomic=True)
    script += write_script("second", changes, atomic=False)
    script += write_script("back", back, atomic=False)
    script += write_script("again", changes, atomic=False)

    result = subprocess.run(
        [find_binaries() / "psql", url, "-X", "-q"], input=script, capture_output=True, text=True
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert query("SELECT name, low, mood::text FROM people") == [("Ada", "ada", "so-so")]


def test_a_fill_that_is_the_default_stays():
    (phase,) = AddColumn("users", Column("n", "integer", default="1"), "1").phases(PhaseContext())

    assert [each.sql for each in phase.actions] == [
        "ALTER TABLE users ADD COLUMN n integer DEFAULT 1 NOT NULL"
    ]


def test_a_check_that_cannot_be_read_is_left_to_postgresql():
    operation = AddConstraint("users", Constraint("a", "CHECK (true"))

    assert [each.actions[0].sql for each in operation.phases(PhaseContext(online=True))] == [
        "ALTER TABLE users ADD CONSTRAINT a CHECK (true NOT VALID",
        "ALTER TABLE users VALIDATE CONSTRAINT a",
    ]
