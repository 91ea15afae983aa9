"""What settings must be together."""

from dataclasses import fields, replace

import pytest

from msframework.conf.operations import OperationsSettings
from msframework.conf.rules import broken_rules, is_loopback
from msframework.conf.settings import Settings


def make(**values):
    """Return settings in order, but for *values*, given by attribute wherever it is."""
    settings = Settings(debug=True)
    for name, value in values.items():
        holders = [settings] + [getattr(settings, part) for part in PARTS]
        holder = next(item for item in holders if hasattr(item, name))
        changed = replace(holder, **{name: value})
        settings = (
            changed if holder is settings else replace(settings, **{part_of(holder): changed})
        )
    return settings


PARTS = tuple(item.name for item in fields(Settings) if not item.metadata and item.name != "module")


def part_of(holder):
    """Return the attribute of `Settings` that holds what *holder* is."""
    return next(part for part in PARTS if type(getattr(Settings(), part)) is type(holder))


def test_the_defaults_with_debug_break_no_rule():
    assert broken_rules(make()) == []


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        (
            {"cors_origins": ("https://a\nb",)},
            ("ACCESS_CONTROL_ALLOW_ORIGIN",),
            "a control character; expected an origin as browsers send it",
        ),
        (
            {"cors_origins": ("*",), "cors_credentials": True},
            ("ACCESS_CONTROL_ALLOW_ORIGIN", "ACCESS_CONTROL_ALLOW_CREDENTIALS"),
            "browsers refuse '*' with credentials",
        ),
        ({"cors_headers": ("a\0",)}, ("ACCESS_CONTROL_ALLOW_HEADERS",), "expected names of HTTP"),
        ({"cors_methods": ("get",)}, ("ACCESS_CONTROL_ALLOW_METHODS",), "Write 'GET'"),
        ({"cors_expose": ("a b",)}, ("ACCESS_CONTROL_EXPOSE_HEADERS",), "expected names of HTTP"),
        ({"cors_max_age": -1}, ("ACCESS_CONTROL_MAX_AGE",), "0 or more"),
        (
            {"security_headers": {"X-Frame-Option": "DENY"}},
            ("SECURITY_HEADERS",),
            "SECURITY_HEADERS['X-Frame-Option'] is unknown",
        ),
        (
            {"operations": OperationsSettings(host="127.0.0.1")},
            ("OPERATIONS_HOST", "OPERATIONS_PORT"),
            "OPERATIONS_PORT is not",
        ),
        (
            {"operations": OperationsSettings(port=8000)},
            ("OPERATIONS_PORT", "PORT"),
            "are both 8000; expected two ports",
        ),
        (
            {"operations": OperationsSettings(ready_services=("regions",))},
            ("READY_SERVICES", "SERVICES"),
            "READY_SERVICES holds 'regions'; expected the name of one of SERVICES, which has none",
        ),
        ({"url": "mysql://a/b"}, ("DATABASE_URL",), "expected a PostgreSQL address"),
        ({"url": "postgresql://a:x/b"}, ("DATABASE_URL",), "cannot be read"),
        ({"url": "postgresql://a", "replicas": ("b",)}, ("DB_REPLICAS",), "DB_REPLICAS[0]"),
        ({"replicas": ("postgresql://b",)}, ("DB_REPLICAS", "DATABASE_URL"), "the primary"),
        ({"min_size": 11}, ("DB_MIN_SIZE", "DB_MAX_SIZE"), "DB_MIN_SIZE is 11"),
        ({"host": "0.0.0.0"}, ("DEBUG", "HOST"), "DEBUG is on and HOST is '0.0.0.0'"),
        ({"url_prefix": "api/"}, ("URL_PREFIX",), "Write '/api'"),
        ({"url_prefix": "/api/"}, ("URL_PREFIX",), "Write '/api'"),
        ({"docs_url": "docs"}, ("DOCS_URL",), "Write '/docs'"),
        ({"docs_url": "/openapi/spec.json"}, ("OPENAPI_URL", "DOCS_URL"), "are both"),
        ({"envelope": "None!"}, ("ENVELOPE",), "expected a dotted path"),
        ({"configure": "a b"}, ("CONFIGURE",), "expected a dotted path"),
        ({"installed_apps": ("apps/users",)}, ("INSTALLED_APPS",), "holds 'apps/users'"),
        ({"sample_routes": {"/users": 0.5}}, ("TRACE_SAMPLE_ROUTES",), "'/users': 0.5"),
        ({"sample_routes": {"GET /": 1.5}}, ("TRACE_SAMPLE_ROUTES",), "1.5"),
        ({"batch_size": 4096}, ("TRACE_BATCH_SIZE", "TRACE_QUEUE_SIZE"), "4096"),
        ({"zipkin_server": "zipkin:9411"}, ("ZIPKIN_SERVER",), "ZIPKIN_SERVER is 'zipkin:9411'"),
        ({"config": "/no/such.yml"}, ("LOGGING_CONFIG",), "which is no file"),
        ({"cert": "a.pem"}, ("TLS_CERT", "TLS_KEY"), "TLS_CERT is set and TLS_KEY is not"),
        ({"key": "a.pem"}, ("TLS_KEY", "TLS_CERT"), "TLS_KEY is set and TLS_CERT is not"),
        ({"key_password": "x"}, ("TLS_KEY_PASSWORD", "TLS_KEY"), "and TLS_KEY is not"),
        ({"client_ca": "a.pem"}, ("TLS_CLIENT_CA", "TLS_CERT"), "and TLS_CERT is not"),
        (
            {"client_cert": "optional"},
            ("TLS_CLIENT_CERT", "TLS_CLIENT_CA"),
            "and TLS_CLIENT_CA is not",
        ),
        ({"cert": "a", "key": "-----BEGIN X-----"}, ("TLS_KEY",), "not as TLS_KEY_FILE"),
    ],
)
def test_a_broken_rule_is_named(values, names, said):
    (broken,) = broken_rules(make(**values))

    assert broken.names == names
    assert said in broken.text


def test_an_app_that_is_named_twice_is_refused():
    assert "more than once" in broken_rules(make(installed_apps=("a", "a")))[0].text


def test_migrating_at_the_start_is_refused_where_others_can_reach_it():
    settings = make(debug=False, url="postgresql://a/b", auto_migrate=True, host="10.0.0.1")

    (broken,) = broken_rules(settings)

    assert broken.names == ("AUTO_MIGRATE", "HOST")


def test_production_on_every_address_breaks_no_rule():
    assert broken_rules(make(debug=False, url="postgresql://a/b", host="0.0.0.0")) == []


@pytest.mark.parametrize("url", ["postgresql://a/b", "postgres://u@/d?host=%2Frun&port=1"])
def test_addresses_of_postgresql(url):
    assert broken_rules(make(url=url)) == []


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.4", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_loopback_addresses(host, loopback):
    assert is_loopback(host) is loopback


def test_the_operations_port_needs_the_package_that_writes_metrics(monkeypatch):
    monkeypatch.setattr("msframework.metrics.exposition.find_spec", lambda name: None)

    assert broken_rules(make()) == []  # with DEBUG alone it is a warning of `check`
    (found,) = broken_rules(make(operations=OperationsSettings(port=9000)))
    assert found.names == ("OPERATIONS_PORT",)
    assert found.text.startswith("OPERATIONS_PORT needs the package 'prometheus-client'")
    assert "pip install 'msframework[metrics]'" in found.text
