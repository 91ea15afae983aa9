"""Text that PostgreSQL cannot hold is told by one rule, whichever schema let it through."""

from dataclasses import replace

import aiohttp
import pytest

from msframework import Blueprint, Resource, Schema, doc
from msframework.conf.settings import DatabaseSettings
from msframework.schemas import fields
from tests.processes import fresh_database
from tests.sessions import Client

NUL = ["Null characters are not allowed."]
SURROGATE = ["Not a valid utf-8 string."]


class PlainSchema(Schema):
    """A schema of marshmallow's own, which lets any text through."""

    name = fields.String()
    tags = fields.List(fields.String())
    more = fields.Raw()


def declare(service):
    texts = Blueprint("texts", url_prefix="/texts")

    async def store(request, body):
        async with request.app.db.acquire(request) as cur:
            if "more" in body:
                return await cur.fetchrow("SELECT $1::jsonb AS more", body["more"])
            sql = "SELECT $1::text AS name, $2::text[] AS tags"
            return await cur.fetchrow(sql, body.get("name"), body.get("tags"))

    @texts.resource("/plain")
    class Plain(Resource):
        @doc.consumes(PlainSchema)
        async def post(self, request, body):
            return await store(request, body)

        @doc.form({"size": int})
        async def put(self, request, form):
            return await store(request, {"name": "of ours\0"})

    @texts.resource("/described")
    class Described(Resource):
        @doc.consumes({"name": doc.String(required=False), "tags": doc.List(str, required=False)})
        async def post(self, request, body):
            return await store(request, body)

    service.blueprint(texts)


@pytest.fixture(scope="module")
def url():
    with fresh_database("misfit") as found:
        yield found


@pytest.fixture
async def client(make_service, serve, url):
    service = make_service(database=replace(DatabaseSettings(), url=url, max_size=1))
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        yield Client(session, f"http://{host}:{port}")


@pytest.mark.parametrize("path", ["/texts/plain", "/texts/described"])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"name": "a\0b"}, {"name": NUL}),
        ({"name": "\ud800"}, {"name": SURROGATE}),
        ({"name": "\ud800\0"}, {"name": NUL}),
        ({"tags": ["ok", "\0"]}, {"tags": {"1": NUL}}),
    ],
    ids=str,
)
async def test_the_same_message_names_the_same_place(client, path, body, error):
    status, answer = await client("POST", path, json=body)

    assert (status, answer["error"]) == (422, {"body": error})


@pytest.mark.parametrize(
    ("value", "error"),
    [({"a": ["\0"]}, {"a": {"0": NUL}}), ("\0", NUL)],
    ids=str,
)
async def test_text_within_json_is_named_too(client, value, error):
    status, answer = await client("POST", "/texts/plain", json={"more": value})

    assert (status, answer["error"]) == (422, {"body": {"more": error}})


async def test_a_text_of_the_handlers_own_names_no_input(client):
    status, answer = await client("PUT", "/texts/plain", data={"size": "1"})

    assert (status, answer["error"]) == (422, "a value does not fit its column")
