"""The service that `hostile.py` attacks, on a port of its own; the msframework of PYTHONPATH."""

import asyncio
import contextlib
import signal
import sys
from dataclasses import replace

import uvloop
from marshmallow import Schema, fields

from msframework import doc
from msframework.app import Service
from msframework.conf.settings import Settings
from msframework.testing.server import serving


class Item(Schema):
    """One member of a list."""

    name = fields.String(required=True)
    number = fields.Integer()
    price = fields.Decimal()


class Order(Schema):
    """A body with lists, objects and mappings."""

    numbers = fields.List(fields.Integer())
    items = fields.List(fields.Nested(Item))
    prices = fields.Dict(keys=fields.Integer(), values=fields.Decimal())


class Search(Schema):
    """Numbers of a query or a form."""

    number = fields.List(fields.Integer())


def build() -> Service:
    """Return the service, without a database."""
    settings = Settings(debug=False, service_name="hostile")
    service = Service(replace(settings, server=replace(settings.server, fast_path=True)))

    @service.post("/order")
    @doc.consumes(Order)
    async def order(request, body):
        return None

    @service.post("/form")
    @doc.form(Search)
    async def form(request, form):
        return None

    @service.get("/search")
    @doc.query(Search)
    async def search(request, query):
        return None

    @service.get("/item/<number:int>")
    async def item(request, number):
        return {"number": number}

    return service


async def main() -> None:
    """Serve until SIGTERM; the first line of output is the port."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with serving(build()) as server:
        print(server.url.rpartition(":")[2], flush=True)
        await stopped.wait()


if __name__ == "__main__":
    sys.setswitchinterval(0.005)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())
