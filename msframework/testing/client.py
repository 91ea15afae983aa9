"""An async client for tests: real requests to a real server, by path or by operation name.

Runs in tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Unpack

import aiohttp
from yarl import URL

from msframework.client.address import Params, is_clean, with_query
from msframework.operation import Operation
from msframework.strict_json import dumps
from msframework.testing.answer import Answer, TestResponse
from msframework.testing.callers import PrincipalOrClaims, find_callers
from msframework.testing.calls import CallOptions, OperationName, Operations

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


class HTTPClient:
    """Sends requests to one server; the session opens with the first of them."""

    def __init__(self, url: str, unix: Path | None = None) -> None:
        self._url, self._unix = url.rstrip("/"), unix
        self._session: aiohttp.ClientSession | None = None
        self._lender: HTTPClient | None = None
        self._credentials: str | None = None

    def as_principal(self, caller: PrincipalOrClaims | None) -> HTTPClient:
        """Return one that sends on the connections of this one, as *caller*.

        Raises:
            ValueError: the service has no authenticators, or is not served by these tests.
        """
        client = copy(self)
        client._lender = self._lender or self
        client._credentials = (
            None if caller is None else find_callers(self._url, self._unix).admit(caller)
        )
        return client

    def _open(self) -> aiohttp.ClientSession:
        unix = self._unix
        connector = aiohttp.UnixConnector(str(unix)) if unix else aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        allow_redirects: bool = False,
    ) -> Answer:
        """Send one request and read the answer to its end.

        Args:
            json: the body, sent as JSON.
            data: the body as bytes or text, a dict or `aiohttp.FormData` for a form.
        """
        owner = self._lender or self
        if owner._session is None:
            owner._session = self._open()
        given = dict(headers or {})
        if self._credentials and not any(name.lower() == "authorization" for name in given):
            given["Authorization"] = self._credentials
        if json is not None:
            data = dumps(json)
            if not any(name.lower() == "content-type" for name in given):
                given["Content-Type"] = "application/json"
        # NOTE: a path that is written in RFC 3986's characters goes out as it is, `..` included.
        text = self._url + (path if params is None else with_query(path, params))
        url = URL(text, encoded=is_clean(path))
        async with owner._session.request(
            method,
            url,
            data=data,
            headers=given,
            cookies=cookies,
            allow_redirects=allow_redirects,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def close(self) -> None:
        """Close the connections, but for those that are another one's."""
        session, self._session = (self._session if self._lender is None else None), None
        if session is not None:
            await session.close()


class TestClient:
    """Calls a service over a socket: `await client.get("/users")`.

    An operation is called by its name, with its path parameters by name:
    `await client.create_user(json={…})`, `await client.UserDetail.get(id=1)`.

    Args:
        url: where the service listens.
        operations: its operations, for calls by name.
        unix: the unix socket at which it listens.
    """

    __test__ = False

    def __init__(
        self, url: str, operations: Sequence[Operation] = (), *, unix: Path | None = None
    ) -> None:
        self._http = HTTPClient(url, unix)
        self._operations = Operations(operations)

    def as_principal(self, caller: PrincipalOrClaims | None) -> TestClient:
        """Return a client whose requests come from *caller*; from nobody when `None`.

        It uses the connections of this one. A header `Authorization` of a request counts more.

        Args:
            caller: a principal, or the claims of a token (`{"sub": "7", "scope": "a b"}`). Without
                an `authenticator` it is known to the first one that an operation asks.

        Raises:
            ValueError: the service has no authenticators, or is not served by these tests.
        """
        client = copy(self)
        client._http = self._http.as_principal(caller)
        return client

    async def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """Send one request; *options* are those of `HTTPClient.send`."""
        return TestResponse(await self._http.send(method, path, **options))

    async def get(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """GET *path*."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """POST to *path*."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """PUT *path*."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """PATCH *path*."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """DELETE *path*."""
        return await self.request("DELETE", path, **options)

    async def head(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """HEAD *path*."""
        return await self.request("HEAD", path, **options)

    async def options(self, path: str, **options: Unpack[CallOptions]) -> TestResponse:
        """Ask for the OPTIONS of *path*."""
        return await self.request("OPTIONS", path, **options)

    async def call(self, operation: str, /, **arguments: object) -> TestResponse:
        """Call *operation*, named as in `manage.py routes`: `create_user`, `UserDetail.get`."""
        method, path, options = self._operations.resolve(operation, arguments)
        return await self.request(method, path, **options)

    def __getattr__(self, name: str) -> OperationName[Awaitable[TestResponse]]:
        if name.startswith("_"):
            raise AttributeError(name)
        return OperationName(name, self.call, self._operations)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def __aenter__(self) -> TestClient:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
