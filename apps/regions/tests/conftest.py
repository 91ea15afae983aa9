"""What the tests of the regions service share."""

import pytest


@pytest.fixture
def client(client):
    """Call the service as somebody who may write."""
    return client.as_principal({"sub": "1", "scope": "regions:write"})
