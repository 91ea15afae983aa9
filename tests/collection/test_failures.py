"""The failures of a collection's actions: those that can come, whatever the action writes."""

import pytest
from sanic import Sanic

from msframework import Blueprint, Conflict, ModelResource, ModelSchema
from msframework.models import CharField, CompositeKey, ForeignKeyField, IntegerField, Model

ALL = (*ModelResource.actions, "bulk_create", "bulk_patch", "bulk_delete")
OWN = (403, 404, 409)


class Shelf(Model):
    name = CharField()


class Book(Model):
    """A book, of which a shelf has one of a slug."""

    shelf = ForeignKeyField(Shelf)
    slug = CharField(unique=True)
    text = CharField(null=True)


class Loan(Model):
    book = ForeignKeyField(Book, unique=True)
    days = IntegerField()


class Seat(Model):
    line = IntegerField()
    number = IntegerField()
    colour = CharField()

    class Meta:
        primary_key = CompositeKey("line", "number")


class SlugTaken(Conflict):
    """There is a book of this slug."""


class SeatTaken(Conflict):
    """There is a seat of this number."""


class BookSchema(ModelSchema):
    class Meta:
        model = Book
        fields = ("id", "text")


class LoanSchema(ModelSchema):
    class Meta:
        model = Loan
        fields = ("id", "days")


class SeatSchema(ModelSchema):
    class Meta:
        model = Seat
        fields = ("line", "number", "colour")


class LabelSchema(ModelSchema):
    class Meta:
        model = Shelf
        fields = ("id", "name")
        dump_only = ("name",)


@pytest.fixture
def declared(make_service):
    """Mount a class as a collection, and return the failures of each of its actions."""

    def declare(cls, path="/", item="/<id:int>", **members):
        blueprint = Blueprint("things", url_prefix="/things")
        blueprint.collection(path, item=item)(type("Things", (cls,), {"actions": ALL, **members}))
        Sanic._app_registry.clear()
        service = make_service()
        service.blueprint(blueprint)
        return {
            one.name.removeprefix("Things."): [failure.exception for failure in one.failures]
            for one in service.operations
        }

    return declare


def statuses(failures):
    """Return by action those statuses that depend on what it writes."""
    return {
        name: {each.status_code for each in found if each.status_code in OWN}
        for name, found in failures.items()
    }


class Books(ModelResource):
    schema = BookSchema


class Loans(ModelResource):
    schema = LoanSchema


class Seats(ModelResource):
    schema = SeatSchema


class Labels(ModelResource):
    schema = LabelSchema


def test_no_conflict_is_told_of_columns_that_an_action_does_not_write(declared):
    found = statuses(declared(Books))

    assert found["create"] == set()
    assert found["patch"] == found["replace"] == {404}
    assert found["delete"] == {404, 409}  # a loan refers to it


def test_a_column_that_a_seam_may_write_conflicts(declared):
    async def before_create(self, values): ...

    async def before_update(self, values): ...

    async def look_only(self, key): ...

    creating = statuses(declared(Books, before_create=before_create))
    updating = statuses(declared(Books, before_update=before_update))
    looking = statuses(declared(Books, before_update=look_only))

    assert (creating["create"], creating["bulk_create"], creating["patch"]) == ({409}, {409}, {404})
    assert (updating["patch"], updating["replace"]) == ({404, 409}, {404, 409})
    assert (updating["bulk_patch"], updating["create"]) == ({409}, set())
    assert looking["patch"] == {404}


def test_a_column_that_the_path_binds_conflicts_in_a_new_row_alone(declared):
    found = statuses(declared(Loans, "/<book:int>/loans", "/<book:int>/loans/<id:int>"))

    assert (found["create"], found["bulk_create"]) == ({404, 409}, {404, 409})
    assert (found["patch"], found["replace"], found["bulk_patch"]) == ({404}, {404}, {404})


def test_an_exception_of_a_constraint_is_told_where_its_columns_are_written(declared):
    raises = {"seat_pkey": SeatTaken, "seat_colour_is_known": SlugTaken}
    actions = ("create", "patch", "delete")

    found = declared(Seats, item="/<line:int>/<number:int>", raises=raises, actions=actions)

    assert SeatTaken in found["create"]
    assert SeatTaken not in found["patch"]
    assert SlugTaken in found["create"]  # nobody knows its columns
    assert SlugTaken in found["patch"]
    assert statuses(found)["delete"] == {404}


def test_a_row_that_nothing_changes_cannot_leave_the_scope(declared):
    def scope(self): ...

    labels, books = statuses(declared(Labels, scope=scope)), statuses(declared(Books, scope=scope))

    assert labels["create"] == {403}
    assert (labels["patch"], books["patch"]) == ({404}, {403, 404})
