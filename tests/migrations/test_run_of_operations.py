"""Runs of files with operations: forwards, back, broken off, squashed, for tenants."""

import os
import signal
import subprocess
import sys
import threading

import psycopg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import runner
from msframework.migrations.interruption import Interrupted, Terminated
from msframework.migrations.runner import Runner
from msframework.migrations.waiting import LockPolicy

INITIAL = """
    from msframework.migrations import Column, Constraint, CreateTable, Table

    operations = (
        CreateTable(
            Table(
                "shoes",
                (Column("id", "integer", serial=True), Column("name", "text")),
                constraints=(Constraint("shoes_pkey", "PRIMARY KEY (id)"),),
            )
        ),
    )
"""
ADD_SIZE = """
    from msframework.migrations import AddColumn, Column

    operations = (AddColumn("shoes", Column("size", "integer"), fill="40"),)
"""
ADD_INDEX = """
    from msframework.migrations import CreateIndex, Index, Run

    atomic = False
    operations = (
        CreateIndex("shoes", Index("shoes_name", ("name",), unique=True)),
        Run("UPDATE shoes SET size = 41", "UPDATE shoes SET size = 40"),
    )
"""
ALL = ("shoes.0001_initial", "shoes.0002_add_size", "shoes.0003_add_index")


@pytest.fixture
def shoes(project):
    project.write("mall/shoes/migrations/0001_initial.py", INITIAL)
    project.write("mall/shoes/migrations/0002_add_size.py", ADD_SIZE)
    project.write("mall/shoes/migrations/0003_add_index.py", ADD_INDEX)
    return project


@pytest.fixture
def said():
    return []


@pytest.fixture
def migrate(shoes, url, said):
    """Runs `Runner.migrate` with the files as they are now."""

    def run(*arguments, address=url, policy=None, **options):
        runner = Runner(address, ["mall.shoes"], said.append, policy)
        return runner.migrate(*arguments, **options)

    return run


@pytest.fixture
def status(url):
    """Lists the migrations."""
    return lambda: Runner(url, ["mall.shoes"]).status()


def test_operations_run_and_are_taken_back_by_their_reverse(migrate, columns, query, recorded):
    assert migrate() == ALL
    assert columns("shoes") == ["id", "name", "size"]
    assert query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shoes_name'::regclass")

    assert migrate("shoes", "0001") == (ALL[2], ALL[1])
    assert columns("shoes") == ["id", "name"]
    assert recorded() == [ALL[0]]

    assert migrate() == ALL[1:]
    assert migrate("shoes", "zero") == (ALL[2], ALL[1], ALL[0])
    assert columns("shoes") == []
    assert query("SELECT count(*) FROM migrate_progress") == [(0,)]


def test_a_plan_describes_the_operations(migrate, said):
    migrate(plan=True)

    assert said == [
        "Would apply shoes.0001_initial",
        "  create table shoes",
        "Would apply shoes.0002_add_size",
        "  add column size to shoes",
        "Would apply shoes.0003_add_index",
        "  create unique index shoes_name on shoes",
        "  run UPDATE shoes SET size = 41",
    ]


def test_the_operation_without_a_way_back_is_named(migrate, shoes, recorded):
    shoes.write(
        "mall/shoes/migrations/0004_fill.py",
        """
        from msframework.migrations import Run

        operations = (Run("SELECT 1", "SELECT 2"), Run("UPDATE shoes SET size = 42"))
        """,
    )
    migrate()

    with pytest.raises(ImproperlyConfigured) as caught:
        migrate("shoes", "0002")

    assert str(caught.value) == (
        "shoes.0004_fill cannot be taken back: operation 2 (run UPDATE shoes SET "
        "size = 42) is not reversible; give Run a second argument, backward."
    )
    assert len(recorded()) == 4


def test_a_failure_names_operation_statement_and_key_but_no_values(migrate, query, said, recorded):
    migrate("shoes", "0002")
    query("INSERT INTO shoes (name, size) VALUES ('a secret', 1), ('a secret', 1)")

    with pytest.raises(ImproperlyConfigured) as caught:
        migrate()

    text = str(caught.value)
    assert text == (
        "The migration shoes.0003_add_index failed.\n"
        "  operation 1: create unique index shoes_name on shoes\n"
        "  statement: CREATE UNIQUE INDEX CONCURRENTLY shoes_name ON shoes (name)\n"
        '  PostgreSQL: could not create unique index "shoes_name" (SQLSTATE 23505)\n'
        "  in: constraint shoes_name, table shoes, key (name)\n"
        "None of its 2 phases is done; the same command starts it again. "
        "The migrations before it in this run are kept."
    )
    assert recorded() == list(ALL[:2])


def test_a_migration_that_ends_the_process_is_a_failure_of_that_file(migrate, shoes, recorded):
    shoes.write(
        "mall/shoes/migrations/0004_leave.py",
        """
        import sys

        from msframework.migrations import Run


        def leave(db):
            sys.exit("enough")


        operations = (Run(leave, leave),)
        """,
    )

    with pytest.raises(ImproperlyConfigured) as caught:
        migrate()

    text = str(caught.value)
    assert text.startswith("The migration shoes.0004_leave failed.")
    assert "0004_leave.py" in text
    assert "SystemExit: enough" in text
    assert recorded() == list(ALL)


@pytest.mark.parametrize(
    ("operation", "lines"),
    [
        (
            'AlterColumn("shoes", Column("name", "text"), Column("name", "integer"))',
            ['PostgreSQL: invalid input syntax for type integer: "…" (SQLSTATE 22P02)'],
        ),
        (
            'Run("SELECT 1;\\n\\nSELECT id,\\n  nothing FROM shoes")',
            [
                "statement: nothing FROM shoes (line 2 of 2)",
                'PostgreSQL: column "nothing" does not exist (SQLSTATE 42703)',
            ],
        ),
        (
            'Run("CREATE VIEW v AS SELECT size FROM shoes; ALTER TABLE shoes DROP COLUMN size")',
            [
                "PostgreSQL: cannot drop column size of table shoes because other objects depend "
                "on it (SQLSTATE 2BP01)",
                "detail: view v depends on column size of table shoes",
                "hint: Use DROP ... CASCADE to drop the dependent objects too.",
            ],
        ),
        (
            "Run(lambda db: {}['key'])",
            ["operation 1: run the function <lambda>", "at {file}, line 5", "KeyError: 'key'"],
        ),
    ],
    ids=["data", "line", "detail", "python"],
)
def test_a_failure_says_what_postgresql_says(migrate, shoes, query, operation, lines):
    migrate("shoes", "0002")
    query("INSERT INTO shoes (name, size) VALUES ('a secret', 1)")
    (shoes.root / "mall/shoes/migrations/0003_add_index.py").unlink()
    path = shoes.write(
        "mall/shoes/migrations/0003_wrong.py",
        f"""
        from msframework.migrations import AlterColumn, Column, Run

        operations = (
            {operation},
        )
        """,
    )

    with pytest.raises(ImproperlyConfigured) as caught:
        migrate()

    text = str(caught.value)
    for line in lines:
        assert f"  {line.format(file=path)}\n" in text
    assert "secret" not in text
    assert "Nothing of it remains in the database" in text


def test_what_was_broken_off_is_shown_and_finished(migrate, shoes, query, status):
    migrate("shoes", "0002")
    wrong = ADD_INDEX.replace("SET size = 41", "SET size = 1 / 0")
    shoes.write("mall/shoes/migrations/0003_add_index.py", wrong)
    query("INSERT INTO shoes (name, size) VALUES ('a', 1)")
    with pytest.raises(ImproperlyConfigured, match="1 of its 2 phases are done and remain"):
        migrate()

    (line,) = [each for each in status() if each.name == "0003_add_index"]
    assert (line.entry, line.phases) == (None, 1)
    advice = r"Go forward first: `manage\.py migrate shoes 0003_add_index`\. If that cannot"
    for target in ("0001", "0002", "zero"):
        with pytest.raises(ImproperlyConfigured, match=advice):
            migrate("shoes", target)

    shoes.write("mall/shoes/migrations/0003_add_index.py", ADD_INDEX)
    assert migrate() == ALL[2:]
    assert query("SELECT size FROM shoes") == [(41,)]


def test_a_fake_run_forgets_what_was_broken_off(migrate, shoes, query, recorded):
    migrate("shoes", "0002")
    query("INSERT INTO shoes (name, size) VALUES ('a', 1)")
    shoes.write("mall/shoes/migrations/0003_add_index.py", ADD_INDEX.replace("41", "1 / 0"))
    with pytest.raises(ImproperlyConfigured):
        migrate()

    assert migrate(fake=True) == ALL[2:]

    assert query("SELECT count(*) FROM migrate_progress") == [(0,)]


def test_what_is_taken_back_in_part_is_finished_first(migrate, shoes, query):
    shoes.write(
        "mall/shoes/migrations/0003_add_index.py",
        ADD_INDEX.replace('"UPDATE shoes SET size = 40"', '"SELECT 1"').replace(
            "operations = (", 'operations = (Run("SELECT 1", "SELECT 1 / 0"),'
        ),
    )
    migrate()
    with pytest.raises(ImproperlyConfigured, match="2 of its 3 phases"):
        migrate("shoes", "0002")
    shoes.write("mall/shoes/migrations/0004_more.py", "operations = ()\n")

    with pytest.raises(ImproperlyConfigured, match=r"shoes\.0003_add_index is taken back in part"):
        migrate()


@pytest.fixture
def tenants(url, query):
    for name in ("one", "two"):
        query(f"CREATE SCHEMA {name}")
    return [f"{url}&options=-csearch_path%3D{name}" for name in ("one", "two")]


def test_each_tenant_has_a_record_of_its_own(migrate, tenants, query, url):
    assert migrate() == ALL  # in public
    for tenant in tenants:
        assert migrate(address=tenant) == ALL
        assert migrate(address=tenant) == ()

    found = query("SELECT schemaname FROM pg_tables WHERE tablename = 'migrate_record' ORDER BY 1")
    assert found == [("one",), ("public",), ("two",)]


@pytest.fixture
def squashed(shoes):
    """The first two files in one, which comes before them."""
    text = INITIAL.replace(
        'Column("name", "text"))', 'Column("name", "text"), Column("size", "integer"))'
    )
    replaces = '\n    replaces = ("shoes.0001_initial", "shoes.0002_add_size")\n'

    def write():
        return shoes.write("mall/shoes/migrations/0001_a_squashed.py", text + replaces)

    return write


def test_a_squashed_migration_runs_where_none_of_the_others_did(migrate, squashed, columns):
    squashed()

    assert migrate() == ("shoes.0001_a_squashed", ALL[2])

    assert columns("shoes") == ["id", "name", "size"]
    assert migrate() == ()


def test_a_squashed_migration_is_recorded_where_all_others_did(migrate, squashed, said, recorded):
    migrate()
    squashed()
    said.clear()

    assert migrate() == ("shoes.0001_a_squashed",)

    assert said == ["Recording shoes.0001_a_squashed as applied (1 of 1)"]
    assert "shoes.0001_a_squashed" in recorded()


def test_a_squashed_migration_waits_for_the_others(
    migrate, squashed, recorded, columns, shoes, status
):
    migrate("shoes", "0001_initial")
    squashed()

    assert migrate() == (ALL[1], "shoes.0001_a_squashed", ALL[2])
    assert columns("shoes") == ["id", "name", "size"]

    for name in ALL[:2]:
        (shoes.root / f"mall/shoes/migrations/{name.partition('.')[2]}.py").unlink()
    assert [(line.name, line.known) for line in status()] == [
        ("0001_a_squashed", True),
        ("0003_add_index", True),
    ]
    migrate("shoes", "zero")
    assert recorded() == []
    assert migrate() == ("shoes.0001_a_squashed", ALL[2])


def test_a_squashed_migration_says_which_files_it_needs(migrate, squashed, shoes):
    migrate("shoes", "0001_initial")
    squashed()
    (shoes.root / "mall/shoes/migrations/0002_add_size.py").unlink()

    with pytest.raises(ImproperlyConfigured, match=r"the files of shoes\.0002_add_size are gone"):
        migrate()


SCRIPT = """
import sys
from msframework.migrations import Runner

try:
    Runner({url!r}, ["mall.shoes"], lambda text: print(text, flush=True)).migrate()
except Exception as exc:
    print(type(exc).__name__, exc)
    sys.exit(exc.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_leaves_no_lock_and_no_invalid_index(
    shoes, migrate, url, query, clean_environment, number
):
    migrate("shoes", "0002")
    with psycopg.connect(url) as writer:
        pid = writer.info.backend_pid
        # CONCURRENTLY waits for it.
        writer.execute("INSERT INTO shoes (name, size) VALUES ('a', 1)")
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(url=url)],
            env=clean_environment | {"PYTHONPATH": f"{shoes.root}:{os.getcwd()}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            timer = threading.Timer(30, process.kill)
            timer.start()
            assert process.stdout.readline() == "Applying shoes.0003_add_index (1 of 1)\n"
            waiting = process.stdout.readline()
            process.send_signal(number)
            writer.rollback()
            text = process.stdout.read()
            timer.cancel()

    assert waiting.startswith(f"  shoes.0003_add_index waits for process {pid} (idle in trans")
    assert process.returncode == 128 + number
    assert text.startswith("Interrupted shoes.0003_add_index was interrupted. None of its 2 phases")
    assert query("SELECT FROM pg_index WHERE NOT indisvalid") == []
    assert query("SELECT FROM pg_locks WHERE locktype = 'advisory'") == []


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Terminated], ids=["ctrl-c", "sigterm"])
def test_a_signal_between_two_migrations_says_that_none_is_done_in_part(
    migrate, monkeypatch, recorded, raised
):
    checked = runner.is_standing

    def is_standing(database, step):
        if step.name == "0002_add_size":
            raise raised
        return checked(database, step)

    monkeypatch.setattr(runner, "is_standing", is_standing)
    with pytest.raises(Interrupted, match="applied or taken back stay so, and none is") as caught:
        migrate()

    assert caught.value.exit_code == (130 if raised is KeyboardInterrupt else 143)
    assert recorded() == ["shoes.0001_initial"]


def test_a_lock_that_is_never_free_is_an_error_that_says_what_to_do(migrate, url, query):
    migrate("shoes", "0001")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE shoes")

        with pytest.raises(ImproperlyConfigured) as caught:
            migrate(policy=LockPolicy(timeout=0.01, retries=1))

    assert "operation 1: add column size to shoes" in str(caught.value)
    assert "Others held its locks each time that it was tried." in str(caught.value)
