"""Connections of both drivers from one `DatabaseAddress`: asyncpg's, and libpq's parameters.

The hosts are tried here, one after the other and each within its own time: asyncpg has one time for
all of them, which a host that swallows what it is sent uses up. Runs when a pool grows.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg

from msframework.conf.address import DatabaseAddress, DatabaseHost

# What asyncpg reads from the query of an address only.
_OF_QUERY: Final = (
    *("sslmode", "sslnegotiation", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
_OF_ARGUMENTS: Final = ("passfile", "krbsrvname", "gsslib")
# As libpq, which goes on to the next host after these; a password that is wrong is wrong on all.
_NEXT_HOST: Final = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)
_KEEPALIVES: Final = {
    "keepalives_idle": getattr(socket, "TCP_KEEPIDLE", None),
    "keepalives_interval": getattr(socket, "TCP_KEEPINTVL", None),
    "keepalives_count": getattr(socket, "TCP_KEEPCNT", None),
    "tcp_user_timeout": getattr(socket, "TCP_USER_TIMEOUT", None),
}
_ROLES: Final = {
    "read-write": "off",
    "primary": "off",
    "read-only": "on",
    "standby": "on",
    "prefer-standby": "on",
}


class AddressOpener:
    """Opens asyncpg's connections to the servers of one address.

    Args:
        address: where they are.
        timeout: the seconds that one host may take, where the address says none.
    """

    def __init__(self, address: DatabaseAddress, timeout: float) -> None:
        self._timeout = address.connect_timeout or timeout
        self._hosts = address.hosts
        self._wanted = address.values.get("target_session_attrs", "any")
        self._shuffled = address.values.get("load_balance_hosts") == "random"
        self._session = dict(address.session)
        self._options: dict[str, Any] = {
            "user": address.user,
            "password": address.password,
            "database": address.database,
            **{name: address.values[name] for name in _OF_ARGUMENTS if name in address.values},
        }
        self._dsn = _dsn(address)
        self._system = address.values.get("sslrootcert") == "system"
        self._values = address.values
        self._last = 0

    async def open(self, **options: Any) -> asyncpg.Connection:
        """Return a connection to the first host that answers and is what the address wants.

        Args:
            options: further arguments of `asyncpg.connect`; its `server_settings` come after those
                of the address.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: that of the last host.
        """
        ours = options.pop("server_settings", None) or {}
        options = self._options | options | {"timeout": self._timeout}
        settings = self._session | ours
        if settings:
            options["server_settings"] = settings
        read_only = ours.get("default_transaction_read_only") == "on"
        failure: BaseException | None = None
        second: DatabaseHost | None = None
        for number in self._order():
            host = self._hosts[number]
            try:
                conn = await self._connect(host, options)
                async with asyncio.timeout(self._timeout):
                    fits = await _fits(conn, self._wanted, read_only)
            except _NEXT_HOST as exc:
                failure = exc
                continue
            if fits:
                self._last = number
                return conn
            conn.terminate()
            second = second or host
        if second is not None and self._wanted == "prefer-standby":
            return await self._connect(second, options)
        if failure is None or second is not None:
            failure = asyncpg.TargetServerAttributeNotMatched(
                f"none of the hosts is what target_session_attrs={self._wanted} asks for"
            )
        raise failure

    async def _connect(self, host: DatabaseHost, options: Mapping[str, Any]) -> asyncpg.Connection:
        extra: dict[str, Any] = {}
        if host.local:
            extra["ssl"] = False
        elif self._system:
            extra["ssl"] = _system_context(self._values)
            extra["direct_tls"] = self._values.get("sslnegotiation") == "direct"
        where = host.number or host.name
        dsn = None if host.local or self._system else self._dsn
        conn = await asyncpg.connect(dsn, host=where, port=host.port, **extra, **options)
        if not host.local:
            keep_alive(conn, self._values)
        return conn

    def _order(self) -> Sequence[int]:
        numbers = list(range(len(self._hosts)))
        if len(numbers) > 1:
            if self._shuffled:
                random.shuffle(numbers)
            elif self._wanted not in ("any", "prefer-standby"):
                # NOTE: the one that had the role last has it most probably still, and one that is
                # gone may take all of its time each time.
                numbers = numbers[self._last :] + numbers[: self._last]
        return numbers


def _dsn(address: DatabaseAddress) -> str:
    """Return the address by which asyncpg is told of TLS; nothing else is in it."""
    values = {"sslmode": "prefer", "sslnegotiation": "postgres"} | {
        name: address.values[name] for name in _OF_QUERY if name in address.values
    }
    return f"postgresql://?{urlencode(values)}"


def _system_context(values: Mapping[str, str]) -> ssl.SSLContext:
    """Return the context for `sslrootcert=system`, which asyncpg would look for as a file."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    if "sslcert" in values:
        password = values.get("sslpassword", "")
        context.load_cert_chain(values["sslcert"], values.get("sslkey"), lambda: password)
    for name, bound in (
        ("ssl_min_protocol_version", "minimum_version"),
        ("ssl_max_protocol_version", "maximum_version"),
    ):
        if name in values:
            setattr(context, bound, ssl.TLSVersion[values[name].replace(".", "_")])
    return context


async def _fits(conn: asyncpg.Connection, wanted: str, read_only: bool) -> bool:
    """Tell whether the server of *conn* is what *wanted* says.

    Args:
        read_only: its transactions are so because we asked for that.
    """
    role = _ROLES.get(wanted)
    if role is None:
        return True
    try:
        recovers = await conn.fetchval("SELECT pg_catalog.pg_is_in_recovery()")
        if wanted in ("read-write", "read-only") and not recovers and not read_only:
            setting = await conn.fetchval("SHOW default_transaction_read_only")
            return bool(setting == role)
    except BaseException:
        conn.terminate()
        raise
    return bool(recovers) == (role == "on")


def keep_alive(conn: asyncpg.Connection, values: Mapping[str, str]) -> None:
    """Have the kernel ask whether the peer of *conn* is there, as libpq does.

    Without, a peer that vanished is noticed after a quarter of an hour, when data goes unanswered.
    """
    sock = conn._transport.get_extra_info("socket")
    if sock is None:
        return
    alive = values.get("keepalives", "1") == "1"
    if alive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, option in _KEEPALIVES.items():
        value = int(values.get(name, 0))
        if value and option is not None and (alive or name == "tcp_user_timeout"):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def libpq_options(address: DatabaseAddress) -> dict[str, str]:
    """Return the parameters of libpq for *address*, as psycopg's `connect` takes them.

    All that both drivers have a default for is said, so that they have the same.
    """
    hosts = address.hosts
    options = {
        "host": ",".join(host.name for host in hosts),
        "port": ",".join(str(host.port) for host in hosts),
        "dbname": address.database,
        "user": address.user,
        "sslmode": "prefer",
        "gssencmode": "disable",  # asyncpg has none
        "target_session_attrs": "any",
        **address.values,
    }
    if any(host.number for host in hosts):
        options["hostaddr"] = ",".join(host.number or "" for host in hosts)
    if address.password is not None:
        options["password"] = address.password
    session = dict(address.session)
    name = session.pop("application_name", None)
    if name is not None:
        options["application_name"] = name
    if session:
        options["options"] = " ".join(
            f"-c {name}={_escaped(value)}" for name, value in session.items()
        )
    return options


def _escaped(value: str) -> str:
    return "".join(f"\\{char}" if char in "\\ \t\n\r\f\v" else char for char in value)
