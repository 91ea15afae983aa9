"""Counting in a real Redis: together with others, and without it while it is away."""

import asyncio
import logging
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from time import monotonic

import pytest
import pytest_asyncio

from msframework import doc
from msframework.conf.operations import OperationsSettings
from msframework.limits import store as store_module
from msframework.limits.meter import FALLBACKS, REQUESTS
from msframework.limits.rate import RatePolicy
from msframework.limits.store import SharedStore
from tests.conftest import new_service, serve_service
from tests.limits.test_rates import statuses
from tests.processes import free_port

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is missing"),
]
MINUTE = RatePolicy("store", "address", 100, 60, "minute")
PASSWORD = "s3cret%20word"
LOGGER = "msframework.limits"
TIMEOUT = store_module.TIMEOUT


class RedisServer:
    """A Redis that listens on one port, and on a socket."""

    def __init__(self, folder):
        self.port, self.socket = free_port(), f"{folder}/redis.sock"
        self._command = [
            *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
            *("--dir", str(folder), "--unixsocket", self.socket, "--requirepass", "s3cret word"),
        ]
        self.start()

    @property
    def url(self):
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/1"

    def start(self):
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        raise AssertionError("redis-server did not start")

    def kill(self):
        """End it at once."""
        self._process.kill()
        self._process.communicate()

    @contextmanager
    def frozen(self):
        """Let it answer nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait for the store as long as a loaded machine takes, and look for it many times a second."""
    monkeypatch.setattr(store_module, "TIMEOUT", 20.0)
    monkeypatch.setattr(store_module, "PAUSE", 0.05)


async def open_store(url, name="stores"):
    """Return a store at *url*, started."""
    store = SharedStore(url, name)
    store.is_used = True
    await store.start()
    return store


@pytest_asyncio.fixture(loop_scope="module")
async def store(redis, request):
    store = await open_store(redis.url, request.node.name)
    yield store
    await store.stop()


async def until_back(store):
    """Wait until *store* answers again."""
    async with asyncio.timeout(30):
        while store.is_away:
            await asyncio.sleep(0.01)


async def test_several_limits_are_asked_together(store):
    few = RatePolicy("few", "address", 2, 3600, "hour")

    found = [await store.take([(few, b"k" * 16), (MINUTE, b"k" * 16)]) for _ in range(3)]

    assert [each[0] for each in found][:2] == [(True, 1, 3600), (True, 0, 3600)]
    assert found[2][0][:2] == (False, 0)
    assert [each[1][:2] for each in found] == [(True, 99), (True, 98), (True, 97)]


async def test_limits_of_two_amounts_are_two_budgets_as_in_memory(store):
    fewer = RatePolicy("store", "address", 2, 60, "minute")
    for _ in range(3):
        await store.take([(MINUTE, b"k" * 16)])

    assert await store.take([(fewer, b"k" * 16)]) == [(True, 1, 60)]


async def test_two_workers_allow_no_more_than_one(store, redis):
    other = await open_store(redis.url, "test_two_workers_allow_no_more_than_one")
    key = b"k" * 16

    found = await asyncio.gather(
        *(each.take([(MINUTE, key)]) for _ in range(60) for each in (store, other))
    )
    await other.stop()

    assert sum(count[0] for (count,) in found) == MINUTE.amount
    assert min(seconds for ((_, _, seconds),) in found) >= 1


@pytest.mark.punctual
async def test_a_window_ends_and_fades(store):
    policy, key = RatePolicy("short", "address", 2, 1, "second"), b"k" * 16
    for _ in range(2):
        assert (await store.take([(policy, key)]))[0][0]
    refused = (await store.take([(policy, key)]))[0]
    assert refused == (False, 0, 1)

    await asyncio.sleep(1.05)

    assert [(await store.take([(policy, key)]))[0][0] for _ in range(2)] == [True, False]


@pytest.mark.punctual
async def test_keys_tell_nothing_and_go(store):
    policy, key = RatePolicy("brief", "address", 9, 1, "second"), b"\x01" * 16
    await store.take([(policy, key)])
    client = store._client

    (name,) = await client.keys(f"{store._prefix}:brief*")

    assert name.decode() == f"{store._prefix}:brief/address/second/9:{'01' * 16}"
    assert 1000 < await client.pttl(name) <= 2000


async def test_a_key_of_another_type_is_made_anew(store):
    name = f"{store._prefix}:{MINUTE.name}/100:{(b'k' * 16).hex()}"
    await store._client.set(name, "of somebody else")

    assert await store.take([(MINUTE, b"k" * 16)]) == [(True, 99, 60)]
    assert not store.is_away


@pytest.mark.parametrize("scheme", ["redis", "valkey", "redis+unix", "valkey+unix"])
async def test_all_addresses_lead_to_it(redis, scheme):
    place = f"127.0.0.1:{redis.port}/2" if "unix" not in scheme else f"{redis.socket}?db=2"
    store = await open_store(f"{scheme}://:{PASSWORD}@{place}")

    assert (await store.take([(MINUTE, scheme.ljust(16).encode())]))[0][:2] == (True, 99)
    assert PASSWORD not in store.place
    await store.stop()


async def test_a_store_that_is_frozen_delays_nobody_for_long(store, redis, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, LOGGER)
    await store.take([(MINUTE, b"k" * 16)])

    with redis.frozen(), monkeypatch.context() as hasty:
        hasty.setattr(store_module, "TIMEOUT", TIMEOUT)
        began = monotonic()
        found = await asyncio.gather(*(store.take([(MINUTE, b"k" * 16)]) for _ in range(300)))
        first = monotonic() - began
        at_once = asyncio.create_task(store.take([(MINUTE, b"k" * 16)]))
        await asyncio.sleep(0)
        assert at_once.done()
    await until_back(store)

    assert [*found, at_once.result()] == [None] * 301
    assert first < 50 * TIMEOUT  # one after the other, they take 300 times that
    assert (await store.take([(MINUTE, b"n" * 16)]))[0][0]
    away, back = [record.getMessage() for record in caplog.records]
    assert f"127.0.0.1:{redis.port} does not answer (TimeoutError)" in away
    assert "answers again" in back


async def test_a_store_that_was_started_anew_is_used_at_once(store, redis, caplog):
    await store.take([(MINUTE, b"k" * 16)])
    redis.kill()
    redis.start()

    assert await store.take([(MINUTE, b"k" * 16)]) == [(True, 99, 60)]
    assert caplog.records == []


async def test_a_store_whose_place_another_one_took_is_found(redis, tmp_path):
    """The address of a store leads to another one, while the connection to the old one stays."""

    target, handlers = redis.port, []

    async def lead(reader, writer):
        handlers.append(asyncio.current_task())
        other = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, other[1]), pump(other[0], writer))

    async def pump(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    other = RedisServer(tmp_path)
    async with await asyncio.start_server(lead, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        store = await open_store(f"redis://:{PASSWORD}@127.0.0.1:{port}/1", "taken")
        await store.take([(MINUTE, b"k" * 16)])
        await store._client.replicaof("127.0.0.1", free_port())
        try:
            target = other.port
            assert await store.take([(MINUTE, b"k" * 16)]) is None
            await until_back(store)

            assert await store.take([(MINUTE, b"k" * 16)]) == [(True, 99, 60)]
        finally:
            await store.stop()
            async with asyncio.timeout(30):
                await asyncio.gather(*handlers)
            other.kill()
            redis.kill()
            redis.start()


async def test_a_wrong_password_is_not_told(redis, caplog):
    store = await open_store(f"redis://:hunter2@127.0.0.1:{redis.port}/1")

    assert await store.take([(MINUTE, b"k" * 16)]) is None
    assert store.is_away
    await store.stop()

    assert "hunter2" not in caplog.text
    assert "(AuthenticationError)" in caplog.text


async def test_a_request_that_is_given_up_harms_no_other(store, redis):
    with redis.frozen():
        asking = asyncio.create_task(store.take([(MINUTE, b"k" * 16)]))
        other = asyncio.create_task(store.take([(MINUTE, b"o" * 16)]))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert (await other)[0][0]
    assert not store.is_away


async def test_a_store_stops_while_it_is_asked(redis):
    store = await open_store(redis.url)

    with redis.frozen():
        asking = asyncio.create_task(store.take([(MINUTE, b"k" * 16)]))
        await asyncio.sleep(0.02)
        await store.stop()
        assert await asking is None


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_a_service_limits_without_its_store_and_with_it_again(redis, fast, caplog):
    operations = OperationsSettings(rate_limit_storage=redis.url)
    service = new_service(
        service_name=f"stored-{fast}", server={"fast_path": fast}, operations=operations
    )

    @service.get("/")
    @doc.rate_limit("2/hour", by="address")
    @doc.rate_limit("100/hour")
    async def read(request): ...

    async with serve_service(service) as place:
        assert await statuses(place, 3, "/") == [200, 200, 429]
        redis.kill()
        assert await statuses(place, 3, "/") == [200, 200, 429]
        assert service._serving.rates.store.is_away
        redis.start()
        await until_back(service._serving.rates.store)
        assert await statuses(place, 3, "/") == [200, 200, 429]

    fallbacks = {each.labels: each.value for each in service.metrics.register(FALLBACKS)}
    assert fallbacks["read/address/hour",] == 3
    requests = {each.labels: each.value for each in service.metrics.register(REQUESTS)}
    assert requests["read/address/hour", "limited"] == 3
    assert len([record for record in caplog.records if record.name == LOGGER]) == 2


async def test_a_loop_that_is_busy_says_nothing_of_the_store(store, caplog, monkeypatch):
    await store.take([(MINUTE, b"k" * 16)])
    with monkeypatch.context() as hasty:
        hasty.setattr(store_module, "TIMEOUT", TIMEOUT)
        asking = asyncio.create_task(store.take([(MINUTE, b"k" * 16)]))
        await asyncio.sleep(0)

        time.sleep(TIMEOUT + 0.2)  # noqa: ASYNC251 - as a handler that does not await
        await asking

    assert not store.is_away
    assert (await store.take([(MINUTE, b"o" * 16)]))[0][0]
    assert caplog.records == []


async def test_a_stop_that_is_cancelled_is_cancelled_and_closes_the_connection():
    is_cancelled, closed = asyncio.Event(), asyncio.Event()

    class Client:
        async def aclose(self):
            closed.set()

    async def linger():
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()
            await asyncio.Event().wait()

    store = SharedStore("redis://127.0.0.1:1/0", "cancelled")
    store._client, store._watch = Client(), asyncio.create_task(linger())
    await asyncio.sleep(0)
    stop = asyncio.create_task(store.stop())
    await is_cancelled.wait()
    stop.cancel()
    await asyncio.wait([stop])

    assert stop.cancelled()
    assert closed.is_set()
