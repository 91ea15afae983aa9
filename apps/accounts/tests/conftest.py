"""What the tests of the accounts service share."""

import pytest

ADA = {"email": "ada@example.com", "password": "correct horse"}


@pytest.fixture
async def ada(client, cheap_passwords):
    """Register Ada, and return what she logs in with."""
    response = await client.post("/accounts", json=ADA)
    assert response.status == 201
    return ADA


@pytest.fixture
async def tokens(client, ada):
    """Log Ada in, and return her tokens."""
    return (await client.post("/accounts/login", json=ada)).json["data"]
