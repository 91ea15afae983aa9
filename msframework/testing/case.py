"""`APITestCase`: unittest over a real server of one app, with other services mocked.

Runs in tests.
"""

from __future__ import annotations

import unittest
from typing import ClassVar, Unpack

from sanic import Sanic

from msframework.testing.answer import Answer
from msframework.testing.callers import PrincipalOrClaims
from msframework.testing.calls import CallOptions, OperationName, Operations
from msframework.testing.client import HTTPClient
from msframework.testing.database import TestDatabase
from msframework.testing.server import App, BackgroundServer, LoopThread
from msframework.testing.service import clients_of, forget_rates, settings_of, use_database
from msframework.testing.services import MockService

_LIMIT = 60.0  # seconds for one call


class CaseClient:
    """Calls the app of a test case and waits: `client.create_user(data={…}, params={…})`.

    Operations go by the names of their functions (`create_user`), or class and method
    (`UserDetail.get`); their path parameters are named arguments. Any path is reached with
    `client.get(path)` and its sisters.
    """

    def __init__(self, http: HTTPClient, thread: LoopThread, operations: Operations) -> None:
        self._http, self._thread, self._operations = http, thread, operations

    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> Answer:
        """Send one request; *options* are those of `HTTPClient.send`."""
        if isinstance(options.get("data"), dict | list):
            options["json"] = options.pop("data")
        return self._thread.run(self._http.send(method, path, **options), _LIMIT)

    def get(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """GET *path*."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """POST to *path*."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """PUT *path*."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """PATCH *path*."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """DELETE *path*."""
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """HEAD *path*."""
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Unpack[CallOptions]) -> Answer:
        """Ask for the OPTIONS of *path*."""
        return self.request("OPTIONS", path, **options)

    def as_principal(self, caller: PrincipalOrClaims | None) -> CaseClient:
        """Return a client whose requests come from *caller*; from nobody when `None`."""
        return CaseClient(self._http.as_principal(caller), self._thread, self._operations)

    def call(self, operation: str, /, **arguments: object) -> Answer:
        """Call *operation*, named as in `manage.py routes`."""
        method, path, options = self._operations.resolve(operation, arguments)
        return self._thread.run(self._http.send(method, path, **options), _LIMIT)

    def __getattr__(self, name: str) -> OperationName[Answer]:
        if name.startswith("_"):
            raise AttributeError(name)
        return OperationName(name, self.call, self._operations)


class APITestCase(unittest.TestCase):
    """Tests of one app: it is served once for the class, on a database of the tests' own.

    Attributes:
        _app: the app.
        _blueprint: the blueprint whose operations `client` looks for first.
        _mock: declares the replies of other services; a call that none is declared for fails
            the test.
        _reuse_db: copy the database from a template that is kept for further runs.
        _create_db: make that template anew; pytest's options of these names set both.
        client: calls the app.
    """

    _app: ClassVar[App | None] = None
    _blueprint: ClassVar[str | None] = None
    _reuse_db: ClassVar[bool] = False
    _create_db: ClassVar[bool] = False
    _mock: MockService
    client: CaseClient
    __services: ClassVar[MockService]
    __database: ClassVar[TestDatabase | None]
    __http: ClassVar[HTTPClient]
    __server: ClassVar[BackgroundServer]

    @classmethod
    def setUpClass(cls) -> None:
        """Serve the app."""
        super().setUpClass()
        app = cls._app
        if app is None:
            raise TypeError(f"{cls.__qualname__}: set _app to the app that is tested")
        getattr(Sanic, "_app_registry", {}).clear()
        settings = settings_of(app)
        cls.__services = MockService(settings.services if settings is not None else None)
        cls.__services.start()
        cls.addClassCleanup(cls.__services.stop)
        cls.__database = None
        if settings is not None and TestDatabase.wanted(settings):
            cls.__database = TestDatabase(settings, reuse=cls._reuse_db, anew=cls._create_db)
            cls.addClassCleanup(cls.__database.drop)
            cls.__database.create()
            use_database(app, cls.__database)
            cls.addClassCleanup(setattr, app, "settings", settings)
        cls.__services.take_over(clients_of(app))
        cls.__server = BackgroundServer(app)
        cls.__server.start()
        cls.addClassCleanup(cls.__server.stop)
        cls.__services.take_over(clients_of(app))  # those that its listeners made
        cls.__http = HTTPClient(cls.__server.url)
        cls.addClassCleanup(cls.__close)

    @classmethod
    def __close(cls) -> None:
        cls.__server.thread.run(cls.__http.close())

    def setUp(self) -> None:
        """Forget the replies that the last test declared, and what rate limits have counted."""
        super().setUp()
        self._mock = self.__services
        self._mock.reset()
        if self._app is not None:
            forget_rates(self._app)
        operations = Operations(getattr(self._app, "operations", ()), self._blueprint)
        self.client = CaseClient(self.__http, self.__server.thread, operations)
        if self.__database is not None:
            self.addCleanup(self.__database.reset)
        self.addCleanup(self._mock.verify)

    def login(self, caller: PrincipalOrClaims) -> None:
        """Let the calls of `client` come from *caller* until the test ends, or `logout`.

        Args:
            caller: a principal, or the claims of a token (`{"sub": "7", "scope": "a b"}`).

        Raises:
            ValueError: the service has no authenticators.
        """
        self.client = self.client.as_principal(caller)

    def logout(self) -> None:
        """Let the calls of `client` come from nobody."""
        self.client = self.client.as_principal(None)
