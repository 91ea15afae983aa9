"""Chapter Exception: what is raised becomes an answer."""

import logging

import pytest
from sanic.handlers import ErrorHandler
from sanic.response import json

from msframework import exceptions
from msframework.exceptions import ServiceException
from msframework.testing import TestClient


def sisters():
    """Return every exception that a service may raise by itself."""
    found, left = [], [ServiceException]
    while left:
        cls = left.pop()
        left += cls.__subclasses__()
        if cls.__module__ == exceptions.__name__:
            found.append(cls)
    return sorted(set(found), key=lambda cls: (cls.status_code, cls.__name__))


STATUSES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "RequestTimeout": 408,
    "Conflict": 409,
    "Gone": 410,
    "PreconditionFailed": 412,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "UnprocessableEntity": 422,
    "PreconditionRequired": 428,
    "TooManyRequests": 429,
    "ServerError": 500,
    "BadGateway": 502,
    "ServiceUnavailable": 503,
    "GatewayTimeout": 504,
}


@pytest.fixture
async def answers_for(make_service, serve):
    """Serves a handler that raises, and calls it; *changes* are attributes of the service."""

    async def ask(*raised, **changes):
        service = make_service()
        for name, value in changes.items():
            setattr(service, name, value)

        @service.get("/<number:int>")
        async def fail(request, number):
            raise raised[number]

        async with serve(service) as (host, port):
            async with TestClient(f"http://{host}:{port}", service.operations) as client:
                return [await client.get(f"/{number}") for number in range(len(raised))]

    return ask


@pytest.mark.origin(
    "Exception, code 1",
    "code: 错误码，无异常时为0，其余值都为异常",
    "message: 状态码信息",
    "error: 自定义错误信息",
    "status_code: http状态码，使用标准的http状态码",
)
async def test_server_error_as_printed(client):
    answer = await client.del_user(id=1)

    assert answer.status == 500
    assert answer.json == {"code": "10500", "message": "msg", "error": "内部错误"}


@pytest.mark.origin(
    "code: 错误码，无异常时为0，其余值都为异常", "status_code: http状态码，使用标准的http状态码"
)
@pytest.mark.parametrize(("name", "status"), STATUSES.items())
async def test_each_sister_has_its_status_and_its_code(answers_for, name, status):
    cls = getattr(exceptions, name)

    plain, full = await answers_for(cls(), cls(error=["e"], code=7, message="m"))

    assert (plain.status, full.status) == (status, status)
    assert plain.json == {"code": 100000 + status, "message": cls.message}
    assert full.json == {"code": 7, "message": "m", "error": ["e"]}


@pytest.mark.origin("status_code: http状态码，使用标准的http状态码")
def test_no_sister_is_left_out():
    derived = {name for cls in sisters() for name in [cls.__name__] if name in STATUSES}

    assert derived == STATUSES.keys()
    assert {cls.status_code for cls in sisters()} == set(STATUSES.values())


@pytest.mark.origin("status_code: http状态码，使用标准的http状态码")
async def test_a_status_can_be_given(answers_for):
    (answer,) = await answers_for(ServiceException("tea", message="I'm a teapot", status_code=418))

    assert answer.status == 418
    assert answer.json == {"code": 100418, "message": "I'm a teapot", "error": "tea"}


@pytest.mark.origin("对抛出的异常进行处理，返回统一格式")
async def test_nothing_of_the_inside_is_told(answers_for, caplog):
    with caplog.at_level(logging.ERROR, logger="msframework.errors"):
        (answer,) = await answers_for(RuntimeError("the password is hunter2"))

    assert answer.status == 500
    assert answer.json == {"code": 100500, "message": "Internal Server Error"}
    (record,) = [each for each in caplog.records if each.name == "msframework.errors"]
    assert "hunter2" in str(record.exc_info[1])


class CustomHandler(ErrorHandler):
    """An error handler as Sanic documents it."""

    def default(self, request, exception):
        return json({"said": f"{type(exception).__name__}: {exception}"}, 503)


@pytest.mark.origin("使用 app.error_handler = CustomHander() 对抛出的异常进行处理")
@pytest.mark.parametrize("exc", [RuntimeError("a"), exceptions.NotFound("b")])
async def test_an_own_error_handler_answers(answers_for, exc):
    (answer,) = await answers_for(exc, error_handler=CustomHandler())

    assert answer.status == 503
    assert answer.json == {"said": f"{type(exc).__name__}: {exc}"}


@pytest.mark.origin("使用 app.error_handler = CustomHander() 对抛出的异常进行处理")
async def test_an_own_error_handler_answers_for_unknown_urls(make_service, serve):
    service = make_service()
    service.error_handler = CustomHandler()

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            answer = await client.get("/nowhere")

    assert answer.status == 503
    assert answer.json["said"].startswith("NotFound: ")
