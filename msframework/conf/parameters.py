"""The parameters of a database's address, beside user, password and hosts. Runs at start-up.

The names are those of libpq (PostgreSQL's documentation, 34.1.2). What libpq takes and asyncpg has
no equal of is refused, so that the service and its migrations reach the same server the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_SIGNED: Final = ("verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an address.

    Args:
        variable: the environment variable that stands in for it.
        choices: all that it may be.
        least: the smallest whole number that it may be.
        alias: a second name of it.
    """

    variable: str | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    alias: str | None = None

    def expected(self, value: str) -> str | None:
        """Return the values that are allowed, if *value* is none of them."""
        if self.choices and value not in self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.least is not None and not (
            re.fullmatch(r"[0-9]{1,9}", value) and int(value) >= self.least
        ):
            return f"a whole number of at least {self.least}"
        return None


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "host": Parameter("PGHOST"),
    "hostaddr": Parameter(),
    "port": Parameter("PGPORT"),
    "dbname": Parameter("PGDATABASE", alias="database"),
    "user": Parameter("PGUSER"),
    "password": Parameter("PGPASSWORD"),
    "passfile": Parameter("PGPASSFILE"),
    "service": Parameter("PGSERVICE"),
    "servicefile": Parameter("PGSERVICEFILE"),
    "application_name": Parameter("PGAPPNAME"),
    "options": Parameter("PGOPTIONS"),
    "search_path": Parameter(),
    "statement_timeout": Parameter(),
    "lock_timeout": Parameter(),
    "idle_in_transaction_session_timeout": Parameter(),
    "timezone": Parameter(),
    "jit": Parameter(choices=("on", "off")),
    "client_encoding": Parameter(choices=("UTF8", "utf8", "UTF-8", "utf-8")),
    "connect_timeout": Parameter("PGCONNECT_TIMEOUT", least=1),
    "keepalives": Parameter(choices=("0", "1")),
    "keepalives_idle": Parameter(least=0),
    "keepalives_interval": Parameter(least=0),
    "keepalives_count": Parameter(least=0),
    "tcp_user_timeout": Parameter(least=0),
    "target_session_attrs": Parameter(
        "PGTARGETSESSIONATTRS",
        ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "load_balance_hosts": Parameter("PGLOADBALANCEHOSTS", ("disable", "random")),
    "sslmode": Parameter("PGSSLMODE", ("disable", "allow", "prefer", "require", *_SIGNED)),
    "sslnegotiation": Parameter("PGSSLNEGOTIATION", ("postgres", "direct")),
    "sslrootcert": Parameter("PGSSLROOTCERT"),
    "sslcert": Parameter("PGSSLCERT"),
    "sslkey": Parameter("PGSSLKEY"),
    "sslpassword": Parameter(),
    "sslcrl": Parameter("PGSSLCRL"),
    "ssl_min_protocol_version": Parameter("PGSSLMINPROTOCOLVERSION", _TLS_VERSIONS),
    "ssl_max_protocol_version": Parameter("PGSSLMAXPROTOCOLVERSION", _TLS_VERSIONS),
    "channel_binding": Parameter("PGCHANNELBINDING", ("disable", "prefer", "require")),
    "gssencmode": Parameter("PGGSSENCMODE", ("disable", "prefer")),
    "krbsrvname": Parameter("PGKRBSRVNAME"),
    "gsslib": Parameter("PGGSSLIB", ("gssapi", "sspi")),
}
# Settings of PostgreSQL's own, which are sent when a connection begins.
SESSION: Final = (
    "application_name",
    "search_path",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "timezone",
    "jit",
)
SECRET: Final = ("password", "sslpassword")
ALIASES: Final = {item.alias: name for name, item in PARAMETERS.items() if item.alias}
# Of libpq's, and nothing that asyncpg has an equal of.
LIBPQ_ONLY: Final = (
    *("fallback_application_name", "gssdelegation", "max_protocol_version", "min_protocol_version"),
    *("replication", "require_auth", "requirepeer", "scram_client_key", "scram_server_key"),
    *("sslcertmode", "sslcompression", "sslcrldir", "sslkeylogfile", "sslsni"),
)
# They would lead psycopg elsewhere than asyncpg, and libpq reads them whatever it is told.
FOREIGN_VARIABLES: Final = ("PGHOSTADDR", "PGREQUIREAUTH", "PGREQUIREPEER", "PGSSLCERTMODE")


def find_conflict(values: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return a parameter of *values* that the others forbid, what was expected, and the advice."""
    mode = values.get("sslmode", "prefer")
    root = values.get("sslrootcert")
    if root == "system" and values.get("sslmode", "verify-full") != "verify-full":
        return "sslmode", "verify-full beside sslrootcert=system", "Write sslmode=verify-full."
    if mode == "verify-full" and "hostaddr" in values and "host" in values:
        return (
            "hostaddr",
            "no such parameter beside sslmode=verify-full",
            "asyncpg checks the certificate against what it connects to; leave hostaddr out.",
        )
    secure = root == "system" or mode in _SIGNED or mode == "require"
    if values.get("sslnegotiation") == "direct" and not secure:
        return (
            "sslnegotiation",
            "postgres, or an sslmode of require or more",
            "Write sslmode=require, or better verify-full with sslrootcert.",
        )
    if values.get("channel_binding") == "require" and root != "system" and mode != "verify-full":
        return (
            "channel_binding",
            "disable or prefer, or require beside sslmode=verify-full",
            "asyncpg knows no channel binding, so its TLS has to tell who the server is: write "
            "sslmode=verify-full&sslrootcert=system (or the path of a certificate).",
        )
    return None
