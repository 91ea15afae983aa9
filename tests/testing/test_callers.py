"""Callers that tests choose: known where the harness serves, and nowhere else."""

import unittest
from dataclasses import dataclass

import pytest

from msframework import (
    Authenticated,
    Authenticator,
    Blueprint,
    Principal,
    Scopes,
    Unauthorized,
    doc,
)
from msframework.access import AuthenticatedBy, JWTIssuer
from msframework.testing import APITestCase, TestClient, serving


class Named(Authenticator):
    """Knows `ada` by a header of its own."""

    def __init__(self, header):
        self.header = header
        self.scheme = {"type": "apiKey", "in": "header", "name": header}
        self.challenge = f"Named header={header}"

    async def authenticate(self, request):
        given = request.headers.get(self.header)
        if given is None:
            return None
        if given != "ada":
            raise Unauthorized("nobody of this name")
        return Principal("ada", authenticator=self.name)


@dataclass(frozen=True, slots=True)
class Employee(Principal):
    """A caller with a desk."""

    desk: int = 0


def declare(service, token=None):
    """Give *service* two authenticators, and endpoints that say who calls them."""
    service.authenticate("token", token or Named("authorization"))
    service.authenticate("key", Named("x-key"))
    things = Blueprint("things", url_prefix="/things")

    def tell(principal):
        if principal is None:
            return None
        return [principal.id, sorted(principal.scopes), principal.authenticator]

    @things.get("/any")
    @doc.guards(Authenticated())
    async def read_any(request, principal):
        return tell(principal)

    @things.get("/key")
    @doc.guards(AuthenticatedBy("key"))
    async def read_by_key(request, principal):
        return tell(principal)

    @things.get("/desk")
    @doc.guards(Scopes("desk:read"))
    async def read_desk(request, principal):
        return principal.desk

    @things.get("/open")
    @doc.public
    async def read_open(request, principal):
        return tell(principal)

    service.blueprint(things)
    return service


@pytest.fixture
def guarded(make_service):
    return declare(make_service())


@pytest.fixture
async def client(guarded):
    async with (
        serving(guarded) as server,
        TestClient(server.url, guarded.operations) as client,
    ):
        yield client


CLAIMS = {"sub": "7", "scope": "b a"}


@pytest.mark.parametrize(
    "caller", [CLAIMS, CLAIMS | {"scope": ["a", "b"]}, Principal("7", frozenset("ab"))]
)
async def test_a_chosen_caller_is_known_by_the_first_authenticator(client, caller):
    chosen = client.as_principal(caller)

    assert (await chosen.get("/things/any")).json["data"] == ["7", ["a", "b"], "token"]
    assert (await chosen.read_any()).json["data"] == ["7", ["a", "b"], "token"]
    assert (await chosen.get("/things/key")).json["data"] == ["7", ["a", "b"], "key"]


async def test_a_caller_may_be_known_by_one_authenticator_only(client):
    chosen = client.as_principal(Principal("7", authenticator="token"))

    assert (await chosen.get("/things/any")).json["data"] == ["7", [], "token"]
    assert (await chosen.get("/things/key")).status == 401


async def test_a_principal_of_ones_own_class_arrives_as_it_is(client):
    chosen = client.as_principal(Employee("7", frozenset({"desk:read"}), desk=3))

    assert (await chosen.get("/things/desk")).json["data"] == 3


async def test_scopes_count(client):
    assert (await client.as_principal(CLAIMS).get("/things/desk")).status == 403


async def test_nobody_is_a_stranger_again(client):
    chosen = client.as_principal(CLAIMS)

    assert (await chosen.as_principal(None).get("/things/any")).status == 401
    assert (await client.get("/things/any")).status == 401
    assert (await client.get("/things/open")).json["data"] is None


async def test_several_callers_go_side_by_side(client):
    one, two = (client.as_principal({"sub": id}) for id in ("1", "2"))

    answers = [await caller.get("/things/any") for caller in (one, two, one)]

    assert [answer.json["data"][0] for answer in answers] == ["1", "2", "1"]


@pytest.mark.parametrize("path", ["/things/any", "/things/key", "/things/open"])
@pytest.mark.parametrize("wrong", ["Test ada", "Test", "test ada", "Test a, Test b"])
async def test_a_wrong_token_of_a_test_is_refused(client, path, wrong):
    assert (await client.get(path, headers={"Authorization": wrong})).status == 401


async def test_the_services_own_credentials_count_beside(client):
    known = await client.get("/things/any", headers={"Authorization": "ada"})
    over = await client.as_principal(CLAIMS).get("/things/any", headers={"authorization": "ada"})
    key = await client.get("/things/key", headers={"X-Key": "ada"})
    wrong = await client.as_principal(CLAIMS).get("/things/any", headers={"authorization": "eve"})

    assert [answer.json["data"] for answer in (known, over, key)] == [
        ["ada", [], "token"],
        ["ada", [], "token"],
        ["ada", [], "key"],
    ]
    assert wrong.status == 401


async def test_a_token_ends_with_the_server(guarded):
    async with serving(guarded) as server, TestClient(server.url) as client:
        chosen = client.as_principal(CLAIMS)
        sent = chosen._http._credentials
        assert (await chosen.get("/things/any")).status == 200
    async with serving(guarded) as server, TestClient(server.url) as client:
        again = await client.get("/things/any", headers={"Authorization": sent})

    assert again.status == 401
    assert [vars(each).keys() & {"authenticate"} for each in guarded.authenticators.values()] == [
        set(),
        set(),
    ]


async def test_another_service_does_not_know_the_token(client, guarded, make_service):
    other = declare(make_service(service_name="other"), guarded.authenticators["token"])
    async with serving(other) as server, TestClient(server.url) as stranger:
        sent = client.as_principal(CLAIMS)._http._credentials

        assert (await stranger.get("/things/any", headers={"Authorization": sent})).status == 401
        assert (await stranger.as_principal(CLAIMS).get("/things/any")).status == 200
    assert (await client.as_principal(CLAIMS).get("/things/any")).status == 200


async def test_a_client_of_a_caller_leaves_the_connections_open(client):
    async with client.as_principal(CLAIMS) as chosen:
        await chosen.get("/things/any")
    session = client._http._session

    assert session is not None
    assert not session.closed


async def test_a_service_at_a_unix_socket_knows_callers_too(guarded, tmp_path):
    place = tmp_path / "s"
    async with serving(guarded, place) as server, TestClient(server.url, unix=place) as client:
        assert (await client.as_principal(CLAIMS).get("/things/any")).status == 200


async def test_a_service_without_authenticators_is_an_error(make_service):
    async with serving(make_service()) as server, TestClient(server.url) as client:
        with pytest.raises(ValueError, match="has no authenticators"):
            client.as_principal(CLAIMS)
        client.as_principal(None)


async def test_what_no_harness_serves_is_an_error():
    async with TestClient("http://127.0.0.1:9") as client:
        with pytest.raises(ValueError, match="no server of these tests listens at http://127"):
            client.as_principal(CLAIMS)


async def test_callers_that_nobody_is_are_errors(client):
    with pytest.raises(ValueError, match="expected a text as `sub` of the claims, got None"):
        client.as_principal({"scope": "a"})
    with pytest.raises(ValueError, match="the claims have `scopes`; a token has `scope`"):
        client.as_principal({"sub": "7", "scopes": ["a"]})
    with pytest.raises(ValueError, match=r"expected a Principal, or the claims .* got 7"):
        client.as_principal(7)
    with pytest.raises(ValueError, match="no authenticator 'gone'; it has key, token"):
        client.as_principal(Principal("7", authenticator="gone"))


async def test_ids_are_texts(client):
    with pytest.raises(ValueError, match="expected a text as the id, got 7"):
        client.as_principal(Principal(7))


async def test_claims_are_those_of_a_token_where_there_are_tokens(make_service, make_key):
    issuer = JWTIssuer(make_key(), issuer="https://here", audience="https://here")
    guarded = declare(make_service(), issuer.bearer())

    async with (
        serving(guarded) as server,
        TestClient(server.url, guarded.operations) as client,
    ):
        chosen = client.as_principal(CLAIMS)
        assert (await chosen.get("/things/any")).json["data"] == ["7", ["a", "b"], "token"]
        assert (await chosen.get("/things/key")).status == 401


def test_a_case_logs_in_and_out(guarded):
    class TestCase(APITestCase):
        _app = guarded

        def test_login(self):
            assert self.client.get("/things/any").status == 401
            self.login(CLAIMS)
            assert self.client.read_any().json()["data"] == ["7", ["a", "b"], "token"]
            self.login(Principal("8"))
            assert self.client.get("/things/any").json()["data"][0] == "8"
            self.logout()
            assert self.client.get("/things/any").status == 401

        def test_nobody_is_logged_in_at_first(self):
            assert self.client.get("/things/any").status == 401

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(TestCase).run(result)

    assert (result.testsRun, result.failures, result.errors) == (2, [], [])


def test_keys_are_made_for_every_algorithm(make_key):
    assert make_key().can_sign
    assert make_key("ES256", kid="a").kid == "a"
