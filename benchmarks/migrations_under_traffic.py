"""How long migrations hold others up: `python -m benchmarks.migrations_under_traffic`.

A table of 200,000 rows is changed while two readers and two writers go on, and a report, whose
transaction of 0.3 s makes a change that waits for it hold up all who come behind. Prints for
each kind of change how long it took, the longest time for which a statement of the traffic was
blocked by a lock (from `pg_locks.waitstart`, looked at every 5 ms), the longest that one took in
all, and how many failed. With `--at-once` the same changes run in one transaction that waits for
its locks as long as it takes.
"""

import argparse
import contextlib
import itertools
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

import peewee
import psycopg

from msframework.db.embedded import EmbeddedServer
from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Column,
    CommentTable,
    Constraint,
    CreateIndex,
    DropColumn,
    DropConstraint,
    DropIndex,
    ForeignKey,
    Index,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
)
from msframework.migrations.connection import opened
from msframework.migrations.execute import Execution
from msframework.migrations.operations.program import read_phases
from msframework.migrations.record import Progress
from msframework.migrations.waiting import LockPolicy

ROWS = 200_000
READERS = WRITERS = 2
PAUSE = 0.002  # seconds between two statements of one of them
REPORT = 0.3  # seconds of the transaction of a report
LOOK_EVERY = 0.005
AROUND = 0.3  # seconds of traffic before and after a change

TABLES = f"""
CREATE TABLE owners (id serial PRIMARY KEY, name text NOT NULL);
INSERT INTO owners (name) SELECT 'owner ' || n FROM generate_series(1, 1000) n;
CREATE TABLE entries (
    id serial PRIMARY KEY, name text NOT NULL, amount integer NOT NULL DEFAULT 0,
    note text DEFAULT '', code integer, title varchar(40), owner_id integer, other text, old text,
    CONSTRAINT entries_old_check CHECK (old <> '')
);
INSERT INTO entries (name, note, code, title, owner_id, old)
SELECT 'entry ' || n, NULL, n, 'title', n % 1000 + 1, 'x' FROM generate_series(1, {ROWS}) n;
CREATE INDEX entries_old ON entries (old);
ALTER TABLE entries ADD CONSTRAINT entries_other_key UNIQUE (other);
ANALYZE;
"""
NOTE = Column("note", "text", null=True, default="''::text")
AMOUNT = Column("amount", "integer", default="0")
TITLE = Column("title", "varchar(40)", null=True)
OLD = Column("old", "text", null=True)
FOREIGN_KEY = ForeignKey("entries_owner_id_fkey", ("owner_id",), "owners", ("id",))
CHECK = Constraint("entries_old_check", "CHECK (old <> '')")
# The writers do not know new columns, so those that are NOT NULL have a server default.
CHANGES = {
    "add a column": [AddColumn("entries", Column("sex", "varchar(8)", null=True))],
    "add a column, one value": [
        AddColumn("entries", Column("sex", "varchar(8)", default="'x'"), "'y'")
    ],
    "add a column, a value for each row": [
        AddColumn("entries", Column("key", "uuid", default="gen_random_uuid()"), uuid.uuid4)
    ],
    "add a column, values by SQL": [
        AddColumn("entries", Column("low", "text", null=True), "lower(name)")
    ],
    "add a serial column": [AddColumn("entries", Column("number", "bigint", serial=True))],
    "drop a column": [DropColumn("entries", OLD)],
    "rename a column": [RenameColumn("entries", "old", "older")],
    "not null": [AlterColumn("entries", NOTE, replace(NOTE, null=False), fill="'unsaid'")],
    "null": [AlterColumn("entries", AMOUNT, replace(AMOUNT, null=True))],
    "a longer varchar": [AlterColumn("entries", TITLE, replace(TITLE, type="varchar(80)"))],
    "a server default": [AlterColumn("entries", OLD, replace(OLD, default="'x'"))],
    "create an index": [CreateIndex("entries", Index("entries_name", ("name",)))],
    "create a unique index": [
        CreateIndex("entries", Index("entries_code", ("code",), unique=True))
    ],
    "create a partial index": [
        CreateIndex("entries", Index("entries_few", ("lower(name)",), where="code < 1000"))
    ],
    "drop an index": [DropIndex("entries", Index("entries_old", ("old",)))],
    "rename an index": [RenameIndex("entries", "entries_old", "entries_older")],
    "add a check": [
        AddConstraint("entries", Constraint("entries_amount_check", "CHECK (amount >= 0)"))
    ],
    "drop a check": [DropConstraint("entries", CHECK)],
    "rename a constraint": [RenameConstraint("entries", "entries_old_check", "old_is_said")],
    "add a unique constraint": [
        AddConstraint("entries", Constraint("entries_code_key", "UNIQUE (code)"))
    ],
    "drop a unique constraint": [
        DropConstraint("entries", Constraint("entries_other_key", "UNIQUE (other)"))
    ],
    "add a foreign key": [AddConstraint("entries", FOREIGN_KEY)],
    "comment on the table": [CommentTable("entries", None, "all of them")],
}


@dataclass
class Figures:
    """What one change did to the traffic; times in seconds."""

    took: float = 0.0
    blocked: float = 0.0
    longest: float = 0.0
    statements: int = 0
    failures: list[str] = field(default_factory=list)


class Traffic:
    """Readers, writers and a report, each on a connection and a thread of its own."""

    def __init__(self, url):
        self.url, self.figures = url, Figures()
        self._stop = threading.Event()
        self.reporting = threading.Event()
        works = [self._read] * READERS + [self._write] * WRITERS + [self._report, self._look]
        self._threads = [
            threading.Thread(target=self._run, args=(work, number))
            for number, work in enumerate(works)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work, number):
        name = "looks" if work == self._look else "traffic"
        with psycopg.connect(self.url, autocommit=True, application_name=name) as connection:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                try:
                    work(connection, number, turn)
                except psycopg.Error as exc:
                    self.figures.failures.append(str(exc))

    def _do(self, connection, statement, parameters):
        began = time.monotonic()
        connection.execute(statement, parameters)
        self.figures.longest = max(self.figures.longest, time.monotonic() - began)
        self.figures.statements += 1
        self._stop.wait(PAUSE)

    def _read(self, connection, number, turn):
        place = (number * 7919 + turn * 104729) % ROWS + 1
        self._do(
            connection,
            "SELECT entries.id, entries.name, amount, owners.name FROM entries "
            "LEFT JOIN owners ON owners.id = owner_id WHERE entries.id BETWEEN %s AND %s",
            (place, place + 20),
        )

    def _write(self, connection, number, turn):
        place = (number * 7919 + turn * 15485863) % ROWS + 1
        statements = (
            ("UPDATE entries SET amount = amount + 1 WHERE id = %s", (place,)),
            (
                "INSERT INTO entries (name, code, owner_id) VALUES (%s, %s, 1)",
                ("new", ROWS * (number + 1) + turn),
            ),
            ("DELETE FROM entries WHERE id = %s", (place,)),
        )
        self._do(connection, *statements[turn % 3])

    def _report(self, connection, number, turn):
        with connection.transaction():
            connection.execute("SELECT count(*) FROM entries WHERE id < 100")
            self.reporting.set()
            self._stop.wait(REPORT)
        self.reporting.clear()
        self._stop.wait(REPORT / 2)

    def _look(self, connection, number, turn):
        found = connection.execute(
            "SELECT extract(epoch FROM max(clock_timestamp() - waitstart))::float8 FROM pg_locks "
            "JOIN pg_stat_activity USING (pid) WHERE NOT granted AND application_name = 'traffic'"
        ).fetchone()[0]
        self.figures.blocked = max(self.figures.blocked, found or 0.0)
        self._stop.wait(LOOK_EVERY)


def measure(url, operations, at_once=False):
    """Return the figures of one change at *url*, which has the tables."""
    policy = LockPolicy(timeout=0, retries=1) if at_once else LockPolicy(retries=60)
    with opened(url) as database, Traffic(url) as traffic:
        time.sleep(AROUND)
        traffic.reporting.clear()
        traffic.reporting.wait()  # for the next one
        began = time.monotonic()
        with Execution(database, policy=policy) as execution:
            program = read_phases(operations, online=not at_once)
            try:
                if at_once:
                    execution.run_together("a change", program, lambda: None)
                else:
                    progress = Progress("a", "change", False, 0, "")
                    execution.run_apart("a change", program, lambda: None, progress)
            except peewee.PeeweeException as exc:  # a deadlock with a writer
                traffic.figures.failures.append(f"the change: {exc}")
        traffic.figures.took = time.monotonic() - began
        time.sleep(AROUND)
    return traffic.figures


@contextlib.contextmanager
def prepared(root):
    """Give a function that makes a database with the tables, on a server of its own."""
    server = EmbeddedServer(Path(root))
    url = server.start()
    numbers = itertools.count(1)

    def run(statement):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def fresh():
        name = f"traffic_{next(numbers)}"
        run(f"CREATE DATABASE {name} TEMPLATE traffic")
        try:
            yield url.replace("@/postgres?", f"@/{name}?")
        finally:
            run(f"DROP DATABASE {name} WITH (FORCE)")

    try:
        run("CREATE DATABASE traffic")
        with psycopg.connect(url.replace("@/postgres?", "@/traffic?"), autocommit=True) as made:
            made.execute(TABLES)
            made.execute("VACUUM entries")
        yield fresh
    finally:
        server.reset()


def main():
    """Print a table of all changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", action="store_true", help="one transaction, without limits")
    options = parser.parse_args()
    print(f"{'change':36}{'took':>9}{'blocked':>10}{'longest':>10}{'statements':>12}{'failed':>8}")
    with tempfile.TemporaryDirectory() as root, prepared(root) as fresh:
        for name, operations in CHANGES.items():
            with fresh() as url:
                found = measure(url, operations, options.at_once)
            print(
                f"{name:36}{found.took:7.2f} s{found.blocked * 1000:7.0f} ms"
                f"{found.longest * 1000:7.0f} ms{found.statements:12,}{len(found.failures):8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
