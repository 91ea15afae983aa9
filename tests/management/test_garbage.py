"""The collector: out while a service is built, and kept from looking at what stays."""

import gc

import pytest

from msframework.management import garbage
from msframework.management.garbage import YOUNG, SettledObjects, without_collection


class Service:
    """Notes the listeners that are registered."""

    def __init__(self):
        self.listeners = {}

    def register_listener(self, listener, event):
        self.listeners[event] = listener


@pytest.fixture(autouse=True)
def thaw():
    """Begin with Python's own choice; undo what was frozen, and chosen."""
    usual = gc.get_threshold()
    gc.set_threshold(*garbage._DEFAULT)
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


def test_the_collector_is_back_after_the_service_is_built():
    with without_collection():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(monkeypatch):
    monkeypatch.setattr(gc, "isenabled", lambda: False)
    monkeypatch.setattr(gc, "enable", lambda: pytest.fail("it was switched on"))

    with without_collection():
        pass

    monkeypatch.undo()
    gc.enable()


def test_the_collector_is_back_after_a_mistake():
    with pytest.raises(ValueError, match="mistake"), without_collection():
        raise ValueError("mistake")

    assert gc.isenabled()


async def test_what_a_service_holds_is_out_of_the_collectors_sight():
    service = Service()
    service.routes = [[]]
    SettledObjects(service)
    assert not is_watched(service.routes)
    service.pages = [[]]
    assert is_watched(service.pages)

    await service.listeners["after_server_start"](service)

    assert not is_watched(service.pages)


def is_watched(thing):
    return any(each is thing for each in gc.get_objects())


@pytest.mark.parametrize("chosen", [None, (5, 5, 5)])
async def test_it_looks_less_often_unless_somebody_chose_how_often(chosen):
    service, usual = Service(), gc.get_threshold()
    SettledObjects(service)
    if chosen is not None:
        gc.set_threshold(*chosen)

    await service.listeners["after_server_start"](service)

    assert gc.get_threshold() == (chosen or (YOUNG, *usual[1:]))


def test_what_comes_later_is_collected():
    SettledObjects(Service())
    circle = [[]]
    circle[0].append(circle)
    del circle

    assert gc.collect() >= 2
