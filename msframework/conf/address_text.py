"""The text of a database's address in its parts: `postgresql://user@host:port/name?key=value`.

The grammar is libpq's (PostgreSQL's documentation, 34.1.1.2; RFC 3986). What is not
percent-encoded and has to be is found here, and nothing of it is told. Runs at start-up.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from msframework.conf.parameters import ALIASES, PARAMETERS, SECRET
from msframework.exceptions import ImproperlyConfigured

_SCHEME: Final = re.compile(r"postgres(ql)?://")
_BROKEN: Final = re.compile(r"[\x00-\x20\x7f\s#]|%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"(\[(?P<inner>[^][]*)\]|(?P<plain>[^][:]*))(:(?P<port>[^][:]*))?")
_NAME: Final = re.compile(r"[a-z_]{1,40}")
_EXPECTED: Final = "a PostgreSQL address"
_FORM: Final = "Write postgresql://user:password@host:5432/name."


class AddressFault(ImproperlyConfigured):
    """A mistake in the address of a database, told without its user and password.

    Args:
        found: the mistake, as the end of a sentence that begins with the address's name.
        expected: the right form.
        advice: the cure, as a sentence.
    """

    def __init__(self, found: str, expected: str = _EXPECTED, advice: str = _FORM) -> None:
        self.text = f"{found}; expected {expected}. {advice}"
        super().__init__(f"The address of the database {self.text}")


def broken_off() -> AddressFault:
    """Return the fault of an address that a character cuts in two which should be encoded."""
    return AddressFault(
        "is an address with a character in its user name or password that must be percent-encoded"
        " (@ as %40, / as %2F, ? as %3F, # as %23, % as %25, a space as %20)"
    )


def split_address(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the parameters in *text* by libpq's names, and the names of those behind the `?`.

    Raises:
        AddressFault: it is no address, or not encoded as it has to be.
    """
    if not _SCHEME.match(text):
        # NOTE: nothing of it is shown, as "name:password@host" without a scheme may be one, too.
        raise AddressFault("is an address of another kind" if text else "is missing")
    if _BROKEN.search(text):
        raise broken_off()
    start, _, query = text.partition("?")
    authority, _, path = start.partition("://")[2].partition("/")
    marks = authority.count("@")
    if marks > 1 or "@" in path or "/" in path or (not marks and "@" in query):
        raise broken_off()
    values: dict[str, str] = {}
    login, _, places = authority.rpartition("@")
    user, colon, password = login.partition(":")
    _put(values, "user", _decoded(user))
    if colon:
        _put(values, "password", _decoded(password))
    _put_hosts(values, places)
    _put(values, "dbname", _decoded(path))
    return values, _put_query(values, query)


def _put(values: dict[str, str], name: str, value: str) -> None:
    if not value:
        return
    if name in values:
        raise AddressFault(
            f"says {name} twice", f"{name} once", "Leave one out, of those behind the ? too."
        )
    values[name] = value


def _put_hosts(values: dict[str, str], places: str) -> None:
    names, ports = [], []
    for place in places.split(","):
        found = _HOST.fullmatch(place)
        name = _decoded(found["inner"] or found["plain"] or "") if found else ","
        if found is None or "," in name or (found["inner"] == ""):
            raise AddressFault(
                "is an address that cannot be read, as a host in it is none",
                advice="An IPv6 address stands in brackets: postgresql://user@[::1]:5432/name.",
            )
        names.append(name)
        ports.append(found["port"] or "")
    if any(names):
        _put(values, "host", ",".join(names))
    if any(ports):
        _put(values, "port", ",".join(ports))


def _put_query(values: dict[str, str], query: str) -> tuple[str, ...]:
    names: list[str] = []
    for number, pair in enumerate(query.split("&") if query else (), 1):
        name, equals, value = pair.partition("=")
        name = ALIASES.get(name, name)
        # NOTE: a password with an & in it goes on in what looks like another parameter.
        if not equals or not _NAME.fullmatch(name):
            if "@" in query:
                raise broken_off()
            raise AddressFault(
                f"has a parameter that cannot be read, the {number}. behind the ?",
                "name=value, with an & between two",
                "Percent-encode & as %26 and = as %3D within a value.",
            )
        names.append(name)
        if set(SECRET).intersection(names[:-1]) and name not in PARAMETERS:
            raise AddressFault(
                f"has an unknown parameter behind a password, the {number}. behind the ?",
                "the name of a parameter",
                "Percent-encode & as %26 within a password.",
            )
        _put(values, name, _decoded(value))
    return tuple(names)


def _decoded(text: str) -> str:
    try:
        value = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        value = "\0"
    if "\0" in value:
        raise AddressFault(
            "has bytes that are no text in UTF-8 behind a %", "percent-encoded UTF-8"
        ) from None
    return value


def split_options(text: str) -> dict[str, str]:
    """Return the settings of PostgreSQL in *text*: `-c name=value --other=value`.

    A space or a backslash within a value has a backslash before it.

    Raises:
        AddressFault: there is something else in it.
    """
    words = [
        re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text, re.DOTALL)
    ]
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            setting = word[2:]
        elif word.startswith("-c"):
            setting = word[2:] or next(rest, "")
        else:
            setting = ""
        name, equals, value = setting.partition("=")
        name = name.replace("-", "_")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise AddressFault(
                "has options with something else than settings",
                "-c name=value for each of them",
                "Write options=-c%20statement_timeout%3D5s; it is sent as a setting.",
            )
        found[name] = value
    return found
