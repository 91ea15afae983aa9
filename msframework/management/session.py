"""A running service on a loop of its own, and Python code that is run inside it, with `await`.

Runs on the command line: the loop has a thread, so that the parts of the service go on working
while the prompt waits for a line, and so that Control-C ends a wait and not the service.
"""

from __future__ import annotations

import ast
import asyncio
import code
import inspect
import linecache
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from functools import partial
from types import CodeType, FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvloop

if TYPE_CHECKING:
    from msframework.app import Service

T = TypeVar("T")
FILE: Final = "<shell>"
_PATIENCE: Final = 0.2  # seconds until Control-C is heard that came at the wrong moment


class ShellSession:
    """The running *service*: `with ShellSession(service) as session:` starts and stops it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._leave = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run_loop, name="service")

    def __enter__(self) -> ShellSession:
        self._thread.start()
        try:
            self._loop = self._started.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()
        if self._failure is not None and exc is None:
            raise self._failure

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._hold())
            except BaseException as exc:
                if self._started.done():
                    self._failure = exc
                else:
                    self._started.set_exception(exc)

    async def _hold(self) -> None:
        async with self._service.running():
            self._started.set_result(asyncio.get_running_loop())
            await self._leave.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine* on the service's loop; Control-C cancels it."""
        # NOTE: not `run_coroutine_threadsafe`: Control-C may come while it runs, when the coroutine
        # is on its way to the loop and there is no future yet to cancel.
        found: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(coroutine))
            tasks[0].add_done_callback(partial(_hand_over, found))

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        try:
            self._loop.call_soon_threadsafe(begin)
            # NOTE: a signal that comes just before a thread begins to wait does not end the wait.
            while not found.done():
                wait((found,), _PATIENCE)
            return found.result()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(cancel)
            raise

    def execute(self, compiled: CodeType, scope: dict[str, Any]) -> None:
        """Run *compiled* with the names in *scope*, which takes up new ones.

        Raises:
            SystemExit: the code asked to leave.
            Exception: whatever it raises.
        """
        leave = self.run(_evaluate(compiled, scope))
        if leave is not None:
            raise leave


def _hand_over(found: Future[T], task: asyncio.Task[T]) -> None:
    """Give the outcome of *task* to the thread that waits for *found*."""
    if task.cancelled():
        found.cancel()
        found.set_running_or_notify_cancel()  # tells those that wait
    elif (failure := task.exception()) is not None:
        found.set_exception(failure)
    else:
        found.set_result(task.result())


async def _evaluate(compiled: CodeType, scope: dict[str, Any]) -> SystemExit | None:
    # NOTE: a SystemExit that leaves a task would end the loop too, so it is carried out by hand.
    try:
        value = FunctionType(compiled, scope)()
        if inspect.iscoroutine(value):
            await value
    except SystemExit as exc:
        return exc
    return None


def run_source(session: ShellSession, source: str, scope: dict[str, Any]) -> None:
    """Run *source*, which may use `await` outside functions; its exceptions come out."""
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    session.execute(compile(source, FILE, "exec", flags=flags), scope)


class Prompt(code.InteractiveConsole):
    """The interactive prompt of the shell."""

    def __init__(self, session: ShellSession, scope: dict[str, Any]) -> None:
        super().__init__(scope, filename=FILE)
        self._session = session
        self._scope = scope
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: CodeType) -> None:
        """Run one statement; its exception is shown and the prompt goes on."""
        try:
            self._session.execute(code, self._scope)
        except SystemExit:
            raise
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")
        except Exception:
            self.showtraceback()
