"""`budget`: the SQL statements that a block or a request of a test may run. Runs in tests.

Nothing in the data layer knows of it: `Session.run` and `Session.guard` are replaced as long as a
budget is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from sanic import Request
from sanic.exceptions import ServerError

from msframework._place import caller_place
from msframework.db.cursor import ReadCursor
from msframework.db.session import Session
from msframework.db.transaction import Transaction, current_transaction
from msframework.models.sql import render
from msframework.testing.answer import TestResponse

_MOST_SHOWN: Final = 20
_MOST_SQL: Final = 200
# They belong to a block, as BEGIN and COMMIT do.
_SAVEPOINTS: Final = ("SAVEPOINT", "RELEASE", "ROLLBACK")
Watcher = Callable[["RunStatement"], None]
# What records the statements of this context, also where no request is served.
_recorded_by: ContextVar[tuple[object, ...]] = ContextVar("msframework_budgets", default=())


class RunStatement(NamedTuple):
    """A statement that was run.

    Attributes:
        sql: its text, without arguments.
        place: the file and the line that ran it.
        request: the request that it was run for; `None` where it was none.
    """

    sql: str
    place: str
    request: Request[Any, Any] | None


class BudgetExceeded(AssertionError):
    """More statements were run than a budget allows; the message lists them."""


class Budget:
    """The statements that were run in a block.

    Those count that the block's own context runs, and those of requests that are served meanwhile,
    in whichever thread; a service's background work does not.

    Attributes:
        statements: what was run so far.
    """

    def __init__(self, *, requests_only: bool = False) -> None:
        self.statements: list[RunStatement] = []
        self._requests_only = requests_only

    def __len__(self) -> int:
        return len(self.statements)

    def record(self, statement: RunStatement) -> None:
        """Count *statement* if it belongs here."""
        if statement.request is not None or (
            not self._requests_only and self in _recorded_by.get()
        ):
            self.statements.append(statement)

    def by_request(self) -> list[tuple[str, list[RunStatement]]]:
        """Return the statements of each request, with its method and path."""
        # NOTE: a request that is held has a number that no other gets.
        found: dict[int, list[RunStatement]] = {}
        for statement in self.statements:
            found.setdefault(id(statement.request), []).append(statement)
        return [(_name(made[0].request), made) for made in found.values()]


@contextmanager
def budget(statements: int | None = None) -> Iterator[Budget]:
    """Fail where the block runs more SQL statements: `with budget(statements=2):`.

    Args:
        statements: how many it may run; `None` only counts them.

    Raises:
        BudgetExceeded: it ran more; the message lists them, with where they were run.
    """
    spent = Budget()
    outer = _recorded_by.get()
    _recorded_by.set((*outer, spent))
    try:
        with watched(spent.record):
            yield spent
    finally:
        _recorded_by.set(tuple(each for each in _recorded_by.get() if each is not spent))
    if statements is not None and len(spent) > statements:
        raise BudgetExceeded(_excess("the block", spent.statements, statements))


@contextmanager
def request_budget(statements: int) -> Iterator[Budget]:
    """Fail where one request that is served meanwhile runs more SQL statements."""
    spent = Budget(requests_only=True)
    with watched(spent.record):
        yield spent
    excess = [
        _excess(request, made, statements)
        for request, made in spent.by_request()
        if len(made) > statements
    ]
    if excess:
        raise BudgetExceeded("\n".join(excess))


async def assert_steady(
    call: Callable[[], Awaitable[TestResponse]], grow: Callable[[], Awaitable[object]]
) -> None:
    """Fail where a listing takes more SQL statements when it has more rows (the N+1 problem).

    Args:
        call: asks for the listing, which has to have a row already.
        grow: adds rows that the listing then has.

    Raises:
        BudgetExceeded: the second listing took more statements; the message lists them.
        AssertionError: an answer is no success, or the second one has no more rows.
    """
    with budget() as few:
        first = await call()
    await grow()
    with budget() as many:
        second = await call()
    for answer in (first, second):
        assert answer.status < 300, f"the listing failed: {answer!r}"
    rows, more = _count_rows(first), _count_rows(second)
    assert 0 < rows < more, (
        f"the listing had {rows} rows and then {more}: it needs one at first, and more after grow()"
    )
    if len(many) > len(few):
        said = f"{rows} rows took {len(few)} statements, and {more} rows took {len(many)}:\n"
        raise BudgetExceeded(said + _list(many.statements))


def _count_rows(answer: TestResponse) -> int:
    """Return how many rows a listing has, in whatever envelope."""
    body = answer.json
    if isinstance(body, dict):
        body = max((each for each in body.values() if isinstance(each, list)), key=len, default=[])
    return len(body) if isinstance(body, list) else 0


def _excess(what: str, statements: list[RunStatement], limit: int) -> str:
    return f"{what} ran {len(statements)} statements, and may run {limit}:\n{_list(statements)}"


def _list(statements: Iterable[RunStatement]) -> str:
    """Return a line for each statement, those that ran several times once."""
    counts = Counter((each.place, each.sql) for each in statements)
    lines = [
        f"  {count} x {place}: {' '.join(sql.split())[:_MOST_SQL]}"
        for (place, sql), count in counts.items()
    ]
    if len(lines) > _MOST_SHOWN:
        lines[_MOST_SHOWN:] = [f"  and {len(lines) - _MOST_SHOWN} others"]
    return "\n".join(lines)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell *watcher* of each statement of this process before it is run.

    NOTE: a transaction that was opened before, and not in this context, is not seen.
    """
    watchers: list[Watcher] | None = getattr(Session.run, "watchers", None)
    if watchers is None:
        watchers = []
        restore = _install(watchers)
    else:
        restore = Session.run.restore  # type: ignore[attr-defined]
    watchers.append(watcher)
    open_already = current_transaction()
    _rebind(open_already)
    try:
        yield
    finally:
        watchers.remove(watcher)
        if not watchers:
            restore()
            _rebind(open_already)


def _rebind(transaction: Transaction | None) -> None:
    """Give *transaction* the present `Session.run`, which it took when it was made."""
    if transaction is not None:
        transaction._run = transaction._session.run


def _install(watchers: list[Watcher]) -> Callable[[], None]:
    """Install the functions that tell *watchers*, and return one that removes them."""
    run, guard = Session.run, Session.guard

    async def watched_run(
        self: Session, method: Any, give: Any, query: Any, args: Any, timeout: float | None
    ) -> Any:
        if query.__class__ is not str:
            query, args = render(query, args)
        _tell(watchers, self, query)
        return await run(self, method, give, query, args, timeout)

    async def watched_guard(
        self: Session, call: Any, label: str, args: Any = (), timeout: float | None = None
    ) -> Any:
        if not label.startswith(_SAVEPOINTS):
            _tell(watchers, self, label)
        return await guard(self, call, label, args, timeout)

    def replace(run: Any, guard: Any) -> None:
        for owner, name, function in (
            (Session, "run", run),
            (ReadCursor, "_run", run),
            (Session, "guard", guard),
        ):
            setattr(owner, name, function)

    def restore() -> None:
        replace(run, guard)

    watched_run.watchers = watchers  # type: ignore[attr-defined]
    watched_run.restore = restore  # type: ignore[attr-defined]
    replace(watched_run, watched_guard)
    return restore


def _tell(watchers: list[Watcher], session: Session, sql: str) -> None:
    request = session.request
    if not isinstance(request, Request):
        request = _current_request()
    statement = RunStatement(sql, caller_place(), request)
    for watcher in tuple(watchers):
        watcher(statement)


def _name(request: Request[Any, Any] | None) -> str:
    return "" if request is None else f"{request.method} {request.path}"


def _current_request() -> Request[Any, Any] | None:
    try:
        return Request.get_current()
    except ServerError:
        return None
