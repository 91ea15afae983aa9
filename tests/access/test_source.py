"""A service's own function tells the caller, and its result is checked."""

import functools
from dataclasses import dataclass

import pytest

from msframework.access.source import PrincipalSource
from msframework.exceptions import ImproperlyConfigured
from msframework.principal import Principal

ADA = Principal("ada", authenticator="other")


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
    source = PrincipalSource(function, "test")

    assert await source.find("own", no_request, "ada") is ADA
    assert await source.find("own", no_request, "bob") is None


async def test_a_function_that_names_the_request_gets_it(no_request):
    async def find(name, request):
        return Principal(name) if request is no_request else None

    assert await PrincipalSource(find, "test").find("own", no_request, "ada") == Principal(
        "ada", authenticator="own"
    )


async def test_a_function_without_a_signature_gets_the_credentials_alone(no_request):
    with pytest.raises(TypeError, match=r"test: the function returned an object of dict"):
        await PrincipalSource(dict, "test").find("own", no_request)


@pytest.mark.parametrize("result", [True, False, "ada", {"id": "ada"}])
async def test_any_other_result_is_a_mistake_that_is_not_shown(result, no_request):
    with pytest.raises(TypeError, match="expected a Principal, or None") as caught:
        await PrincipalSource(lambda name: result, "HTTPBasic").find("own", no_request, "ada")

    assert "ada" not in str(caught.value)


@dataclass(frozen=True, slots=True)
class Employee(Principal):
    desk: int = 0


async def test_a_principal_without_an_authenticator_gets_its_name_and_stays_what_it_is(no_request):
    kept = Employee("ada", frozenset("a"), {"x": 1}, desk=7)

    found = await PrincipalSource(lambda name: kept, "test").find("own", no_request, "ada")

    assert found == Employee("ada", frozenset("a"), {"x": 1}, "own", desk=7)
    assert kept.authenticator == ""


async def test_an_exception_of_the_function_is_its_own(no_request):
    async def fail(name):
        raise LookupError("no table")

    with pytest.raises(LookupError, match="no table"):
        await PrincipalSource(fail, "test").find("own", no_request, "ada")


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ImproperlyConfigured, match="HTTPBasic: an object of str was given"):
        PrincipalSource("s3cret", "HTTPBasic")
