"""`MockService`: a loopback server in the place of all other services, with declared replies.

Runs in tests. Each service has a port of its own, which is how a call tells whom it was meant for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Unpack
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from msframework.client import Client
from msframework.conf.settings import ServiceEntry, Settings
from msframework.exceptions import ServiceException
from msframework.strict_json import dumps
from msframework.testing.replies import Call, MockReply, ReplyOptions, build_reply
from msframework.testing.server import LoopThread
from msframework.types import UNSET


class MockService:
    """Answers for other services with the replies of a test, and notes the calls.

    A declared path answers for every service, unless it begins with the address of one
    (`http://regions:8000/cities/1`) or *service* names one. `{name}` in a path stands for any
    segment; a query counts only where one is declared. Several replies to the same path are given
    in turn, and the last of them from then on.

    Args:
        services: the addresses of the services by name, or the entries of `SERVICES`.
    """

    def __init__(self, services: Mapping[str, str | ServiceEntry] | None = None) -> None:
        self._names: dict[int, str] = {}
        self._originals: dict[str, str] = {}
        self._moved: list[tuple[Client, str]] = []
        self._replies: list[MockReply] = []
        self._thread: LoopThread | None = None
        self._runner: web.ServerRunner | None = None
        self.urls: dict[str, str] = {}
        self.calls: list[Call] = []
        self.unexpected: list[Call] = []
        for name, entry in (services or {}).items():
            self._originals[name] = entry if isinstance(entry, str) else entry.url

    # The life of the server.

    def start(self) -> None:
        """Listen for every service."""
        self._thread = LoopThread("msframework-mock-services")
        self._thread.run(self._listen())

    def stop(self) -> None:
        """Move clients back to where they were, and end the server."""
        for client, url in reversed(self._moved):
            client.relocate(url)
        self._moved.clear()
        thread, self._thread = self._thread, None
        if thread is not None:
            if self._runner is not None:
                thread.run(self._runner.cleanup())
            thread.stop()

    def __enter__(self) -> MockService:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    async def _listen(self) -> None:
        self._runner = web.ServerRunner(
            web.Server(self._answer, access_log=None, handler_cancellation=True),
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        for name in self._originals:
            await self._open(name)

    async def _open(self, name: str) -> None:
        assert self._runner is not None
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[-1][1]
        self._names[port] = name
        self.urls[name] = f"http://127.0.0.1:{port}"

    # Who calls here.

    def point(self, settings: Settings) -> Settings:
        """Return *settings* with the urls of `SERVICES` pointing here."""
        entries = {
            name: replace(entry, url=self.urls[name]) if name in self.urls else entry
            for name, entry in settings.services.items()
        }
        return replace(settings, services=entries)

    def take_over(self, clients: Iterable[Client]) -> None:
        """Point *clients* here until `stop`; one that no setting names becomes a service."""
        assert self._thread is not None, "start the mock first"
        for client in clients:
            if client.address.base in self.urls.values():
                continue
            if client.name not in self._originals:
                self._originals[client.name] = client.address.base
                self._thread.run(self._open(client.name))
            self._moved.append((client, client.address.base))
            client.relocate(self.urls[client.name])

    # The replies that a test declares.

    def get(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a GET; *reply* is as for `reply`."""
        self.reply("GET", path, payload, **reply)

    def post(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a POST."""
        self.reply("POST", path, payload, **reply)

    def put(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a PUT."""
        self.reply("PUT", path, payload, **reply)

    def patch(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a PATCH."""
        self.reply("PATCH", path, payload, **reply)

    def delete(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a DELETE."""
        self.reply("DELETE", path, payload, **reply)

    def head(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to a HEAD."""
        self.reply("HEAD", path, payload, **reply)

    def options(self, path: str, payload: object = UNSET, **reply: Unpack[ReplyOptions]) -> None:
        """Declare the reply to an OPTIONS."""
        self.reply("OPTIONS", path, payload, **reply)

    def reply(
        self,
        method: str,
        path: str,
        payload: object = UNSET,
        *,
        status: int = 200,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        exception: BaseException | type[BaseException] | None = None,
        service: str | None = None,
    ) -> None:
        """Declare the reply to *method* on *path*.

        Args:
            payload: the body, sent as JSON.
            body: the body as it is, where there is no *payload*.
            exception: the failure in the place of a reply: a `ServiceException` is answered as a
                service of ours would, a `TimeoutError` gives no answer until the caller gives up,
                and any other hangs up.
            service: the one service that it is for.

        Raises:
            ValueError: the service, or the address in *path*, is not one of `SERVICES`.
        """
        service, path = self._address(path, service)
        if payload is not UNSET:
            body, headers = dumps(payload), {"Content-Type": "application/json", **(headers or {})}
        raw = body.encode() if isinstance(body, str) else body
        failure = exception() if isinstance(exception, type) else exception
        self._replies.append(
            build_reply(method, path, service, status, raw, dict(headers or {}), failure)
        )

    def _address(self, path: str, service: str | None) -> tuple[str | None, str]:
        known = self._originals
        if service is not None and service not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ValueError(f"SERVICES has no entry {service!r}; it has {names}")
        if path.startswith("/"):
            return service, path
        for name, url in known.items():
            base = url.rstrip("/")
            if path.startswith(f"{base}/"):
                return name, path[len(base) :]
        urls = ", ".join(sorted(known.values())) or "none"
        raise ValueError(
            f"{path!r} is no path, and not of one of the services ({urls}). Begin it with a slash."
        )

    # The calls that came.

    def reset(self) -> None:
        """Forget declared replies and calls."""
        self._replies.clear()
        self.calls.clear()
        self.unexpected.clear()

    def verify(self) -> None:
        """Fail when a call came that no reply was declared for.

        Raises:
            AssertionError: names those calls, and the declared replies.
        """
        if not self.unexpected:
            return
        declared = ", ".join(map(str, self._replies)) or "nothing"
        calls = "\n".join(f"  {call}" for call in self.unexpected)
        raise AssertionError(f"unexpected call to another service:\n{calls}\ndeclared: {declared}")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        port = request.transport.get_extra_info("sockname")[1]
        parts = urlsplit(request.raw_path)
        call = Call(
            self._names[port],
            request.method,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            request.headers,
            await request.read(),
        )
        self.calls.append(call)
        matching = [reply for reply in self._replies if reply.matches(call)]
        if not matching:
            self.unexpected.append(call)
            said = {"code": 100501, "message": "Not Implemented", "error": f"unexpected: {call}"}
            return _response(501, dumps(said), {"Content-Type": "application/json"})
        chosen = next((reply for reply in matching if not reply.given), matching[-1])
        chosen.given += 1
        return await _give(chosen, request)


async def _give(reply: MockReply, request: web.BaseRequest) -> web.StreamResponse:
    exc = reply.exception
    if exc is None:
        return _response(reply.status, reply.body, reply.headers)
    if isinstance(exc, ServiceException):
        said = {"code": exc.answer_code, "message": exc.message}
        said |= {} if exc.error is None else {"error": exc.error}
        head = {"Content-Type": "application/json", **exc.headers}
        return _response(exc.status_code, dumps(said), head)
    if isinstance(exc, TimeoutError):
        # Cancelled when the caller hangs up (handler_cancellation).
        await asyncio.get_running_loop().create_future()
    if request.transport is not None:
        request.transport.abort()
    return _response(504, b"", {})


def _response(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    response = web.Response(status=status, body=body, headers=headers)
    # A connection that lives on would carry the calls of one test into the next.
    response.force_close()
    return response
