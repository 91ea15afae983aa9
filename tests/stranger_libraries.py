"""A small service in a process of its own, whose libraries are others than those installed.

`run_with` starts the process, with sources of libraries changed as they are imported. There
`main` serves the service, has it called by a client of ours, and prints the answers, the ways
that were taken, and the warnings.
"""

import asyncio
import importlib.abc
import importlib.machinery
import json
import logging
import re
import subprocess
import sys
from dataclasses import replace

from tests.console import ROOT, environment

WARNINGS = []


def run_with(edits, database_url="", *, fast=True):
    """Return what `main` prints where the sources of modules are changed.

    Args:
        edits: by the name of a module, what replaces each regular expression in its source.
        database_url: where the service has its table.
        fast: the setting FAST_PATH.
    """
    arguments = [json.dumps(edits), database_url, "fast" if fast else "plain"]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", __name__, *arguments],
        cwd=ROOT,
        env=environment(watched=False),  # it starts half as fast again under coverage
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    if result.returncode:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)


class Editor(importlib.abc.MetaPathFinder):
    """Finds modules, with their sources changed."""

    def __init__(self, edits):
        self.edits = edits

    def find_spec(self, name, path=None, target=None):
        """Return the spec of *name*, `None` where it is to stay as it is."""
        if name not in self.edits:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = EditedLoader(name, spec.origin, self.edits[name])
        return spec


class EditedLoader(importlib.machinery.SourceFileLoader):
    """Loads one module from its changed source."""

    def __init__(self, name, path, edits):
        super().__init__(name, path)
        self.edits = edits

    def get_code(self, fullname):
        """Return the code of the changed source."""
        source = self.get_data(self.path).decode()
        for pattern, new in self.edits.items():
            source, count = re.subn(pattern, new, source)
            if not count:
                raise LookupError(f"{fullname} has no {pattern}")
        return compile(source, self.path, "exec")


class Collector(logging.Handler):
    """Keeps what is logged as a warning."""

    def emit(self, record):
        """Keep the text of *record*, and of its exception."""
        WARNINGS.append(self.format(record))


def open_service(database_url, fast):
    """Return the service, and what tells the ways that its parts take."""
    from msframework import Blueprint, ModelSchema, doc
    from msframework.app import Service
    from msframework.codec.engine import Engine
    from msframework.conf.settings import ServerSettings, Settings
    from msframework.models import CharField, DecimalField, Model, sql

    class Item(Model):
        name = CharField(max_length=20)
        price = DecimalField()

        class Meta:
            table_name = "stranger_items"

    class ItemSchema(ModelSchema):
        class Meta:
            model = Item
            fields = ("id", "name", "price")

    items = Blueprint("items", url_prefix="/items")

    @items.post("/")
    @doc.consumes(ItemSchema)
    @doc.produces(ItemSchema, status=201)
    async def add(request, body):
        if not database_url:
            return {"id": 1, **body}
        async with request.app.db.transaction(request) as cur:
            return await cur.fetchrow(Item.insert(**body).returning(*Item._meta.sorted_fields))

    @items.get("/<least:int>")
    @doc.produces(ItemSchema(many=True))
    async def find(request, least):
        if not database_url:
            return [{"id": 1, "name": "pen", "price": least}]
        async with request.app.db.acquire(request) as cur:
            return await cur.fetch(Item.select().where(Item.price >= least).order_by(Item.id))

    settings = Settings(debug=False, service_name="stranger", server=ServerSettings(fast_path=fast))
    if database_url:
        settings = replace(settings, database=replace(settings.database, url=database_url))
    service = Service(settings)
    service.blueprint(items)

    async def prepare():
        async with service.db.acquire() as cur:
            await cur.execute("DROP TABLE IF EXISTS stranger_items")
            await cur.execute(
                "CREATE TABLE stranger_items"
                " (id serial PRIMARY KEY, name varchar(20) NOT NULL, price numeric NOT NULL)"
            )

    def ways():
        compiled = service.endpoints.schemas
        return {
            "serving": service._serving.lean,
            "schemas": not any(one.fallbacks for one in compiled),
            "rows": any(one.engine is Engine.ROWS for one in compiled),
            "queries": sql._RENDERER.hits > 0 if database_url else None,
        }

    return service, prepare, ways


async def main(database_url, fast):
    """Serve, call, and print."""
    from msframework.client import Client
    from msframework.client.lean import LeanTransport
    from msframework.testing.server import serving

    service, prepare, ways = open_service(database_url, fast)
    found = []
    async with serving(service) as server:
        if database_url:
            await prepare()
        client = Client(url=server.url, name="items", fast=fast)
        try:
            for body in (
                {"name": "pen", "price": "2.50"},
                {"name": "ink", "price": 7},
                {"name": "x" * 21, "price": "dear"},
                {"name": None, "size": 1},
            ):
                async with client.post("/items/", json=body) as answer:
                    found.append([answer.status, await answer.read()])
            for least in (1, 5, 9):
                async with client.get(f"/items/{least}") as answer:
                    found.append([answer.status, await answer.read()])
            taken = ways() | {"client": isinstance(client._channel.transport(), LeanTransport)}
        finally:
            await client.close()
    answers = [[status, json.loads(body)] for status, body in found]
    print(json.dumps({"answers": answers, "ways": taken, "warnings": WARNINGS}))


if __name__ == "__main__":
    sys.meta_path.insert(0, Editor(json.loads(sys.argv[1])))
    logging.getLogger().addHandler(Collector(logging.WARNING))
    asyncio.run(main(sys.argv[2], sys.argv[3] == "fast"))
