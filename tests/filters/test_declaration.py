"""Mistakes in a declaration of filters are found at start-up, each with its place and a cure."""

import pytest

from msframework import FilterSet, doc
from msframework.exceptions import ImproperlyConfigured
from msframework.filters import FilterReader
from msframework.models import CharField, Model
from msframework.schemas import SENSITIVE_FIELDS, fields
from tests.conftest import new_service
from tests.filters.rows import Thing, ThingFilters, parameters
from tests.filters.test_reader import UserFilters, UserModel, UserSchema


class Kept(Model):
    mark = CharField(column_name="secret")

    class Meta:
        table_name = "kept"


def problems_of(**declared):
    """Return the texts of the mistakes of a declaration."""
    model = declared.pop("model", Thing)
    reader = FilterReader(model, label="F", **declared)
    return [str(each) for each in (*reader.find_mistakes(), *reader.find_secrets(SENSITIVE_FIELDS))]


KINDS = "eq, ne, in, lt, lte, gt, gte, range, isnull"


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ({"filters": {"nam": ("eq",)}}, "F.filters names 'nam', which is no column of Thing"),
        ({"filters": {5: ("eq",)}}, "F.filters names 5, which is no column of Thing"),
        ({"filters": ("name",)}, "F.filters is ('name',)"),
        ({"filters": {"name": ()}}, "F.filters offers no operator for 'name'"),
        ({"filters": {"name": "like"}}, "F.filters offers 'like' for 'name', which is no operator"),
        ({"filters": {"name": (5,)}}, "F.filters offers 5 for 'name', which is no operator"),
        (
            {"filters": {"age": ("icontains",)}},
            "F.filters offers 'icontains' for 'age', which holds ordered values",
        ),
        ({"filters": {"data": ("eq",)}}, "F.filters offers 'eq' for 'data', which holds JSON"),
        (
            {"filters": {"labels": ("in",)}},
            "F.filters offers 'in' for 'labels', which holds arrays",
        ),
        ({"filters": {"done": ("lt",)}}, "F.filters offers 'lt' for 'done', which holds true"),
        ({"filters": {"id": "isnull"}}, "F.filters offers 'isnull' for 'id', which is never NULL"),
        ({"sort": ("-nam",)}, "F.sort names 'nam', which is no column of Thing"),
        ({"sort": ("data",)}, "F.sort names 'data', which holds JSON, in no order"),
        ({"sort": "name"}, "F.sort is the text 'name'"),
        ({"sort": (None,)}, "F.sort names None, which is no column of Thing"),
        ({"default_sort": ("nam",)}, "F.default_sort names 'nam', which is no column of Thing"),
        ({"search": "name"}, "F.search is the text 'name'"),
        ({"search": ("age",)}, "F.search names 'age', which holds ordered values"),
        ({"model": None}, "F.model is None"),
        ({"model": UserFilters}, "F.model is <class"),
        (
            {"model": UserModel, "filters": {"password": "startswith"}},
            "F.filters names 'password', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": UserModel, "sort": ("-password",)},
            "F.sort names 'password', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": UserModel, "default_sort": ("password",)},
            "F.default_sort names 'password', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": UserModel, "search": ("name", "password")},
            "F.search names 'password', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": UserModel, "fields": ("name", "password")},
            "F.fields names 'password', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": Kept, "filters": {"mark": "eq"}},
            "F.filters names 'mark', which SENSITIVE_FIELDS keeps out of answers",
        ),
        (
            {"model": UserModel, "schema": UserSchema, "filters": {"password": "startswith"}},
            "F.filters names 'password', which is never answered",
        ),
        (
            {"model": UserModel, "schema": UserSchema, "search": ("pin",)},
            "F.search names 'pin', which is never answered",
        ),
        (
            {"model": UserModel, "schema": UserSchema, "fields": ("nam",)},
            "F.fields names 'nam', which no answer has",
        ),
        ({"expand": ("a.b.c.d",)}, "F.expand names 'a.b.c.d', which has more than 3 steps"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_found(declared, found):
    problems = problems_of(**declared)

    assert len(problems) == 1
    assert problems[0].startswith(found)


def test_two_parameters_of_one_name_are_refused():
    class Renamed(UserSchema):
        name = fields.String(data_key="q")

        class Meta(UserSchema.Meta):
            pass

    declared = {"filters": {"name": "eq"}, "search": ("name",)}

    assert problems_of(model=UserModel, schema=UserSchema, **declared) == []
    (problem,) = problems_of(model=UserModel, schema=Renamed, **declared)
    assert problem.startswith(
        "F.search makes the parameter 'q' of the query, which there is alread"
    )


def test_all_mistakes_are_shown_at_the_start_with_the_place_of_the_method():
    class Broken(FilterSet):
        model = Thing
        filters = {"nam": ("eq",), "age": ("gte", "contain")}  # noqa: RUF012
        sort = ("wieght",)

    service = new_service()

    @service.get("/things")
    @doc.filter(Broken)
    async def things(request, filters):
        """Never called."""

    with pytest.raises(ImproperlyConfigured) as raised:
        service.compile()

    texts = raised.value.problems
    assert all("test_declaration.py:" in text and " things: " in text for text in texts)
    assert [text.partition("Broken.")[2] for text in texts] == [
        "filters names 'nam', which is no column of Thing; expected one of id, name, note, age, "
        "price, weight, day, seen, token, done, colour, labels, numbers, data. "
        "Did you mean 'name'?",
        f"filters offers 'contain' for 'age', which is no operator; expected one of {KINDS}.",
        "sort names 'wieght', which is no column of Thing; expected one of id, name, note, age, "
        "price, weight, day, seen, token, done, colour, labels, numbers, data. "
        "Did you mean 'weight'?",
    ]


def test_a_decorator_takes_a_declaration():
    with pytest.raises(TypeError, match=r"declares no filters. Pass a subclass of FilterSet"):
        doc.filter(Thing)
    with pytest.raises(ImproperlyConfigured, match=r"Write @doc.filter\(…\)"):

        @doc.filter
        async def things(request, filters):
            """Never called."""


def test_a_method_that_asks_for_filters_is_told_what_declares_them():
    service = new_service()

    @service.get("/things")
    async def things(request, filters):
        """Never called."""

    with pytest.raises(ImproperlyConfigured, match=r"Add @doc.filter to the method"):
        service.compile()


def test_what_the_setting_names_is_refused_at_the_start():
    class Listed(FilterSet):
        model = UserModel
        sort = ("email", "age")

    service = new_service(sensitive_fields=("age",))

    @service.get("/users")
    @doc.filter(Listed)
    async def users(request, filters):
        """Never called."""

    with pytest.raises(ImproperlyConfigured) as raised:
        service.compile()

    (text,) = raised.value.problems
    assert " users: " in text
    assert text.partition("Listed.")[2] == (
        "sort names 'age', which SENSITIVE_FIELDS keeps out of answers, and the query would tell "
        "what it holds. Leave it out, or take it off SENSITIVE_FIELDS."
    )


def test_a_reader_may_be_made_without_a_class():
    reader = FilterReader(Thing, filters={"id": ("eq",)}, default_sort=("-age", "name"))

    assert list(reader.find_mistakes()) == []
    assert list(ThingFilters.reader().find_mistakes()) == []
    load = reader.compile()
    assert (
        load(parameters(""), {}).order(alias="t") == '"t"."age" DESC, "t"."name" ASC, "t"."id" ASC'
    )
