"""The seams of a collection run in its transaction, with the rows they ask for."""

import asyncio

import pytest

from tests.collection.shop import happened

NOTE = {"person_id": 1, "title": " one "}


@pytest.fixture(autouse=True)
def nothing_happened():
    happened.clear()


@pytest.fixture
async def note(client):
    created = (await client.post("/diary", json=NOTE)).json["data"]
    happened.clear()
    return created


async def test_values_are_changed_before_they_are_stored(client):
    created = await client.post("/diary", json=NOTE)

    assert created.json["data"]["title"] == "one"
    assert happened == [("created", 1), ("create", 1)]


async def test_a_refusal_undoes_the_statement(client, admin):
    refused = await client.post("/diary/bulk", json=[NOTE, NOTE | {"title": "refused"}])

    assert refused.status == 409
    assert await admin.fetchval("SELECT count(*) FROM notes") == 0
    assert happened == []


async def test_a_row_is_seen_before_and_after(client, note):
    changed = await client.patch("/diary/1", json={"state": "final"})
    again = await client.put("/diary/1", json=NOTE)

    assert (changed.status, again.status, again.json["error"]) == (200, 409, "it is final")
    assert happened == [("from", "draft"), ("to", 1, "final"), ("patch", 1), ("from", "final")]
    assert (await client.patch("/diary/9", json={})).status == 404


async def test_the_row_that_goes_is_seen(client, note):
    await client.delete("/diary/1")

    assert happened == [("deleting", 1), ("deleted", "one"), ("delete", 1)]


async def test_bulk_actions_pass_the_same_seams(client, note):
    await client.post("/diary/bulk", json=[NOTE | {"title": "two"}])
    await client.patch("/diary/bulk", json=[{"id": 2, "state": "final"}, {"id": 1}])
    await client.delete("/diary/bulk?id=1&id=2")

    assert happened[:2] == [("created", 2), ("bulk_create", 2)]
    patched = [("from", "draft"), ("from", "draft"), ("to", 2, "final"), ("to", 1, "draft")]
    assert happened[2:6] == patched
    assert set(happened[6:8]) == {("bulk_patch", 2), ("bulk_patch", 1)}
    assert happened[8:10] == [("deleting", 1), ("deleting", 2)]
    assert {each[0] for each in happened[10:]} == {"deleted", "bulk_delete"}


async def test_a_query_changes_list_and_read(client, note):
    await client.patch("/diary/1", json={"state": "hidden"})

    assert (await client.get("/diary")).json["data"] == []
    assert (await client.get("/diary/1")).status == 404


async def test_two_changes_of_a_row_wait_for_each_other(client, note):
    answers = await asyncio.gather(
        *(client.patch("/diary/1", json={"state": "final"}) for _ in range(2))
    )

    assert sorted(answer.status for answer in answers) == [200, 409]
