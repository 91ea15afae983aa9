"""What other tools read of us can be read: annotations resolve where they are asked for."""

import importlib
import inspect
import sys
from typing import get_type_hints

import pytest

import msframework
from msframework import Blueprint, Resource
from msframework.access import HTTPBasic


def described(name):
    """Yield what is public under *name*, and its own public methods."""
    value = getattr(msframework, name)
    if inspect.isfunction(value) or inspect.isclass(value):
        yield value
    for attribute, member in vars(value).items() if inspect.isclass(value) else ():
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if inspect.isfunction(function) and not attribute.startswith("_"):
            yield function


@pytest.mark.parametrize("name", msframework.__all__)
def test_public_annotations_resolve(name):
    for value in described(name):
        if value.__module__.startswith("msframework."):
            inspect.get_annotations(value, eval_str=True)


@pytest.mark.parametrize("fast", [True, False])
def test_annotations_of_all_handlers_resolve(make_service, fast):
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/<id:int>")
    class Thing(Resource):
        async def get(self, request: msframework.Request, id: int) -> int:
            return id

    service = make_service(
        debug=True, server={"fast_path": fast, "cors_origins": ("*",), "allowed_hosts": ("a",)}
    )
    service.blueprint(things)
    service.finalize()

    handlers = [route.handler for route in service.router.routes]
    listeners = [one for group in service.listeners.values() for one in group]
    assert len(handlers) > 5
    for handler in (*handlers, *listeners):
        get_type_hints(inspect.unwrap(handler) if inspect.isfunction(handler) else handler.__call__)


# From CPython 3.14 on an annotation is evaluated where it is asked for (PEP 649).
LAZY = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
FOR_CHECKERS = """
from typing import TYPE_CHECKING

from msframework import ALL, Blueprint, Guard, ModelResource, ModelSchema, Resource, doc
from msframework.models import CharField, Model

if TYPE_CHECKING:
    from nowhere import Unknown

things = Blueprint("things", url_prefix="/things")


class Thing(Model):
    name = CharField(max_length=8)


class ThingSchema(ModelSchema):
    class Meta:
        model = Thing
        fields = ALL


class Free(Guard):
    needs_principal = False

    async def allows(self, request: Unknown, principal: Unknown) -> Unknown:
        return True


class Store:
    def __init__(self, request: Unknown) -> None: ...


async def user(request: Unknown) -> Unknown: ...


def key(request: Unknown) -> Unknown: ...


@things.collection("/all", item="/all/<id:int>")
class Things(ModelResource):
    schema = ThingSchema

    def scope(self, request: Unknown, principal: Unknown) -> Unknown: ...

    async def before_create(self, request: Unknown, values: Unknown) -> Unknown: ...

    async def read(self, request: Unknown, id: Unknown, principal: Unknown) -> Unknown: ...


@things.resource("/one/<id:int>")
class One(Resource):
    @doc.guards(Free())
    @doc.rate_limit("9/minute", by=key)
    async def get(self, request: Unknown, id: Unknown, user: Unknown, store: Unknown) -> Unknown:
        "Return one."


things.provide("user", user)
things.provide("store", Store)
"""


def test_annotations_may_name_what_only_checkers_import(make_service, tmp_path, monkeypatch):
    (tmp_path / "lazily_annotated.py").write_text(LAZY + FOR_CHECKERS)
    monkeypatch.syspath_prepend(tmp_path)
    service = make_service(database={"url": "postgresql://nowhere/"})
    service.authenticate("basic", HTTPBasic(lambda user, password: None))
    service.blueprint(importlib.import_module("lazily_annotated").things)

    service.compile()

    assert {"One.get", "Things.read", "Things.create"} <= {
        operation.handler.__qualname__ for operation in service.operations
    }
