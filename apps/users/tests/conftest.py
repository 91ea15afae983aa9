"""What the tests of the users service share."""

import pytest


@pytest.fixture
def client(client, cheap_passwords):
    """Call the service as somebody who may write."""
    return client.as_principal({"sub": "1", "scope": "users:write"})


@pytest.fixture
def ada():
    """Return the body that creates a user."""
    return {
        "name": "Ada",
        "email": "ada@example.com",
        "age": 36,
        "city_id": 1,
        "role_id": 2,
        "password": "correct horse",
    }


@pytest.fixture
async def ada_id(client, ada):
    """Create that user and return its id."""
    return (await client.post("/users", json=ada)).json["data"]["id"]
