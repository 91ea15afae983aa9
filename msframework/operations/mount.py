"""`mount_probes`: probes and metrics on the service's own port, with DEBUG. Runs at start-up.

Their handlers are not compiled: requests are not guarded, traced, logged, counted or shed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from sanic import Request
from sanic.response import HTTPResponse

from msframework.metrics.exposition import EXTRA, is_installed
from msframework.operations.exchange import OperationsAnswer, answer_plain, answer_report
from msframework.operations.source import LIVE, METRICS, READY, Report

ProbeAnswering = Callable[[Request], Coroutine[Any, Any, OperationsAnswer]]


def mount_probes(service: Any) -> None:
    """Add the routes of probes and metrics to *service*, except where it has its own."""

    async def ask_live(request: Request) -> OperationsAnswer:
        return answer_report(Report(True, {"loop": None}), "live")  # the loop turns, as this runs

    async def ask_ready(request: Request) -> OperationsAnswer:
        return answer_report(await service.readiness.check(), "ready")

    can_write = is_installed()

    async def ask_metrics(request: Request) -> OperationsAnswer:
        if not can_write:
            return answer_plain(HTTPStatus.NOT_IMPLEMENTED, f"Metrics need a package: {EXTRA}")
        body, media_type = service.metrics.render(request.headers.get("accept", ""))
        return OperationsAnswer(HTTPStatus.OK, body, media_type)

    taken = {f"/{route.path}".rstrip("/") for route in service.router.routes}
    prefix = service.settings.server.url_prefix
    for path, ask in ((LIVE, ask_live), (READY, ask_ready), (METRICS, ask_metrics)):
        if f"{prefix}{path}" not in taken:
            handler: Any = _handler_of(ask)
            handler.__msframework_plain__ = handler.__msframework_probe__ = True
            name = f"operations_{path.removeprefix('/')}"
            service.add_route(handler, path, methods=("GET", "HEAD"), name=name)


def _handler_of(ask: ProbeAnswering) -> Callable[[Request], Coroutine[Any, Any, HTTPResponse]]:
    async def send(request: Request) -> HTTPResponse:
        answer = await ask(request)
        request.recorded = True  # type: ignore[attr-defined]  # so that nobody logs it
        return HTTPResponse(
            answer.body,
            answer.status,
            headers={"cache-control": "no-store"},
            content_type=answer.media_type,
        )

    return send
