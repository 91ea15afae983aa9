"""Rate limits around an operation: where they stand, what is refused, compiled and documented."""

import sys

import pytest

from msframework import (
    Authenticated,
    Authenticator,
    Blueprint,
    ImproperlyConfigured,
    RateLimit,
    Resource,
    doc,
)
from msframework.conf.operations import OperationsSettings
from msframework.openapi.spec import build_document


class Tokens(Authenticator):
    """Knows nobody."""

    scheme = {"type": "http", "scheme": "bearer"}  # noqa: RUF012 - as services write it
    challenge = "Bearer"
    header = "authorization"

    async def authenticate(self, request):
        return None


@pytest.fixture
def service(make_service):
    return make_service(operations=OperationsSettings(rate_limits=("9/hour", "8/hour by address")))


def names(service):
    """Return the names of the limits of each operation, by its id."""
    return {each.id: [rate.name for rate in each.rates] for each in service.operations}


@doc.rate_limit("7/day")
class Base(Resource):
    """Something to derive from."""


def test_a_blueprint_takes_one_limit_as_a_text(service):
    things = Blueprint("things", "/things", rate_limits="6/day; 5/hour")

    @things.get("/")
    async def read(request): ...

    service.blueprint(things)

    assert names(service)["things_read"][2:] == ["things/principal/day", "things/principal/hour"]


def test_limits_add_up_from_the_outside_in(service):
    things = Blueprint("things", "/things", rate_limits=["6/day", RateLimit("5/day", "address")])

    @things.resource("/")
    @doc.rate_limit("4/hour; 3/minute")
    class Things(Base):
        @doc.rate_limit("2/hour", by="address", scope="own")
        async def get(self, request): ...

        @doc.unlimited
        async def post(self, request): ...

        @doc.unlimited()
        @doc.deprecated
        async def delete(self, request): ...

    @things.resource("/free")
    @doc.unlimited
    class Free(Base):
        @doc.rate_limit("1/hour")
        async def get(self, request): ...

    service.blueprint(things)

    assert names(service) == {
        "things_list": [
            "service/principal/hour",
            "service/address/hour",
            "things/principal/day",
            "things/address/day",
            "things.Things/principal/day",
            "things.Things/principal/hour",
            "things.Things/principal/minute",
            "own/address/hour",
        ],
        "things_create": [],
        "things_delete": [],
        "things_free_list": ["things.Free/principal/day", "things_free_list/principal/hour"],
    }


def test_nothing_is_compiled_where_nothing_is_declared(make_service):
    service = make_service()

    @service.get("/")
    async def read(request): ...

    assert "admit" not in service.sources["read"]
    assert not service._serving.rates.is_used


def test_admission_counts_by_address_before_it_authenticates_and_by_principal_last(service):
    service.authenticate("tokens", Tokens())

    @service.get("/")
    @doc.guards(Authenticated())
    async def read(request): ...

    source = service.sources["read"]

    assert source.index("take_by_address(request)") < source.index("identify")
    assert source.index("refuse_anonymous()") < source.index("take_by_caller(request)")
    assert "await take_by" not in source


def test_a_store_is_awaited(make_service):
    storage = OperationsSettings(rate_limit_storage="redis://127.0.0.1:1/0")
    service = make_service(operations=storage)

    @service.get("/")
    @doc.rate_limit("1/hour")
    async def read(request): ...

    assert "await take_by_caller(request)" in service.sources["read"]


def test_an_operation_that_asks_for_the_principal_authenticates(make_service):
    service = make_service()
    service.authenticate("tokens", Tokens())

    @service.get("/principal")
    @doc.rate_limit("1/hour")
    async def by_principal(request): ...

    @service.get("/address")
    @doc.rate_limit("1/hour", by="address")
    async def by_address(request): ...

    first, second = service.operations

    assert [each.name for each in first.access.authenticators] == ["tokens"]
    assert first.security == ({"tokens": ()}, {})
    assert second.access.authenticators == ()
    assert second.is_admitted


def mistakes(service):
    """Return what is refused."""
    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()
    return "\n".join(caught.value.problems)


def test_every_mistake_says_where_it_stands(make_service):
    service = make_service()
    things = Blueprint("things", "/things", rate_limits=[9, "1/fortnight"])

    @things.resource("/")
    @doc.rate_limit("0/minute")
    class Things(Resource):
        @doc.rate_limit("-1/minute")
        @doc.rate_limit("5/minute", by="user")
        async def get(self, request): ...

        @doc.unlimited
        @doc.rate_limit("5/minute")
        async def put(self, request): ...

    @service.get("/")
    @doc.rate_limit("5/minute")
    @doc.rate_limit("6/minute")
    async def twice(request): ...

    service.blueprint(things)
    found = mistakes(service)

    assert "blueprint 'things': 9 is no rate limit. Write a text such as '100/minute'" in found
    assert "blueprint 'things': '1/fortnight' is no rate limit. Write '100/minute'" in found
    assert f"{__name__}.Things: '0/minute' allows nothing" in found.replace(
        "test_every_mistake_says_where_it_stands.<locals>.", ""
    )
    assert "Things.get: '-1/minute' is no rate limit" in found
    assert "Things.get: a rate limit is by 'user'" in found
    assert "Things.put: @doc.unlimited stands on it, and rate limits too" in found
    assert "twice: two of its rate limits are called twice/principal/minute" in found


def test_a_blueprint_is_not_unlimited(make_service):
    service, things = make_service(), Blueprint("things")
    doc.unlimited(things)

    @things.get("/")
    async def read(request): ...

    service.blueprint(things)

    assert "blueprint 'things': @doc.unlimited stands on it" in mistakes(service)


def test_a_decorator_without_its_call_is_refused(make_service):
    with pytest.raises(ImproperlyConfigured, match=r"@doc\.rate_limit is written without a call"):

        @doc.rate_limit
        async def read(request): ...


def test_a_hidden_limit_is_refused(make_service):
    service = make_service()

    @doc.rate_limit("1/minute")
    async def inner(request): ...

    async def outer(request):
        return await inner(request)

    service.add_route(outer, "/", stream=True)

    assert "@doc.rate_limit stands on it, and nobody reads it there" in mistakes(service)


def test_a_stream_with_a_wrong_limit_is_refused(make_service):
    service = make_service()

    @service.get("/", stream=True)
    @doc.rate_limit("1/fortnight")
    async def read(request): ...

    with pytest.raises(ImproperlyConfigured, match="'1/fortnight' is no rate limit"):
        service.finalize()


def test_streams_of_two_blueprints_share_no_budget(make_service):
    service = make_service()
    for name in ("one", "two"):
        blueprint = Blueprint(name, f"/{name}")

        @blueprint.get("/", stream=True)
        @doc.rate_limit("1/minute", by="address")
        async def read(request): ...

        service.blueprint(blueprint)
    service.finalize()

    assert service._serving.rates.names == ("one.read/address/minute", "two.read/address/minute")


def test_the_missing_package_is_named_with_the_extra(make_service, monkeypatch):
    monkeypatch.setitem(sys.modules, "limits", None)
    service = make_service()

    @service.get("/")
    @doc.rate_limit("1/hour")
    async def read(request): ...

    assert "rate limits need the package 'limits', which is not installed" in mistakes(service)


def test_the_document_has_the_limits_and_what_answers_say_of_them(make_service):
    service = make_service()

    @service.get("/limited")
    @doc.produces({"id": int})
    @doc.rate_limit("2/hour", by="address", cost=2)
    async def limited(request): ...

    @service.get("/free")
    async def free(request): ...

    document = build_document(service.operations, service.settings)
    found = document["paths"]["/limited"]["get"]["responses"]

    refusal = found["429"]
    assert "2/hour by address, 2 each time" in refusal["description"]
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= refusal["headers"].keys()
    assert {"RateLimit", "RateLimit-Policy"} <= found["200"]["headers"].keys()
    assert found["500"].keys() == {"$ref"}
    other = document["paths"]["/free"]["get"]["responses"]
    assert "429" not in other
    assert "RateLimit" not in other["200"]["headers"]
    assert document["components"]["headers"]["RateLimit"]["description"]
