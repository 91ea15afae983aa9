"""The rules of an answer's headers: which are legal, which replace others, and which add to them.

Runs per request, where a method, an exception or a response of Sanic's brings headers of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sanic.compat import Header

Pairs = tuple[tuple[str, str], ...]
# The headers that methods and exceptions give.
Headers = Mapping[str, str | int | Sequence[str | int]]

# The name of a header, a method, one half of a media type (RFC 9110, 5.6.2).
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a token of HTTP
# The length and the end of an answer, and the connection's own: HTTP's business, nobody else's.
FRAMING: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# Lists of words: their members are joined into one line, each once.
WORDS: Final = frozenset(
    (
        "accept-ranges",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-expose-headers",
        "allow",
        "content-language",
        "vary",
    )
)
# Lists whose members may hold commas, and Set-Cookie: they stand on lines of their own.
LINES: Final = frozenset(
    (
        "cache-control",
        "content-security-policy",
        "link",
        "proxy-authenticate",
        "server-timing",
        "set-cookie",
        "via",
        "warning",
        "www-authenticate",
    )
)
# Fields of one value. Those that nobody lists here may stand twice where a method asks for it.
SINGLE: Final = frozenset(
    (
        "access-control-allow-credentials",
        "access-control-allow-origin",
        "access-control-max-age",
        "age",
        "content-disposition",
        "content-length",
        "content-location",
        "content-range",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
        "server",
        "strict-transport-security",
    )
)
_is_token = re.compile(TOKEN).fullmatch
_find_control = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search


class OwnHeaders:
    """The headers of one answer alone, checked.

    Attributes:
        pairs: names and values.
        names: the names in small letters.
        lines: the same as bytes, each with its line's end.
    """

    __slots__ = ("lines", "names", "pairs")

    def __init__(self, given: Headers, where: str) -> None:
        """Check the headers that *where* gave.

        Raises:
            ValueError: a header cannot be sent; the text names it, and never its value.
        """
        if not hasattr(given, "items"):
            raise ValueError(f"{where}: headers is {type(given).__name__}; expected a mapping")
        pairs: Pairs = tuple(
            pair for name, value in given.items() for pair in _read(name, value, where)
        )
        self.names = frozenset(name.lower() for name, _ in pairs)
        if len(self.names) < len(pairs):
            _check_singles(pairs, where)
            pairs = merge((), pairs)
        self.pairs = pairs
        self.lines = encode_lines(pairs)

    @staticmethod
    def add(name: str, value: str, own: OwnHeaders | None) -> OwnHeaders:
        """Return *own* and the header *name*, in small letters, with a *value* that can be sent."""
        pairs: Pairs = ((name, value),)
        found = object.__new__(OwnHeaders)
        if own is None:
            found.pairs = pairs
            found.names = frozenset((name,))
            found.lines = f"{name}: {value}\r\n".encode()
        else:
            found.pairs = merge((), own.pairs + pairs)
            found.names = own.names | {name}
            found.lines = encode_lines(found.pairs)
        return found

    def joined(self, others: OwnHeaders) -> OwnHeaders:
        """Return these headers and *others*, which have other names."""
        both = object.__new__(OwnHeaders)
        both.pairs = self.pairs + others.pairs
        both.names = self.names | others.names
        both.lines = self.lines + others.lines
        return both


def _read(name: Any, value: Any, where: str) -> Iterable[tuple[str, str]]:
    """Return the pairs of one header that a method gave: one for each value of a list."""
    check_name(name, where)
    if name.lower() in FRAMING:
        raise ValueError(
            f"{where}: the header {name!r} belongs to the connection, and HTTP writes it itself. "
            "Leave it out."
        )
    values = value if isinstance(value, list | tuple) else (value,)
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise ValueError(
                f"{where}: the value of the header {name!r} is {type(one).__name__}; "
                "expected a text, a whole number, or a list of these"
            )
        text = str.__str__(one) if isinstance(one, str) else str(one)
        check_value(name, text, where)
        yield name, text


def check_name(name: object, where: str) -> None:
    """Refuse a name that is no token (RFC 9110, 5.6.2)."""
    if not isinstance(name, str) or _is_token(name) is None:
        raise ValueError(
            f"{where}: {name!r} is no name of a header; expected letters, digits and hyphens"
        )


def check_value(name: str, value: str, where: str) -> None:
    """Refuse control characters, and characters that UTF-8 cannot hold.

    NOTE: a lone surrogate that stands for a byte of a request's header goes out as that byte.
    """
    if _find_control(value) is not None:
        raise ValueError(
            f"{where}: the value of the header {name!r} holds a control character (a line's end, "
            "NUL or the like), which no header may. Take it out or encode it."
        )
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(
            f"{where}: the value of the header {name!r} holds a lone surrogate. Encode it."
        ) from None


def _check_singles(pairs: Pairs, where: str) -> None:
    names = [name.lower() for name, _ in pairs]
    for name in SINGLE.intersection(names):
        if names.count(name) > 1:
            raise ValueError(f"{where}: the header {name!r} has several values; it takes one")


def encode_lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return *pairs* as they go out."""
    return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode(
        "utf-8", "surrogateescape"
    )


def merge(base: Pairs, own: Pairs) -> Pairs:
    """Return *base*, whose names are in small letters, with *own* added by each field's rule."""
    own_names = {name.lower() for name, _ in own}
    merged: dict[str, list[tuple[str, str]]] = {}
    for name, value in base:
        if name not in own_names or name in WORDS:
            merged.setdefault(name, []).append((name, value))
    for name, value in own:
        lines = merged.setdefault(name.lower(), [])
        if name.lower() in WORDS and lines:
            lines[0] = (lines[0][0], unite(lines[0][1], value))
        elif name.lower() not in LINES or value not in [known for _, known in lines]:
            lines.append((name, value))
    return tuple(pair for lines in merged.values() for pair in lines)


def unite(first: str, second: str) -> str:
    """Return the members of two lists of words, each once; `*` stands for all of `Vary`."""
    members: dict[str, str] = {}
    for member in (*first.split(","), *second.split(",")):
        text = member.strip()
        if text:
            members.setdefault(text.lower(), text)
    return "*" if "*" in members else ", ".join(members.values())


def check_response(response: Any, where: str) -> None:
    """Check the status and the headers of a response of Sanic's.

    Raises:
        ValueError: it cannot be sent.
    """
    status = response.status
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"{where}: the status of an answer is {status!r}; expected 200 to 599")
    headers = response.headers
    for name, value in headers.items():
        check_name(name, where)
        if value is None or isinstance(value, bytes | list | tuple | dict | set):
            raise ValueError(
                f"{where}: the value of the header {name!r} is {type(value).__name__}; "
                "expected a text"
            )
        check_value(name, f"{value}", where)
    if response.content_type is not None:
        check_value("content-type", f"{response.content_type}", where)
    _check_singles(tuple(headers.items()), where)
    if str(headers.get("transfer-encoding", "chunked")).lower() != "chunked":
        raise ValueError(f"{where}: the transfer coding of an answer is chunked or none")
    length = str(headers.get("content-length", "0"))
    if not (length.isascii() and length.isdecimal()):
        raise ValueError(f"{where}: the value of the header 'content-length' is no length")


def take_framing(headers: Header) -> bool:
    """Take out of *headers* those of the connection; tell whether they ask to close it.

    A `Content-Length` stays, with which a stream says its length beforehand.
    """
    asked = ",".join(map(str, headers.getall("connection", ()))).lower().replace(" ", "")
    for name in FRAMING - {"content-length", "upgrade"}:
        headers.popall(name, None)
    return "close" in asked.split(",")
