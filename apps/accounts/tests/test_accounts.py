"""Accounts: registered once by email, known by their tokens, and never shown with a password."""

import pytest


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_an_email_is_registered_once_however_it_is_written(client, ada):
    response = await client.post("/accounts", json=ada | {"email": "Ada@Example.com"})

    assert response.status == 409
    assert response.json == {"code": 14001, "message": "This email has an account already"}


async def test_the_password_is_stored_as_a_hash(client, db, ada):
    async with db.acquire() as cur:
        stored = await cur.fetchval("SELECT password FROM accounts")

    assert stored.startswith("$argon2id$")


async def test_every_wrong_field_is_named(client):
    response = await client.post("/accounts", json={"email": "ada", "password": "short"})

    assert response.status == 422
    assert list(response.json["error"]["body"]) == ["email", "password"]


async def test_who_logs_in_is_known_by_the_token(client, tokens):
    response = await client.get("/accounts/me", headers=bearer(tokens))

    assert response.status == 200
    assert list(response.json["data"]) == ["id", "email", "scopes", "create_time"]
    assert response.json["data"]["email"] == "ada@example.com"


async def test_tokens_are_answers_that_nobody_stores(client, ada):
    response = await client.post("/accounts/login", json=ada)

    assert response.headers["cache-control"] == "no-store"
    assert response.json["data"]["token_type"] == "Bearer"
    assert response.json["data"]["expires_in"] == 900


async def test_a_token_allows_what_the_account_may_do(client, tokens):
    made = await client.post("/roles", json={"name": "editor"}, headers=bearer(tokens))
    refused = await client.delete("/users/1", headers=bearer(tokens))

    assert tokens["scope"] == "roles:write"
    assert (made.status, refused.status) == (201, 403)


async def test_rights_are_read_anew_at_the_next_refresh(client, db, tokens):
    async with db.transaction() as tx:
        await tx.execute("UPDATE accounts SET scopes = ''")

    body = {"refresh_token": tokens["refresh_token"]}
    later = (await client.post("/accounts/refresh", json=body)).json["data"]
    refused = await client.post("/roles", json={"name": "editor"}, headers=bearer(later))

    assert (later["scope"], refused.status) == ("", 403)


@pytest.mark.parametrize(
    "wrong", [{"password": "battery staple"}, {"email": "eve@example.com"}], ids=str
)
async def test_an_unknown_email_and_a_wrong_password_are_answered_alike(client, ada, wrong):
    response = await client.post("/accounts/login", json=ada | wrong)

    assert response.status == 401
    assert response.json == {"code": 14002, "message": "The email or the password is wrong"}
    assert response.headers["www-authenticate"]


async def test_me_needs_a_token(client):
    response = await client.get("/accounts/me")

    assert response.status == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("id", ["7", "billing", "9" * 40])
async def test_a_caller_without_an_account_is_a_404(client, id):
    response = await client.as_principal({"sub": id}).get("/accounts/me")

    assert response.status == 404
    assert response.json["error"] == "the caller has no account"
