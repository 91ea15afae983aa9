"""Expansions and filters that tell of rows of a guarded collection."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from msframework import Blueprint, Expansion, FilterSet, Guard, ModelResource, ModelSchema, doc
from msframework.exceptions import ImproperlyConfigured
from msframework.models import CharField, ForeignKeyField, Model
from tests.conftest import new_service


class Writer(Model):
    name = CharField()


class Story(Model):
    title = CharField()
    writer = ForeignKeyField(Writer, backref="stories")


@dataclass(frozen=True)
class Inside(Guard):
    """Callers from one place, which no test asks for."""

    needs_principal: ClassVar[bool] = False
    place: str

    async def allows(self, request, principal):
        return False


WriterSchema, StorySchema = ModelSchema.of(Writer), ModelSchema.of(Story)
STAFF = Inside("office")


def compile_stories(members, *, guards=(), writers=((STAFF,),)):
    """Compile a collection of stories, and one of writers for each of the guards in *writers*."""
    service = new_service()
    stories = Blueprint("stories", url_prefix="/stories", guards=guards)
    members = {"schema": StorySchema, **members}
    stories.collection("/", item="/<id:int>")(type("Stories", (ModelResource,), members))
    service.blueprint(stories)
    for number, own in enumerate(writers):
        blueprint = Blueprint(f"writers{number}", url_prefix=f"/writers{number}", guards=own)
        written = type("Writers", (ModelResource,), {"schema": WriterSchema})
        blueprint.collection("/", item="/<id:int>")(written)
        service.blueprint(blueprint)
    service.compile()


EXPAND = {"expand": {"writer": WriterSchema}}
FILTER = {"filters": {"writer.name": ("eq",)}}


@pytest.mark.parametrize(
    ("members", "found", "advice"),
    [
        (
            EXPAND,
            "expand of Stories answers rows of Writers behind 'writer', whose guards its callers "
            "need not meet",
            "Write Expansion(WriterSchema, scope=None) for all callers.",
        ),
        (
            FILTER,
            "its filters look at rows of Writers behind 'writer'",
            "Write filter_scopes = {'writer': None} for all callers.",
        ),
    ],
    ids=["expand", "filters"],
)
@pytest.mark.parametrize("guards", [(), (Inside("town"),)], ids=["none", "others"])
def test_rows_of_a_guarded_collection_need_its_guards(members, found, advice, guards):
    with pytest.raises(ImproperlyConfigured) as info:
        compile_stories(members, guards=guards)

    (problem,) = info.value.problems
    assert found in str(problem)
    assert advice in str(problem)


def test_filters_of_an_endpoint_need_them_too():
    class StoryFilters(FilterSet):
        model = Story
        filters = {"writer.name": ("eq",)}

    service, blueprint = new_service(), Blueprint("all", url_prefix="/all")

    @blueprint.get("/stories")
    @doc.filter(StoryFilters)
    async def stories(request, filters):
        """Never called."""

    guarded = Blueprint("writers", url_prefix="/writers", guards=(STAFF,))
    guarded.collection("/")(type("Writers", (ModelResource,), {"schema": WriterSchema}))
    service.blueprint(blueprint)
    service.blueprint(guarded)
    with pytest.raises(ImproperlyConfigured, match="its filters look at rows of Writers"):
        service.compile()


@pytest.mark.parametrize("members", [EXPAND, FILTER], ids=["expand", "filters"])
@pytest.mark.parametrize(
    ("guards", "writers"),
    [
        ((STAFF,), ((STAFF,),)),
        ((Inside("town"), Inside("office")), ((STAFF,),)),
        ((), ((STAFF,), ())),
        ((), ((STAFF.on("POST"),),)),
        ((), ()),
    ],
    ids=["same", "equal", "an open one", "of other methods", "no collection"],
)
def test_guards_that_are_met_are_enough(members, guards, writers):
    compile_stories(members, guards=guards, writers=writers)


@pytest.mark.parametrize(
    "members",
    [
        {"expand": {"writer": Expansion(WriterSchema, scope=None)}},
        FILTER | {"filter_scopes": {"writer": None}},
    ],
    ids=["expand", "filters"],
)
def test_what_is_said_is_enough(members):
    compile_stories(members)
