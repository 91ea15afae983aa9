"""A service whose handlers say what reached them, and raw connections to it."""

import asyncio
import contextlib
import json
from typing import NamedTuple

import pytest_asyncio
from sanic import response as sanic_response

from msframework import Schema, doc
from msframework.app import Service
from msframework.schemas import fields
from tests.conftest import serve_service, with_settings


class Reply(NamedTuple):
    """One answer."""

    status: int
    headers: dict
    json: dict


class Wire:
    """One connection; a request is sent in one piece, in two, or byte by byte."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def __call__(self, method, target, *lines, body=None, chunks=b"", cut="one"):
        head = [f"{method} {target} HTTP/1.1", "Host: x", *lines]
        if body is not None:
            head.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*head, "", ""]).encode("latin-1")
        await self._send(data, body or chunks, cut)
        return await self._answer(method)

    async def _send(self, head, body, cut):
        pieces = {"one": [head + body], "two": [head, body], "bytes": []}[cut]
        pieces = pieces or [bytes([byte]) for byte in head + body]
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def _answer(self, method):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        data = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Reply(int(status.split(" ")[1]), headers, json.loads(data) if data else None)


def declare(service):
    """Add one endpoint for each kind of input; each answers what it received."""

    @service.post("/json")
    @doc.consumes({"a": int})
    async def takes_json(request, body):
        return body

    @service.post("/form")
    @doc.form(
        Schema.from_dict(
            {"note": fields.String(required=True), "tags": fields.List(fields.String())}
        )
    )
    async def takes_form(request, form):
        return form

    @service.post("/open-form")
    @doc.form(Schema.from_dict({"note": fields.String()})(unknown="include"))
    async def takes_any_form(request, form):
        return form

    @service.post("/upload")
    @doc.form(Schema.from_dict({"note": fields.String()}))
    @doc.files(Schema.from_dict({"file": fields.Raw(), "more": fields.List(fields.Raw())}))
    async def takes_files(request, form, files):
        given = [files[name] for name in ("file",) if name in files] + files.get("more", [])
        return {
            "note": form.get("note"),
            "files": [[file.name, file.type, file.body.decode("latin-1")] for file in given],
        }

    @service.post("/only-files")
    @doc.files(Schema.from_dict({"file": fields.Raw(required=True)}))
    async def takes_only_files(request, files):
        return files["file"].name

    @service.get("/query")
    @doc.query(Schema.from_dict({"q": fields.String(), "tags": fields.List(fields.String())}))
    async def takes_query(request, query):
        return query

    @service.get("/headers")
    @doc.headers(
        Schema.from_dict(
            {
                "x_token": fields.String(),
                "accept": fields.String(),
                "x_tags": fields.List(fields.String()),
            }
        )
    )
    async def takes_headers(request, headers):
        return headers

    @service.get("/cookies")
    @doc.cookies(Schema.from_dict({"a": fields.String(), "b": fields.List(fields.String())}))
    async def takes_cookies(request, cookies):
        return cookies

    @service.get("/pages")
    @doc.paginate()
    async def takes_page(request, page):
        return page.result([], 0)

    @service.route("/users-own", methods=["GET", "POST"])
    async def reads_for_itself(request):
        return {
            "json": request.json if request.args.get("read") == "json" else None,
            "form": dict(request.form) if request.args.get("read") == "form" else None,
            "files": list(request.files) if request.args.get("read") == "form" else [],
            "args": dict(request.args),
            "pairs": request.query_args,
            "cookies": dict(request.cookies),
        }

    @service.post("/streamed", stream=True)
    async def streams(request):
        size = 0
        async for data in request.stream:
            size += len(data)
        return sanic_response.json({"size": size})

    @service.post("/raw")
    async def raw(request):
        return sanic_response.json(
            {
                "size": len(request.body),
                "start": request.body[:20].decode("latin-1"),
                "encoding": request.headers.get("content-encoding"),
                "length": request.headers.get("content-length"),
            }
        )


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def address(request):
    """Yield host and port of the service, of the module's own endpoints where it declares some."""
    server = {
        "fast_path": request.param,
        "max_fields": 50,
        "max_field_size": 2000,
        "request_max_size": 1_000_000,
    }
    service = Service(with_settings(server=server))
    service.config.TOUCHUP = False
    getattr(request.module, "declare", declare)(service)
    async with serve_service(service) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def wire(address):
    """Yield a connection to the service."""
    reader, writer = await asyncio.open_connection(*address)
    yield Wire(reader, writer)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
