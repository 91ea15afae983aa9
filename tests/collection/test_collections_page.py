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
DROP TABLE IF EXISTS labels_tasks_through, labels, steps, projects, tasks;
CREATE TABLE tasks (
    id serial PRIMARY KEY, owner_id integer NOT NULL, title varchar(100) NOT NULL,
    done boolean NOT NULL,
    CONSTRAINT tasks_title UNIQUE (title)
);
CREATE TABLE labels (id serial PRIMARY KEY, name varchar(30) NOT NULL);
CREATE TABLE labels_tasks_through (
    id serial PRIMARY KEY, label_id integer NOT NULL REFERENCES labels,
    task_id integer NOT NULL REFERENCES tasks
);
CREATE TABLE projects (
    id serial PRIMARY KEY, tenant_id integer NOT NULL, slug varchar(50) NOT NULL UNIQUE
);
CREATE TABLE steps (
    id serial PRIMARY KEY, project_id integer NOT NULL REFERENCES projects,
    title varchar(100) NOT NULL
)
"""

ROWS = """
INSERT INTO projects (tenant_id, slug) VALUES (1, 'one'), (2, 'two');
INSERT INTO tasks (owner_id, title, done) VALUES (1, 'a', false), (1, 'b', true);
INSERT INTO labels (name) VALUES ('red');
INSERT INTO labels_tasks_through (label_id, task_id) VALUES (1, 1), (1, 2)
"""


@pytest.fixture
def service(shop_url):
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(block, names)
    service = new_service(database={"url": shop_url, "max_size": 2})
    service.authenticate("name", ByName())
    for name in ("tasks", "own_tasks", "steps", "labels"):
        service.blueprint(names[name])
    return service


async def test_the_examples_of_a_parent_and_of_a_condition_run(service, admin):
    await admin.execute(TABLE)
    await admin.execute(ROWS)
    server = Server(service)
    await server.start()
    try:
        async with TestClient(server.url, service.operations) as client:
            ada = client.as_principal({"sub": "1", "tenant": 1})
            made = await ada.post("/projects/one/steps", json={"title": "first"})
            assert (made.status, made.headers["location"]) == (201, "/projects/one/steps/1")
            assert (await ada.get("/projects/two/steps")).status == 404
            assert (await client.get("/projects/one/steps")).status == 401
            found = await client.get("/labels/tasks?label=red&done=true")
            assert [row["title"] for row in found.json["data"]] == ["b"]
            assert (await client.get("/labels/tasks?label=blue")).json["data"] == []
            assert len((await client.get("/labels/tasks")).json["data"]) == 2
    finally:
        await server.stop()


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
