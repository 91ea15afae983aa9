"""No row outside of a collection's scope is seen or changed, whichever action is asked."""

import pytest

from tests.collection.shop import ALL_ACTIONS

NEW = {"person_id": 1, "title": "new"}
MINE = {"person_id": 1, "title": "mine"}
# What Eve asks, of notes of Ada: method, path behind the collection's, body, and what she gets.
ASKED = {
    "list": ("GET", "", None, 200),
    "create": ("POST", "", NEW, 403),
    "read": ("GET", "/1", None, 404),
    "replace": ("PUT", "/1", MINE | {"text": "x"}, 404),
    "patch": ("PATCH", "/1", {"text": "x"}, 404),
    "patch nothing": ("PATCH", "/1", {}, 404),
    "patch away": ("PATCH", "/2", {"person_id": 1}, 403),
    "replace away": ("PUT", "/2", NEW, 403),
    "delete": ("DELETE", "/1", None, 404),
    "bulk_create": ("POST", "/bulk", [NEW | {"person_id": 2, "title": "also"}, NEW], 403),
    "bulk_patch": ("PATCH", "/bulk", [{"id": 2, "text": "x"}, {"id": 1, "text": "x"}], 422),
    "bulk_patch nothing": ("PATCH", "/bulk", [{"id": 1}], 422),
    "bulk_patch away": ("PATCH", "/bulk", [{"id": 2, "person_id": 1}], 403),
    "bulk_delete": ("DELETE", "/bulk?id=2&id=1", None, 422),
}


@pytest.fixture
async def rows(admin):
    await admin.execute(
        "INSERT INTO notes (person_id, title, pinned) VALUES (1, 'mine', true), (2, 'hers', true)"
    )


async def all_rows(admin):
    return [tuple(row) for row in await admin.fetch("SELECT * FROM notes ORDER BY id")]


def test_all_actions_are_asked():
    assert {name.partition(" ")[0] for name in ASKED} == set(ALL_ACTIONS)


@pytest.mark.parametrize("name", ASKED)
async def test_what_lies_outside_of_scope_is_neither_seen_nor_changed(eve, admin, rows, name):
    method, path, body, status = ASKED[name]
    before = await all_rows(admin)

    response = await eve.request(method, f"/notes{path}", json=body)

    assert response.status == status, response.text
    assert "mine" not in response.text
    assert await all_rows(admin) == before


@pytest.mark.parametrize("name", ASKED)
async def test_nobody_reaches_them_below_a_parent(ada, eve, admin, rows, name):
    method, path, body, _ = ASKED[name]
    before = await all_rows(admin)

    answers = [
        await eve.request(method, f"/people/1/notes{path}", json=_without_parent(body)),
        await ada.request(method, f"/people/2/notes{path}", json=_without_parent(body)),
    ]

    for response in answers:
        if name == "list":
            assert response.json["data"] == []
        else:
            assert response.status in (403, 404, 422), response.text
    assert await all_rows(admin) == before


def _without_parent(body):
    if isinstance(body, list):
        return [_without_parent(each) for each in body]
    return body and {name: value for name, value in body.items() if name != "person_id"}


async def test_a_scope_decides_which_rows_a_parent_stands_for(client, admin, rows):
    made = await client.post("/named/Eve/notes", json={"title": "new"})

    assert (made.status, made.headers["location"]) == (201, "/named/Eve/notes/3")
    assert made.json["data"]["person_id"] == 2
    assert (await client.get("/named/Ada/notes/2")).status == 404
    assert (await client.delete("/named/Ada/notes/3")).status == 404
    assert (await client.get("/named/Nobody/notes")).status == 404
    assert [row["id"] for row in (await client.get("/named/Eve/notes")).json["data"]] == [2, 3]


async def test_a_scope_may_say_which_rows_a_body_refers_to(client, admin, rows):
    body = {"title": "new", "person_id": 1}

    assert (await client.post("/known", json=body)).status == 201
    assert (await client.post("/known", json=body | {"person_id": 2})).status == 403
    assert (await client.patch("/known/1", json={"person_id": 2})).status == 403
    assert (await client.patch("/known/2", json={"title": "hers"})).status == 404
    assert await admin.fetchval("SELECT count(*) FROM notes WHERE person_id = 2") == 1


async def test_a_method_with_a_query_of_its_own_keeps_the_filters(client, admin, rows):
    answer = await client.get("/named/Eve/notes?loud=true&title=hers")

    assert [row["title"] for row in answer.json["data"]] == ["HERS"]
    assert (await client.get("/named/Eve/notes?loud=true&title=other")).json["data"] == []


async def test_a_stranger_has_no_rows(client, rows):
    assert (await client.get("/notes")).json["data"] == []
    assert (await client.get("/notes/1")).status == 404


async def test_a_filter_or_search_does_not_leave_the_scope(eve, rows):
    for query in ("title=mine", "q=mine", "title__icontains=m"):
        assert (await eve.get(f"/notes?{query}")).json["data"] == []


@pytest.mark.parametrize("place", ["plain", "locked"])
async def test_a_scope_that_leaves_several_rows_of_one_path_changes_none(client, ada, admin, place):
    """`scope` returns `None` for some callers, and the title is unique with a person alone."""
    await admin.execute(
        "INSERT INTO notes (person_id, title, pinned) VALUES (1, 'same', true), (2, 'same', true)"
    )
    before, path = await all_rows(admin), f"/titles/{place}/same"
    asked = [
        ("GET", None),
        ("PATCH", {"text": "x"}),
        ("PUT", {"person_id": 1, "title": "same", "text": "x"}),
        ("DELETE", None),
    ]

    for method, body in asked:
        response = await client.request(method, path, json=body)
        assert response.status == 409, response.text
        assert await all_rows(admin) == before
        assert (await ada.request(method, path, json=body)).status in (200, 204)
        await admin.execute("UPDATE notes SET text = NULL, pinned = true")
    assert (await client.delete(path)).status == 204  # the one that is left
