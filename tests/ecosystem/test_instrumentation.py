"""Instrumentations of asyncpg and aiohttp see every statement and every call."""

import pytest

from tests.processes import fresh_database


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("ecosystem") as url:
        yield url


OPENTELEMETRY = """
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))


def instrument():
    AsyncPGInstrumentor().instrument(tracer_provider=provider)
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)


async def main():
    service = make_service()
    instrument()  # at the latest where a service is configured
    async with serving(service) as server:
        url = server.url
        found = await ask(url, "/rows/7", "/ping")
    seen = [dict(span.attributes) for span in spans.get_finished_spans()]
    statements = [one["db.statement"] for one in seen if "db.statement" in one]
    calls = [one["http.url"].removeprefix(url) for one in seen if "http.url" in one]
    print(json.dumps({"found": found, "statements": statements, "calls": calls}))


asyncio.run(main())
"""
SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.aiohttp import AioHttpIntegration
from sentry_sdk.integrations.asyncpg import AsyncPGIntegration

events = []


async def main():
    service = make_service()
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        traces_sample_rate=1.0,
        before_send_transaction=lambda event, hint: events.append(event),
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AsyncPGIntegration(), AioHttpIntegration()],
    )

    @service.on_request
    async def begin(request):
        # Without it all tasks share one current span, which may be that of a request long gone.
        request.ctx.scope = sentry_sdk.isolation_scope()
        request.ctx.scope.__enter__()
        request.ctx.transaction = sentry_sdk.start_transaction(name=request.path)
        request.ctx.transaction.__enter__()

    @service.on_response
    async def end(request, response):
        request.ctx.transaction.__exit__(None, None, None)
        request.ctx.scope.__exit__(None, None, None)

    async with serving(service) as server:
        url = server.url
        with sentry_sdk.start_transaction(name="caller"):
            found = await ask(url, "/rows/7", "/ping")
    sent = [span for event in events for span in event["spans"]]
    statements = [span["description"] for span in sent if span["op"] == "db"]
    calls = [span["description"].removeprefix(f"GET {url}") for span in sent
             if span["op"] == "http.client"]
    print(json.dumps({"found": found, "statements": statements, "calls": calls}))


asyncio.run(main())
"""


HEAVY = pytest.mark.acceptance  # every tool, pool and way is in one of the others


@pytest.mark.parametrize(
    ("program", "pool", "fast"),
    [
        pytest.param(OPENTELEMETRY, "light", True, id="opentelemetry-light-fast"),
        pytest.param(SENTRY, "light", True, id="sentry-light-fast"),
        pytest.param(OPENTELEMETRY, "asyncpg", False, id="opentelemetry-asyncpg-plain"),
        pytest.param(SENTRY, "asyncpg", True, id="sentry-asyncpg-fast", marks=HEAVY),
        pytest.param(OPENTELEMETRY, "asyncpg", True, id="opentelemetry-asyncpg-fast", marks=HEAVY),
        pytest.param(OPENTELEMETRY, "light", False, id="opentelemetry-light-plain", marks=HEAVY),
        pytest.param(SENTRY, "light", False, id="sentry-light-plain", marks=HEAVY),
        pytest.param(SENTRY, "asyncpg", False, id="sentry-asyncpg-plain", marks=HEAVY),
    ],
)
def test_every_statement_and_every_call_is_seen(looked_into, database, program, pool, fast):
    program = program.replace("make_service()", f"make_service(pool={pool!r})")

    said = looked_into(program, fast=fast, DATABASE_URL=database)

    assert said["found"] == [{"once": 7}, {"pong": True}]
    assert said["calls"] == ["/rows/7", "/rows/7", "/ping", "/ping"]
    seen = [text for text in said["statements"] if text.startswith("SELECT $1::int AS")]
    assert seen.count("SELECT $1::int AS once") == 4
    assert seen.count("SELECT $1::int AS within") == 2
    assert len([text for text in said["statements"] if text.startswith("BEGIN")]) == 2


WRAPPED = """
import aiohttp, asyncpg, functools

seen = []


def watch(cls, name):
    original = getattr(cls, name)

    @functools.wraps(original)
    async def watching(self, *args, **options):
        seen.append(name)
        return await original(self, *args, **options)

    setattr(cls, name, watching)


async def main():
    service = make_service()
    watch(asyncpg.Connection, "fetchrow")
    watch(asyncpg.Connection, "fetch")
    watch(aiohttp.ClientSession, "_request")
    async with serving(service) as server:
        url = server.url
        await ask(url, "/rows/7")
    print(json.dumps(seen))


asyncio.run(main())
"""


def test_wrapped_methods_are_called(looked_into, database, fast):
    seen = looked_into(WRAPPED, fast=fast, DATABASE_URL=database)

    assert [seen.count(name) for name in ("fetchrow", "fetch", "_request")] == [4, 2, 2]


UNTOUCHED = """
from msframework.client.lean import LeanTransport
from msframework.db.statement_cache import is_watched


async def main():
    async with serving(make_service()) as server:
        url = server.url
        client = Client(url=url, fast=FAST)
        await client.call("GET", "/rows/7")
        lean = isinstance(client._channel.transport(), LeanTransport)
        await client.close()
    print(json.dumps([lean, is_watched()]))


asyncio.run(main())
"""


def test_the_short_ways_are_taken_where_nobody_looks(looked_into, database):
    assert looked_into(UNTOUCHED, fast=True, DATABASE_URL=database) == [True, False]
