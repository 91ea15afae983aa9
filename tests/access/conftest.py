"""What the tests of access share."""

import pytest
from sanic.compat import Header

from msframework.serving.request import Request


def make_request(*pairs) -> Request:
    """Return a request with the headers *pairs* that no server received."""
    return Request(b"/", Header(pairs), "1.1", "GET", None, None)


@pytest.fixture
def no_request():
    """Return a request without any header."""
    return make_request()
