"""Chapter Response: handlers return raw data, and all answers have one form."""

import pytest
from sanic.response import text

from msframework.testing import TestClient

RAW = (
    "在返回时，不要返回response，直接返回原始数据，会在Middleware中对返回的数据进行处理，返回统一的格式，"
    "具体的格式可以[查看](https://gist.github.com/songcser/ae8af65f33f34f09f265879e107cb584)"
)


@pytest.fixture
async def answer_of(make_service, serve):
    """Serves a handler that returns the value given, and calls it."""

    async def ask(value):
        service = make_service()

        @service.get("/")
        async def show(request):
            return value

        async with serve(service) as (host, port):
            async with TestClient(f"http://{host}:{port}", service.operations) as client:
                return await client.get("/")

    return ask


@pytest.mark.origin(RAW, "code: 错误码，无异常时为0，其余值都为异常")
@pytest.mark.parametrize(
    "value", [{"id": 1, "name": "上海"}, {}, [{"id": 1}, {"id": 2}], [], "text", 0, 1.5, True, None]
)
async def test_raw_data_is_wrapped(answer_of, value):
    answer = await answer_of(value)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json == {"code": 0, "data": value}


@pytest.mark.origin(RAW)
async def test_data_with_pagination_is_a_page(answer_of):
    pagination = {"page": 2, "per_page": 1, "total": 3, "pages": 3}

    answer = await answer_of(([{"id": 2}], pagination))

    assert answer.json == {"code": 0, "data": [{"id": 2}], "pagination": pagination}


@pytest.mark.origin(RAW)
async def test_a_response_of_sanic_is_left_as_it_is(answer_of):
    answer = await answer_of(text("as it is", status=418, headers={"x-own": "1"}))

    assert (answer.status, answer.text, answer.headers["x-own"]) == (418, "as it is", "1")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.origin(RAW)
async def test_rows_are_wrapped_through_the_model(client, person):
    await client.create_user(json=person)

    answer = await client.get("/users/")

    (row,) = answer.json["data"]
    assert answer.json["code"] == 0
    assert {name: row[name] for name in person} == person
