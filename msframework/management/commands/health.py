"""`health`: asks a service whether it is ready. Runs on the command line, every few seconds.

NOTE: nothing here imports Sanic or the apps, and where the environment says the port, not even the
settings are read: importing what they import takes longer than the question.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import click

from msframework.conf.operations import OperationsSettings
from msframework.conf.settings import Settings
from msframework.conf.url import http_fault
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.operations.source import READY

_LARGEST: Final = 65_536  # bytes of an answer
# Where the addresses that stand for all of a machine are reached on that machine.
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Target:
    """Where a service is asked: by TCP, or at the path of a socket."""

    host: str
    port: int = 0
    path: str = READY
    secure: bool | None = None  # whether by TLS, and there whether its certificate is verified

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """Return a connection, which is made with the request."""
        if self.host.startswith("unix:"):
            return _PathConnection(self.host.removeprefix("unix:"), timeout)
        host = _HERE.get(self.host, self.host).strip("[]")
        if self.secure is None:
            return http.client.HTTPConnection(host, self.port, timeout=timeout)
        import ssl

        context = ssl.create_default_context()
        if not self.secure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(host, self.port, timeout=timeout, context=context)


class _PathConnection(http.client.HTTPConnection):
    """A connection to a socket of a path."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command()
@click.option("--url", help="Where to ask: http://host:port, or unix:/path of a socket.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@click.pass_obj
def command(project: Project, url: str | None, timeout: float) -> int:
    """Ask a running service whether it is ready.

    It is asked at OPERATIONS_PORT, or with DEBUG at its own. The exit code is 0 if it is ready, and
    1 if not, as a HEALTHCHECK of a container wants it.
    """
    ready, said = _ask(project, url, timeout)
    project.echo(said, err=not ready)
    return 0 if ready else 1


def _ask(project: Project, url: str | None, timeout: float) -> tuple[bool, str]:
    if url is not None:
        return ask(read_url(url), timeout)
    target = find_in_environment(os.environ)
    if target is not None:
        try:
            return ask(target, timeout, raises=True)
        except OSError:  # the settings may name another address
            pass
    return ask(find_in_settings(project.settings), timeout)


def read_url(url: str) -> Target:
    """Return the target that *url* names."""
    if url.startswith("unix:"):
        return Target(url)
    if (fault := http_fault(url)) is not None:
        advice = "Write http://127.0.0.1:9000, or unix:/path of a socket."
        raise click.BadParameter(f"it is {fault}. {advice}", param_hint="--url")
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    path = parts.path if parts.path not in ("", "/") else READY
    port = parts.port or (443 if is_secure else 80)
    return Target(parts.hostname or "", port, path, True if is_secure else None)


def find_in_environment(environ: Mapping[str, str]) -> Target | None:
    """Return the target that variables of the environment name, which override all settings."""
    port = environ.get("OPERATIONS_PORT", "").strip()
    own = OperationsSettings(host=environ.get("OPERATIONS_HOST"))
    host = own.host_beside(environ.get("HOST", ""))
    is_port = port.isascii() and port.isdigit() and 0 < int(port) <= 65535
    if host.startswith("fd:") or not (is_port or (port and host.startswith("unix:"))):
        return None
    return Target(host, int(port) if is_port else 0)


def find_in_settings(settings: Settings) -> Target:
    """Return the target that *settings* name.

    Raises:
        ImproperlyConfigured: there is none, or it is not known before the service runs.
    """
    server, operations = settings.server, settings.operations
    path = READY
    secure: bool | None = None
    if operations.port is not None:
        host, port, name = operations.host_beside(server.host), operations.port, "OPERATIONS_PORT"
    elif settings.debug:
        host, port, name = server.host, server.port, "PORT"
        path = f"{server.url_prefix}{READY}"
        secure = None if settings.tls.cert is None else False
    else:
        raise ImproperlyConfigured(
            "OPERATIONS_PORT is not set; expected the port that tells whether the service is "
            "ready. Set it, for instance to 9000."
        )
    if host.startswith("fd:") or not (port or host.startswith("unix:")):
        raise ImproperlyConfigured(
            f"{name} is {port} at {host!r}, which is known to the running service alone; expected "
            "a port or the path of a socket. Set one, or say where it is with --url."
        )
    return Target(host, port, path, secure)


def ask(target: Target, timeout: float, *, raises: bool = False) -> tuple[bool, str]:
    """Ask at *target*; return whether the service is ready, and a line that says why not.

    Args:
        raises: whether a service that cannot be reached is an exception.

    Raises:
        OSError: it cannot be reached, and *raises*.
    """
    connection = target.connect(timeout)
    try:
        connection.request("GET", target.path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(_LARGEST)
    except TimeoutError:
        return False, f"not ready: no answer within {timeout:g} s"
    except (OSError, http.client.HTTPException) as exc:
        if raises and isinstance(exc, ConnectionRefusedError):
            raise
        said = getattr(exc, "strerror", None) or type(exc).__name__
        return False, f"not ready: no connection ({said})"
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return True, "ready"
    return False, f"not ready: {_reasons(body) or f'it answers {response.status}'}"


def _reasons(body: bytes) -> str:
    """Return the reasons in the answer *body*, in one line."""
    try:
        told: Any = json.loads(body)
        parts = told["parts"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "; ".join(f"{name}: {reason}" for name, reason in parts if reason != "ok")
