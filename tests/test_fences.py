"""Libraries that are newer than those tested, or lack a name: a service serves by the plain ways.

Each runs in a process of its own, as the names are looked up when modules are imported.
"""

import logging
import re

import pytest

from msframework._tested import NAMES, REQUIRED, TESTED, demand, exists, is_tested, missing_names
from msframework.exceptions import ImproperlyConfigured
from tests.processes import fresh_database
from tests.stranger_libraries import run_with

FAST = {"serving": True, "schemas": True, "rows": True, "client": True, "queries": True}


def renamed(module, *names):
    """Return the edits that give *names* of *module* other ones."""
    return {module: {rf"\b{name}\b": f"{name}_renamed" for name in names}}


# What is another, the way that is left out then, and what the warning says.
CASES = {
    "sanic is newer": (
        {"sanic.__version__": {r"25\.12\.\d+": "25.13.0"}},
        "serving",
        "the fast path was not tested with Sanic 25.13.0; Sanic's own way is used",
    ),
    "sanic's request has no _stream_id": (
        renamed("sanic.request.types", "_stream_id"),
        "serving",
        "the fast path needs sanic.request:Request._stream_id, which Sanic",
    ),
    "sanic's protocol has no _can_write": (
        renamed("sanic.server.protocols.base_protocol", "_can_write")
        | renamed("sanic.server.protocols.http_protocol", "_can_write"),
        "serving",
        "HttpProtocol._can_write, which Sanic",
    ),
    "aiohttp is newer": (
        {"aiohttp": {r'__version__ = "3\.\d+\.\d+"': '__version__ = "3.99.0"'}},
        "client",
        "the lean path of clients was not tested with aiohttp 3.99.0",
    ),
    "aiohttp's connector has no _factory": (
        renamed("aiohttp.connector", "_factory"),
        "client",
        "the lean path of clients needs aiohttp.connector:BaseConnector._factory",
    ),
    "aiohttp's protocol has no _reading_paused": (
        renamed("aiohttp.base_protocol", "_reading_paused")
        | renamed("aiohttp.client_proto", "_reading_paused"),
        "client",
        "the lean path of clients needs aiohttp.client_proto:ResponseHandler._reading_paused",
    ),
    "aiohttp has no ResponseHandler": (
        renamed("aiohttp.client_proto", "ResponseHandler")
        | renamed("aiohttp.connector", "ResponseHandler"),
        "client",
        "the lean path of clients needs aiohttp.client_proto:ResponseHandler._buffer",
    ),
    "marshmallow's schemas have no _invoke_processors": (
        renamed("marshmallow.schema", "_invoke_processors"),
        "schemas",
        "compiling schemas needs marshmallow:Schema._invoke_processors",
    ),
    "marshmallow has no copy_containers": (
        renamed("marshmallow.error_store", "copy_containers"),
        "schemas",
        "compiling schemas needs marshmallow.error_store:copy_containers",
    ),
    "msgspec is newer": (
        {"msgspec": {r"from \._version import __version__": "__version__ = '0.99.0'"}},
        "rows",
        "writing rows without objects was not tested with msgspec 0.99.0",
    ),
}
NEEDS_ROWS = {
    "asyncpg is newer": (
        {"asyncpg": {r"from \._version import __version__": "__version__ = '0.99.0'"}},
        None,
        "running statements straight was not tested with asyncpg 0.99.0",
    ),
    "asyncpg's statements have no _state": (
        renamed("asyncpg.prepared_stmt", "_state"),
        None,
        "running statements straight needs asyncpg.prepared_stmt:PreparedStatement._state",
    ),
    "peewee is newer": (
        {"peewee": {r"__version__ = '4\.\d+\.\d+'": "__version__ = '4.99.0'"}},
        "queries",
        "rendering each shape of query once was not tested with peewee 4.99.0",
    ),
    "peewee has no JSONPath": (renamed("peewee", "JSONPath"), None, None),
}


@pytest.fixture(scope="module")
def database_url():
    with fresh_database("fences") as url:
        yield url


@pytest.fixture(scope="module")
def usual(database_url):
    """What the service answers with the libraries that are installed, without its rows and with."""
    return {url: run_with({}, url) for url in ("", database_url)}


def test_with_tested_libraries_all_is_fast(usual, database_url):
    assert usual[database_url]["ways"] == FAST
    assert usual[""]["ways"] == FAST | {"queries": None}
    assert [found["warnings"] for found in usual.values()] == [[], []]


def test_with_the_setting_all_is_served_alike_by_the_plain_ways(usual, database_url):
    found = run_with({}, database_url, fast=False)

    assert found["answers"] == usual[database_url]["answers"]
    assert found["warnings"] == []
    assert found["ways"] == FAST | {"serving": False, "rows": False, "client": False}


# NOTE: a process each; those of a library fall on the same way as the others of its cases, and that
# its private names are there is asked for in every run (see below).
HEAVY = {
    "sanic's protocol has no _can_write",
    "sanic's request has no _stream_id",
    "marshmallow has no copy_containers",
    "aiohttp has no ResponseHandler",
    "asyncpg's statements have no _state",
    "peewee has no JSONPath",
    "aiohttp's connector has no _factory",
    "aiohttp's protocol has no _reading_paused",
    "marshmallow's schemas have no _invoke_processors",
}
EACH, WITH_ROWS = (
    [
        pytest.param(*case, id=name, marks=[pytest.mark.acceptance] if name in HEAVY else [])
        for name, case in cases.items()
    ]
    for cases in (CASES, NEEDS_ROWS)
)


@pytest.mark.parametrize(("edits", "way", "warning"), EACH)
def test_another_library_serves_alike_by_its_own_way(usual, edits, way, warning):
    found = run_with(edits)

    assert found["answers"] == usual[""]["answers"]
    assert found["ways"][way] is False
    (text,) = found["warnings"]
    assert warning in text


@pytest.mark.parametrize(("edits", "way", "warning"), WITH_ROWS)
def test_another_library_reads_rows_alike(usual, database_url, edits, way, warning):
    found = run_with(edits, database_url)

    assert found["answers"] == usual[database_url]["answers"]
    assert [name for name, fast in found["ways"].items() if not fast] == ([way] if way else [])
    assert [warning in text for text in found["warnings"]] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            renamed("sanic.http.http1", "http1_request_header"),
            r"sanic 25\.\S+ lacks sanic\.http:Http\.http1_request_header: serving is not possible",
        ),
        pytest.param(
            renamed("sanic.request.types", "_current"),
            r"sanic 25\.\S+ lacks sanic\.request:Request\._current: serving is not possible",
            marks=pytest.mark.acceptance,
        ),
        pytest.param(
            renamed("sanic.router", "_get"),
            r"sanic 25\.\S+ lacks sanic\.router:Router\._get: serving is not possible",
            marks=pytest.mark.acceptance,
        ),
    ],
)
def test_a_name_without_another_way_is_asked_for_at_start_up(edits, message):
    with pytest.raises(RuntimeError, match=message) as caught:
        run_with(edits)
    assert "Install a version that msframework was tested with: sanic 25.12.*" in str(caught.value)


def test_a_query_that_cannot_be_rendered_says_why(database_url):
    found = run_with(renamed("peewee", "_values"), database_url)

    assert [status for status, _ in found["answers"]] == [500, 500, 422, 422, 500, 500, 500]
    said = (
        r"peewee 4\.\S+ lacks peewee:Context\._values: rendering a query is not possible\. Install"
    )
    assert all(re.search(said, text) for text in found["warnings"])


@pytest.mark.parametrize("library", TESTED)
def test_the_installed_library_has_all_names(library):
    assert missing_names(library) == ()


def test_only_tested_libraries_have_names():
    assert NAMES.keys() <= TESTED.keys()


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("sanic.http:Http", True),
        ("sanic.http:Http.perft0", True),
        ("aiohttp.connector:BaseConnector._factory", True),  # set by its methods
        ("sanic.http:Http.gone", False),
        ("sanic.http:Gone", False),
        ("sanic.gone:Http", False),
    ],
)
def test_a_name_is_found(name, there):
    assert exists(name) is there


def test_a_tested_version_is_not_warned_of(caplog):
    logger = logging.getLogger("msframework")
    assert is_tested(logger, "peewee", "4.5.9", ("4.5.",), "a way")
    assert not is_tested(logger, "peewee", "4.6.0", ("4.5.",), "a way")
    assert [record.getMessage() for record in caplog.records] == [
        "a way was not tested with peewee 4.6.0; peewee's own way is used"
    ]


@pytest.mark.parametrize(("library", "what"), REQUIRED)
def test_what_is_demanded_is_there(library, what):
    demand(library, what)


def test_what_is_demanded_and_not_there_is_named(monkeypatch):
    names = {("peewee", "a query"): ("peewee:Context.gone",)}
    monkeypatch.setattr("msframework._tested.REQUIRED", names)
    with pytest.raises(ImproperlyConfigured, match=r"lacks peewee:Context\.gone: a query is not"):
        demand("peewee", "a query")
