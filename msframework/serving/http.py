"""Sanic's HTTP/1.1 with a fast path between two requests that Sanic serves. Runs per request.

`LeanHttp` serves requests that need nothing of Sanic's: those that arrived whole, for a compiled
endpoint without middleware. It stands aside while a handler of an HTTP signal is registered, with
`FAST_PATH = False`, and on a Sanic version that this was not tested with.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task, sleep
from time import monotonic, perf_counter
from typing import Any

from sanic.http import Stage

from msframework.serving.answer import Answer
from msframework.serving.request import Request
from msframework.serving.strict import StrictHttp

# PERF: to look up an attribute of a class takes longer than most steps of a request.
_IDLE, _HANDLER = Stage.IDLE, Stage.HANDLER
# NOTE: where Sanic has no such variable, it has no fast path either; see `supports_fast_path`.
_set_current: Any = getattr(getattr(Request, "_current", None), "set", None)


class LeanHttp(StrictHttp):
    """Sanic's HTTP/1.1, which serves lean requests wherever one may begin."""

    __slots__ = ()

    async def await_request(self) -> None:
        """Serve lean requests until one comes that is Sanic's.

        Raises:
            CancelledError: the connection is to be closed.
        """
        protocol = self.protocol
        if protocol.access_log:
            await super().await_request()
            return
        # PERF: a task of its own, so that nothing of Sanic's stands between the loop and the
        # handler whenever a request waits (benchmarks/README.md, row read_one).
        outbox = protocol.serving.outbox
        outbox.busy += 1
        try:
            await protocol.loop.create_task(self._serve())
        finally:
            if protocol.waiter is None:
                outbox.busy -= 1
            protocol.waiter = None

    async def _serve(self) -> None:
        """Serve lean requests until one comes that is not; leave that one to Sanic.

        Raises:
            CancelledError: the connection is to be closed.
        """
        protocol, buffer = self.protocol, self.recv_buffer
        protocol.read_on()
        self.response_func = self.http1_response_header
        serving, create_future = protocol.serving, protocol.loop.create_future
        outbox, task, data = serving.outbox, current_task(), None
        while True:
            if buffer:
                if data is not None:
                    # It waited for the one before it, not for the loop, and now for all others.
                    protocol._time = monotonic()
                    await sleep(0)
                data, is_ahead = bytes(buffer), True
                buffer.clear()
            else:
                is_ahead = False
                protocol.waiter = waiter = create_future()
                outbox.busy -= 1
                data = await waiter
            accepted = serving.accept(self, data)
            if accepted is None:
                buffer[:0] = data
                self.init_for_request()  # type: ignore[no-untyped-call]
                return
            request, handler, params, taken = accepted
            if taken < len(data):
                buffer[:0] = data[taken:]
            if is_ahead:
                protocol.read_on()
            self.perft0 = perf_counter()
            self.request, self.stage = request, _HANDLER
            _set_current(request)
            protocol.state["requests_count"] += 1
            late = b""
            serving.in_flight += 1
            try:
                try:
                    if serving.in_flight > serving.free:
                        answer = await serving.shedding.serve(request, handler, params)
                    else:
                        answer = await handler(request, **params)
                finally:
                    serving.in_flight -= 1
                if answer.__class__ is Answer and answer.is_plain and not request.responded:
                    self.keep_alive = keep_alive = not serving.stopping or bool(buffer)
                    data = answer.to_bytes(keep_alive)
                    ready = protocol._can_write.is_set() and not protocol.conn_info.lost
                    if keep_alive and ready and not buffer:
                        late = data
                    else:
                        if outbox.before_write is not None:
                            outbox.before_write()
                        await protocol.send(data)
                    self.stage = _IDLE
                else:
                    await self._send_other(request, answer)
            except CancelledError as exc:
                serving.forget(request)
                await serving.end_cancelled(request, exc)
                if protocol.transport:
                    await self._answer_cancelled(exc)
                raise
            except Exception as exc:
                serving.forget(request)
                await protocol.app.handle_exception(request, exc, False)
                self._release_response()
            except BaseException as exc:
                # NOTE: a `GeneratorExit` that leaves a task closes the coroutines that await it.
                serving.forget(request)
                await self._give_up(exc, task)
                raise CancelledError from None
            request.stream = self.request = None
            if not self.keep_alive or self.stage is not _IDLE:
                # NOTE: so ends a connection's task; Sanic then closes the connection.
                raise CancelledError
            if late:
                outbox.put(self, late)
            # Nothing of a request is held while the next one is waited for.
            data, late, accepted, request, params, answer = b"", b"", None, None, None, None

    async def _send_other(self, request: Request, answer: Any) -> None:
        """Send a response that is no plain `Answer`: Sanic's, or one that was begun already."""
        self.protocol.serving.forget(request)
        if request.responded:
            answer = self.response
        elif answer is not None:
            answer = await request.respond(answer)
        else:
            answer = self.response
        if hasattr(answer, "streaming_fn"):
            await answer(request)
            await answer.eof()
        else:
            await answer.send(end_stream=True)
        self.protocol.serving.observer.end(request)
        self._release_response()

    def _release_response(self) -> None:
        """Let go of a response that is sent, so that the next request may have one."""
        if self.response is not None:
            self.response.stream = None
        self.response, self.response_func = None, self.http1_response_header
