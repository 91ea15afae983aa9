"""The execution of phases, against a second connection that is in the way."""

import enum
import re
import threading
import uuid

import psycopg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    Index,
    Run,
    Table,
)
from msframework.migrations.connection import opened
from msframework.migrations.execute import Execution
from msframework.migrations.operations.program import read_phases
from msframework.migrations.record import Progress, ProgressTable
from msframework.migrations.waiting import LockPolicy, sqlstate

NOTES = "CREATE TABLE notes (id serial PRIMARY KEY, text text)"
ROWS = "INSERT INTO notes (text) SELECT 'note ' || n FROM generate_series(1, %s) AS n"
SEX = Column("sex", "varchar(32)", null=True)


@pytest.fixture
def database(url, query):
    query(NOTES)
    with opened(url) as database:
        yield database


@pytest.fixture
def said():
    return []


@pytest.fixture
def execution(database, said):
    with Execution(database, said.append, LockPolicy(timeout=0.05, retries=40)) as execution:
        yield execution


def run(execution, *operations, atomic=False, backwards=False, finish=lambda: None):
    program = read_phases(operations, online=not atomic)
    if atomic:
        execution.run_together("notes.0002", program, finish)
    else:
        progress = Progress("notes", "0002", backwards, 0, "")
        execution.run_apart("notes.0002", program, finish, progress)


class Holder:
    """Another program's transaction that holds a lock, until the run says that it waits for it.

    A run that is held up itself may not see who holds the lock, the first times.
    """

    def __init__(self, url, statement="LOCK TABLE notes"):
        self.connection = psycopg.connect(url, application_name="the report")
        self.connection.execute(statement)
        self.named = ""

    def hear(self, text):
        if f"process {self.connection.info.backend_pid} " in text:
            self.named = text
            self.connection.rollback()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.connection.close()


@pytest.mark.parametrize("atomic", [False, True], ids=["apart", "together"])
def test_a_lock_that_is_held_is_waited_for_by_retries_that_say_so(database, url, columns, atomic):
    with (
        Holder(url) as holder,
        Execution(database, holder.hear, LockPolicy(timeout=0.05)) as execution,
    ):
        run(execution, AddColumn("notes", SEX), atomic=atomic)
        pid = holder.connection.info.backend_pid

    assert re.match(
        rf"  notes\.0002 waits for locks that process {pid} \(the report, idle in transaction, in "
        r"a transaction for \d+ s\) holds; tried again in ",
        holder.named,
    )
    assert "LOCK TABLE" not in holder.named
    assert columns("notes") == ["id", "text", "sex"]


def test_who_comes_behind_waits_no_longer_than_the_timeout(database, url):
    """A reader that queues behind the migration gets through while the lock is still held."""
    read = threading.Event()
    with Holder(url, "SELECT FROM notes") as holder, psycopg.connect(url) as reader:

        def hear(text):
            reader.execute("SET statement_timeout = '60s'")
            reader.execute("SELECT FROM notes")
            reader.rollback()
            read.set()
            holder.hear(text)

        with Execution(database, hear, LockPolicy(timeout=0.05)) as execution:
            run(execution, AddColumn("notes", SEX))

    assert read.is_set()


def test_retries_are_bounded_and_leave_nothing(database, url, columns, said):
    policy = LockPolicy(timeout=0.01, retries=2)
    with Holder(url), Execution(database, said.append, policy) as execution:
        with pytest.raises(Exception, match="lock timeout") as caught:
            run(execution, AddColumn("notes", SEX), atomic=True)

    assert sqlstate(caught.value) == "55P03"
    assert execution.place.operation == (1, "add column sex to notes")
    assert columns("notes") == ["id", "text"]
    assert not database.in_transaction()


def test_limits_end_with_the_run(database, execution):
    run(execution, AddColumn("notes", SEX), CreateIndex("notes", Index("by_sex", ("sex",))))

    found = database.execute_sql("SHOW lock_timeout").fetchone()
    assert found == ("0",)


@pytest.mark.parametrize("condition", ["deadlock_detected", "serialization_failure"])
def test_what_collides_with_others_is_tried_again(execution, query, condition):
    attempts = []

    def collide(db):
        attempts.append(1)
        db.execute_sql("INSERT INTO notes (text) VALUES ('ours')")
        if len(attempts) == 1:
            db.execute_sql(f"DO 'BEGIN RAISE {condition}; END'")

    run(execution, Run(collide), atomic=True)

    assert len(attempts) == 2
    assert query("SELECT text FROM notes") == [("ours",)]


def test_statements_of_python_outside_of_transactions_are_tried_again(database, url, columns):
    def work():
        database.execute_sql("ALTER TABLE notes ADD COLUMN sex text")
        database.execute_sql("CREATE INDEX CONCURRENTLY by_sex ON notes (sex)")

    with (
        Holder(url) as holder,
        Execution(database, holder.hear, LockPolicy(timeout=0.05)) as execution,
    ):
        execution.outside("notes.0002", work)

    assert holder.named.startswith("  notes.0002 waits for locks that process")
    assert columns("notes") == ["id", "text", "sex"]
    assert database.execute_sql("SHOW lock_timeout").fetchone() == ("0",)


def test_an_invalid_index_is_dropped_at_once_and_the_failure_names_it(execution, query, said):
    query("INSERT INTO notes (text) VALUES ('same'), ('same')")
    operation = CreateIndex("notes", Index("by_text", ("text",), unique=True))

    with pytest.raises(Exception, match="could not create unique index"):
        run(execution, operation)

    assert query("SELECT FROM pg_index WHERE NOT indisvalid") == []
    assert execution.place.left is None
    query("DELETE FROM notes WHERE id = 2")
    run(execution, operation)
    assert query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_text'::regclass") == [
        (True,)
    ]


def test_an_invalid_index_of_a_run_that_was_killed_is_dropped_by_the_next(execution, query, said):
    query("INSERT INTO notes (text) VALUES ('same'), ('same')")
    with psycopg.connect(execution.database.connection().info.dsn, autocommit=True) as other:
        with pytest.raises(psycopg.errors.UniqueViolation):
            other.execute("CREATE UNIQUE INDEX CONCURRENTLY by_text ON notes (text)")
    query("DELETE FROM notes WHERE id = 2")

    run(execution, CreateIndex("notes", Index("by_text", ("text",), unique=True)))

    assert said == ["  dropping the invalid index by_text of an attempt that failed"]
    assert query("SELECT FROM pg_index WHERE NOT indisvalid") == []


def test_an_index_of_somebody_else_is_in_the_way(execution, query):
    query("CREATE INDEX by_text ON notes (lower(text))")

    for _ in range(2):
        with pytest.raises(Exception, match="already exists"):
            run(execution, CreateIndex("notes", Index("by_text", ("text",))))


def test_what_was_broken_off_goes_on_where_it_was(database, execution, query, said, columns):
    query(ROWS, 3)
    calls = []

    def second(db):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("half way")

    operations = [AddColumn("notes", SEX), Run(second), Run("INSERT INTO notes (text) VALUES (4)")]
    finished = []
    with pytest.raises(RuntimeError, match="half way"):
        run(execution, *operations, finish=lambda: finished.append(1))

    assert (execution.place.done, execution.place.total) == (1, 3)
    assert ProgressTable(database).read()[("notes", "0002")].done == 1
    assert finished == []

    run(execution, *operations, finish=lambda: finished.append(1))

    assert said == ["  going on behind phase 1 of 3"]
    assert finished == [1]
    assert ProgressTable(database).read() == {}
    assert query("SELECT count(*) FROM notes") == [(4,)]


def test_what_is_done_must_not_be_edited(execution):
    broken = Run("SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        run(execution, AddColumn("notes", SEX), broken)

    with pytest.raises(ImproperlyConfigured, match="interrupted after 1 phases, whose operations"):
        run(execution, AddColumn("notes", Column("age", "integer", null=True)), broken)
    with pytest.raises(ImproperlyConfigured, match="is applied in part: 1 of its phases"):
        run(execution, AddColumn("notes", SEX), broken, backwards=True)
    run(execution, AddColumn("notes", SEX), Run("SELECT 1"))


def test_an_index_that_was_built_but_not_noted_counts_as_done(execution, database, query):
    query("INSERT INTO notes (text) VALUES ('same'), ('same')")
    index = CreateIndex("notes", Index("by_text", ("text",), unique=True))
    with pytest.raises(Exception, match="could not create unique index"):
        run(execution, index)
    query("DELETE FROM notes WHERE id = 2")
    query("CREATE UNIQUE INDEX by_text ON notes (text)")  # as if the process had been killed now

    run(execution, index)

    assert query("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_text'") == [(1,)]


class Colour(enum.Enum):
    RED = "red"


FILLS = [
    ("uuid", uuid.uuid4),
    ("jsonb", lambda: {"a": ["50 %", None]}),
    ("json", lambda: [1, 2]),
    ("integer[]", lambda: (1, 2)),
    ("varchar(8)[]", lambda: ["a"]),
    ("varchar(8)", lambda: Colour.RED),
    ("timestamptz", "now()"),
    ("text", "text || ' 5%'"),
]


@pytest.mark.parametrize("key", ["PRIMARY KEY (a, b)", "PRIMARY KEY (b)", ""])
def test_every_row_gets_a_value_of_its_columns_type(execution, query, key):
    comma = ", " if key else ""
    query(f'CREATE TABLE "odd %" (a text, b uuid DEFAULT gen_random_uuid(), text text{comma}{key})')
    query(
        """INSERT INTO "odd %%" (a, text) SELECT 'it''s ' || n, 'x'
        FROM generate_series(1, %s) n""",
        700,
    )
    columns = [Column(f"c{n}", kind) for n, (kind, _) in enumerate(FILLS)]

    run(
        execution,
        *(
            AddColumn("odd %", column, fill)
            for column, (_, fill) in zip(columns, FILLS, strict=True)
        ),
    )

    rows = query(
        "SELECT count(DISTINCT c0), min(c1::text), min(c2::text), min(c3::text), min(c4::text), "
        'min(c5), count(c6) FROM "odd %"'
    )
    assert rows == [(700, '{"a": ["50 %", null]}', "[1, 2]", "{1,2}", "{a}", "red", 700)]
    assert query("SELECT count(*) FROM pg_constraint WHERE conname ~ 'is_set'") == [(0,)]


def test_a_value_that_is_too_long_is_refused_rather_than_cut(execution, query):
    query(ROWS, 1)

    with pytest.raises(Exception, match="too long"):
        run(execution, AddColumn("notes", Column("c", "varchar(2)"), lambda: "abc"))


def test_rows_that_others_hold_are_filled_once_they_let_go(database, url, query):
    query(ROWS, 3)
    query("ALTER TABLE notes ADD COLUMN sex text")
    old, new = Column("sex", "text", null=True), Column("sex", "text")
    with (
        Holder(url, "UPDATE notes SET text = 'theirs' WHERE id = 2") as holder,
        Execution(database, holder.hear, LockPolicy(timeout=0.05)) as execution,
    ):
        run(execution, AlterColumn("notes", old, new, fill="'x'"))

    assert "waits for locks that process" in holder.named
    assert query("SELECT DISTINCT sex FROM notes") == [("x",)]


def test_partitions_without_a_key_are_filled(execution, query):
    query("CREATE TABLE logs (day int) PARTITION BY RANGE (day)")
    for n in range(2):
        query(f"CREATE TABLE logs_{n} PARTITION OF logs FOR VALUES FROM ({n}) TO ({n + 1})")
    query("INSERT INTO logs SELECT n %% 2 FROM generate_series(1, %s) n", 100)

    run(execution, AddColumn("logs", Column("mark", "uuid"), uuid.uuid4))

    assert query("SELECT count(DISTINCT mark) FROM logs") == [(100,)]


def test_a_fresh_table_is_changed_with_it(execution, query):
    table = Table("tags", (Column("id", "integer"),), constraints=())

    run(
        execution,
        CreateTable(table),
        AddConstraint("tags", Constraint("tags_pkey", "PRIMARY KEY (id)")),
        CreateIndex("tags", Index("tags_id", ("id",))),
    )

    assert query("SELECT count(*) FROM pg_indexes WHERE tablename = 'tags'") == [(2,)]


def test_together_all_or_nothing_stays(execution, columns):
    with pytest.raises(Exception, match="division by zero"):
        run(execution, AddColumn("notes", SEX), Run("SELECT 1 / 0"), atomic=True)

    assert columns("notes") == ["id", "text"]


def test_inside_the_transaction_of_others_their_limits_stay(database, execution, columns):
    with database.atomic() as transaction:
        database.execute_sql("SET LOCAL lock_timeout = '7s'")
        execution.run_operation(AddColumn("notes", SEX))
        assert database.execute_sql("SHOW lock_timeout").fetchone() == ("7s",)
        transaction.rollback()

    assert columns("notes") == ["id", "text"]


@pytest.mark.punctual
def test_a_short_statement_is_bounded_and_a_long_one_is_not(database, said, query):
    policy = LockPolicy(statement_timeout=0.5)
    with Execution(database, said.append, policy) as execution:
        run(execution, Run("INSERT INTO notes (text) SELECT pg_sleep(0.6)::text"))
        with pytest.raises(Exception, match="statement timeout"):
            run(execution, Run("DO 'BEGIN PERFORM pg_sleep(60); END'"))
