import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.database import peer_tags
from msframework.exceptions import ImproperlyConfigured


@pytest.mark.parametrize(
    ("url", "tags"),
    [
        (
            "postgresql://user:secret@db.example:6000/shop",
            {"peer.hostname": "db.example", "peer.port": 6000, "db.instance": "shop"},
        ),
        (
            "postgresql:///shop?host=db.example",
            {"peer.hostname": "db.example", "peer.port": 5432, "db.instance": "shop"},
        ),
        ("postgresql://u@/shop?host=/run/pg", {"db.instance": "shop"}),
        (
            "postgresql://a:1,b:2/shop",
            {"peer.hostname": "a", "peer.port": 1, "db.instance": "shop"},
        ),
        (
            "postgresql://u@",
            {"peer.hostname": "localhost", "peer.port": 5432, "db.instance": "u"},
        ),
    ],
)
def test_the_tags_of_a_server_hold_no_secret(url, tags):
    assert peer_tags(url) == {"peer.service": "postgresql"} | tags


async def test_without_a_database_statements_say_what_is_missing():
    db = Database(DatabaseSettings())
    await db.start()
    try:
        async with db.acquire() as cur:
            with pytest.raises(ImproperlyConfigured, match="Set DATABASE_URL"):
                await cur.fetchval("SELECT 1")
    finally:
        await db.stop()


async def test_before_it_is_started_nothing_is_lent(url, pool_kind):
    from msframework.exceptions import DatabaseUnavailable

    db = Database(DatabaseSettings(url=url, pool=pool_kind))
    async with db.acquire() as cur:
        with pytest.raises(DatabaseUnavailable):
            await cur.fetchval("SELECT 1")
    await db.stop()


async def test_it_starts_again_after_a_stop(url, pool_kind):
    db = Database(DatabaseSettings(url=url, pool=pool_kind))
    for _ in range(2):
        await db.start()
        async with db.acquire() as cur:
            assert await cur.fetchval("SELECT 1") == 1
        await db.stop()


async def test_without_a_statement_cache_statements_run_all_the_same(open_database):
    async with open_database(statement_cache_size=0) as db:
        for _ in range(3):
            async with db.acquire() as cur:
                assert await cur.fetchval("SELECT $1::int", 5) == 5
