"""Values at the edge, over real sockets, on both paths: what is taken, refused, and answered."""

import decimal
import json
from urllib.parse import quote

import aiohttp
import pytest
from marshmallow import ValidationError

from msframework import Blueprint, Resource, doc
from tests.sessions import JSON, Client

INTEGER = ["Not a valid integer."]


def declare(service):
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/")
    class Things(Resource):
        @doc.consumes({"id": int, "price": decimal.Decimal, "sure": bool, "tags": [int]})
        async def patch(self, request, body):
            return body

        @doc.query({"id": int, "sure": bool, "tags": [int]})
        async def get(self, request, query):
            return query

        @doc.form({"id": int, "sure": bool})
        async def put(self, request, form):
            return form

    @things.post("/raises")
    async def raises(request):
        raise ValidationError({f"k{number}": ["wrong"] * 10 for number in range(1000)})

    service.blueprint(things)


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
async def client(request, make_service, serve):
    service = make_service(server={"fast_path": request.param})
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        yield Client(session, f"http://{host}:{port}")


async def test_a_decimal_keeps_the_digits_of_a_json_number(client):
    body = b'{"price":12345678901234567.89}'

    status, answer = await client("PATCH", "/things/", data=body, headers=JSON)

    assert (status, answer["data"]) == (200, {"price": "12345678901234567.89"})


@pytest.mark.parametrize("body", [b'{"id":1.9}', b'{"id":"5"}', b'{"id":true}'])
async def test_an_integer_of_json_is_an_integer(client, body):
    status, answer = await client("PATCH", "/things/", data=body, headers=JSON)

    assert (status, answer["error"]) == (422, {"body": {"id": INTEGER}})


async def test_a_key_that_stands_twice_is_400_with_its_place(client):
    status, answer = await client("PATCH", "/things/", data=b'{"id":1,"id":2}', headers=JSON)

    assert status == 400
    assert answer["error"] == "the key stands twice in an object (at byte 8)"


async def test_a_body_wrong_in_many_places_gets_a_hundred_messages(client):
    for body in (
        json.dumps({"tags": ["x"] * 100_000}),
        json.dumps({f"k{number}": 1 for number in range(50_000)}),
    ):
        status, answer = await client("PATCH", "/things/", data=body, headers=JSON)

        assert status == 422
        wrong = answer["error"]["body"]
        assert wrong["_schema"] == ["There are more errors; these are the first 100."]
        assert len(wrong.get("tags", wrong)) in (100, 101)


async def test_an_error_of_the_handler_is_bounded_too(client):
    status, answer = await client("POST", "/things/raises")

    assert status == 422
    assert sum(map(len, answer["error"].values())) == 101
    assert answer["error"]["_schema"] == ["There are more errors; these are the first 100."]


async def test_where_text_arrives_a_number_is_read_from_it(client):
    status, answer = await client("GET", "/things/?id=5&sure=yes&tags=1&tags=2")
    assert (status, answer["data"]) == (200, {"id": 5, "sure": True, "tags": [1, 2]})

    status, answer = await client("PUT", "/things/", data={"id": "5", "sure": "on"})
    assert (status, answer["data"]) == (200, {"id": 5, "sure": True})


@pytest.mark.parametrize("text", ["1.0", "1_0", " 1", "٥", "+1", ""])
async def test_where_text_arrives_an_integer_is_written_in_digits(client, text):
    status, answer = await client("GET", f"/things/?id={quote(text)}&sure=1&tags=1")

    assert (status, answer["error"]) == (422, {"query": {"id": INTEGER}})
