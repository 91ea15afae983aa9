"""Filters across foreign keys: their names, their documents, and mistakes in their declaration."""

import pytest
from openapi_spec_validator import validate

from msframework import Blueprint, FilterSet, ModelResource, ModelSchema, doc
from msframework.collection import Expansion
from msframework.conf.settings import OpenAPISettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.filters import FilterReader
from msframework.filters.crossing import RelatedRows
from msframework.models import ForeignKeyField, Model
from msframework.openapi.spec import build_document
from msframework.problem import Problem
from msframework.schemas import fields
from msframework.schemas.model import SENSITIVE_FIELDS
from tests.collection.shop import ByName
from tests.conftest import new_service
from tests.filters.posts import City, Person, Post, PostFilters
from tests.filters.rows import parameters


class PostSchema(ModelSchema):
    class Meta:
        model = Post
        fields = ("id", "title", "owner_id")
        naming = "camel"


class PersonSchema(ModelSchema):
    mail = fields.Email(attribute="email", data_key="eMail")
    pin = fields.String(load_only=True, attribute="age")

    class Meta:
        model = Person
        fields = ("id", "full_name", "mail", "pin")


class Receipt(Model):
    last_owner = ForeignKeyField(Person)

    class Meta:
        table_name = "receipts"


def names_of(reader):
    """Return the names of the parameters of a declaration without mistakes."""
    assert list(map(str, reader.find_mistakes())) == []
    return list(reader.document_parameters())


@pytest.mark.parametrize(
    ("declared", "found", "advice"),
    [
        (
            {"filters": {"ownr.full_name": "eq"}},
            "F.filters names 'ownr.full_name', and 'ownr' is no foreign key of Post; expected one "
            "of owner, reviewer, parent.",
            "Did you mean 'owner'?",
        ),
        (
            {"filters": {"owner_id.full_name": "eq"}},
            "F.filters names 'owner_id.full_name', and 'owner_id' is no foreign key of Post",
            "Did you mean 'owner'?",
        ),
        (
            {"filters": {"owner.citty.name": "eq"}},
            "F.filters names 'owner.citty.name', and 'citty' is no foreign key of Person; expected "
            "one of city.",
            "Did you mean 'city'?",
        ),
        (
            {"filters": {"owner.city.country.name.x": "eq"}},
            "F.filters names 'owner.city.country.name.x', which lies behind 4 foreign keys; "
            "expected 3 at most",
            "",
        ),
        (
            {"filters": {"owner.city.country.name.x": "eq"}, "model": City},
            "F.filters names 'owner.city.country.name.x', which lies behind 4 foreign keys",
            "",
        ),
        (
            {"filters": {"owner.city.country.continent": "eq"}},
            "F.filters names 'owner.city.country.continent', which is no column of Country; "
            "expected one of id, name",
            "",
        ),
        (
            {"filters": {"owner.fullname": "eq"}},
            "F.filters names 'owner.fullname', which is no column of Person",
            "Did you mean 'full_name'?",
        ),
        ({"filters": {"owner.": "eq"}}, "F.filters names 'owner.', which is no column", ""),
        ({"filters": {".owner": "eq"}}, "F.filters names '.owner', and '' is no foreign key", ""),
        (
            {"filters": {"owner.password": "startswith"}},
            "F.filters names 'owner.password', which SENSITIVE_FIELDS keeps out of answers",
            "Leave it out",
        ),
        (
            {"search": ("title", "owner.password")},
            "F.search names 'owner.password', which SENSITIVE_FIELDS keeps out of answers",
            "Leave it out",
        ),
        (
            {"filters": {"owner.pin": "gte"}, "related": {"owner": RelatedRows(PersonSchema)}},
            "F.filters names 'owner.pin', which is never answered",
            "Leave it out.",
        ),
        (
            {"filters": {"owner.age": "icontains"}},
            "F.filters offers 'icontains' for 'owner.age', which holds ordered values",
            "",
        ),
        (
            {"filters": {"last_owner.full_name": ("eq", "isnull")}, "model": Receipt},
            "F.filters offers 'isnull' for 'last_owner.full_name', which is never NULL",
            "Drop it.",
        ),
        ({"search": ("owner.age",)}, "F.search names 'owner.age', which holds ordered values", ""),
        (
            {"sort": ("id", "-owner.full_name")},
            "F.sort names 'owner.full_name', which lies behind a foreign key; expected a column of "
            "Post.",
            "filters and search go across foreign keys, and orders do not",
        ),
        (
            {"default_sort": ("owner.full_name",), "filters": {"owner.full_name": "eq"}},
            "F.default_sort names 'owner.full_name', which lies behind a foreign key",
            "Leave it out",
        ),
        (
            {"filters": {"owner.age": "eq"}, "filter_scopes": {"ownr": None}},
            "F.filter_scopes names 'ownr', which no filter goes across; expected one of owner.",
            "Did you mean 'owner'?",
        ),
        ({"filter_scopes": ("owner",)}, "F.filter_scopes is ('owner',); expected scopes by", ""),
        (
            {"filters": {"owner.age": ("eq", "gte")}, "filter_scopes": {"owner": Post}},
            "F.filter_scopes['owner'] has the scope <Model: Post>, which is of another model",
            "",
        ),
        (
            {"filters": {"owner.age": "eq"}, "filter_scopes": {"owner": lambda user: None}},
            "F.filter_scopes['owner'] has a scope that takes 'user'",
            "",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_mistake_is_found(declared, found, advice):
    reader = FilterReader(**{"model": Post, "label": "F", **declared})
    (problem,) = (*reader.find_mistakes(), *reader.find_secrets(SENSITIVE_FIELDS))

    told = Problem("here", problem.found, problem.expected, problem.advice)
    assert told.startswith(f"here: {found}")
    assert advice in problem


def test_a_wrong_scope_lets_nothing_be_seen():
    reader = FilterReader(Post, filters={"owner.age": ("eq",)}, filter_scopes={"owner": 3})

    assert reader.plan.crossings["owner"].scope(None, None) is False


def test_each_step_is_called_as_the_schema_says():
    filters = {"owner.full_name": "eq", "reviewer.city.country_id": "eq", "title": "eq"}

    assert names_of(FilterReader(Post, filters=filters)) == list(filters)
    assert names_of(FilterReader(Post, filters=filters, schema=PostSchema)) == [
        *("owner.fullName", "reviewer.city.countryId", "title")
    ]
    receipts = {"last_owner.full_name": "eq", "last_owner.city.name": "eq"}
    found = FilterReader(Receipt, filters=receipts, schema=PostSchema)
    assert names_of(found) == ["lastOwner.fullName", "lastOwner.city.name"]


def test_a_column_that_the_schema_lacks_is_called_as_the_schema_says():
    reader = FilterReader(
        Receipt, filters={"last_owner_id": ("eq", "in")}, sort=("last_owner_id",), schema=PostSchema
    )

    assert names_of(reader) == ["lastOwnerId", "lastOwnerId__in", "sort"]
    assert list(reader.plan.sorting.offered) == ["lastOwnerId", "-lastOwnerId"]


def test_a_related_schema_calls_its_fields_and_checks_their_values():
    reader = FilterReader(
        Receipt,
        filters={"last_owner.full_name": "eq", "last_owner.mail": ("eq", "contains")},
        schema=PostSchema,
        related={"last_owner": RelatedRows(PersonSchema)},
    )

    assert names_of(reader) == [
        *("lastOwner.full_name", "lastOwner.eMail", "lastOwner.eMail__contains")
    ]
    errors = {}
    assert reader.compile()(parameters("lastOwner.eMail=nobody"), errors) is None
    assert errors == {"query": {"lastOwner.eMail": ["Not a valid email address."]}}
    found = reader.compile()(parameters("lastOwner.eMail=a@b.cc"), {})
    assert dict(found.values) == {"last_owner.mail": "a@b.cc"}
    assert found.where()[0] == (
        '"last_owner_id" IN (SELECT "t1"."id" FROM "people" AS "t1" WHERE ("t1"."email" = $1))'
    )


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "owner.age=3",
            {
                "owner.age": [
                    "Unknown filter; there are owner.age__gte, owner.age__range, owner.age__isnull."
                    " Did you mean 'owner.age__gte'?"
                ]
            },
        ),
        ("owner.age__gte=x", {"owner.age__gte": ["Not a valid integer."]}),
        ("owner.full_name=a%00", {"owner.full_name": ["Null characters are not allowed."]}),
        ("owner.full_name=" + "a" * 21, {"owner.full_name": ["Longer than maximum length 20."]}),
        (
            "owner.city.name=a&owner.city.name=b",
            {"owner.city.name": ["Given 2 times, but takes one value."]},
        ),
        ("sort=owner.full_name", {"sort": {"0": ["Must be one of: id, -id."]}}),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_what_is_allowed(query, errors):
    found = {}

    assert PostFilters.reader().compile()(parameters(query), found) is None
    assert {name: str(each) for name, each in found["query"].items()} == {
        name: str(each).replace("'0'", "0") for name, each in errors.items()
    }


@pytest.mark.parametrize(
    "query",
    ["owner.password=x", "owner.team=1", "owner=1", "owner.city.country.name.x=1", "reviewer.=1"],
)
def test_what_is_not_declared_is_no_filter(query):
    load = PostFilters.reader().compile()

    assert load(parameters(query), {}) is load(parameters(""), {})


@pytest.mark.parametrize("version", ["2.0", "3.1"])
def test_each_filter_is_a_parameter(version):
    service = new_service()

    @service.get("/posts")
    @doc.filter(PostFilters)
    async def posts(request, filters):
        """Never called."""

    document = build_document(
        service.operations, Settings(openapi=OpenAPISettings(version=version))
    )
    validate(document)
    (path,) = document["paths"].values()
    found = {each["name"]: each for each in path["get"]["parameters"]}
    assert found["owner.age__gte"]["description"] == (
        "`owner.age` is this or more. Rows without `owner` do not match."
    )
    assert found["owner.email"]["description"].endswith("do not match. Where to write to.")
    assert found["owner.city.name__isnull"]["description"] == (
        "Whether `owner.city.name` is null, or there is no `owner.city`."
    )
    assert found["q"]["description"].startswith(
        "Words that must all stand in `title`, `owner.full_name`, `owner.email` or"
    )
    assert "isnull" not in str(found["title"])


class People(ModelResource):
    """The people of a team."""

    schema = PersonSchema
    actions = ("list",)

    def scope(self, request):
        return Person.team == 1


def problems_at_start(**members):
    """Return the mistakes of a collection of posts beside the people."""
    service, blueprint = new_service(), Blueprint("wrong", url_prefix="/wrong")
    service.authenticate("name", ByName())
    blueprint.collection("/people")(People)
    given = {"schema": PostSchema, "actions": ("list",), **members}
    blueprint.collection("/posts")(type("Posts", (ModelResource,), given))
    service.blueprint(blueprint)
    try:
        service.compile()
    except ImproperlyConfigured as exc:
        return exc.problems
    return []


@pytest.mark.parametrize(
    "members",
    [
        {"filters": {"owner.full_name": ("eq",)}},
        {"filters": {"owner.city.name": ("eq",)}, "filter_scopes": {"owner.city": None}},
        {"search": ("title", "owner.full_name")},
    ],
    ids=["filters", "on the way", "search"],
)
def test_filters_say_a_scope_where_the_collection_has_one(members):
    (problem,) = problems_at_start(**members)

    assert (
        "its filters look at rows of People, which has a scope, behind 'owner'; expected a "
        "scope for them. Write filter_scopes = {'owner': People}, or None for all rows."
    ) in problem


@pytest.mark.parametrize(
    "members",
    [
        {"filter_scopes": {"owner": People}},
        {"filter_scopes": {"owner": None}},
        {"expand": {"owner": Expansion(PersonSchema, scope=People)}},
    ],
    ids=["scope", "none", "expand"],
)
def test_a_scope_that_is_said_is_enough(members):
    assert problems_at_start(filters={"owner.full_name": ("eq",)}, **members) == []


def test_an_endpoint_says_the_scope_too():
    class OwnerFilters(FilterSet):
        model = Post
        filters = {"owner.full_name": ("eq",)}  # noqa: RUF012

    service, blueprint = new_service(), Blueprint("wrong", url_prefix="/wrong")
    blueprint.collection("/people")(People)

    @blueprint.get("/posts")
    @doc.filter(OwnerFilters)
    async def posts(request, filters):
        """Never called."""

    service.blueprint(blueprint)
    with pytest.raises(ImproperlyConfigured, match=r"look at rows of People, which has a scope"):
        service.compile()
