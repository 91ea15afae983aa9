"""The pages for those who come from another framework name what is there; their code runs."""

import re
from pathlib import Path
from typing import ClassVar

import pytest

from msframework import doc
from msframework.access import Authenticator, Principal
from msframework.conf.catalogue import declarations
from msframework.management.discovery import built_in_commands
from msframework.testing.client import TestClient
from msframework.testing.server import Server
from tests.conftest import new_service
from tests.processes import fresh_database

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [DOCS / "fastapi.md", DOCS / "django-rest-framework.md"]
TABLE = """
CREATE TABLE notes (
    id serial PRIMARY KEY, title varchar(64) NOT NULL CONSTRAINT notes_title UNIQUE, text text,
    author varchar(255) NOT NULL
)
"""
# Words in capitals that are no settings: of files, of SQL, and of HTTP.
OTHERS = {"NAME_FILE", "CASCADE", "RETURNING", "POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"}


def counterparts(page):
    """Return the code in the right column of the page's table, a line for each."""
    rows = re.findall(r"^\| .*(?<!\\)\| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return "\n".join(code for row in rows for code in re.findall(r"`([^`]+)`", row))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_notes_settings_and_commands_that_exist(page):
    code = counterparts(page)
    settings = set(re.findall(r"(?<![\w.])[A-Z]{2,}(?:_[A-Z]+)*(?!\w)", code)) - OTHERS
    commands = set(re.findall(r"manage\.py (\w+)", code))

    assert [name for name in re.findall(r"@doc\.(\w+)", code) if not hasattr(doc, name)] == []
    assert settings <= set(declarations())
    assert commands <= set(built_in_commands())
    assert commands
    assert settings


class ByName(Authenticator):
    """Takes the word of the caller for who it is."""

    scheme: ClassVar = {"type": "apiKey", "in": "header", "name": "X-Name"}
    challenge = "Name"
    header = "X-Name"

    async def authenticate(self, request):
        name = request.headers.get("x-name")
        return Principal(name) if name else None


@pytest.fixture
def database():
    with fresh_database("fastapi_page") as url:
        yield url


async def test_the_endpoints_of_the_page_do_what_those_of_fastapi_do(database):
    names = {"__name__": "fastapi_page"}
    for block in re.findall(r"```python\n(.*?)```", PAGES[0].read_text("utf-8"), re.DOTALL):
        exec(block, names)
    service = new_service(database={"url": database, "max_size": 2})
    service.authenticate("name", ByName())
    service.blueprint(names["notes"])
    server = Server(service)
    await server.start()
    try:
        async with TestClient(server.url, service.operations) as client:
            async with service.db.transaction() as tx:
                await tx.execute(TABLE)
            await check_endpoints(client)
    finally:
        await server.stop()


async def check_endpoints(client):
    ada, eve = ({"headers": {"x-name": name}} for name in ("ada", "eve"))
    milk = {"title": "Milk", "text": None}

    assert (await client.post("/notes", json=milk)).status == 401
    made = await client.post("/notes", json=milk, **ada)
    assert (made.status, made.json["data"]) == (201, {"id": 1, **milk, "author": "ada"})
    assert (await client.post("/notes", json=milk, **eve)).json["code"] == 20001
    assert (await client.post("/notes", json={**milk, "author": "x"}, **eve)).status == 422
    tea = (await client.post("/notes", json={"title": "Tea"}, **eve)).json["data"]
    found = await client.get("/notes?author=ada&per_page=50")
    assert [row["title"] for row in found.json["data"]] == ["Milk"]
    assert found.json["pagination"]["total"] == 1
    assert (await client.get("/notes?per_page=51")).status == 422
    assert (await client.get(f"/notes/{tea['id']}")).json["data"] == {**tea, "author": "eve"}
    assert (await client.get("/notes/0")).status == 404
    assert (await client.patch("/notes/1", json={"text": "x"}, **eve)).status == 404
    changed = await client.patch("/notes/1", json={"text": "two litres"}, **ada)
    assert changed.json["data"] == {**made.json["data"], "text": "two litres"}
    assert (await client.patch("/notes/1", json={"title": "Tea"}, **ada)).json["code"] == 20001
    assert (await client.delete("/notes/1", **eve)).status == 404
    assert (await client.delete("/notes/1", **ada)).status == 204
    assert (await client.get("/notes/1")).status == 404
