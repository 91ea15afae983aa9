"""`ObservedSanic`: Sanic, with our protocol, one end for each request, one report for each failure.

Runs per request, on Sanic's path; on the fast path for failures, websockets and tasks.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future, Task, current_task
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sanic import Request, Sanic
from sanic.exceptions import RequestCancelled
from sanic.http import Stage

from msframework.aio import is_failure
from msframework.application import Application
from msframework.operation import path_template
from msframework.serving.cors import check_websocket
from msframework.serving.hosts import Misdirected, check_host
from msframework.serving.protocol import choose_protocol
from msframework.serving.websocket import watch_websocket
from msframework.types import Handler

if TYPE_CHECKING:
    from msframework.serving.state import ServerState


class ObservedSanic(Application):
    """Sanic's app, whose own ways of handling a request are seen to their end."""

    # NOTE: Sanic's metaclass gives every subclass empty slots, unless it names its own.
    __slots__ = ("__dict__",)
    _serving: ServerState

    def prepare(self, *args: Any, **options: Any) -> None:
        """Prepare to serve, as Sanic documents it."""
        options["protocol"] = options.get("protocol") or choose_protocol(self)
        self._serving.backlog.sock = options.get("sock")
        super().prepare(*args, **options)

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Make a server in the running loop, as Sanic documents it."""
        options["protocol"] = options.get("protocol") or choose_protocol(self)
        self._serving.backlog.sock = options.get("sock")
        return await super().create_server(*args, **options)

    async def handle_request(self, request: Request) -> None:
        """Serve a request, as Sanic does, and note its end."""
        serving = self._serving
        serving.in_flight += 1
        serving.begin(request)
        try:
            await self._handle(request)
        finally:
            serving.in_flight -= 1
            serving.forget(request)

    async def _handle(self, request: Request) -> None:
        serving = self._serving
        try:
            check_host(serving.hosts, request)
        except Misdirected as exc:
            await self.handle_exception(request, exc)
            return
        cors = serving.cors
        early = None if cors is None else cors.answer(request)
        try:
            if early is None and serving.shedding is not None and serving.in_flight > serving.free:
                early = await serving.shedding.admit(request)
            if early is None:
                await super().handle_request(request)
            else:
                await (await request.respond(early)).send(end_stream=True)
        except CancelledError as exc:
            await serving.end_cancelled(request, exc)
            raise
        serving.observer.end(request)

    async def handle_exception(
        self, request: Any, exception: BaseException, run_middleware: bool = True
    ) -> None:
        """Answer for *exception*, where there is somebody to answer and no answer has begun."""
        stream = request.stream
        if isinstance(exception, RequestCancelled):
            self._serving.observer.end_abandoned(request)
            return
        # No middleware sees a request for another host, nor one that guards have refused.
        is_seen = not isinstance(exception, Misdirected) and request.admitted is not False
        run_middleware = run_middleware and is_seen
        try:
            if stream is not None and stream.stage is not Stage.HANDLER:
                await self._serving.failures.break_off(request, exception)
            else:
                await super().handle_exception(request, exception, run_middleware)
        except CancelledError as exc:
            await self._serving.end_cancelled(request, exc)
            raise
        self._serving.observer.end(request)

    async def _admit(self, request: Any, admit: Handler | None = None) -> None:
        """Ask the guards of the endpoint that *request* is for, unless they have let it pass.

        NOTE: middleware may change the method of a request; those of the new one are asked then.
        """
        route = request.route
        if admit is None and route is not None:
            admit = getattr(route.extra, "admits", {}).get(request.method)
        if admit is None or request.admitted is admit:
            return
        self._serving.observer.begin(request, path_template(f"/{route.path}"))
        request.admitted = False
        await admit(request)
        request.admitted = admit

    async def _run_request_middleware(self, request: Any, middleware: object) -> Any:
        await self._admit(request)
        run: Any = super()._run_request_middleware
        return await run(request, middleware)

    async def _run_response_middleware(
        self, request: Any, response: object, middleware: object
    ) -> Any:
        try:
            run: Any = super()._run_response_middleware
            return await run(request, response, middleware)
        except Exception as exc:
            await self._serving.failures.report(request, exc)
            return response

    async def _websocket_handler(
        self, handler: Handler, request: Any, *args: object, **options: object
    ) -> None:
        self._serving.observer.begin(request, path_template(f"/{request.route.path}"))
        check_websocket(request, self._serving.cors)
        await self._admit(request)
        self._serving.set_aside(request)
        handler = watch_websocket(self, handler)
        serve: Any = super()._websocket_handler
        await serve(handler, request, *args, **options)
        self._serving.observer.end(request, 101)

    # Tasks that are given to `add_task`.

    @classmethod
    def _prep_task(cls, task: object, app: Any, loop: AbstractEventLoop) -> Any:
        prepare: Any = super()._prep_task
        return app._watch_task(prepare(task, app, loop))

    async def _watch_task(self, work: Awaitable[object]) -> object:
        """Await *work*, and report its exception."""
        task = current_task()
        try:
            return await work
        except BaseException as exc:
            if not is_failure(exc, task):
                raise
            await self._serving.failures.report(None, exc)
            if isinstance(exc, Exception):
                raise
            # NOTE: a `SystemExit` that leaves a task ends the loop.
            raise RuntimeError(f"a task raised {type(exc).__name__}") from exc

    @classmethod
    def _loop_add_task(
        cls, task: object, app: object, loop: AbstractEventLoop, **options: object
    ) -> Any:
        add: Any = super()._loop_add_task
        added = add(task, app, loop, **options)
        if not isinstance(task, Future):
            added.add_done_callback(_take_exception)
        return added

    @staticmethod
    async def run_delayed_task(app: Any, loop: AbstractEventLoop, task: Any) -> None:
        """Run a task that was added before the loop; nobody but `_watch_task` sees it fail."""
        with suppress(Exception):
            await Sanic.run_delayed_task(app, loop, task)


def _take_exception(task: Task[object]) -> None:
    """Keep asyncio from telling once more of an exception that was reported."""
    if not task.cancelled():
        task.exception()
