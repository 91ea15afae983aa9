"""`DatabaseAddress`: what DATABASE_URL and each of DB_REPLICAS say, read once for both drivers.

asyncpg (the service) and psycopg (the migrations) are opened from this value and read no address
themselves, as each would read another one out of the same text. No message and no `repr` holds a
part of a user name or a password. Runs at start-up.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from msframework.conf.address_text import (
    AddressFault,
    broken_off,
    split_address,
    split_options,
)
from msframework.conf.findings import did_you_mean
from msframework.conf.parameters import (
    FOREIGN_VARIABLES,
    LIBPQ_ONLY,
    PARAMETERS,
    SESSION,
    find_conflict,
)
from msframework.conf.service_file import read_service

_PLACES: Final = frozenset(
    ("host", "hostaddr", "port", "dbname", "user", "password", "service", "servicefile")
)
# Where asyncpg and libpq look for a server of this machine when no host is named.
_LOCAL: Final = ("/var/run/postgresql", "/tmp", "localhost")  # noqa: S108
_PORT: Final = 5432
_KNOWN: Final = ", ".join(sorted(PARAMETERS.keys() - _PLACES))


@dataclass(frozen=True, slots=True)
class DatabaseHost:
    """One server of an address.

    Args:
        name: its name or address, or the directory of a socket.
        port: its port, which is a part of the socket's name, too.
        number: the IP address to connect to in place of the name.
    """

    name: str
    port: int
    number: str | None = None

    @property
    def local(self) -> bool:
        """Whether it is reached through a socket of this machine."""
        return self.number is None and self.name.startswith("/")

    def __str__(self) -> str:
        return self.name if self.local else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is, and how it is connected to.

    Args:
        hosts: its servers, in the order in which they are tried.
        user: who connects.
        password: the password, if the address has one.
        database: the name of the database.
        session: settings of PostgreSQL for every connection.
        values: all else that the address says, by libpq's names.
    """

    hosts: tuple[DatabaseHost, ...]
    user: str = field(repr=False)
    password: str | None = field(repr=False)
    database: str
    session: Mapping[str, str] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)

    @property
    def place(self) -> str:
        """Where the database is: hosts, ports and name, for messages."""
        named = [host for host in self.hosts if not self._unnamed or not host.local]
        return f"{', '.join(map(str, named))}, database {self.database!r}"

    @property
    def host(self) -> DatabaseHost:
        """The server that stands for the address in spans: the first that is named."""
        return self.hosts[-1 if self._unnamed else 0]

    @property
    def _unnamed(self) -> bool:
        return tuple(host.name for host in self.hosts) == _LOCAL

    @property
    def connect_timeout(self) -> int | None:
        """The seconds that connecting to one host may take, if the address says it."""
        value = self.values.get("connect_timeout")
        return None if value is None else int(value)


def read_address(text: str, environ: Mapping[str, str] | None = None) -> DatabaseAddress:
    """Return the address *text*, its gaps filled by variables of *environ* such as PGUSER.

    Raises:
        AddressFault: it is no address of a database, or has what a driver would not understand.
    """
    environ = os.environ if environ is None else environ
    written, queried = split_address(text)
    try:
        for name in queried:
            if name not in PARAMETERS:
                raise _unknown(name)
        values = _complete(written, environ)
        _judge(values, "has ", "")
        return _build(values)
    except AddressFault as exc:
        if queried and "@" in text.partition("?")[2]:
            raise broken_off() from None  # which may be the rest of a password
        raise exc from None


def address_fault(text: str) -> str | None:
    """Return the mistake in the address *text*, as the end of a sentence; `None` for none."""
    try:
        read_address(text)
    except AddressFault as exc:
        return exc.text
    return None


def replace_database(text: str, name: str) -> str:
    """Return the address *text* with another database.

    Raises:
        AddressFault: *text* is no address.
    """
    split_address(text)
    start, _, query = text.partition("?")
    scheme, _, rest = start.partition("://")
    authority = rest.partition("/")[0]
    kept = [
        pair
        for pair in query.split("&")
        if pair and pair.partition("=")[0] not in ("dbname", "database")
    ]
    tail = f"?{'&'.join(kept)}" if kept else ""
    return f"{scheme}://{authority}/{quote(name, safe='')}{tail}"


def _unknown(name: str) -> AddressFault:
    if name in LIBPQ_ONLY:
        return AddressFault(
            f"has the parameter {name}",
            "what both drivers take",
            "libpq knows it and asyncpg has no equal, so the service would go without; remove it.",
        )
    otherwise = "A setting of PostgreSQL is written options=-c%20name%3Dvalue."
    advice = did_you_mean(name, PARAMETERS, otherwise)
    return AddressFault(f"has the unknown parameter {name}", f"one of {_KNOWN}", advice)


def _complete(written: dict[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return *written* with the parameters that a service file and the environment add."""
    for name in FOREIGN_VARIABLES:
        if environ.get(name):
            raise AddressFault(
                f"cannot be read alike by both drivers, as {name} is in the environment",
                "no such variable",
                "psycopg would follow it and asyncpg would not; unset it.",
            )
    around = {
        name: environ[item.variable]
        for name, item in PARAMETERS.items()
        if item.variable and environ.get(item.variable)
    }
    _judge({name: around[name] for name in around.keys() - written.keys()}, "takes ", "PG")
    service = written.get("service") or around.get("service")
    if service is None:
        return around | written
    path = written.get("servicefile") or around.get("servicefile")
    listed = read_service(service, path, environ)
    for name in listed:
        if name not in PARAMETERS:
            raise _unknown(name)
    if "host" in written and "port" not in written:
        around.pop("port", None)
    return around | listed | written


def _judge(values: Mapping[str, str], verb: str, prefix: str) -> None:
    """Refuse the first value that is not as it should be."""
    for name in sorted(values):
        expected = PARAMETERS[name].expected(values[name])
        if expected is not None:
            said = f"{PARAMETERS[name].variable} from the environment" if prefix else name
            raise AddressFault(
                f"{verb}a wrong value in {said}", expected, f"Mend {name}, or leave it out."
            )
    if not prefix and (conflict := find_conflict(values)):
        name, expected, advice = conflict
        raise AddressFault(f"{verb}a wrong value in {name}", expected, advice)


def _build(values: Mapping[str, str]) -> DatabaseAddress:
    user = values.get("user") or _current_user()
    others = {
        name: value
        for name, value in values.items()
        if name not in _PLACES
        and name not in SESSION
        and name not in ("options", "client_encoding")
    }
    if others.get("sslrootcert") == "system":
        others["sslmode"] = "verify-full"
    session = split_options(values["options"]) if values.get("options") else {}
    session |= {name: values[name] for name in SESSION if name in values}
    return DatabaseAddress(
        hosts=_hosts(values),
        user=user,
        password=values.get("password") or None,
        database=values.get("dbname") or user,
        session=session,
        values=others,
    )


def _hosts(values: Mapping[str, str]) -> tuple[DatabaseHost, ...]:
    numbers = values["hostaddr"].split(",") if values.get("hostaddr") else []
    names = values["host"].split(",") if values.get("host") else numbers or list(_LOCAL)
    ports = values["port"].split(",") if values.get("port") else [""]
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names) or (numbers and len(numbers) != len(names)):
        raise AddressFault(
            f"has {len(names)} hosts and {len(ports)} ports"
            + (f" and {len(numbers)} of hostaddr" if numbers else ""),
            "as many of each, or one port for all",
            "Write postgresql://user@one:5432,two:5432/name.",
        )
    for port in ports:
        if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
            raise AddressFault(
                "is an address that cannot be read, as a port in it is no number up to 65535",
                "a PostgreSQL address",
                "Write postgresql://user:password@host:5432/name.",
            )
    if any(name.startswith("@") for name in names):
        raise AddressFault(
            "has an abstract socket", "the directory of a socket", "Write ?host=/run/postgresql."
        )
    numbers = numbers or [""] * len(names)
    return tuple(
        DatabaseHost(name or number or "localhost", int(port or _PORT), number or None)
        for name, port, number in zip(names, ports, numbers, strict=True)
    )


def _current_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise AddressFault(
            "names no user, and this process has none with a name",
            "a user",
            "Write postgresql://user@host/name.",
        ) from None
