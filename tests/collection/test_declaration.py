"""What is wrong with a collection is said at start-up, all at once."""

import pytest
from marshmallow import INCLUDE
from sanic import Sanic

from msframework import (
    Blueprint,
    Cursors,
    Expansion,
    ImproperlyConfigured,
    ModelResource,
    ModelSchema,
    NotFound,
    doc,
)
from msframework.collection.attributes import ATTRIBUTES, find_wrong_attributes
from msframework.collection.declaration import Paths, read_collection
from msframework.collection.noun import read_noun
from msframework.schemas import fields
from tests.collection.shop import MembershipSchema, Note, NoteSchema, Person, TagSchema
from tests.conftest import new_service


class MoreSchema(ModelSchema):
    again = fields.String()

    class Meta:
        model = Note
        exclude = ("state",)


class PersonSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ("id", "name")


class NestedSchema(ModelSchema):
    person = fields.Nested(MoreSchema)

    class Meta:
        model = Note
        fields = ("id", "title", "person")


def problems_of(cls, path="/", prefix="/things", *, mount="collection", **paths):
    """Return the problems of a service with one collection."""
    Sanic._app_registry.clear()
    service, things = new_service(), Blueprint("things", url_prefix=prefix)
    getattr(things, mount)(path, **paths)(cls)
    service.blueprint(things)
    try:
        service.compile()
    except ImproperlyConfigured as exc:
        return exc.problems
    return ()


def a_class(**members):
    return type("Things", (ModelResource,), {"schema": NoteSchema, **members})


async def misnamed(self, request): ...


async def takes_nothing(): ...


async def gives_too_little(self, request, body, tx): ...


def scope(self, principal):
    return Note.person == 1


def lost_scope(request):
    Person.id == 1  # noqa: B015


def scope_without_return(self, principal):
    """Whose rows they are."""
    if principal is None:
        return None
    Note.person == 1  # noqa: B015


def scope_in_a_variable(self, principal):
    condition = Note.person == 1  # noqa: F841


def query_without_return(self, request, query):
    query.where(Note.person == 1)


async def gives_other_values(self, values):
    return {**values, "person": 1}


def scope_of_all(self, request):
    """All rows, for whoever is let in."""


def scope_of_some(self, request):
    if request is not None:
        return Note.person == 1


def scope_that_refuses(self, request):
    if request is None:
        raise NotFound


async def gives_the_same_values(self, values):
    values["person"] = 1
    return values


ITEM = {"item": "/<id:int>"}
WRONG = {
    "scope that returns nothing": (
        a_class(scope=scope_without_return),
        ITEM,
        "makes a condition that nothing reads; expected the condition of the rows, or None",
    ),
    "scope that keeps its condition": (
        a_class(scope=scope_in_a_variable),
        ITEM,
        "Things.scope: it returns nothing; expected the condition",
    ),
    "scope of an expansion": (
        a_class(expand={"person": Expansion(PersonSchema, scope=lost_scope)}),
        ITEM,
        "makes a condition that nothing reads",
    ),
    "query that returns nothing": (
        a_class(query=query_without_return),
        ITEM,
        "it returns nothing; expected the select that it is given, changed. Return it.",
    ),
    "values that nothing reads": (
        a_class(before_create=gives_other_values),
        ITEM,
        "returns a dict, which nothing reads. Write into the dict that it is given",
    ),
    "hook of elsewhere": (
        a_class(pre_save=gives_the_same_values),
        ITEM,
        "nothing reads its 'pre_save'. Was one of before_create",
    ),
    "no class": (object(), {}, "which is no ModelResource class"),
    "no schema": (a_class(schema=None), ITEM, "schema is None"),
    "no schema class": (a_class(list_schema=Note), ITEM, "list_schema is"),
    "unknown action": (a_class(actions=("lists",)), ITEM, "actions is ('lists',)"),
    "no action": (a_class(actions=()), ITEM, "it has no actions"),
    "action without a path": (a_class(actions=("read",)), {}, "its actions read have no path"),
    "method that is no action": (
        a_class(actions=("list",), read=misnamed),
        ITEM,
        "nothing calls its method 'read'",
    ),
    "name of elsewhere": (a_class(retrieve=misnamed), ITEM, "nothing reads its 'retrieve'"),
    "misspelt seam": (a_class(before_creation=misnamed), ITEM, "Was before_create meant?"),
    "seam that is none": (
        a_class(before_save=misnamed),
        ITEM,
        "nothing reads its 'before_save'. Was one of before_create, after_create, before_update",
    ),
    "limits as attributes": (
        a_class(rate_limits=("5/minute",)),
        ITEM,
        "nothing reads its 'rate_limits'. Was @doc.rate_limit(…) meant?",
    ),
    "misspelt attribute": (a_class(filter={"id": ("eq",)}), ITEM, "Was filters meant?"),
    "guarded as elsewhere": (a_class(permission_classes=()), ITEM, "Was guards meant?"),
    "method that looks served": (
        a_class(close=doc.summary("Close")(lambda self, request, id: None)),
        ITEM,
        "nothing calls its method 'close', on which @doc stands. Write a function beside",
    ),
    "class of pages": (a_class(paging=Cursors), ITEM, "paging is <class "),
    "number of pages": (a_class(paging=20), ITEM, "paging is 20; expected one of Pages(…)"),
    "all fields": (
        a_class(fields="__all__"),
        ITEM,
        "expected a tuple of names, or ALL. Write fields = ALL.",
    ),
    "no parameter": (a_class(), {"item": "/one"}, "has no parameter of its own, and a row is"),
    "no exception": (a_class(raises={"a": ValueError}), ITEM, "raises names <class 'ValueError'>"),
    "unknown lookup": (a_class(lookup="slug"), ITEM, "lookup names 'slug'"),
    "too many parameters": (a_class(), {"item": "/<id:int>/<x>"}, "a row is looked up by id"),
    "composite key": (a_class(schema=MembershipSchema), ITEM, "looked up by team, member"),
    "unknown parent": (a_class(), {"path": "/<city:int>", **ITEM}, "<city> of its path binds no"),
    "two parameters of one column": (
        a_class(parent={"a": "person", "b": Note.person}),
        {"path": "/<a:int>/<b:int>", "item": "/<a:int>/<b:int>/<id:int>"},
        "<a> and <b> of its path bind the same field, person. Drop one of them",
    ),
    "parent without a scope": (
        a_class(parent={"city": None}),
        {"path": "/<city>", "item": "/<city>/<id:int>"},
        "parent lets <city> bind no field, and no scope binds the rows. Write a scope",
    ),
    "lost parent": (
        a_class(),
        {"path": "/<person_id:int>", "item": "/one/<id:int>"},
        "lacks <person_id>",
    ),
    "spare parent": (a_class(parent={"x": "person"}), ITEM, "parent names 'x'"),
    "hidden name": (a_class(), {"item": "/<row:int>"}, "its path has the parameter <row>"),
    "plain seam": (a_class(after_create=lambda self, row: None), ITEM, "it is a plain function"),
    "no seam": (a_class(scope=True), ITEM, "scope is True"),
    "static seam": (a_class(scope=staticmethod(scope)), ITEM, "scope is <staticmethod("),
    "seam without self": (a_class(after_create=takes_nothing), ITEM, "it takes no self"),
    "lookup of several rows": (
        a_class(lookup="title"),
        {"item": "/<title>"},
        "a row is looked up by title, and several rows of Note may have the same",
    ),
    "without the caller": (
        a_class(scope=scope, create=gives_too_little),
        ITEM,
        "it takes the place of a generated action that asks who calls",
    ),
    "body with more than columns": (
        a_class(schema=MoreSchema),
        ITEM,
        "create loads 'again', which is no column of Note",
    ),
    "body with any member": (
        a_class(schema=NoteSchema(unknown=INCLUDE)),
        ITEM,
        "patch takes members that its schema does not declare: INCLUDE",
    ),
    "body with an object": (
        a_class(schema=NestedSchema),
        ITEM,
        "create loads 'person', an object, for the column 'person_id'",
    ),
    "rows of another model": (
        a_class(list_schema=TagSchema),
        ITEM,
        "list_schema is derived from Tag, and its rows are of Note; expected a schema of Note",
    ),
    "answer of another model": (
        a_class(created_schema=TagSchema),
        ITEM,
        "created_schema is derived",
    ),
    "answer of nothing": (
        a_class(created_schema=5),
        ITEM,
        "created_schema is 5. created_schema: 5 is",
    ),
    "scopes without filters": (
        a_class(filter_scopes={"person": None}),
        ITEM,
        "filter_scopes names 'person', which no filter goes across",
    ),
    "wrong filter": (a_class(filters={"nothing": ("eq",)}), ITEM, "nothing"),
    "bulk delete by two": (
        a_class(schema=MembershipSchema, actions=("bulk_delete",)),
        {},
        "bulk_delete needs a key of one column",
    ),
    "as a resource": (a_class(), {"mount": "resource"}, "@blueprint.collection"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named(name):
    cls, paths, told = WRONG[name]

    found = problems_of(cls, **paths)

    assert any(told in problem for problem in found), found


def test_an_attribute_of_another_type_is_named():
    for value in (5, None, ModelResource, {"title": 5}, "title", 0, True):
        for name, rule in ATTRIBUTES.items():
            if not rule.holds(value):
                (found,) = find_wrong_attributes("here", a_class(**{name: value}))
                assert f"here: {name} is " in found
                assert f"; expected {rule.expected}" in found

    wrong = a_class(bulk_size=0, sort="title", raises={5: NotFound}, create_schema=5)
    told = " ".join(problems_of(wrong, **ITEM))
    for each in ("bulk_size is 0", "Write sort = ('title',)", "raises names 5", "create_schema is"):
        assert each in told


@pytest.mark.parametrize("name", ["query", "row", "MODEL", "FIELD_id"])
def test_a_provided_value_has_no_name_that_a_method_uses_otherwise(name):
    made = {}
    exec(f"def scope(self, request, {name}): ...", made)

    found = problems_of(a_class(scope=made["scope"]), **ITEM)

    told = f"its methods take {name!r}, a name that they use otherwise"
    assert sum(told in problem for problem in found) == 1, found


@pytest.mark.parametrize(
    ("item", "bound"),
    [
        ("/<team:int>/<member:int>", ["team", "member"]),
        ("/<member:int>/<team:int>", ["member", "team"]),
        ("/<member:int>/<number:int>", ["member", "team"]),
        ("/<one:int>/<other:int>", ["team", "member"]),
    ],
)
def test_a_parameter_that_is_called_as_a_column_binds_that(item, bound):
    paths, problems = Paths("", "/", item, "/bulk"), []

    found = read_collection(a_class(schema=MembershipSchema), paths, "", problems)

    assert problems == []
    assert [each.field.name for each in found.lookup] == bound


def test_a_scope_may_hold_the_rest_of_a_unique_key():
    def scope(self, request): ...

    assert problems_of(a_class(lookup="title", scope=scope), item="/<title>") == ()
    assert problems_of(a_class(lookup="title"), "/<person:int>", item="/<person:int>/<title>") == ()
    (found,) = problems_of(a_class(lookup="text", scope=scope), item="/<text>")
    assert "several rows of Note may have the same; expected columns that are unique" in found


def test_a_collection_without_a_path_of_one_row_lists_and_creates():
    service, things = new_service(), Blueprint("things", url_prefix="/things")
    things.collection("/")(a_class())
    service.blueprint(things)
    service.compile()

    assert [operation.id for operation in service.operations] == ["things_list", "things_create"]


def test_what_provides_values_serves_seams_too():
    async def before_create(self, values, user): ...

    cls = a_class(before_create=before_create, actions=("create",))

    assert "nothing declares its parameter 'user'" in problems_of(cls)[0]
    Sanic._app_registry.clear()
    service, things = new_service(), Blueprint("things", url_prefix="/things")
    things.provide("user", lambda request: "Ada")
    things.collection("/")(cls)
    service.blueprint(things)
    service.compile()
    assert "self.before_create(values=body, user=user)" in service.sources["things_create"]


def test_one_override_serves_two_collections():
    class Base(ModelResource):
        async def read(self, request, id, cur):
            return await super().read(request, id=id, cur=cur)

    service, things = new_service(), Blueprint("things", url_prefix="/things")
    for path, schema in (("/notes", NoteSchema), ("/tags", TagSchema)):
        cls = type(path[1:].title(), (Base,), {"schema": schema, "raises": {"x": NotFound}})
        things.collection(path, item=f"{path}/<id:int>")(cls)
    service.blueprint(things)
    service.compile()

    found = {each.id: type(each.answers[0].schema) for each in service.operations}
    assert found["things_notes_read"] is NoteSchema
    assert found["things_tags_read"] is TagSchema


@pytest.mark.parametrize(
    ("model", "article", "many"),
    [
        ("User", "a user", "users"),
        ("OrderLine", "an order line", "order lines"),
        ("City", "a city", "cities"),
        ("Address", "an address", "addresses"),
        ("HTTPCheck", "a http check", "http checks"),
        ("Key", "a key", "keys"),
    ],
)
def test_a_row_has_a_name(model, article, many):
    noun = read_noun(model)

    assert (noun.with_article, noun.many) == (article, many)


@pytest.mark.parametrize(
    "members",
    [
        {"scope": scope_of_all},
        {"scope": scope_of_some},
        {"scope": scope_that_refuses},
        {"before_create": gives_the_same_values, "post_title": gives_the_same_values},
    ],
    ids=["all", "some", "refuses", "same values"],
)
def test_right_seams_are_left_alone(members):
    assert not problems_of(a_class(**members), **ITEM)
