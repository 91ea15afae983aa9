"""The execution of migrations, in a transaction or phase by phase. Runs at start-up.

An atomic migration is one transaction with its record. Any other runs phase by phase: each is a
transaction of its own, or a statement outside of any. The number of finished phases is recorded, so
that the next run continues after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TextIO

import peewee
from peewee import PostgresqlDatabase

from msframework.migrations.backfill import Filler
from msframework.migrations.connection import Echo, MigrationDatabase
from msframework.migrations.operations.base import (
    Action,
    Backfill,
    MigrationOperation,
    Phase,
    PhaseContext,
    PythonCall,
    SqlAction,
)
from msframework.migrations.operations.statements import is_outside
from msframework.migrations.progress import LongWork, Reporter, WaitTeller
from msframework.migrations.record import Progress, ProgressTable
from msframework.migrations.sql import words
from msframework.migrations.tasks import (
    BEGUN,
    Position,
    Program,
    Task,
    check_unchanged,
    digest,
    list_tasks,
)
from msframework.migrations.waiting import (
    TRANSIENT,
    LockObserver,
    LockPolicy,
    Sighting,
    milliseconds,
    sleep,
    sqlstate,
)

_LOOK_AFTER: Final = 1.0  # seconds, at what takes its time
_CLEAN_UP: Final = 2.0  # seconds to wait for a lock, to drop an invalid index
_NESTED_RETRIES: Final = 5  # while a transaction of others holds its own locks
_CHANGES: Final = frozenset(("alter", "create", "drop", "comment", "do", "truncate"))
_LIMITS: Final = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
_SET_LIMITS: Final = (
    "SELECT set_config('lock_timeout', %s, %s), set_config('statement_timeout', %s, %s)"
)
_INDEX_STATE: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


TimeLimits = tuple[str, str]  # lock_timeout, statement_timeout


class Execution:
    """Runs migrations on *database*, with retries for locks.

    Args:
        echo: called with lines on locks and progress.
        terminal: where a line of progress can be written over.
    """

    def __init__(
        self,
        database: PostgresqlDatabase,
        echo: Echo = lambda text: None,
        policy: LockPolicy | None = None,
        terminal: TextIO | None = None,
    ) -> None:
        self.database = database
        self.place = Position()
        self._reporter = Reporter(echo, terminal)
        self._policy = policy or LockPolicy()
        self._observer = LockObserver(database)
        self._inside = False

    def __enter__(self) -> Execution:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Clear the line of progress, and close the observer's connection."""
        self._reporter.clear()
        self._observer.close()

    def transaction(self, label: str, work: Callable[[], None]) -> None:
        """Run *work* in one transaction, and all of it again if it does not get its locks.

        Inside an open transaction it is a part of that one.
        """
        if self._inside:
            work()
            return
        limits = (milliseconds(self._policy.timeout), "0ms")

        def attempt() -> None:
            self.place = Position()
            with self._own_transaction(limits):
                work()

        self._patiently(label, attempt)

    def outside(self, label: str, work: Callable[[], None]) -> None:
        """Do *work* that begins transactions itself, if any; its statements are patient, too."""
        self.place = Position()
        database = self.database
        if not isinstance(database, MigrationDatabase):
            work()
            return
        database.around = partial(self._run_patiently, label)
        try:
            work()
        finally:
            database.around = None

    def _run_patiently(self, label: str, statement: str, run: Callable[[], Any]) -> Any:
        """Run a *statement* of the user, with retries if it waits for the lock of a table."""
        names = {word.lower() for _, word in words(statement)}
        if _first_word(statement) not in _CHANGES or "validate" in names or is_outside(statement):
            return run()
        found = []

        def attempt() -> None:
            with self._session_limits((milliseconds(self._policy.timeout), "0ms")):
                found.append(run())

        self._patiently(label, attempt)
        return found[0]

    def run_together(self, label: str, program: Program, finish: Callable[[], None]) -> None:
        """Do all phases of *program*, then *finish*, in one transaction."""

        def work() -> None:
            for task in list_tasks(program):
                self._do(label, task, online=False)
            self.place.operation = self.place.statement = None
            finish()

        self.transaction(label, work)

    def run_apart(
        self,
        label: str,
        program: Program,
        finish: Callable[[], None],
        progress: Progress,
    ) -> None:
        """Run the phases of *program* one by one, after those that *progress* counts as done.

        Raises:
            ImproperlyConfigured: the phases that are done have been edited since.
        """
        tasks = list_tasks(program)
        table = ProgressTable(self.database)
        table.create()
        found = table.read().get((progress.app, progress.name))
        if found is not None:
            check_unchanged(label, tasks, found, progress.backwards)
        begin = 0 if found is None else found.done
        self.place = Position(done=begin, total=len(tasks))
        if begin:
            self._reporter.say(f"  going on behind phase {begin} of {len(tasks)}")
        for number in range(begin, len(tasks)):
            done = replace(progress, done=number + 1, digest=digest(tasks[: number + 1]))
            resumed = found is not None and number == begin and found.digest.endswith(BEGUN)
            index = tasks[number].phase.index
            begins = index is not None and self._index_state(index) is None
            if found is None or begins:
                mark = digest(tasks[:number]) + BEGUN * begins
                table.save(replace(progress, done=number, digest=mark))
            self._do_apart(label, tasks[number], lambda d=done: table.save(d), resumed)  # type: ignore[misc]
            self.place.done = number + 1
            found = done
        self.place.operation = self.place.statement = None
        with self.database.atomic():
            finish()
            table.remove(progress.app, progress.name)

    def run_operation(self, operation: MigrationOperation) -> None:
        """Do one operation: as a part of the transaction that is open, else phase by phase."""
        online = not self.database.in_transaction()
        phases = operation.phases(PhaseContext(online))
        text = operation.describe()
        tasks = list_tasks([(operation, phases)])
        if online:
            for task in tasks:
                self._do_apart(text, task, lambda: None, resumed=False)
            return

        def work() -> None:
            for task in tasks:
                self._do(text, task, online=False)

        self.transaction(text, work)

    def _do_apart(self, label: str, task: Task, note: Callable[[], None], resumed: bool) -> None:
        """Do one phase by itself, and note that it is done."""
        phase = task.phase
        if phase.index is not None and self._stands(phase.index, resumed):
            note()
            return
        if phase.transaction:
            limits = self._limits(phase)

            def attempt() -> None:
                with self._own_transaction(limits):
                    self._do(label, task, online=False)
                    note()

            self._patiently(label, attempt, after=None if phase.waits else _LOOK_AFTER)
            return
        if all(isinstance(each, Backfill) for each in phase.actions):
            self._do(label, task, online=True)
        else:
            self._do_outside(label, task)
        note()

    def _do_outside(self, label: str, task: Task) -> None:
        """Run a statement outside of a transaction; drop an invalid index that it leaves."""

        def attempt() -> None:
            # NOTE: CONCURRENTLY waits for transactions, which hold up nobody meanwhile.
            with self._session_limits(("0ms", "0ms")):
                self._do(label, task, online=True)

        index = task.phase.index

        def attempt_index() -> None:
            try:
                attempt()
            except BaseException:
                if index is not None:
                    self._drop_invalid(index)
                raise

        self._patiently(label, attempt_index, after=_LOOK_AFTER)

    def _stands(self, index: str, resumed: bool) -> bool:
        """Say whether *index* is built already; drop it if it is invalid.

        Args:
            resumed: an earlier run has begun to build it; otherwise a valid one does not count.
        """
        valid = self._index_state(index)
        if valid is False:
            self._reporter.say(f"  dropping the invalid index {index} of an attempt that failed")
            statement = f"DROP INDEX CONCURRENTLY IF EXISTS {index}"
            self._run(statement)
        return bool(valid) and resumed

    def _index_state(self, index: str) -> bool | None:
        row = self._run(_INDEX_STATE, (index,)).fetchone()
        return None if row is None else bool(row[0])

    def _drop_invalid(self, index: str) -> None:
        """Drop the invalid *index* of a failed attempt; note in the report if that fails."""
        with suppress(peewee.PeeweeException):
            if self._index_state(index) is not False:
                return
            self.place.left = (
                f"An invalid index {index} is left, which costs every write; the next run of "
                "`migrate` drops it first."
            )
            with self._session_limits((milliseconds(_CLEAN_UP), "0ms")):
                self._run(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
            self.place.left = None

    def _do(self, label: str, task: Task, online: bool) -> None:
        self.place.operation = (task.number, task.operation.describe())
        for action in task.phase.actions:
            self._act(label, action, online)

    def _act(self, label: str, action: Action, online: bool) -> None:
        self.place.statement = None
        if isinstance(action, SqlAction):
            self.place.statement = action.sql
            self._run(action.sql.replace("%", "%%"))
        elif isinstance(action, PythonCall):
            action.function(self.database)
        else:
            title = f"filling {action.table}.{action.column}"
            limits = (milliseconds(self._policy.timeout), "0ms")

            def attempt(batch: Callable[[], None]) -> None:
                self._patiently(label, batch)

            pace = LongWork(self._reporter, title)
            if not online:
                Filler(self.database, action, False, lambda batch: batch(), pace).fill()
                return
            with self._session_limits(limits):
                Filler(self.database, action, True, attempt, pace).fill()
            self._reporter.clear()

    def _patiently(
        self, label: str, attempt: Callable[[], None], after: float | None = None
    ) -> None:
        """Call *attempt*, and again after a pause while it does not get its locks.

        Args:
            after: seconds after which waiting is reported during the attempt; `None` if the attempt
                has a short time limit.
        """
        policy = self._policy
        if self.database.in_transaction():
            policy = replace(policy, retries=min(policy.retries, _NESTED_RETRIES))
        seen: list[Sighting] = []
        teller = WaitTeller(self._reporter, label)
        look_after = after or (policy.timeout / 2 if policy.timeout > 0 else _LOOK_AFTER)
        told = teller.tell if after or policy.timeout <= 0 else seen.append
        for number, pause in enumerate((*policy.pauses(), None), 1):
            try:
                with self._observer.watching(look_after, told):
                    attempt()
            except peewee.PeeweeException as exc:
                if pause is None or sqlstate(exc) not in TRANSIENT:
                    raise
                teller.tell_retry(seen, number, policy.retries, pause)
                blocker = next((each.blocker for each in reversed(seen) if each.blocker), None)
                seen.clear()
                if blocker is None or not self._observer.end_autovacuum(blocker):
                    sleep(pause)
            else:
                self._reporter.clear()
                return

    def _limits(self, phase: Phase) -> TimeLimits:
        """Return how long *phase* may wait for a lock, and how long one statement may take."""
        if not phase.waits:
            return ("0ms", "0ms")
        firsts = {_first_word(each.sql) for each in phase.actions if isinstance(each, SqlAction)}
        is_short = len(firsts) > 0 and firsts <= _CHANGES
        bound = self._policy.statement_timeout if is_short else 0.0
        return (milliseconds(self._policy.timeout), milliseconds(bound))

    @contextmanager
    def _own_transaction(self, limits: TimeLimits) -> Iterator[None]:
        """Open a transaction, or a part of the one that others have opened."""
        nested = self.database.in_transaction()
        before = self._run(_LIMITS).fetchone() if nested else None
        self._inside = True
        try:
            with self.database.atomic():
                self._set_limits(limits, local=True)
                yield
                if before is not None:
                    self._set_limits(before, local=True)
        finally:
            self._inside = False

    @contextmanager
    def _session_limits(self, limits: TimeLimits) -> Iterator[None]:
        before = self._run(_LIMITS).fetchone()
        self._set_limits(limits, local=False)
        try:
            yield
        finally:
            with suppress(peewee.PeeweeException):  # a lost connection has lost them
                self._set_limits(before, local=False)

    def _set_limits(self, limits: TimeLimits, local: bool) -> None:
        self._run(_SET_LIMITS, (limits[0], local, limits[1], local))

    def _run(self, statement: str, parameters: Sequence[object] = ()) -> Any:
        return self.database.execute_sql(statement, parameters)  # type: ignore[no-untyped-call]


def _first_word(statement: str) -> str:
    return next((word.lower() for _, word in words(statement)), "")
