"""`Strict-Transport-Security` is said where a request came over TLS (RFC 6797, 7.2)."""

import ssl
from types import SimpleNamespace

import pytest
from sanic import Sanic

from msframework.conf.settings import ServerSettings, TLSSettings
from msframework.headers import OwnHeaders
from msframework.serving.answer import Heads
from msframework.serving.transport import add_transport_security, plain_headers
from tests.certificates import Authority
from tests.serving.test_tls import CLOSE, GET, ask, background, make_service

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
VARY = OwnHeaders({"vary": "Origin"}, "here")


def request_of(ssl, scheme="http"):
    return SimpleNamespace(conn_info=SimpleNamespace(ssl=ssl), scheme=scheme)


@pytest.mark.parametrize("inner", [None, VARY])
@pytest.mark.parametrize(
    ("settings", "request_", "secure"),
    [
        ({}, request_of(True), True),
        ({}, request_of(False), False),
        ({}, request_of(False, "https"), False),
        ({"proxies_count": 1}, request_of(False, "https"), True),
        ({"real_ip_header": "x-real-ip"}, request_of(False, "wss"), True),
        ({"forwarded_secret": "s"}, request_of(False, "http"), False),
        ({}, SimpleNamespace(conn_info=None), False),
    ],
)
def test_it_is_said_over_tls_alone(inner, settings, request_, secure):
    heads = Heads()
    heads.varying = None if inner is None else lambda request: inner

    add_transport_security(heads, ServerSettings(security_headers=HSTS, **settings))

    found = heads.varying(request_)
    expected = set() if inner is None else {"vary"}
    if secure:
        expected |= {"strict-transport-security"}
    assert (set() if found is None else found.names) == expected


def test_a_service_that_says_none_looks_at_nothing():
    heads = Heads()

    add_transport_security(heads, ServerSettings())

    assert heads.varying is None


def test_it_is_no_header_of_every_answer():
    settings = ServerSettings(security_headers={**HSTS, "X-Frame-Options": "DENY"})

    assert plain_headers(settings) == (
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    )


def test_it_is_said_over_tls_of_our_own(tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue()
    context = ssl.create_default_context(cafile=authority.ca)
    tls = TLSSettings(cert=pair.cert, key=pair.key)

    for fast in (True, False):
        service = make_service(
            tls, fast, security_headers=HSTS, cors_origins=("https://a.example",)
        )
        with background(service) as address:
            answer = ask(address, context, GET + b"Origin: https://a.example\r\n" + CLOSE)
        Sanic._app_registry.clear()

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"\r\nstrict-transport-security: max-age=31536000\r\n") == 1
        assert answer.count(b"\r\naccess-control-allow-origin: https://a.example\r\n") == 1
        assert answer.count(b"\r\nvary: Origin\r\n") == 1
