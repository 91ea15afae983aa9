"""A service with a few endpoints that call another service."""

import os
import sys
import time

import pytest
from sanic import response

from msframework import Blueprint, Resource, doc
from msframework.conf.settings import ServiceEntry
from msframework.db.embedded import EmbeddedServer
from tests.console import ROOT


def declare(service):
    """Give *service* its endpoints; each of them is called in some test."""
    visit = Blueprint("visit", url_prefix="/visits")

    @visit.get("/")
    async def list_visits(request):
        return {"args": request.args, "cookies": dict(request.cookies.items())}

    @visit.post("/")
    @doc.consumes({"name": str})
    async def create_visit(request, body):
        return body

    @visit.post("/form")
    @doc.form({"name": str})
    async def send_form(request, form):
        return form

    @visit.get("/city/<id:int>")
    async def get_city(request, id):
        return await request.client("regions").call("GET", "/cities/{id}", id=id)

    @visit.get("/names/<name>")
    async def get_name(request, name):
        return name

    @visit.get("/files/<path:path>")
    async def get_file(request, path):
        return path

    @visit.get("/teapot")
    async def teapot(request):
        return response.text("grüße", status=418, headers={"X-A": "b"})

    @visit.resource("/things/<id:int>", unquote=True)
    class Thing(Resource):
        async def get(self, request, id):
            return {"id": id}

        async def delete(self, request, id):
            return None

    other = Blueprint("other", url_prefix="/other")

    @other.get("/")
    async def get_visit(request):
        return "other"

    service.blueprint(visit)
    service.blueprint(other)
    return service


@pytest.fixture
def service(make_service):
    """The service, not started; its regions are nowhere."""
    entries = {
        "regions": ServiceEntry("regions", "http://regions:8000/api"),
        "roles": ServiceEntry("roles", "http://roles:8000"),
    }
    return declare(make_service(services=entries))


@pytest.fixture(scope="session")
def server_url():
    """The address of the checkout's own PostgreSQL."""
    return EmbeddedServer(ROOT).start()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """An app package with a model, without migrations; returns its name."""
    name = f"shop_{os.getpid()}_{time.monotonic_ns()}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(MODELS)
    (package / "resources.py").write_text(RESOURCES.replace("SHOP", name))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[module]


MODELS = """
from msframework.models import AutoField, CharField, ForeignKeyField, Model

class Owner(Model):
    name = CharField()

    class Meta:
        table_name = "owners"

class Item(Model):
    owner = ForeignKeyField(Owner)
    name = CharField(unique=True)

    class Meta:
        table_name = "items"
"""

RESOURCES = """
from msframework import Blueprint, doc
from msframework.client import Client

items = Blueprint("items", url_prefix="/items")

@items.get("/")
async def count_items(request):
    async with request.app.db.acquire(request) as cur:
        return await cur.fetchval("SELECT count(*) FROM items")

@items.post("/")
@doc.consumes({"name": str})
@doc.produces({"id": int}, status=201)
async def create_item(request, body):
    async with request.app.db.transaction(request) as cur:
        owner = await cur.fetchval("INSERT INTO owners (name) VALUES ('o') RETURNING id")
        sql = "INSERT INTO items (owner_id, name) VALUES ($1, $2) RETURNING id"
        return {"id": await cur.fetchval(sql, owner, body["name"])}

@items.get("/city/<id:int>")
async def get_city(request, id):
    return await request.client("regions").call("GET", "/cities/{id}", id=id)

@items.get("/role/<id:int>")
async def get_role(request, id):
    async with request.app.client.cli(request).get(f"/roles/{id}") as res:
        return await res.json()

@items.before_server_start
async def before_server_start(app, loop=None):
    app.client = Client(loop, url="http://host:9000")
"""
