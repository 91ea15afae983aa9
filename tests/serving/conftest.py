"""The same shop, served fast and by Sanic's own way, for strangers."""

import pytest
import pytest_asyncio

from msframework.app import Service
from tests.conftest import with_settings
from tests.serving.shop import open_feed, open_kiosk, open_shop
from tests.serving.stranger import street_of


def make_shop(fast, *, feed=False, open_for=open_shop):
    """Return the service of a shop; `done` says what its handlers did.

    Args:
        fast: whether it may use the fast path.
        feed: whether it has a websocket, and therefore the other protocol.
        open_for: what gives it its routes.
    """
    name = "fast" if fast else "plain"
    service = Service(with_settings(service_name=name, server={"fast_path": fast}))
    service.config.TOUCHUP = False
    service.done = open_for(service)
    if feed:
        open_feed(service)
    return service


def make_kiosk(fast, *, feed=False):
    """Return the service of a kiosk, whose paths are parameters."""
    return make_shop(fast, feed=feed, open_for=open_kiosk)


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def open_street(request):
    async with street_of(make_shop(request.param)) as street:
        yield street


@pytest.fixture
def street(open_street):
    """Return the street of a shop that did nothing yet; one shop serves a module's tests."""
    open_street.service.done.clear()
    return open_street
