"""Several rows in one request: all of them, or none."""

import pytest

from msframework.collection.bulk import BulkKey, delete_rows, lock_rows, update_rows
from msframework.models import render
from msframework.testing import budget
from tests.collection.shop import Tag

NOTES = [{"person_id": 1, "title": title} for title in ("one", "two", "three")]


@pytest.fixture
async def notes(ada):
    response = await ada.post("/notes/bulk", json=NOTES)
    assert response.status == 201, response.text
    return response.json["data"]


async def titles(admin):
    return [row["title"] for row in await admin.fetch("SELECT title FROM notes ORDER BY id")]


async def test_rows_are_created_in_their_order(notes):
    assert [(row["id"], row["title"]) for row in notes] == [(1, "one"), (2, "two"), (3, "three")]


async def test_rows_of_several_shapes_keep_their_order(ada):
    body = [NOTES[0], NOTES[1] | {"text": "x"}, NOTES[2]]

    response = await ada.post("/notes/bulk", json=body)

    assert [row["title"] for row in response.json["data"]] == ["one", "two", "three"]
    assert [row["text"] for row in response.json["data"]] == [None, "x", None]


async def test_mistakes_are_told_by_index(ada, admin):
    response = await ada.post("/notes/bulk", json=[NOTES[0], {"person_id": 1}, {"title": 1}])

    assert response.status == 422
    assert response.json["error"]["body"].keys() == {"1", "2"}
    assert await titles(admin) == []


async def test_a_conflict_undoes_all(ada, admin):
    response = await ada.post("/notes/bulk", json=[NOTES[0], NOTES[1], NOTES[0]])

    assert (response.status, response.json["code"]) == (409, 15001)
    assert response.json["message"] == "There is a note of this title"
    assert response.json["error"] == {"index": 2}
    assert await titles(admin) == []


UNIQUE = {
    "violated": "unique",
    "constraint": "notes_person_id_title",
    "columns": ["person_id", "title"],
}
NOBODY = {
    "violated": "foreign key",
    "constraint": "notes_person_id_fkey",
    "columns": ["person_id"],
}
NONSENSE = ["Violates the check constraint notes_text_makes_sense."]
NEW = [{"person_id": 1, "title": f"new {number}"} for number in range(4)]
# What stands at an index instead, and what is answered; the rows are of two shapes.
REFUSED_ROWS = {
    "unique in the body": ({"title": "new 0"}, 409, UNIQUE),
    "unique": ({"title": "one"}, 409, UNIQUE),
    "foreign key": ({"person_id": 99}, 409, NOBODY),
    "check": ({"text": "nonsense"}, 422, NONSENSE),
}


def told(status, error, index):
    """Return the error that says *error* of the row at *index*."""
    return error | {"index": index} if status == 409 else {"body": {str(index): {"_schema": error}}}


@pytest.mark.parametrize("name", REFUSED_ROWS)
async def test_a_new_row_that_postgresql_refuses_is_told_by_index(ada, admin, notes, name):
    change, status, error = REFUSED_ROWS[name]
    body = [NEW[0], NEW[1] | {"text": "x"}, NEW[2] | {"text": "x"} | change, NEW[3]]

    response = await ada.post("/diary/bulk", json=body)

    assert (response.status, response.json["error"]) == (status, told(status, error, 2))
    assert await titles(admin) == ["one", "two", "three"]


@pytest.mark.parametrize("name", REFUSED_ROWS)
async def test_a_change_that_postgresql_refuses_is_told_by_index(ada, admin, notes, name):
    change, status, error = REFUSED_ROWS[name]
    body = [{"id": 3, "title": "new 0", "text": "x"}, {"id": 2, "title": "new 1"} | change]

    response = await ada.patch("/diary/bulk", json=body)

    # Rows are changed in the order of their keys: of two new titles that are one, the last is told.
    index = 0 if name == "unique in the body" else 1
    assert (response.status, response.json["error"]) == (status, told(status, error, index))
    assert await titles(admin) == ["one", "two", "three"]


async def test_a_row_that_is_referred_to_is_told_by_index(ada, admin, notes):
    await admin.execute("INSERT INTO marks VALUES (2)")

    response = await ada.delete("/notes/bulk?id=1&id=2&id=3")

    assert response.status == 409
    assert response.json["error"] == {
        "violated": "foreign key",
        "constraint": "marks_note_id_fkey",
        "columns": ["id"],
        "index": 1,
    }
    assert await titles(admin) == ["one", "two", "three"]


@pytest.mark.parametrize("method", ["post", "patch"])
async def test_no_more_rows_are_taken_than_are_declared(ada, method):
    body = [{"id": number, **NOTES[0]} for number in range(6)]
    if method == "post":
        body = [NOTES[0]] * 6

    response = await getattr(ada, method)("/notes/bulk", json=body)

    assert response.status == 422
    assert response.json["error"] == {"body": {"_schema": ["Longer than maximum length 5."]}}


async def test_each_row_gets_its_own_change(ada, notes):
    body = [{"id": 3, "text": "x"}, {"id": 1, "title": "first"}, {"id": 2}]

    response = await ada.patch("/notes/bulk", json=body)

    assert response.status == 200, response.text
    changed = [(row["id"], row["title"], row["text"]) for row in response.json["data"]]
    assert changed == [(3, "three", "x"), (1, "first", None), (2, "two", None)]


async def test_rows_that_are_not_there_are_told_by_index(ada, admin, notes):
    response = await ada.patch("/notes/bulk", json=[{"id": 1, "title": "x"}, {"id": 9}])
    deleted = await ada.delete("/notes/bulk?id=1&id=9")

    assert response.status == deleted.status == 422
    assert response.json["error"] == {"body": {"1": {"id": ["There is no note 9."]}}}
    assert deleted.json["error"] == {"query": {"id": {"1": ["There is no note 9."]}}}
    assert await titles(admin) == ["one", "two", "three"]


async def test_a_key_is_needed_once(ada, notes):
    without = await ada.patch("/notes/bulk", json=[{"id": 1}, {"title": "x"}])
    twice = await ada.patch("/notes/bulk", json=[{"id": 1}, {"id": 1}])

    assert without.json["error"] == {"body": {"1": {"id": ["Missing data for required field."]}}}
    assert twice.json["error"] == {"body": {"1": {"id": ["Given twice."]}}}


async def test_rows_are_deleted(ada, admin, notes):
    assert (await ada.delete("/notes/bulk?id=1&id=3")).status == 204
    assert await titles(admin) == ["two"]
    assert (await ada.delete("/notes/bulk")).status == 422


STATEMENTS = {
    "list": ("GET", "", None, 2),
    "create": ("POST", "", NOTES[0] | {"title": "four"}, 1),
    "read": ("GET", "/1", None, 1),
    "replace": ("PUT", "/1", NOTES[0], 1),
    "patch": ("PATCH", "/1", {"text": "x"}, 1),
    "patch nothing": ("PATCH", "/1", {}, 1),
    "delete": ("DELETE", "/1", None, 1),
    "bulk_create": ("POST", "/bulk", [NOTES[0] | {"title": f"{n}"} for n in range(5)], 1),
    "bulk_patch": ("PATCH", "/bulk", [{"id": n, "text": "x"} for n in (1, 2, 3)], 1),
    "bulk_delete": ("DELETE", "/bulk?id=1&id=2&id=3", None, 1),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_an_action_runs_no_statement_too_many(ada, notes, name):
    method, path, body, most = STATEMENTS[name]

    with budget(statements=most) as spent:
        response = await ada.request(method, f"/notes{path}", json=body)

    assert response.status < 300, response.text
    assert len(spent) == most


class Batches:
    """A transaction that notes the arguments of its batches."""

    def __init__(self):
        self.batches = []

    async def fetchmany(self, sql, arguments):
        self.batches.append(arguments)
        return [{"id": each[-1]} for each in arguments]


async def test_rows_are_locked_in_the_order_of_their_keys():
    tx, key = Batches(), BulkKey((Tag.id,), ("id",), ("id",), "tag", 9)
    keys, members = [(3,), (1,), (2,)], [{"slug": "c"}, {"slug": "a"}, {"slug": "b"}]

    rows = await update_rows(tx, Tag, key, keys, members, (Tag.id,), ())
    await lock_rows(tx, Tag.select(Tag.id), key, keys, ())

    assert [row["id"] for row in rows] == [3, 1, 2]
    assert tx.batches == [[("a", 1), ("b", 2), ("c", 3)], [(1,), (2,), (3,)]]


@pytest.mark.parametrize(
    ("field", "order"), [(Tag.id, '"tags"."id"'), (Tag.slug, '"tags"."slug" COLLATE "C" ASC')]
)
async def test_rows_are_locked_in_that_order_before_one_is_deleted(field, order):
    ran = []

    class Rows:
        async def fetch(self, query):
            ran.append(render(query)[0])
            return [{field.column_name: key} for key in (1, 2)]

    key = BulkKey((field,), (field.name,), (field.name,), "tag", 9)
    await delete_rows(Rows(), Tag, key, [(2,), (1,)], (field,), (Tag.label == "x",))

    assert ran[0].count('"label"') == 2
    assert ran[0].partition(" ORDER BY ")[2].startswith(f"{order} FOR UPDATE))")


async def test_rows_of_another_parent_are_not_deleted(ada, admin):
    """Their keys have the same rest."""
    for team in (1, 2):
        for member in (1, 2):
            body = {"member": member, "role": "a"}
            assert (await ada.post(f"/teams/{team}/members", json=body)).status == 201

    answer = await ada.delete("/teams/1/members/bulk?member=1&member=2")
    left = await admin.fetch("SELECT team, member FROM memberships")

    assert answer.status == 204
    assert sorted(map(tuple, left)) == [(2, 1), (2, 2)]
