"""One request to another service, in the form that every transport takes. Made per request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yarl import URL

from msframework.client.plan import CallPlan
from msframework.strict_json import dumps


class OutgoingRequest:
    """One request to another service.

    Attributes:
        plan: the method and the path template, with all that follows from them.
        path: path and query behind the service's own address; `None` for another address.
        url: the whole address; `None` where *path* is enough.
        data: the body: bytes, or another form that aiohttp takes; `None` for no body.
        is_json: whether the body is JSON.
        headers: those of the caller, in the place of the framework's own of the same name.
        timeout: seconds for the whole exchange; `None` for any time.
        redirects: whether redirects are followed.
        lines: the framework's own header lines: the id of the request and the trace.
        status: the status of the answer, once its head has come.

    Raises:
        ValueError: the body is given twice.
    """

    __slots__ = (
        "data",
        "headers",
        "is_json",
        "lines",
        "path",
        "plan",
        "redirects",
        "status",
        "timeout",
        "url",
    )

    def __init__(
        self,
        plan: CallPlan,
        path: str | None,
        url: URL | None,
        json: Any,
        data: Any,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        redirects: bool = False,
    ) -> None:
        self.is_json = json is not None
        if self.is_json:
            if data is not None:
                raise ValueError("give the body as json or as data, not as both")
            data = dumps(json)
        self.plan, self.path, self.url = plan, path, url
        self.data, self.headers = data, headers
        self.timeout, self.redirects = timeout, redirects
        self.lines = ""
        self.status: int | None = None
