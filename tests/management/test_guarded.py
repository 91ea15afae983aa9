"""Who may call what, as `routes --access` lists it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from msframework import Authenticated, Authenticator, Blueprint, Resource, Scopes, doc
from msframework.management.guarded import read_access_rows

GATEWAY = {"type": "http", "scheme": "bearer", "x-enforced-by": "gateway"}
BASIC = {"type": "http", "scheme": "basic"}


class Token(Authenticator):
    scheme: ClassVar = {"type": "http", "scheme": "bearer"}

    async def authenticate(self, request): ...


class Base(Resource):
    guards = (Scopes("read"), Scopes("write").on("POST"))


@pytest.fixture
def rows(make_service):
    """Return a function that gives the rows of a service by method and path."""

    def read(*, authenticators=("token",), guards=(), documents=(), register):
        schemes = {"gateway": GATEWAY, "login": BASIC}
        service = make_service(openapi={"security_schemes": schemes, "guards": documents})
        for name in authenticators:
            service.authenticate(name, Token())
        service.add_guards(*guards)
        register(service)
        return {f"{row.method} {row.path}": row for row in read_access_rows(service)}

    return read


def register(service):
    things = Blueprint("things", url_prefix="/things", guards=(Authenticated(),))
    plain = Blueprint("plain", url_prefix="/plain")

    @things.resource("/")
    class Things(Base):
        async def get(self, request): ...

        @doc.guards(Scopes("admin"))
        async def post(self, request): ...

        @doc.public
        async def put(self, request): ...

        @doc.security("token", scopes=["x"])
        async def patch(self, request): ...

    @plain.get("/open")
    async def free(request): ...

    @plain.get("/gateway")
    @doc.security("gateway")
    async def passed(request): ...

    @plain.get("/user")
    async def known(request, user): ...

    @things.post("/stream", stream=True)
    @doc.guards(Scopes("stream"))
    async def stream(request): ...

    @things.websocket("/feed")
    async def feed(request, ws): ...

    @plain.websocket("/feed")
    @doc.public
    async def feed_all(request, ws): ...

    plain.static("/file", Path(__file__), name="file")
    plain.provide("user", lambda request: 1, security="login")
    service.blueprint([things, plain])


def test_each_operation_says_who_may_call_it_and_why(rows):
    found = rows(register=register)

    assert {key: (row.text, row.origins) for key, row in found.items()} == {
        "GET /things": ("authenticated, scopes: read", ("blueprint things", "Base")),
        "POST /things": (
            "authenticated, scopes: read, scopes: write, scopes: admin",
            ("blueprint things", "Base", "method"),
        ),
        "PUT /things": ("public", ()),
        "PATCH /things": (
            "authenticated, scopes: read, authenticated by token, scopes: x",
            ("blueprint things", "Base", "method"),
        ),
        "GET /plain/open": ("open!", ()),
        "GET /plain/gateway": ("gateway, by a gateway", ()),
        "GET /plain/user": ("login, by the provided value user", ()),
        "POST /things/stream": (
            "authenticated, scopes: stream",
            ("blueprint things", "method"),
        ),
        "GET /things/feed": ("authenticated", ("blueprint things",)),
        "GET /plain/feed": ("public", ()),
        "GET /plain/file": ("open!", ()),
        "GET /openapi/spec.json": ("open", ()),
        "GET /docs": ("open", ()),
    }


def test_the_kind_of_each_route(rows):
    found = rows(register=register)

    kinds = {key: row.kind for key, row in found.items() if row.kind != "operation"}
    assert kinds == {
        "POST /things/stream": "stream",
        "GET /things/feed": "websocket",
        "GET /plain/feed": "websocket",
        "GET /plain/file": "static",
        "GET /openapi/spec.json": "document",
        "GET /docs": "document",
    }


def test_guards_of_the_service_hold_for_all_but_what_is_public(rows):
    found = rows(guards=(Scopes("all"),), register=register)

    assert found["PUT /things"].origins == ()
    assert found["GET /plain/file"].text == "scopes: all"
    assert found["GET /things"].origins == ("service", "blueprint things", "Base")


def test_documents_have_guards_of_their_own(rows):
    found = rows(guards=(Scopes("all"),), documents=(Authenticated(),), register=register)

    rows = [found[f"GET {path}"] for path in ("/openapi/spec.json", "/docs")]
    assert {(row.text, row.origins) for row in rows} == {("authenticated", ("OPENAPI_GUARDS",))}


def test_a_service_without_authenticators_is_open_without_an_exclamation(rows):
    def register(service):
        @service.get("/")
        async def free(request): ...

    found = rows(authenticators=(), register=register)

    assert found["GET /"].text == "open"


def test_a_row_as_json(rows):
    row = rows(register=register)["GET /things"]

    assert json.loads(json.dumps(row.facts())) == {
        "kind": "operation",
        "method": "GET",
        "path": "/things",
        "name": "Things.get",
        "access": "authenticated, scopes: read",
        "is_public": False,
        "guards": ["authenticated", "scopes: read"],
        "elsewhere": [],
        "authenticators": ["token"],
        "from": ["blueprint things", "Base"],
    }


def test_routes_prints_the_table(run):
    code, out, _ = run("routes", "--access")

    heads, first, *rest = out.splitlines()
    assert code == 0
    assert heads.split() == ["method", "path", "name", "access", "from"]
    assert first.split() == ["GET", "/orders/<id:int>", "OrderDetail.get", "open"]
    assert [row.split()[2] for row in rest] == ["openapi_document", "docs_page"]


def test_routes_prints_json(run):
    code, out, _ = run("routes", "--access", "--json")

    assert code == 0
    assert [row["access"] for row in json.loads(out)] == ["open"] * 3
