"""`Application`: the attributes of a service that its handlers read, with their types.

`app.Service` sets them when it is built.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Protocol

from sanic import Sanic
from sanic.config import Config
from sanic.response import HTTPResponse

from msframework.client import Client, Clients
from msframework.conf.settings import Settings
from msframework.context import RequestContext
from msframework.db import Database
from msframework.metrics import Metrics
from msframework.tracing import SpanQueue, Tracer
from msframework.types import Handler


class Signatory(Protocol):
    """The part of a server's state that a request reads."""

    trusts_request_id: bool

    def sign(self, request: RequestContext, response: HTTPResponse) -> None:
        """Give an answer the headers of all answers."""

    def set_aside(self, request: RequestContext) -> None:
        """Note that *request* waits for its client, or lasts as long as that likes."""

    def take_back(self, request: RequestContext) -> None:
        """Note that *request* is our business again."""


class Application(Sanic[Config, SimpleNamespace]):
    """Sanic's app, with the parts of a service: the type of `request.app`.

    Attributes:
        settings: the settings that the service was built from.
        db: the data layer: `acquire()` and `transaction()`.
        client: the client that was assigned here, or the only one of `SERVICES`.
        clients: the clients of `SERVICES` by name.
        tracer: the tracer behind `opentracing.tracer`.
        queue: finished spans on their way to the exporter.
        metrics: the counters, gauges and histograms that `/metrics` shows.
    """

    settings: Settings
    db: Database
    client: Client
    clients: Clients
    tracer: Tracer
    queue: SpanQueue
    metrics: Metrics
    _serving: Signatory

    async def _admit(self, request: Any, admit: Handler | None = None) -> None:
        """Admit *request* to its route, or refuse it; do nothing if it was admitted already.

        Args:
            admit: the `admit` of the operation; that of the route when `None`.

        Raises:
            Unauthorized: credentials are missing or wrong.
            Forbidden: the guards do not allow the caller.
        """
        raise NotImplementedError

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop: answers say `Connection: close` already."""
        raise NotImplementedError
