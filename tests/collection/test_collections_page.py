"""The page docs/concepts/collections.md says what is so."""

import re
from pathlib import Path

import pytest

from msframework.openapi.spec import build_document
from msframework.testing.client import TestClient
from msframework.testing.server import Server
from tests.collection.shop import ByName
from tests.conftest import new_service

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "collections.md"
TABLE = """
DROP TABLE IF EXISTS tasks;
CREATE TABLE tasks (
    id serial PRIMARY KEY, owner_id integer NOT NULL, title varchar(100) NOT NULL,
    done boolean NOT NULL,
    CONSTRAINT tasks_title UNIQUE (title)
)
"""


@pytest.fixture
def service(shop_url):
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(block, names)
    service = new_service(database={"url": shop_url, "max_size": 2})
    service.authenticate("name", ByName())
    service.blueprint(names["tasks"])
    service.blueprint(names["own_tasks"])
    return service


async def test_the_examples_run(service, admin):
    await admin.execute(TABLE)
    server = Server(service)
    await server.start()
    try:
        async with TestClient(server.url, service.operations) as client:
            ada, eve = (client.as_principal({"sub": each}) for each in "12")
            assert (await client.get("/tasks")).status == 401
            made = await ada.post("/tasks", json={"title": "tea"})
            assert (made.status, made.headers["location"]) == (201, "/tasks/1")
            assert made.json["data"] == {"id": 1, "owner_id": 1, "title": "tea", "done": False}
            assert (await eve.get("/tasks/1")).status == 404
            assert (await eve.post("/tasks", json={"title": "tea"})).json["code"] == 16001
            query = "done=false&sort=-title&q=tea"
            assert (await ada.get(f"/tasks?{query}")).json["pagination"]["total"] == 1
            read = await client.get("/users/1/tasks/1")
            assert read.json["data"]["title"] == "TEA"
            assert (await client.get("/users/2/tasks/1")).status == 404
            many = await client.post("/users/2/tasks/bulk", json=[{"title": "a"}, {"title": "b"}])
            assert [row["owner_id"] for row in many.json["data"]] == [2, 2]
            wrong = await client.post("/users/2/tasks/bulk", json=[{"title": "c"}, {}])
            assert wrong.json["error"] == {
                "body": {"1": {"title": ["Missing data for required field."]}}
            }
            keys = "&".join(f"id={row['id']}" for row in many.json["data"])
            assert (await client.delete(f"/users/2/tasks/bulk?{keys}")).status == 204
    finally:
        await server.stop()


def test_the_document_has_the_operations_of_the_page(service):
    service.compile()

    document = build_document(service.operations, service.settings)

    ids = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert {"tasks_list", "tasks_create", "tasks_read", "tasks_replace", "tasks_update"} <= ids
    assert "own_tasks_bulk_delete" in ids
