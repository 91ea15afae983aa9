"""Sessions: a refresh token is valid once, and its second use ends the session for everybody."""

import asyncio

import pytest


@pytest.fixture
def refresh(client):
    """Send a refresh token."""

    async def send(token):
        return await client.post("/accounts/refresh", json={"refresh_token": token})

    return send


async def test_each_refresh_gives_the_next_token(tokens, refresh):
    second = (await refresh(tokens["refresh_token"])).json["data"]
    third = await refresh(second["refresh_token"])

    assert third.status == 200
    assert third.headers["cache-control"] == "no-store"
    assert third.json["data"]["refresh_token"] not in (
        tokens["refresh_token"],
        second["refresh_token"],
    )


async def test_a_token_that_is_used_again_ends_the_session(tokens, refresh):
    second = (await refresh(tokens["refresh_token"])).json["data"]

    again = await refresh(tokens["refresh_token"])
    following = await refresh(second["refresh_token"])

    assert again.status == following.status == 401
    assert again.json == {"code": 14003, "message": "Log in again"}


async def test_of_two_at_once_one_is_answered_and_the_session_ends(tokens, refresh):
    answers = await asyncio.gather(*(refresh(tokens["refresh_token"]) for _ in range(2)))

    assert sorted(answer.status for answer in answers) == [200, 401]
    (won,) = (answer for answer in answers if answer.status == 200)
    assert (await refresh(won.json["data"]["refresh_token"])).status == 401


async def test_another_session_goes_on(client, ada, tokens, refresh):
    other = (await client.post("/accounts/login", json=ada)).json["data"]
    await refresh(tokens["refresh_token"])
    await refresh(tokens["refresh_token"])

    assert (await refresh(other["refresh_token"])).status == 200


async def test_an_expired_token_is_refused(db, tokens, refresh):
    async with db.transaction() as tx:
        await tx.execute("UPDATE sessions SET expire_time = now()")

    assert (await refresh(tokens["refresh_token"])).status == 401


@pytest.mark.parametrize("token", ["", ".", "x.y", "\u00fc.\u00fc", f"{0:032x}.x"])
async def test_what_is_no_token_is_refused(refresh, token):
    assert (await refresh(token)).status == 401


async def test_the_database_holds_no_token(db, tokens):
    async with db.acquire() as cur:
        row = await cur.fetchrow("SELECT * FROM sessions")

    assert tokens["refresh_token"].partition(".")[2] not in str(row)


async def test_a_log_in_clears_the_accounts_expired_sessions(client, db, ada, tokens):
    async with db.transaction() as tx:
        await tx.execute("UPDATE sessions SET expire_time = now() - interval '1 second'")

    await client.post("/accounts/login", json=ada)

    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT count(*) FROM sessions") == 1


async def test_logging_out_ends_the_session(client, tokens, refresh):
    body = {"refresh_token": tokens["refresh_token"]}
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    assert (await client.post("/accounts/logout", json=body, headers=headers)).status == 204
    assert (await refresh(tokens["refresh_token"])).status == 401


async def test_nobody_ends_the_session_of_another(client, tokens, refresh):
    body = {"refresh_token": tokens["refresh_token"]}

    eve = client.as_principal({"sub": "0"})

    assert (await eve.post("/accounts/logout", json=body)).status == 204
    assert (await refresh(tokens["refresh_token"])).status == 200
