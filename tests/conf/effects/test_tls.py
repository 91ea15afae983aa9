"""What the settings of TLS do, and the files of an entry of `SERVICES`."""

import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest

from msframework.exceptions import ImproperlyConfigured, UpstreamError
from msframework.management.start import open_tls
from msframework.testing.server import serving
from tests.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue()


@pytest.fixture
def secured(make, authority):
    """Return a context manager that serves with TLS; yields a function that asks."""

    @asynccontextmanager
    async def secured(**values):
        service = make(**values)

        @service.get("/peer")
        async def peer(request):
            return bool(request.transport.get_extra_info("peercert"))

        open_tls(service)
        async with serving(service) as server:

            async def ask(mine=None):
                context = ssl.create_default_context(cafile=authority.ca)
                if mine is not None:
                    context.load_cert_chain(mine.cert, mine.key)
                connector = aiohttp.TCPConnector(ssl=context)
                async with aiohttp.ClientSession(connector=connector) as session:
                    async with session.get(f"{server.url}/peer") as answer:
                        return (await answer.json())["data"]

            ask.url = server.url
            yield ask

    return secured


async def test_tls_cert(secured, pair):
    async with secured(TLS_CERT=pair.cert, TLS_KEY=pair.key) as ask:
        assert await ask() is False


async def test_tls_key(secured, pair, authority):
    with pytest.raises(ssl.SSLError, match="MISMATCH"):
        async with secured(TLS_CERT=pair.cert, TLS_KEY=authority.issue("other").key):
            pass


async def test_tls_key_password(secured, authority):
    locked = authority.issue("locked", password="open sesame")
    files = {"TLS_CERT": locked.cert, "TLS_KEY": locked.key}

    async with secured(**files, TLS_KEY_PASSWORD="open sesame") as ask:
        assert await ask() is False
    with pytest.raises(ssl.SSLError):
        async with secured(**files, TLS_KEY_PASSWORD="open barley"):
            pass


async def test_tls_client_ca(secured, pair, authority):
    files = {"TLS_CERT": pair.cert, "TLS_KEY": pair.key, "TLS_CLIENT_CA": authority.ca}

    async with secured(**files) as ask:
        assert await ask(authority.issue("caller")) is True
        with pytest.raises(aiohttp.ClientError):
            await ask()


async def test_tls_client_cert(secured, pair, authority):
    files = {"TLS_CERT": pair.cert, "TLS_KEY": pair.key, "TLS_CLIENT_CA": authority.ca}

    async with secured(**files, TLS_CLIENT_CERT="optional") as ask:
        assert await ask(authority.issue("caller")) is True
        assert await ask() is False


@pytest.fixture
def calling(make, secured, pair, authority):
    """Return a context manager that yields a client of a service with TLS."""

    @asynccontextmanager
    async def calling(entry, **values):
        async with secured(TLS_CERT=pair.cert, TLS_KEY=pair.key, **values) as ask:
            caller = make(SERVICES={"other": {"url": ask.url, **entry}})
            async with caller.running():
                yield caller.clients["other"]

    return calling


async def test_services_ca(calling, authority):
    async with calling({"ca": authority.ca}) as client:
        assert await client.call("GET", "/peer") is False
    async with calling({}) as client:
        with pytest.raises(UpstreamError):
            await client.call("GET", "/peer")


async def test_services_cert(calling, authority):
    mine = authority.issue("caller")
    entry = {"ca": authority.ca, "cert": mine.cert, "key": mine.key}
    async with calling(entry, TLS_CLIENT_CA=authority.ca) as client:
        assert await client.call("GET", "/peer") is True


async def test_services_key(calling, authority):
    mine = authority.issue("caller")
    entry = {"ca": authority.ca, "cert": mine.cert, "key": authority.issue("other").key}
    with pytest.raises(ImproperlyConfigured, match="KEY_VALUES_MISMATCH"):
        async with calling(entry, TLS_CLIENT_CA=authority.ca):
            pass
