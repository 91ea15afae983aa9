"""`CORS`: the origins whose pages may read answers, and what they may send (Fetch, 3.3).

The settings `ACCESS_CONTROL_*` make one for the service, `Blueprint(cors=…)` one for its routes.
Read and checked at start-up; `serving.cors` acts on it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from yarl import URL

from msframework.headers import TOKEN
from msframework.problem import Problem

ANY: Final = "*"
# Headers of our answers that a page cannot read by default (Fetch, 3.3.3).
EXPOSED: Final = (
    "X-Request-ID",
    "X-Trace-ID",
    "Location",
    "ETag",
    "Link",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
ACCEPTED: Final = ("Content-Type", "Authorization")
MAX_AGE: Final = 600

_is_token: Final = re.compile(TOKEN).fullmatch
# What a browser writes into `Origin` (RFC 6454, 6.2; HTML, 7.1.1), and `*` in the first label.
_is_origin: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]*)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_*\-]+(?:\.[a-z0-9_*\-]+)*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
).fullmatch
_PORTS: Final = {"http": "80", "https": "443"}
_SOCKETS: Final = {"ws": "http", "wss": "https"}
# Reserved names, below which nobody can register a domain: `*` may stand directly before them.
_RESERVED: Final = frozenset(("example", "internal", "local", "localhost", "test"))
_RIGHT: Final = "an origin as browsers send it: scheme and host in small letters, no path"
_EXAMPLE: Final = "Write 'https://app.example.com', or 'https://*.example.com' for all below."


class OriginFault(NamedTuple):
    """One mistake in a `CORS`: the argument, what was found, what was expected, the advice."""

    name: str
    found: str
    expected: str
    advice: str


@dataclass(frozen=True, slots=True)
class CORS:
    """The origins whose pages may read answers, and what they may send (Fetch, 3.3).

    Args:
        origins: `https://app.example.com`; `https://*.example.com` for one or more labels in the
            place of `*`; `https://pr-*.example.com` for a part of one label; or `*` alone for any.
            When empty, no other origin may.
        credentials: whether they may send cookies and other credentials of the browser.
        headers: headers that they may send, beside those of tracing and of the authenticators.
        methods: the methods that they may use; all that the path has when empty.
        expose: headers that they may read.
        max_age: seconds for which a browser may cache a preflight.
        private_network: whether pages from a public network may call into a private one.
    """

    origins: Sequence[str] = ()
    credentials: bool = False
    headers: Sequence[str] = ACCEPTED
    methods: Sequence[str] = ()
    expose: Sequence[str] = EXPOSED
    max_age: int = MAX_AGE
    private_network: bool = False

    def __post_init__(self) -> None:
        origins = (self.origins,) if isinstance(self.origins, str) else tuple(self.origins)
        object.__setattr__(self, "origins", origins)
        for name in ("headers", "methods", "expose"):
            object.__setattr__(self, name, split_words(getattr(self, name)))

    @property
    def is_open(self) -> bool:
        """Whether any page may read answers."""
        return ANY in self.origins

    def faults(self) -> Iterator[OriginFault]:
        """Yield the mistakes in this declaration."""
        for origin in self.origins:
            fault = find_fault(origin)
            if fault is not None:
                yield OriginFault("origins", *fault)
        yield from self._wildcard_faults()
        for name in ("headers", "methods", "expose"):
            for word in getattr(self, name):
                if word == ANY and (self.credentials or name == "methods"):
                    yield OriginFault(name, "'*'", "names, as here it is one", "Name them.")
                elif _is_token(word) is None:
                    yield OriginFault(
                        name, f"{word!r}", "names of HTTP", "Write letters, digits and hyphens."
                    )
        for method in self.methods:
            if _is_token(method) and method != method.upper():
                advice = f"Write {method.upper()!r}."
                yield OriginFault("methods", f"{method!r}", "a method in capitals", advice)
        if type(self.max_age) is not int or self.max_age < 0:
            advice = "Write 600 for ten minutes, or 0 for never."
            yield OriginFault("max_age", f"{self.max_age!r}", "seconds, 0 or more", advice)

    def _wildcard_faults(self) -> Iterator[OriginFault]:
        if not self.is_open:
            return
        if len(self.origins) > 1:
            advice = "Leave the others out, or '*'."
            yield OriginFault("origins", "'*' together with others", "'*' alone", advice)
        if self.credentials:
            expected = "the origins by name, as browsers refuse '*' with credentials (Fetch, 3.3.5)"
            yield OriginFault("origins", "'*' together with credentials", expected, _EXAMPLE)


def check_sharing(cors: object, where: str) -> list[Problem]:
    """Return the mistakes in the *cors* of a Blueprint; `None` has none."""
    if cors is None:
        return []
    if not isinstance(cors, CORS):
        found = f"its cors is {type(cors).__name__}"
        return [Problem(where, found, "a CORS", "Write CORS(('https://app.example.com',)).")]
    return [
        Problem(where, f"{fault.name} of its CORS holds {fault.found}", *fault[2:])
        for fault in cors.faults()
    ]


def split_words(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names in *given*: one text with commas, or several texts."""
    texts = (given,) if isinstance(given, str) else given
    words = [word.strip() for text in texts for word in text.split(",")]
    return tuple(dict.fromkeys(word for word in words if word))


def find_fault(text: object) -> tuple[str, str, str] | None:
    """Return the mistake in an origin that no browser sends in this form, else `None`.

    Returns:
        What was found, what was expected, and the advice.
    """
    if text == ANY:
        return None
    if not isinstance(text, str):
        return f"a value of type {type(text).__name__}", "texts", _EXAMPLE
    if not text.strip():
        return "an empty text", _RIGHT, "Leave it out."
    if text == "null":
        expected = "the origin of a page; sandboxed frames, files and hostile pages send 'null'"
        return "'null'", expected, "Serve the page from an origin of its own, and write that."
    if "," in text:
        parts = ", ".join(repr(part.strip()) for part in text.split(",") if part.strip())
        return (
            f"{text!r}, several in one text",
            "each origin in a text of its own",
            f"Write ({parts}).",
        )
    reason = _reason(text)
    if reason is None:
        return None
    mended = _mend(text)
    advice = f"Write {mended!r}." if mended and _reason(mended) is None else _EXAMPLE
    shown = "an origin" if "@" in text else repr(text[:80])
    return f"{shown} {reason}", _RIGHT, advice


def _reason(text: str) -> str | None:
    """Return why no browser sends *text*; `None` where one may."""
    scheme, mark, rest = text.partition("://")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    for is_wrong, reason in (
        (re.search(r"[\x00-\x20\x7f]", text), "with white space or a control character"),
        (not mark, "without a scheme"),
        ("@" in text, "with a user name"),
        (scheme.lower() in _SOCKETS, "of a websocket, which is called from a page's http or https"),
        (rest != authority and rest == f"{authority}/", "with a slash at its end"),
        (rest != authority, "with a path, a query or a fragment"),
        (not text.isascii(), "with letters that browsers send as punycode"),
        (text != text.lower(), "with capital letters"),
        (_PORTS.get(scheme) == authority.rpartition(":")[2], "with its scheme's own port"),
        (authority == ANY, "for any host"),
    ):
        if is_wrong:
            return reason
    return _misspelling(text)


def _misspelling(text: str) -> str | None:
    """Return the fault of the host or the port of *text*, which is an origin otherwise."""
    found = _is_origin(text)
    if found is None or int(found["port"] or 0) > 65535:
        return "whose host or port cannot be read"
    host: str = found["host"]
    first, *others = host.split(".")
    if ANY in "".join(others) or first.count(ANY) > 1:
        return "with '*' elsewhere than once in its first label"
    if ANY in first and (not others or (len(others) == 1 and others[0] not in _RESERVED)):
        return "that stands for names of everybody"
    if host.startswith("[") or (others or [first])[-1].isdecimal():
        try:
            canonical = ipaddress.ip_address(host.strip("[]")).compressed
        except ValueError:
            return "whose address cannot be read"
        if canonical != host.strip("[]"):
            return "whose address browsers write shorter"
    return None


def _mend(text: str) -> str:
    """Return *text* as a browser would send it, as far as that can be told."""
    text = "".join(text.split())
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "http" if text.startswith("localhost") else "https", text.lstrip("/")
    scheme = _SOCKETS.get(scheme.lower(), scheme.lower())
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2].lower()
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdecimal():
        host, port = authority.removesuffix(":"), ""
    suffix = f":{port}" if port and port != _PORTS.get(scheme) else ""
    return f"{scheme}://{_as_ascii(host.rstrip('.'))}{suffix}"


def _as_ascii(host: str) -> str:
    """Return *host* in punycode, as browsers write it."""
    first, dot, rest = host.partition(".") if ANY in host else ("", "", host)
    try:
        if rest.startswith("["):
            return f"[{ipaddress.ip_address(rest.strip('[]')).compressed}]"
        return f"{first}{dot}{URL.build(scheme='http', host=rest).raw_host}" if rest else host
    except ValueError:
        return host


def compile_pattern(origin: str) -> re.Pattern[str]:
    """Return the regular expression of an origin with `*`, for `fullmatch`."""
    before, after = map(re.escape, origin.split(ANY))
    label = r"[a-z0-9_\-]+"
    if before.endswith("//") and after.startswith(re.escape(".")):
        label = rf"{label}(?:\.{label})*"
    return re.compile(before + label + after)
