"""What other tools read of us can be read: annotations resolve where they are asked for."""

import inspect
from typing import get_type_hints

import pytest

import msframework
from msframework import Blueprint, Resource


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
