"""The rules that settings keep together, once each has the right type. Runs at start-up."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from msframework.conf.address import address_fault
from msframework.conf.rates import find_rate_faults
from msframework.conf.security import find_faults
from msframework.conf.settings import Settings
from msframework.conf.url import http_fault
from msframework.metrics.exposition import EXTRA, is_installed

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_HOST_NAME: Final = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
_CORS_NAMES: Final = {
    "origins": "ACCESS_CONTROL_ALLOW_ORIGIN",
    "headers": "ACCESS_CONTROL_ALLOW_HEADERS",
    "methods": "ACCESS_CONTROL_ALLOW_METHODS",
    "expose": "ACCESS_CONTROL_EXPOSE_HEADERS",
    "max_age": "ACCESS_CONTROL_MAX_AGE",
}
_ROUTE: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S*")


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One broken rule: the settings that it is about, and its message."""

    names: tuple[str, ...]
    text: str


def broken_rules(settings: Settings) -> list[BrokenRule]:
    """Return every rule that *settings* break."""
    return [broken for rule in _RULES for broken in rule(settings)]


def is_loopback(host: str) -> bool:
    """Tell whether nobody but this machine can reach *host*."""
    if host.casefold() == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _database(settings: Settings) -> Iterator[BrokenRule]:
    database = settings.database
    # NOTE: whether a database is needed turns out when the apps are read; see `app.create_app`.
    if database.url is not None and (fault := address_fault(database.url)):
        yield BrokenRule(("DATABASE_URL",), f"DATABASE_URL {fault}")
    for number, url in enumerate(database.replicas):
        if fault := address_fault(url):
            yield BrokenRule(("DB_REPLICAS",), f"DB_REPLICAS[{number}] {fault}")
    if database.replicas and database.url is None:
        yield BrokenRule(
            ("DB_REPLICAS", "DATABASE_URL"),
            "DB_REPLICAS is set and DATABASE_URL is not; expected the primary that they follow. "
            "Set DATABASE_URL, or remove DB_REPLICAS.",
        )
    if database.min_size > database.max_size:
        yield BrokenRule(
            ("DB_MIN_SIZE", "DB_MAX_SIZE"),
            f"DB_MIN_SIZE is {database.min_size} and DB_MAX_SIZE {database.max_size}; expected "
            "the first to be no larger. Change one of them.",
        )


def _exposure(settings: Settings) -> Iterator[BrokenRule]:
    host = settings.server.host
    # NOTE: where an inherited socket listens is seen when it is there; see `management.sockets`.
    if not host.startswith("fd:"):
        yield from exposed(settings, host)


def exposed(settings: Settings, host: str) -> Iterator[BrokenRule]:
    """Yield the rules that *settings* break by listening on *host*."""
    if is_loopback(host):
        return
    if settings.debug:
        yield BrokenRule(
            ("DEBUG", "HOST"),
            f"DEBUG is on and HOST is {host!r}; expected a loopback address such as 127.0.0.1, as "
            "tracebacks would be shown to any client. Turn DEBUG off, or listen on 127.0.0.1.",
        )
    if settings.database.auto_migrate:
        yield BrokenRule(
            ("AUTO_MIGRATE", "HOST"),
            f"AUTO_MIGRATE is on and HOST is {host!r}; expected a loopback address, as only a desk "
            "migrates when it serves. Turn it off and run `manage.py migrate` when you deploy.",
        )


def _tls(settings: Settings) -> Iterator[BrokenRule]:
    tls = settings.tls
    for name, path in (
        ("TLS_CERT", tls.cert),
        ("TLS_KEY", tls.key),
        ("TLS_CLIENT_CA", tls.client_ca),
    ):
        # NOTE: the variable TLS_KEY_FILE names a file that holds the path, which few expect.
        if path is not None and ("-----BEGIN" in path or "\n" in path):
            yield BrokenRule(
                (name,),
                f"{name} holds the text of a file in PEM; expected its path. Write "
                f"{name}='/path/of.pem', in the environment as {name}, not as {name}_FILE.",
            )
    for name, value, needed, missing in (
        ("TLS_CERT", tls.cert, "TLS_KEY", tls.key),
        ("TLS_KEY", tls.key, "TLS_CERT", tls.cert),
        ("TLS_KEY_PASSWORD", tls.key_password, "TLS_KEY", tls.key),
        ("TLS_CLIENT_CA", tls.client_ca, "TLS_CERT", tls.cert),
        ("TLS_CLIENT_CERT", tls.client_cert == "optional" or None, "TLS_CLIENT_CA", tls.client_ca),
    ):
        if value is not None and missing is None:
            yield BrokenRule(
                (name, needed),
                f"{name} is set and {needed} is not; expected both, as one is nothing without the "
                f"other. Set {needed}, or remove {name}.",
            )


def _sizes(settings: Settings) -> Iterator[BrokenRule]:
    server = settings.server
    if server.request_max_size > server.bodies_max_size:
        yield BrokenRule(
            ("REQUEST_MAX_SIZE", "BODIES_MAX_SIZE"),
            f"REQUEST_MAX_SIZE is {server.request_max_size} and BODIES_MAX_SIZE "
            f"{server.bodies_max_size}; expected the first to be no larger. Change one of them.",
        )


def _hosts(settings: Settings) -> Iterator[BrokenRule]:
    for name in settings.server.allowed_hosts:
        if name != "*" and _HOST_NAME.fullmatch(name) is None:
            yield BrokenRule(
                ("ALLOWED_HOSTS",),
                f"ALLOWED_HOSTS holds {name!r}; expected the name of a host, without scheme and "
                "port. Write 'api.example.com', '.example.com' for all below too, '[::1]' for an "
                "IPv6 address, or '*' for any.",
            )


def _cors(settings: Settings) -> Iterator[BrokenRule]:
    for fault in settings.server.cors.faults():
        name = _CORS_NAMES[fault.name]
        names = [name]
        if "credentials" in fault.found:
            names.append("ACCESS_CONTROL_ALLOW_CREDENTIALS")
        text = f"{name} holds {fault.found}; expected {fault.expected}. {fault.advice}"
        yield BrokenRule(tuple(names), text)


def _security(settings: Settings) -> Iterator[BrokenRule]:
    for name, found, expected, advice in find_faults(settings.server.security_headers):
        text = f"SECURITY_HEADERS[{name!r}] is {found}; expected {expected}. {advice}"
        yield BrokenRule(("SECURITY_HEADERS",), text)


def _paths(settings: Settings) -> Iterator[BrokenRule]:
    api = settings.openapi
    prefix = settings.server.url_prefix
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        yield BrokenRule(
            ("URL_PREFIX",),
            f"URL_PREFIX is {prefix!r}; expected to begin with a slash and end without one. "
            f"Write {'/' + prefix.strip('/')!r}.",
        )
    for name, path in (("OPENAPI_URL", api.url), ("DOCS_URL", api.docs_url)):
        if path is not None and not path.startswith("/"):
            yield BrokenRule(
                (name,),
                f"{name} is {path!r}; expected to begin with a slash. Write {'/' + path!r}.",
            )
    if api.url == api.docs_url:
        yield BrokenRule(
            ("OPENAPI_URL", "DOCS_URL"),
            f"OPENAPI_URL and DOCS_URL are both {api.url!r}; expected two paths. Change one.",
        )


def _dotted_paths(settings: Settings) -> Iterator[BrokenRule]:
    for name, path in (("ENVELOPE", settings.envelope), ("CONFIGURE", settings.configure)):
        if path is not None and not _DOTTED.fullmatch(path.replace(":", ".")):
            yield BrokenRule(
                (name,),
                f"{name} is {path!r}; expected a dotted path. Write 'package.module.name', "
                "or None for nothing.",
            )
    for app in settings.installed_apps:
        if not _DOTTED.fullmatch(app):
            yield BrokenRule(
                ("INSTALLED_APPS",),
                f"INSTALLED_APPS holds {app!r}; expected the dotted path of a package. "
                "Write 'apps.users'.",
            )
        elif settings.installed_apps.count(app) > 1:
            yield BrokenRule(
                ("INSTALLED_APPS",),
                f"INSTALLED_APPS holds {app!r} more than once; expected each app once. "
                "Remove the others.",
            )


def _tracing(settings: Settings) -> Iterator[BrokenRule]:
    tracing = settings.tracing
    for route, rate in tracing.sample_routes.items():
        if not _ROUTE.fullmatch(route) or not 0 <= rate <= 1:
            yield BrokenRule(
                ("TRACE_SAMPLE_ROUTES",),
                f"TRACE_SAMPLE_ROUTES has {route!r}: {rate!r}; expected a method and path with "
                "a share from 0 to 1. Write {'GET /users/{id}': 0.1}.",
            )
    if tracing.batch_size > tracing.queue_size:
        yield BrokenRule(
            ("TRACE_BATCH_SIZE", "TRACE_QUEUE_SIZE"),
            f"TRACE_BATCH_SIZE is {tracing.batch_size} and TRACE_QUEUE_SIZE {tracing.queue_size}; "
            "expected the first to be no larger. Change one of them.",
        )
    if tracing.zipkin_server is not None and (fault := http_fault(tracing.zipkin_server)):
        yield BrokenRule(
            ("ZIPKIN_SERVER",),
            f"ZIPKIN_SERVER is {fault}; expected an http:// or https:// address. "
            "Write 'http://zipkin:9411/api/v2/spans'.",
        )


def _rates(settings: Settings) -> Iterator[BrokenRule]:
    for name, text in find_rate_faults(settings.operations):
        yield BrokenRule((name,), text)


def _files(settings: Settings) -> Iterator[BrokenRule]:
    path = settings.log.config
    if path is not None and not os.path.isfile(path):
        yield BrokenRule(
            ("LOGGING_CONFIG",),
            f"LOGGING_CONFIG is {path!r}, which is no file; expected the path of a logging.yml. "
            "Mend the path, or leave it out for the configuration that comes with msframework.",
        )


def _operations(settings: Settings) -> Iterator[BrokenRule]:
    operations, server = settings.operations, settings.server
    host = operations.host_beside(server.host)
    if operations.host is not None and operations.port is None:
        yield BrokenRule(
            ("OPERATIONS_HOST", "OPERATIONS_PORT"),
            "OPERATIONS_HOST is set and OPERATIONS_PORT is not; expected both, as the port opens "
            "it. Set OPERATIONS_PORT (0 for a socket of a path), or remove OPERATIONS_HOST.",
        )
    if operations.port is not None and not is_installed():
        yield BrokenRule(
            ("OPERATIONS_PORT",),
            "OPERATIONS_PORT needs the package 'prometheus-client' for /metrics, which is not "
            f"installed. Install it: {EXTRA}.",
        )
    sockets = any(name.startswith(("unix:", "fd:")) for name in (host, server.host))
    if operations.port and operations.port == server.port and not sockets:
        yield BrokenRule(
            ("OPERATIONS_PORT", "PORT"),
            f"OPERATIONS_PORT and PORT are both {server.port}; expected two ports, as probes are "
            "answered while the service is busy. Change one of them.",
        )
    for name in operations.ready_services:
        if name not in settings.services:
            known = ", ".join(map(repr, settings.services)) or "none"
            yield BrokenRule(
                ("READY_SERVICES", "SERVICES"),
                f"READY_SERVICES holds {name!r}; expected the name of one of SERVICES, which has "
                f"{known}. Mend the name, or add the service.",
            )


_RULES: Final[tuple[Callable[[Settings], Iterator[BrokenRule]], ...]] = (
    _database,
    _exposure,
    _tls,
    _sizes,
    _hosts,
    _cors,
    _security,
    _paths,
    _dotted_paths,
    _tracing,
    _rates,
    _files,
    _operations,
)
