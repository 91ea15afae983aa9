"""The settings of rate limits: what is refused, without a secret."""

import pytest

from msframework.conf import rates
from msframework.conf.operations import OperationsSettings
from msframework.conf.rates import find_rate_faults


def faults(**values):
    """Return what is wrong."""
    return list(find_rate_faults(OperationsSettings(**values)))


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://store",
        "redis://:p%40ss@store:6379/0",
        "rediss://name:hunter2@[::1]:1/15",
        "valkey://store/",
        "valkeys://store",
        "redis+unix:///run/redis.sock?db=1",
        "valkey+unix://:hunter2@/run/valkey.sock",
        "valkeys://store/0?ssl_ca_certs=/etc/ssl/own.pem&username=rates",
    ],
)
def test_addresses_of_stores(url):
    assert faults(rate_limit_storage=url) == []


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("", "an address of another kind"),
        ("memory", "an address of another kind"),
        ("memcached://:hunter2@store", "an address of another kind"),
        ("redis+cluster://:hunter2@store", "an address of another kind"),
        ("redis://", "an address without a host"),
        ("redis://:hunter2@store:0", "an address without a host, or with the port 0"),
        ("redis://:hunter2@store:port", "an address that cannot be read"),
        ("redis://:hunter2@[store", "an address that cannot be read"),
        ("redis://:hunter2@store/name", "something else behind the host"),
        ("redis://:hunter2/@store/0", "must be percent-encoded (@ as %40, / as %2F,"),
        ("redis://:hunter2#@store/0", "must be percent-encoded (@ as %40, / as %2F,"),
        ("redis://:12/hunter2@store/0", "must be percent-encoded (@ as %40, / as %2F,"),
        ("rediss://u:12?hunter2@store/0", "must be percent-encoded (@ as %40, / as %2F,"),
        ("redis+unix://", "an address without the path of a socket"),
        ("redis://:hunter2@store/0?speed=high", "an option behind the ?"),
        ("redis+unix://:hunter2@/run/redis.sock?db=first", "an option behind the ?"),
        ("rediss://store?ssl_cert_reqs=hunter2", "an option behind the ?"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url, found):
    ((name, text),) = faults(rate_limit_storage=url)

    assert name == "RATE_LIMIT_STORAGE"
    assert found in text
    assert "expected memory://, or the address of a Redis or Valkey" in text
    assert "hunter2" not in text


def test_limits_are_read_at_start_up():
    found = faults(rate_limits=("100/minute", "9/hour by address", "0/minute", "1/day by user"))

    assert [name for name, _ in found] == ["RATE_LIMITS"] * 2
    assert "RATE_LIMITS: '0/minute' allows nothing" in found[0][1]
    assert "RATE_LIMITS: a rate limit is by 'user'" in found[1][1]


def test_missing_packages_are_named_with_the_extra(monkeypatch):
    monkeypatch.setattr(rates, "find_spec", lambda name: None)

    found = faults(rate_limits=("100/minute",))
    assert found == [
        (
            "RATE_LIMITS",
            "RATE_LIMITS needs the package 'limits', which is not installed. Install it: "
            "pip install 'msframework[limits]'.",
        )
    ]
    texts = [text for _, text in faults(rate_limit_storage="redis://store")]
    assert [text.split("'")[1] for text in texts] == ["limits", "redis"]


def test_a_broken_setting_stops_the_start(problems):
    found = problems("RATE_LIMITS = '1/fortnight'\nRATE_LIMIT_STORAGE = 'redis://:hunter2@/0'")

    assert any("RATE_LIMITS: '1/fortnight' is no rate limit" in text for text in found)
    assert any("RATE_LIMIT_STORAGE is an address without a host" in text for text in found)
    assert "hunter2" not in "".join(found)
