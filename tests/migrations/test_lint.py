"""The lint of migrations: each rule beside each operation, what is allowed, and where it stands."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

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
from msframework.migrations.lint import _is_applied, lint
from msframework.migrations.lint_rules import RULES
from msframework.migrations.lint_squawk import find_squawk
from msframework.migrations.lint_target import is_rewritten, target_of_statement
from msframework.migrations.schema import SchemaState
from msframework.migrations.step import FileStep

USERS = Table(
    "users",
    (
        Column("id", "integer", serial=True),
        Column("age", "integer", null=True),
        Column("name", "varchar(40)"),
        Column("nick", "text", default="''"),
        Column("mood", "mood"),
    ),
    indexes=(Index("users_nick", ("nick",), unique=True),),
)
MOOD = EnumType("mood", ("bad", "good"))
DEPLOYED = SchemaState((USERS,), enums=(MOOD,))
BREAKS = "ban-new-write-restriction"
_numbers = count(1)


def step(*operations, **attributes):
    number = next(_numbers)
    module = SimpleNamespace(operations=operations, **attributes)
    return FileStep("users", f"{number:04}_change", (), module, operations)


def rules(operation, *, online):
    report = lint([step(operation, atomic=not online)], DEPLOYED, "16.2")
    return sorted(finding.rule for finding in report.findings)


def altered(**changes):
    old = {"type": "integer", "null": True} | changes.pop("old", {})
    new = old | changes
    return AlterColumn("users", Column("age", **old), Column("age", **new))


ALL = [  # the operation; what is told online; what besides in a transaction
    (CreateTable(Table("a", USERS.columns, indexes=(Index("a_age", ("age",)),))), [], []),
    (DropTable(USERS), ["ban-drop-table"], []),
    (DropTable(Table("unknown", USERS.columns)), [], []),
    (RenameTable("users", "people"), ["renaming-table"], []),
    (RenameTable("users", "shop.users"), ["renaming-table"], []),
    (CommentTable("users", None, "all"), [], []),
    (AddColumn("users", Column("x", "integer", null=True)), [], []),
    (AddColumn("users", Column("x", "integer", default="0")), [], []),
    (AddColumn("users", Column("x", "integer", comment="x", default="0")), [], []),
    (AddColumn("users", Column("x", "integer"), fill="0"), ["adding-required-field"], []),
    (
        AddColumn("users", Column("x", "uuid", default="gen_random_uuid()")),
        [],
        ["adding-field-with-default"],
    ),
    (
        AddColumn("users", Column("x", "uuid"), fill=uuid4),
        ["adding-required-field"],
        ["adding-not-nullable-field"],
    ),
    (AddColumn("users", Column("x", "bigint", serial=True)), [], ["adding-field-with-default"]),
    (
        AddColumn("users", Column("x", "bigint", identity="always")),
        [],
        ["adding-field-with-default"],
    ),
    (
        AddColumn("users", Column("x", "integer", generated="age + 1", null=True)),
        ["adding-field-with-default"],
        [],
    ),
    (DropColumn("users", Column("age", "integer")), ["ban-drop-column"], []),
    (DropColumn("users", Column("unread", "integer")), [], []),
    (RenameColumn("users", "age", "years"), ["renaming-column"], []),
    (altered(type="bigint"), ["changing-column-type"], []),
    (altered(type="smallint"), ["changing-column-type"], []),
    (altered(type="text"), ["changing-column-type"], []),
    (altered(null=False), [BREAKS], ["adding-not-nullable-field"]),
    (altered(old={"null": False}, null=True), [], []),
    (altered(default="1"), [], []),
    (altered(old={"null": False, "default": "1"}, default=None), ["ban-drop-default"], []),
    (altered(old={"default": "1"}, default=None), [], []),
    (altered(old={"type": "varchar(10)"}, type="varchar(20)"), [], []),
    (altered(old={"type": "varchar(10)"}, type="text"), [], []),
    (altered(old={"type": "varchar(10)"}, type="varchar(5)"), ["changing-column-type"], []),
    (altered(old={"type": "text"}, collation='"C"'), ["changing-column-type"], []),
    (altered(old={"serial": True, "null": False}, serial=False, identity="by default"), [], []),
    (altered(generated="id + 1"), ["adding-field-with-default", BREAKS], []),
    (altered(old={"generated": "id + 1"}, generated=None), [], []),
    (altered(comment="years"), [], []),
    (
        AddConstraint("users", Constraint("c", "CHECK (age > 0)")),
        [BREAKS],
        ["constraint-missing-not-valid"],
    ),
    (
        AddConstraint("users", Constraint("c", "CHECK (fresh > 0)")),
        [],
        ["constraint-missing-not-valid"],
    ),
    (
        AddConstraint("users", Constraint("c", "UNIQUE (age)")),
        [BREAKS],
        ["disallowed-unique-constraint"],
    ),
    (
        AddConstraint("users", Constraint("c", "PRIMARY KEY (id)")),
        [BREAKS],
        ["adding-serial-primary-key-field"],
    ),
    (
        AddConstraint("users", Constraint("c", "EXCLUDE USING gist (age WITH =)")),
        [BREAKS, "constraint-missing-not-valid"],
        [],
    ),
    (
        AddConstraint("users", ForeignKey("f", ("age",), "ages", ("id",))),
        [BREAKS],
        ["adding-foreign-key-constraint"],
    ),
    (DropConstraint("users", Constraint("c", "CHECK (age > 0)")), [], []),
    (DropConstraint("users", Constraint("c", "UNIQUE (age)")), ["ban-drop-constraint"], []),
    (DropConstraint("users", Constraint("c", "UNIQUE (unread)")), [], []),
    (DropConstraint("users", Constraint("c", "UNIQUE (nick)")), [], []),  # an index says it too
    (DropConstraint("users", ForeignKey("f", ("age",), "ages", ("id",))), [], []),
    (RenameConstraint("users", "a", "b"), [], []),
    (CreateIndex("users", Index("i", ("age",))), [], ["require-concurrent-index-creation"]),
    (
        CreateIndex("users", Index("i", ("age",), unique=True)),
        [BREAKS],
        ["require-concurrent-index-creation"],
    ),
    (DropIndex("users", Index("i", ("age",))), [], ["require-concurrent-index-deletion"]),
    (
        DropIndex("users", Index("i", ("lower(name)",), unique=True)),
        ["ban-drop-index"],
        ["require-concurrent-index-deletion"],
    ),
    (RenameIndex("users", "i", "j"), [], []),
    (CreateEnum(MOOD), [], []),
    (DropEnum(MOOD), [], []),
    (AlterEnum(MOOD, EnumType("mood", ("bad", "fair", "good"))), [], []),
    (AlterEnum(MOOD, EnumType("mood", ("bad",))), [BREAKS, "changing-column-type"], []),
    (AlterEnum(MOOD, EnumType("mood", ("poor", "good"))), [BREAKS], []),
    (Run("UPDATE users SET age = 1"), [], []),
    (Run("ALTER TABLE users DROP COLUMN age"), ["ban-drop-column"], []),
    (Run("ALTER TABLE users ADD CHECK (age > 0) NOT VALID"), [BREAKS], []),
    (Run("DROP INDEX i"), ["require-concurrent-index-deletion"], []),
    (Run("CREATE INDEX i ON users (age)"), ["require-concurrent-index-creation"], []),
    (Run("SELEC 1"), ["syntax-error"], []),
    (Run("TRUNCATE users CASCADE"), ["ban-truncate-cascade"], []),
]


IDS = [f"{number}-{type(each[0]).__name__}" for number, each in enumerate(ALL)]


@pytest.mark.parametrize(("operation", "online", "in_transaction"), ALL, ids=IDS)
def test_operations_tell_only_what_they_cannot_answer(operation, online, in_transaction):
    assert rules(operation, online=True) == sorted(online)
    assert rules(operation, online=False) == sorted([*online, *in_transaction])


def test_tables_that_the_migration_makes_are_never_told():
    fresh = [each[0] for each in ALL if getattr(each[0], "table", None) == "users"]
    made = step(CreateTable(USERS), *fresh, Run("ALTER TABLE users DROP COLUMN age"))

    report = lint([made], SchemaState())

    assert report.findings == []


def test_tables_and_columns_that_another_pending_migration_makes_break_no_code():
    pending = [
        step(AddColumn("users", Column("x", "integer", null=True))),
        step(RenameColumn("users", "x", "y")),
        step(DropColumn("users", Column("y", "integer", null=True))),
    ]

    assert lint(pending, DEPLOYED).findings == []


def test_operations_that_need_atomic_false_are_named_with_their_file():
    build = step(Run("CREATE INDEX CONCURRENTLY i ON users (age)"), atomic=True)

    with pytest.raises(ImproperlyConfigured, match=rf"^users.{build.name}: .*`atomic = False`"):
        lint([build], DEPLOYED)
    assert rules(build.operations[0], online=True) == []


def test_renames_are_followed():
    pending = [
        step(RenameTable("users", "people"), allow={"renaming-table": "it is behind a view"}),
        step(DropColumn("people", Column("age", "integer"))),
    ]

    assert [each.rule for each in lint(pending, DEPLOYED).told] == ["ban-drop-column"]


def test_every_rule_of_squawk_is_known():
    program = find_squawk()
    names = [name for name in RULES if name not in ("syntax-error", "unused-ignore")]
    chosen = [f"--include={name}" for name in names]

    done = subprocess.run(
        [program, "--stdin-filepath=x.sql", *chosen], input="", capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_quiet_rules_say_why():
    assert all(rule.text for rule in RULES.values() if rule.kind == "quiet")
    assert all(r.text and r.advice for r in RULES.values() if r.kind in ("code", "operation"))


def test_missing_squawk_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")

    with pytest.raises(ImproperlyConfigured, match=r"pip install 'msframework\[lint\]'"):
        lint([], DEPLOYED)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'error: no such option' >&2; exit 2", "exit code 2: error: no such option"),
        ("exit 3", "exit code 3: it said nothing"),
    ],
)
def test_failing_squawk_is_named(monkeypatch, tmp_path, script, message):
    program = tmp_path / "squawk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))

    with pytest.raises(ImproperlyConfigured, match=message):
        lint([step(DropTable(USERS))], DEPLOYED)


def test_allowed_findings_carry_their_reason():
    drop = DropColumn("users", Column("age", "integer"))
    report = lint([step(drop, allow={"ban-drop-column": "unread since 1.4"})], DEPLOYED)

    assert [each.allowed for each in report.findings] == ["unread since 1.4"]
    assert report.told == []


@pytest.mark.parametrize(
    ("allow", "message"),
    [
        ({"ban-drop-colum": "unread"}, "is no rule. Did you mean 'ban-drop-column'?"),
        ({"ban-drop-column": " "}, "allow gives ' ' for 'ban-drop-column'; expected the reason"),
        ({"prefer-text-field": "we like it"}, "which is never reported: the models say"),
        ("ban-drop-column", "allow is 'ban-drop-column'; expected the reason for each rule"),
    ],
)
def test_allow_names_rules_and_reasons(allow, message):
    with pytest.raises(ImproperlyConfigured) as info:
        lint([step(allow=allow)], DEPLOYED)

    assert message in str(info.value)


def test_python_is_said_to_be_unknown():
    report = lint([step(Run(print))], DEPLOYED)

    assert report.notes == [f"{report.migrations[0]}: Python, which is not checked."]
    assert report.findings == []


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("ALTER TABLE users ADD x int", "users"),
        ('alter table if exists only "Shop"."My notes" drop x', "Shop.My notes"),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON Users (a)", "users"),
        ("DROP INDEX i", None),
        ("ALTER TABLE", None),
    ],
)
def test_target_of_a_statement(statement, table):
    assert target_of_statement(statement) == table


@pytest.mark.parametrize(
    ("old", "new", "rewritten"),
    [
        ("varchar(5)", "varchar(9)", False),
        ("varchar(5)", "text", False),
        ("text", "varchar", False),
        ("numeric(5, 2)", "numeric(8, 2)", False),
        ("numeric(5, 2)", "numeric", False),
        ("numeric(5, 2)", "numeric(9, 3)", True),
        ("timestamp(3)", "timestamp", False),
        ("timestamp", "timestamptz", True),
        ("integer", "bigint", True),
        ("varchar(5)[]", "varchar(9)[]", True),
    ],
)
def test_postgres_rewrites_a_table_for_a_change_of_type(old, new, rewritten, request):
    assert is_rewritten(Column("a", old), Column("a", new), None) is rewritten
    assert is_rewritten(Column("a", old), Column("a", new), "a") is True


def test_squashed_migrations_count_as_applied_with_all_that_they_replace():
    squashed = replace(step(), replaces=("users.0001_a", "users.0002_b"))

    assert not _is_applied(squashed, {("users", "0001_a")})
    assert _is_applied(squashed, {("users", "0001_a"), ("users", "0002_b")})
    assert _is_applied(squashed, {("users", squashed.name)})
    assert not _is_applied(step(), {("users", "0001_a")})


PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "safe-migrations.md"


def test_page_shows_two_deploys_and_what_is_allowed():
    deployed = SchemaState((USERS,))
    after = SchemaState((replace(USERS, columns=USERS.columns[:1]),))
    forget, drop, allowed = (
        load(text) for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    )

    assert lint([forget], deployed).findings == []
    assert lint([drop], after).findings == []
    assert [each.rule for each in lint([forget, drop], deployed).told] == ["ban-drop-column"]
    assert [each.allowed for each in lint([allowed], deployed).findings] == [
        "nothing has read it since 1.4"
    ]


def test_page_shows_what_the_command_says():
    [finding] = lint([step(DropColumn("users", Column("age", "integer")))], DEPLOYED).findings
    page = " ".join(PAGE.read_text().split())

    assert f"{finding.rule}: {finding.text} {finding.advice}" in page
    assert f": {finding.operation.partition(' (')[0]} (" in page


def load(text):
    names = {}
    exec(text, names)
    return step(*names["operations"], allow=names.get("allow", {}))


FIRST = """
    from msframework.migrations import Column, Constraint, CreateTable, Table

    operations = (CreateTable(Table("users", (Column("id", "integer"), Column("age", "integer")))),)
    state = (Table("users", (Column("id", "integer"), Column("age", "integer"))),)
"""
SECOND = """
    from msframework.migrations import Column, CreateIndex, DropColumn, Index

    depends = ("users.0001_initial",)
    operations = (
        DropColumn("users", Column("age", "integer")),
        CreateIndex("users", Index("users_id", ("id",))),
    )
"""
PYTHON = """
    def up(migrator, db):
        db.execute_sql("ALTER TABLE orders DROP COLUMN id")
"""


@pytest.fixture
def manage(project, url, monkeypatch):
    """Runs `migrate` as the command line does; gives its exit code and output."""
    from click.testing import CliRunner

    from msframework.conf.settings import DatabaseSettings, Settings
    from msframework.management.commands import migrate
    from msframework.management.project import Project

    project.write("town/users/migrations/0001_initial.py", FIRST)
    project.write("town/orders/__init__.py", "")
    monkeypatch.chdir(project.root)
    handed = Project()
    handed._settings = Settings(
        module="town.configs",
        installed_apps=("town.users", "town.orders"),
        database=DatabaseSettings(url=url),
    )

    def run(*arguments, **options):
        found = CliRunner().invoke(migrate.command, arguments, obj=handed, **options)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found.exit_code, found.output

    run.settings = handed._settings
    return run


def test_command_names_file_line_operation_and_rule(manage, project, query, monkeypatch):
    from msframework.management.lint import find_deploy_advice

    assert manage("--lint")[0] == 0
    assert manage()[0] == 0
    assert manage("--lint") == (0, "Nothing to migrate.\n")
    assert list(find_deploy_advice(manage.settings)) == []
    project.write("town/users/migrations/0002_drop_age.py", SECOND)
    project.write("town/orders/migrations/0001_initial.py", PYTHON)

    code, output = manage("--lint")

    assert code == 1
    file = "town/users/migrations/0002_drop_age.py"
    assert f"{file}:6: operation 1: drop column age of users" in output
    assert "  ban-drop-column: The code that still runs reads the column" in output
    assert f"{file}:7: operation 2: create index users_id on users\n" in output
    assert "  require-concurrent-index-creation: The index is built while" in output
    assert "town/orders/migrations/0001_initial.py: Python, which is not checked." in output
    version = query("SHOW server_version")[0][0].split()[0]
    last = f"2 findings in 2 pending migrations for PostgreSQL {version}."
    assert output.splitlines()[-1] == last
    assert "\x1b" not in output
    assert "\x1b[33m" in manage("--lint", color=True)[1]
    advice = list(find_deploy_advice(manage.settings))
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    monkeypatch.setenv("PATH", "")
    assert "msframework[lint]" in list(find_deploy_advice(manage.settings))[1]
    assert advice[0].startswith("2 migrations are pending: users.0002_drop_age, orders.0001_init")
    assert len(advice) == 3


def test_tables_that_no_file_describes_count_as_they_stand(manage, project, query):
    query("CREATE TABLE orders (id integer, total integer)")
    drop = SECOND.replace("users", "orders").replace("depends = (", "# (").replace("age", "total")
    project.write("town/orders/migrations/0001_initial.py", PYTHON)
    manage("orders", "--fake")
    project.write("town/orders/migrations/0002_drop.py", drop)

    code, output = manage("orders", "--lint")

    assert code == 1
    assert "ban-drop-column" in output


def test_lint_goes_alone(manage):
    assert manage("--lint", "--plan")[0] == 2
