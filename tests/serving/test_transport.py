"""`Strict-Transport-Security` is said where a request came over TLS (RFC 6797, 7.2)."""

from types import SimpleNamespace

import pytest

from msframework.conf.settings import ServerSettings
from msframework.headers import OwnHeaders
from msframework.serving.answer import Heads
from msframework.serving.transport import add_transport_security, plain_headers

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
