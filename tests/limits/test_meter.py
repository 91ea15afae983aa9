"""Meters: which of them share a budget, and what a worker does without its store."""

import asyncio

import pytest

from msframework.limits.meter import FALLBACKS, RateMeters
from msframework.limits.rate import RatePolicy
from msframework.limits.store import SharedStore
from msframework.metrics import Metrics
from tests.processes import free_port

KEY = b"k" * 16
POLICY = RatePolicy("a", "address", 2, 60, "minute")


def test_policies_of_one_budget_share_it():
    meters, metrics = RateMeters("memory://", "meters"), Metrics()
    dear = RatePolicy("a", "address", 2, 60, "minute", cost=2)
    other = RatePolicy("a", "address", 3, 60, "minute")

    one, two, three = meters.add([POLICY, dear, other], metrics)

    assert one.count(KEY)[0]
    assert not two.count(KEY)[0]
    assert three.count(KEY) == (True, 2, 60)


def test_without_policies_nothing_is_used():
    assert not RateMeters("memory://", "meters").is_used


async def test_a_store_without_limits_is_not_opened():
    store = RateMeters("redis://127.0.0.1", "meters").store

    await store.start()

    assert await store.take([(POLICY, KEY)]) is None
    assert not store.is_away
    await store.stop()


async def test_a_worker_counts_for_itself_where_no_store_is(caplog):
    meters, metrics = RateMeters(f"redis://:hunter2@127.0.0.1:{free_port()}/0", "meters"), Metrics()
    added = meters.add([POLICY], metrics)
    await meters.store.start()

    found = await asyncio.gather(*(meters.count_shared(added, [KEY]) for _ in range(5)))
    await meters.store.stop()

    assert sum(count[0] for (count,) in found) == 2
    assert [each.value for each in metrics.register(FALLBACKS)] == [5]
    (record,) = caplog.records
    assert "(ConnectionError): until it does, each worker counts for itself" in record.getMessage()
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://name:hunter2@store/0", "store:6379"),
        ("valkeys://:hunter2@store:1/0", "store:1"),
        ("redis+unix://:hunter2@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_a_store_says_where_it_is_without_its_password(url, place):
    assert RateMeters(url, "meters").store.place == place


@pytest.mark.punctual
async def test_a_store_that_answers_in_pieces_is_not_waited_for():
    """No answer that is on its way prolongs the time of a request."""

    handlers = []

    async def trickle(reader, writer):
        handlers.append(asyncio.current_task())
        try:
            while not writer.is_closing():
                writer.write(b"+OK" + b" " * 9)
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    meters = RateMeters("", "meters")
    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        meters.store = store = SharedStore(f"redis://127.0.0.1:{port}", "meters")
        added = meters.add([POLICY], Metrics())
        await store.start()

        async with asyncio.timeout(30):  # it trickles for ever
            found = await meters.count_shared(added, [KEY])

        assert found == [(True, 1, 60)]
        assert store.is_away
        await store.stop()
        assert not hasattr(store, "ready")  # a service is ready without it
        async with asyncio.timeout(30):
            await asyncio.gather(*handlers)
