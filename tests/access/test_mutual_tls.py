"""Callers by certificate: over real connections, and what may stand in a certificate."""

import ssl
from dataclasses import asdict
from types import SimpleNamespace

import aiohttp
import pytest
import pytest_asyncio

from msframework import doc
from msframework.access import MutualTLS, Scopes
from msframework.app import Service
from msframework.conf.settings import TLSSettings
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from msframework.serving.tls import ServerTLS
from msframework.testing.server import serving
from tests.access.conftest import make_request
from tests.certificates import Authority
from tests.conftest import with_settings

SPIFFE = "spiffe://example.org/orders"
LATER, PAST = "Nov 30 00:00:00 2999 GMT", "Nov 30 00:00:00 2001 GMT"


def certificate(*names, subject=("orders",), end=LATER):
    """Return what `getpeercert` gives."""
    return {
        "subject": tuple((("commonName", name),) for name in subject),
        "subjectAltName": names,
        "notAfter": end,
    }


async def ask(authenticator, peer):
    request = make_request()
    request.transport = SimpleNamespace(get_extra_info={"peercert": peer}.get)
    return await authenticator.authenticate(request)


async def refused(authenticator, peer):
    with pytest.raises(Unauthorized) as caught:
        await ask(authenticator, peer)
    return caught.value.error


@pytest.mark.parametrize("peer", [None, {}])
async def test_no_certificate_is_no_credentials(peer):
    assert await ask(MutualTLS(), peer) is None


async def test_a_request_without_a_connection_has_no_certificate():
    assert await MutualTLS().authenticate(make_request()) is None


async def test_a_caller_is_known_by_its_common_name():
    authenticator = MutualTLS()
    authenticator.name = "mesh"
    peer = certificate()

    principal = await ask(authenticator, peer)

    assert principal == Principal("orders", claims=peer, authenticator="mesh")
    with pytest.raises(TypeError):
        principal.claims["subject"] = ()


@pytest.mark.parametrize(
    ("by", "name"), [("dns", "orders.example.org"), ("uri", SPIFFE), ("email", "o@example.org")]
)
async def test_a_caller_is_known_by_an_alternative_name(by, name):
    kind = {"dns": "DNS", "uri": "URI", "email": "email"}[by]
    other = "URI" if kind == "DNS" else "DNS"

    assert (await ask(MutualTLS(by=by), certificate((other, "x"), (kind, name)))).id == name


async def test_scopes_belong_to_the_name():
    authenticator = MutualTLS({"orders": ("read", "write"), "billing": ("read",)})

    assert (await ask(authenticator, certificate())).scopes == {"read", "write"}
    assert await refused(authenticator, certificate(subject=("else",)))


async def test_names_may_come_without_scopes():
    authenticator = MutualTLS(["orders"], by="cn")

    assert (await ask(authenticator, certificate())).scopes == frozenset()
    assert await refused(authenticator, certificate(subject=("Orders",)))


@pytest.mark.parametrize("subject", [(), ("a", "b"), ("",)])
async def test_a_certificate_names_one_caller(subject):
    error = await refused(MutualTLS(), certificate(subject=subject))

    assert error == "the certificate is of nobody known here"


async def test_one_known_name_among_several_will_do():
    authenticator = MutualTLS((SPIFFE, "spiffe://b"), by="uri")

    assert (await ask(authenticator, certificate(("URI", "x"), ("URI", SPIFFE)))).id == SPIFFE
    assert await refused(authenticator, certificate(("URI", SPIFFE), ("URI", "spiffe://b")))


async def test_a_certificate_that_expired_meanwhile_is_refused():
    assert await refused(MutualTLS(), certificate(end=PAST)) == "the certificate has expired"


async def test_a_function_may_know_callers():
    async def find(name, request):
        assert request.method == "GET"
        return Principal(f"service {name}") if name == "orders" else None

    authenticator = MutualTLS(find=find)
    authenticator.name = "mesh"

    assert await ask(authenticator, certificate()) == Principal("service orders")
    assert await refused(authenticator, certificate(subject=("else",)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": "ip"}, "by is 'ip'; expected 'cn', 'dns', 'uri' or 'email'"),
        ({"names": "orders"}, "names is an object of str"),
        ({"names": 5}, "names is an object of int"),
        ({"names": ("",)}, "names has ''"),
        ({"names": {5: ()}}, "names has 5"),
        ({"names": {"a": "read"}}, "names['a'] is 'read'"),
        ({"names": {"a": (5,)}}, "names['a'] is (5,)"),
        ({"names": ("a",), "find": print}, "names and find are both given"),
        ({"find": 5}, "an object of int was given"),
    ],
)
def test_a_wrong_argument_is_named(arguments, said):
    with pytest.raises(ImproperlyConfigured) as caught:
        MutualTLS(**arguments)

    assert said in str(caught.value)


def test_scheme_and_challenge():
    authenticator = MutualTLS(realm="mesh")

    assert authenticator.scheme == {"type": "mutualTLS"}
    assert authenticator.challenge == 'MutualTLS realm="mesh"'
    assert authenticator.header is None


def test_a_server_that_asks_for_no_certificate_is_a_problem(make_service):
    service = make_service()
    service.authenticate("mesh", MutualTLS())

    (problem,) = service.problems
    assert "the authenticator 'mesh': it knows callers by their certificates" in problem
    assert "TLS_CLIENT_CA is not set" in problem


@pytest.mark.parametrize("settings", [{"debug": True}, {"tls": {"client_ca": "ca.pem"}}])
def test_at_a_desk_and_with_a_ca_it_is_none(make_service, settings):
    service = make_service(**settings)
    service.authenticate("mesh", MutualTLS())

    assert service.problems == []


@pytest_asyncio.fixture(params=[True, False], ids=["fast", "sanic"])
async def served(request, tmp_path):
    """Yield the CA, and a function that asks a service who calls."""
    authority = Authority(tmp_path)
    pair = authority.issue()
    tls = TLSSettings(pair.cert, pair.key, client_ca=authority.ca, client_cert="optional")
    service = Service(with_settings(server={"fast_path": request.param}, tls=asdict(tls)))
    service.config.TOUCHUP = False
    service.authenticate("mesh", MutualTLS({SPIFFE: ("read",)}, by="uri"))

    @service.get("/me")
    @doc.public
    async def me(request, principal):
        return None if principal is None else principal.id

    @service.get("/guarded")
    @doc.guards(Scopes("read"))
    async def guarded(request):
        return request.principal.authenticator

    @service.get("/forbidden")
    @doc.guards(Scopes("write"))
    async def forbidden(request):
        raise AssertionError

    service._serving.tls = ServerTLS(tls, 5.0)
    async with serving(service) as server:

        async def ask(mine=None, path="/me", **headers):
            context = ssl.create_default_context(cafile=authority.ca)
            if mine is not None:
                context.load_cert_chain(mine.cert, mine.key)
            connector = aiohttp.TCPConnector(ssl=context)
            async with aiohttp.ClientSession(connector=connector) as session:
                async with session.get(f"{server.url}{path}", headers=headers) as answer:
                    challenge = answer.headers.get("WWW-Authenticate")
                    return answer.status, challenge or (await answer.json()).get("data")

        yield authority, ask


async def test_the_certificate_of_a_connection_names_its_caller(served):
    authority, ask = served
    known, nobody = authority.issue("orders", uri=SPIFFE), authority.issue("nobody")
    challenged = 401, 'MutualTLS realm="api"'

    assert await ask(known) == (200, SPIFFE)
    assert await ask() == (200, None)
    assert await ask(nobody) == challenged
    assert await ask(known, "/guarded") == (200, "mesh")
    assert await ask(path="/guarded") == challenged
    assert await ask(nobody, "/guarded") == challenged
    assert await ask(known, "/forbidden") == (403, None)


async def test_a_header_is_no_certificate(served):
    _, ask = served
    names = ("X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert")

    assert await ask(**dict.fromkeys(names, f"URI={SPIFFE}")) == (200, None)
