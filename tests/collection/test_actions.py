"""The actions of a collection, as callers see them."""

import pytest
from marshmallow import post_load
from sanic import Sanic

from msframework import Blueprint, ModelResource
from msframework.codec.kinds import WrongKind
from msframework.collection.statements import check_body
from tests.collection.shop import Note, NoteSchema
from tests.conftest import new_service

NOTE = {"person_id": 1, "title": "one", "text": "first"}


@pytest.fixture
async def note(ada):
    response = await ada.post("/notes", json=NOTE)
    assert response.status == 201, response.text
    return response.json["data"]


async def test_create_answers_the_row_and_its_address(ada):
    response = await ada.post("/notes", json=NOTE)

    assert response.status == 201
    assert response.headers["location"] == "/notes/1"
    assert response.json["data"] == {**NOTE, "id": 1, "pinned": False, "state": "draft"}
    assert (await ada.get(response.headers["location"])).json["data"] == response.json["data"]


async def test_create_answers_columns_that_only_its_own_answer_has(ada):
    made = await ada.post("/titles/new", json={"person_id": 1, "title": "one"})

    assert (made.status, made.json["data"]) == (201, {"title": "one", "state": "draft"})


async def test_a_list_has_the_rows_of_its_own_schema(ada, note):
    response = await ada.get("/notes")

    assert response.json["data"] == [{"id": 1, "title": "one"}]
    assert response.json["pagination"] == {"page": 1, "per_page": 20, "total": 1, "pages": 1}


async def test_replace_resets_what_the_body_leaves_out(ada, note):
    await ada.patch("/notes/1", json={"pinned": True, "state": "sent"})

    response = await ada.put("/notes/1", json={"person_id": 1, "title": "two"})

    assert response.status == 200
    assert response.json["data"] == {
        "id": 1,
        "person_id": 1,
        "title": "two",
        "text": None,
        "pinned": False,
        "state": "draft",
    }


@pytest.mark.parametrize("change", [{"title": "two"}, {"text": None}, {}], ids=str)
async def test_patch_changes_what_it_names(ada, note, change):
    response = await ada.patch("/notes/1", json=change)

    assert response.status == 200
    assert response.json["data"] == note | change


async def test_delete_takes_the_row_away(ada, note):
    assert (await ada.delete("/notes/1")).status == 204
    gone = await ada.delete("/notes/1")

    assert gone.status == 404
    assert gone.json["error"] == "no note 1"


async def test_a_violated_constraint_raises_its_exception(ada, note):
    again = await ada.post("/notes", json=NOTE)

    assert (again.status, again.json["code"]) == (409, 15001)


async def test_a_row_is_looked_up_by_another_unique_column(ada):
    created = await ada.post("/tags", json={"slug": "a b/ü", "label": "RED", "secret": "x"})

    assert created.json["data"] == {"id": 1, "slug": "a b/ü"}
    assert created.headers["location"] == "/tags/a%20b%2F%C3%BC"
    read = await ada.get(created.headers["location"])
    assert read.json["data"] == {"id": 1, "slug": "a b/ü", "label": "RED"}
    changed = await ada.patch(created.headers["location"], json={"slug": "c"})
    assert changed.json["data"] == {"id": 1, "slug": "c", "label": "red"}
    assert (await ada.get("/tags/b")).json["error"] == "no tag b"


async def test_a_row_has_a_key_of_several_columns(ada):
    created = await ada.post("/memberships", json={"team": 1, "member": 2, "role": "chair"})

    assert created.headers["location"] == "/memberships/1/2"
    changed = await ada.put("/memberships/1/2", json={"role": "clerk"})
    assert changed.json["data"] == {"team": 1, "member": 2, "role": "clerk"}
    assert (await ada.patch("/memberships/1/2", json={"team": 5})).status == 422
    assert (await ada.delete("/memberships/1/2")).status == 204
    assert (await ada.get("/memberships/1/2")).json["error"] == "no membership 1, 2"


async def test_a_path_binds_its_parent(ada, eve, admin):
    created = await ada.post("/people/1/notes", json={"title": "one"})

    assert created.status == 201, created.text
    assert created.headers["location"] == "/people/1/notes/1"
    assert created.json["data"]["person_id"] == 1
    assert (await ada.get("/people/1/open")).json["pagination"]["total"] == 1
    assert (await ada.get("/people/2/open")).json["data"] == []
    assert (await ada.get("/people/2/open/1")).status == 404
    assert (await ada.patch("/people/1/notes/1", json={"person_id": 2})).status == 422
    assert (await ada.post("/people/9/open", json={"title": "one"})).status == 404


async def test_a_list_is_filtered_searched_and_sorted(ada):
    for title in ("one", "two", "three"):
        await ada.post("/notes", json=NOTE | {"title": title})

    async def titles(query):
        response = await ada.get(f"/notes?{query}")
        return [row["title"] for row in response.json["data"]]

    assert await titles("sort=-title") == ["two", "three", "one"]
    assert await titles("title__icontains=O&sort=-id") == ["two", "one"]
    assert await titles("q=thr") == ["three"]
    assert (await ada.get("/notes?pinned__gt=1")).status == 422


async def test_a_list_is_cut_by_cursors(ada):
    for member in range(1, 6):
        body = {"team": 1, "member": member, "role": "chair" if member % 2 else "clerk"}
        await ada.post("/memberships", json=body)
    path, seen = "/memberships?cursor=", []
    first = await ada.get("/memberships")
    following = first.json["pagination"]["next"]
    seen += first.json["data"]
    while following:
        page = await ada.get(f"{path}{following}")
        following = page.json["pagination"]["next"]
        seen += page.json["data"]

    assert [row["member"] for row in seen] == [4, 2, 5, 3, 1]


async def test_a_scope_of_nothing_closes_a_collection(ada):
    body = {"team": 1, "member": 1, "role": "chair"}
    closed = {"headers": {"X-Nothing": "1"}}

    assert (await ada.post("/memberships", json=body, **closed)).status == 403
    assert (await ada.post("/memberships", json=body)).status == 201
    assert (await ada.get("/memberships", **closed)).json["data"] == []
    assert (await ada.delete("/memberships/1/1", **closed)).status == 404


async def test_guards_of_the_class_hold_for_its_actions(client):
    nobody = client.as_principal({"sub": "1", "scope": "none"})
    body = {"team": 1, "member": 1, "role": "chair"}

    assert (await nobody.post("/memberships", json=body)).status == 403
    assert (await nobody.get("/memberships")).status == 200


class ObjectSchema(NoteSchema):
    """Its bodies are objects, as elsewhere."""

    @post_load
    def make(self, data, **kwargs):
        return Note(**data)


@pytest.mark.parametrize("body", [Note(title="one"), None, [{"title": "one"}, Note(title="two")]])
def test_a_body_that_post_load_made_an_object_of_is_no_row(body):
    check_body("ObjectSchema", {"title": "one"})
    check_body("ObjectSchema", [{"title": "one"}])

    with pytest.raises(WrongKind, match="ObjectSchema: its post_load returned"):
        check_body("ObjectSchema", body)


def test_only_bodies_with_a_post_load_are_looked_at():
    Sanic._app_registry.clear()
    service, things = new_service(), Blueprint("things", url_prefix="/things")

    @things.collection("/", item="/<id:int>")
    class Things(ModelResource):
        schema = NoteSchema
        create_schema = ObjectSchema

    service.blueprint(things)
    service.compile()

    assert "CHECK_BODY(body)" in service.sources["Things.create"]
    assert "CHECK_BODY" not in service.sources["Things.patch"]
