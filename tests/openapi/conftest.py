"""Operations made by hand, and their document in each version."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import validate
from sanic import Sanic
from yarl import URL

from msframework.access.policy import OPEN
from msframework.compile.failures import complete_failures
from msframework.conf.settings import OpenAPISettings, ServerSettings, Settings
from msframework.openapi.spec import build_document
from msframework.operation import Input, Operation, OperationText, Source, path_params

_TEXT = [field.name for field in fields(OperationText)]


async def handler(request):
    """Never called: documents are made of facts alone."""


@pytest.fixture
def operation() -> Callable[..., Operation]:
    """Make an Operation from what a test cares about."""

    def make(method: str = "GET", path: str = "/things", **facts: Any) -> Operation:
        name = facts.pop("id", f"{method.lower()}_{len(path)}")
        facts.setdefault("arguments", ())
        params = path_params(path)
        page = facts.pop("page", None)
        paged = () if page is None else (Input(Source.QUERY, page, name="page"),)
        facts["inputs"] = (*facts.get("inputs", ()), *paged)
        facts["failures"] = complete_failures(
            facts.get("failures", ()),
            facts["inputs"],
            params,
            facts.get("access", OPEN),
            () if "access" in facts else facts.get("security", ()),
        )
        said = {name: facts.pop(name) for name in _TEXT if name in facts}
        return Operation(
            id=name,
            where=f"apps/things.py:7 {name}",
            name=name,
            blueprint=facts.pop("blueprint", "things"),
            method=method,
            path=path,
            handler=handler,
            path_params=params,
            text=OperationText(**said),
            **facts,
        )

    return make


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """Build the document of operations in one version, valid by that version's own rules."""

    def build(*operations: Operation, prefix: str = "", **openapi: Any) -> dict[str, Any]:
        settings = Settings(
            service_name="things",
            server=ServerSettings(url_prefix=prefix),
            openapi=OpenAPISettings(**openapi),
        )
        found = build_document(operations, settings)
        validate(found)
        return found

    return build


@dataclass(frozen=True)
class Got:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
def browse() -> Callable[[Sanic[Any, Any]], Any]:
    """Serve an app on a port of its own; give the function that requests from it."""

    @asynccontextmanager
    async def serving(service: Sanic[Any, Any]) -> AsyncIterator[Callable[..., Any]]:
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            place.listen()
            service.config.MOTD = False  # it imports whatever of Sanic is installed
            server = await service.create_server(sock=place, return_asyncio_server=True)
            assert server is not None
            await server.startup()
            await server.start_serving()
            base = f"http://127.0.0.1:{place.getsockname()[1]}"
            async with aiohttp.ClientSession() as session:

                async def get(path: str, method: str = "GET", **options: Any) -> Got:
                    url = URL(base + path, encoded=True)
                    async with session.request(method, url, **options) as answer:
                        return Got(answer.status, answer.headers, await answer.read())

                yield get
            server.close()
            await server.wait_closed()

    return serving
