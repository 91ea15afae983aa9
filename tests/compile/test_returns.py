"""What is refused at start-up because no answer could come of it."""

from http import HTTPStatus

import pytest

from msframework import ImproperlyConfigured, Reply


async def status(request):
    return {"id": 1}, 201


async def constant(request):
    return "made", 201


async def headers_too(request):
    return {"id": 1}, 201, {"X-A": "b"}


async def named_status(request):
    return {"id": 1}, HTTPStatus.CREATED


async def in_a_branch(request):
    if request.args:
        return {"id": 1}
    return {"id": 1}, 404


def plain_function(request):
    return {"id": 1}, 400


async def async_generator(request):
    yield {"id": 1}


def generator(request):
    yield {"id": 1}


async def rows_and_a_dict(request):
    return [{"id": 201}], {"page": 201}


async def two_numbers(request):
    return 200, 300


async def a_list(request):
    return [{"id": 1}, 201]


async def not_a_status(request):
    return {"id": 1}, 7


async def an_inner_function(request):
    def inner():
        return {"id": 1}, 201

    data, number = inner()
    return Reply(data, status=number)


@pytest.mark.parametrize(
    "handler",
    [status, constant, headers_too, named_status, in_a_branch, plain_function],
)
def test_a_tuple_with_a_status_is_refused_and_reply_named(make_service, handler):
    service = make_service()
    service.get("/")(handler)

    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()

    (problem,) = caught.value.problems
    line = handler.__code__.co_firstlineno
    assert f"tests/compile/test_returns.py:{line} {handler.__name__}: line " in problem
    assert "Return Reply(data, status=…)" in problem


@pytest.mark.parametrize("handler", [async_generator, generator])
def test_a_generator_is_refused(make_service, handler):
    service = make_service()
    service.get("/")(handler)

    with pytest.raises(ImproperlyConfigured, match="it is a generator"):
        service.compile()


@pytest.mark.parametrize(
    "handler", [rows_and_a_dict, two_numbers, a_list, not_a_status, an_inner_function]
)
def test_other_tuples_are_left_alone(make_service, handler):
    service = make_service()
    service.get("/")(handler)

    assert service.operations
