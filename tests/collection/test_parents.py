"""A parent outside of the caller's scope answers like one that is not there."""

import pytest

from msframework.collection.parents import Parents
from msframework.exceptions import NotFound
from msframework.filters.scope import read_condition
from msframework.models import SQL, fn
from msframework.models.sql import render
from tests.collection.key_types import Part
from tests.collection.shop import Note, Person

# What is asked below a parent: method, path behind it, body, and what is answered.
NEW = {"title": "new"}
ASKED = {
    "list": ("GET", "", None, 200),
    "create": ("POST", "", NEW, 404),
    "create what is taken": ("POST", "", {"title": "mine"}, 404),
    "create what a check refuses": ("POST", "", NEW | {"text": "nonsense"}, 404),
    "create what is hidden": ("POST", "", NEW | {"state": "hidden"}, 404),
    "read": ("GET", "/1", None, 404),
    "replace": ("PUT", "/1", NEW, 404),
    "patch": ("PATCH", "/1", NEW, 404),
    "delete": ("DELETE", "/1", None, 404),
    "bulk_create": ("POST", "/bulk", [NEW, {"title": "other"}], 404),
    "bulk_create what is taken": ("POST", "/bulk", [NEW, {"title": "mine"}], 404),
    "bulk_create what is hidden": ("POST", "/bulk", [NEW | {"state": "hidden"}], 404),
    "bulk_patch": ("PATCH", "/bulk", [{"id": 1, "title": "new"}], 422),
    "bulk_delete": ("DELETE", "/bulk?id=1", None, 422),
}


@pytest.fixture
async def mine(admin):
    """A note of Ada."""
    await admin.execute("INSERT INTO notes (person_id, title, pinned) VALUES (1, 'mine', true)")


@pytest.mark.parametrize("name", ASKED)
async def test_a_parent_of_another_caller_is_like_none(eve, admin, mine, name):
    method, path, body, status = ASKED[name]

    foreign = await eve.request(method, f"/people/1/notes{path}", json=body)
    missing = await eve.request(method, f"/people/9/notes{path}", json=body)

    assert (foreign.status, foreign.json) == (missing.status, missing.json)
    assert foreign.status == status
    assert await admin.fetchval("SELECT count(*) FROM notes") == 1


OWN = {
    "create what is taken": 409,
    "create what a check refuses": 422,
    "create what is hidden": 403,
    "bulk_create what is taken": 409,
    "bulk_create what is hidden": 403,
}


@pytest.mark.parametrize("name", OWN)
async def test_below_a_parent_of_the_caller_refusals_are_told(ada, admin, mine, name):
    method, path, body, _ = ASKED[name]

    response = await ada.request(method, f"/people/1/notes{path}", json=body)

    assert response.status == OWN[name], response.text
    assert await admin.fetchval("SELECT count(*) FROM notes") == 1


# Scopes, and whether a new row of Ada, whose number is 1, may lie within them.
SCOPES = {
    "of her": (Note.person == 1, True),
    "of Eve": (Note.person == 2, False),
    "of her and more": ((Note.person == 1) & (Note.state != "hidden"), True),
    "of Eve and more": ((Note.person == 2) & (Note.state != "hidden"), False),
    "by a join": (fn.EXISTS(Person.select().where(Person.id == Note.person)), True),
    "by a join with Eve": (
        fn.EXISTS(Person.select().where((Person.id == Note.person) & (Person.name == "Eve"))),
        False,
    ),
    "by a list": (Note.person.in_(Person.select(Person.id).where(Person.name == "Ada")), True),
    "text": (SQL("person_id = 2 OR state = 'open'"), True),
    "text of Eve": (SQL("person_id = 2 OR person_id = 3"), False),
    "all": (True, True),
    "none": (False, False),
}


@pytest.mark.parametrize("name", SCOPES)
async def test_a_scope_is_asked_for_a_row_of_which_only_the_parent_is_known(admin, name):
    scope, is_within = SCOPES[name]
    text, args = render(Parents(Note, [Note.person], NotFound).query(read_condition(scope), [1]))

    assert (await admin.fetchval(text, *args) is None) is is_within


def test_a_table_of_another_schema_is_named_whole():
    text, _ = render(Parents(Part, [Part.number], NotFound).query(SQL("TRUE"), [1]))

    assert 'NULL::"key_types"."parts"' in text
