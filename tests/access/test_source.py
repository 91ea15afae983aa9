"""A service's own function tells the caller, and its result is checked."""

import functools

import pytest

from msframework.access.source import PrincipalSource
from msframework.exceptions import ImproperlyConfigured
from msframework.principal import Principal

ADA = Principal("ada")


async def find_later(name):
    return ADA if name == "ada" else None


def find_now(name):
    return ADA if name == "ada" else None


class Directory:
    async def __call__(self, name):
        return await find_later(name)


@pytest.mark.parametrize(
    "function", [find_later, find_now, Directory(), functools.partial(find_later)]
)
async def test_functions_and_coroutine_functions_are_asked(function, no_request):
    source = PrincipalSource(function, "test", ("name",))

    assert await source.find(no_request, "ada") is ADA
    assert await source.find(no_request, "bob") is None


async def find_first(request, name):
    return Principal(name) if request is not None else None


async def find_by_name(name, *, request):
    return Principal(name) if request is not None else None


@pytest.mark.parametrize("function", [find_first, find_by_name, functools.partial(find_first)])
async def test_a_function_that_names_the_request_gets_it(function, no_request):
    source = PrincipalSource(function, "test", ("name",))

    assert await source.find(no_request, "ada") == ADA


async def test_a_function_without_a_signature_gets_the_credentials_alone(no_request):
    with pytest.raises(TypeError, match=r"test: the function returned an object of str"):
        await PrincipalSource(str, "test", ("name",)).find(no_request, "ada")


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda: ADA, "can't be called: too many positional arguments"),
        (lambda name, age: ADA, "can't be called: missing a required argument: 'age'"),
        (lambda request: ADA, "can't be called: too many positional arguments"),
        (lambda name, *, tx: ADA, "can't be called: missing a required.* argument: 'tx'"),
    ],
    ids=["nothing", "more", "request", "tx"],
)
def test_a_function_that_cannot_be_called_is_refused_at_start_up(function, found):
    with pytest.raises(ImproperlyConfigured, match=found) as caught:
        PrincipalSource(function, "test", ("name",))

    assert "expected a function of (name) or (request, name)" in str(caught.value)


@pytest.mark.parametrize("result", [True, False, "ada", {"id": "ada"}])
async def test_any_other_result_is_a_mistake_that_is_not_shown(result, no_request):
    with pytest.raises(TypeError, match="expected a Principal, or None") as caught:
        await PrincipalSource(lambda name: result, "HTTPBasic", ("name",)).find(no_request, "ada")

    assert "ada" not in str(caught.value)


async def test_an_exception_of_the_function_is_its_own(no_request):
    async def fail(name):
        raise LookupError("no table")

    with pytest.raises(LookupError, match="no table"):
        await PrincipalSource(fail, "test", ("name",)).find(no_request, "ada")


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ImproperlyConfigured, match="HTTPBasic: an object of str was given"):
        PrincipalSource("s3cret", "HTTPBasic", ("name",))
