"""`SECURITY_HEADERS`: the headers by which browsers guard a page, checked for what they understand.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msframework.alike import find_nearest
from msframework.headers import FRAMING, TOKEN, Pairs, check_value

HSTS: Final = "strict-transport-security"
_DEFAULTS: Final = {"X-Content-Type-Options": "nosniff"}
# What every answer or its handler says for itself.
_TAKEN: Final = frozenset(
    (
        "allow",
        "content-encoding",
        "content-type",
        "date",
        "etag",
        "location",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-request-id",
        "x-trace-id",
    )
)
_REFERRER: Final = (
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
)
_OPENER: Final = (
    "noopener-allow-popups",
    "same-origin",
    "same-origin-allow-popups",
    "unsafe-none",
)
_EMBEDDER: Final = ("credentialless", "require-corp", "unsafe-none")
_YEAR: Final = 31_536_000
_is_token: Final = re.compile(TOKEN).fullmatch
_directive: Final = re.compile(r"\s*([A-Za-z0-9\-]+)\s*(?:=\s*(\"?)([^\s\";]*)\2\s*)?").fullmatch
_is_policy: Final = re.compile(r"\s*([a-z\-]+(\s+[^\s;,]+)*\s*(;\s*|$))+").fullmatch
_is_feature: Final = re.compile(
    r"[a-z*][a-z0-9_.*\-]*=(?:\*|self|\((?:\s*(?:\*|self|src|\"[^\"\s]+\")\s*)*\))(?:;[^,]*)?"
).fullmatch

# What is wrong with a value, and its right form; nothing where browsers understand it.
ValueFault = tuple[str, str]


def read_headers(given: Mapping[str, str | None]) -> Pairs:
    """Return the headers of every answer: ours, and those *given* over them; `None` is left out."""
    values = {name.lower(): (name, value) for name, value in _DEFAULTS.items()}
    for name, value in given.items():
        values.pop(name.lower(), None)
        if value is not None:
            values[name.lower()] = name, value
    return tuple((name, value) for name, (_, value) in values.items())


def find_faults(given: Mapping[str, object]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the mistakes in `SECURITY_HEADERS`: the header, found, expected, the cure."""
    seen: set[str] = set()
    for name, value in given.items():
        folded = name.lower()
        if _is_token(name) is None:
            yield name, "no header", "letters, digits and hyphens", "Mend the name."
        elif folded in FRAMING | _TAKEN or folded.startswith("access-control-"):
            what = "written by the answer itself" if folded in FRAMING | _TAKEN else "of CORS"
            yield name, f"a header {what}", "one of a browser's policies", "Leave it out."
        elif folded in seen:
            yield name, "there twice", "each header once", "Leave one of them out."
        elif folded not in _CHECKS and (near := find_nearest(folded, _CHECKS, 0.85)):
            yield name, "unknown", "a header that browsers know", f"Did you mean {near!r}?"
        elif value is not None:
            yield from _value_faults(name, value)
        seen.add(folded)


def _value_faults(name: str, value: object) -> Iterator[tuple[str, str, str, str]]:
    if not isinstance(value, str):
        yield name, f"of type {type(value).__name__}", "a text, or None", "Write its value."
        return
    try:
        check_value(name, value, "SECURITY_HEADERS")
    except ValueError:
        found = "a text with a control character or a lone surrogate"
        yield name, found, "the value of a header, on one line", "Take it out."
        return
    fault = _CHECKS.get(name.lower(), _nothing)(value)
    if not value.strip():
        fault = "a value", "Leave it out, or write None for no such header."
    if fault is not None:
        yield name, repr(value[:80]), *fault


def _nothing(value: str) -> ValueFault | None:
    return None


def _one_of(*words: str) -> Callable[[str], ValueFault | None]:
    """Return the check of a header that has one of *words*, and perhaps parameters."""

    def check(value: str) -> ValueFault | None:
        word = value.partition(";")[0].strip()
        if word in words:
            return None
        near = find_nearest(word.lower(), [known.lower() for known in words])
        right = next((known for known in words if known.lower() == near), words[0])
        return " or ".join(words), f"Write {right!r}."

    return check


def _check_frame(value: str) -> ValueFault | None:
    if value.lower().startswith("allow-from"):
        advice = "Write 'Content-Security-Policy': \"frame-ancestors https://…\" for one origin."
        return "DENY or SAMEORIGIN, as browsers ignore ALLOW-FROM", advice
    return _one_of("DENY", "SAMEORIGIN")(value)


def _check_referrer(value: str) -> ValueFault | None:
    """Check a list of policies, of which a browser takes the last one that it knows."""
    for word in value.split(","):
        fault = _one_of(*_REFERRER)(word.strip())
        if fault is not None:
            return fault
    return None


def _check_hsts(value: str) -> ValueFault | None:
    """Check the directives of `Strict-Transport-Security` (RFC 6797, 6.1)."""
    expected = "max-age=SECONDS, and includeSubDomains and preload where wanted (RFC 6797, 6.1)"
    advice = f"Write 'max-age={_YEAR}; includeSubDomains'."
    found: dict[str, str | None] = {}
    for part in value.split(";"):
        directive = _directive(part)
        if directive is None:
            if part.strip():
                return expected, advice
            continue
        name = directive[1].lower()
        if name in found or name not in ("max-age", "includesubdomains", "preload"):
            return expected, advice
        found[name] = directive[3]
    age = found.pop("max-age", None)
    if age is None or not (age.isascii() and age.isdecimal()) or any(found.values()):
        return expected, advice
    if "preload" in found and ("includesubdomains" not in found or int(age) < _YEAR):
        expected = f"includeSubDomains and a max-age of {_YEAR} at least beside preload"
        return expected, f"Write 'max-age={_YEAR}; includeSubDomains; preload'."
    return None


def _check_policy(value: str) -> ValueFault | None:
    """Check that it is made of directives (CSP 3, 2.2)."""
    if _is_policy(value):
        return None
    return "directives with semicolons between them", "Write \"default-src 'none'\" for instance."


def _check_permissions(value: str) -> ValueFault | None:
    """Check that it is a dictionary of features (Permissions Policy, 5.2)."""
    if all(_is_feature(part.strip()) for part in value.split(",")):
        return None
    return "features with their lists, and commas between", "Write 'camera=(), geolocation=(self)'."


_CHECKS: Final[Mapping[str, Callable[[str], ValueFault | None]]] = {
    "content-security-policy": _check_policy,
    "content-security-policy-report-only": _check_policy,
    "cross-origin-embedder-policy": _one_of(*_EMBEDDER),
    "cross-origin-opener-policy": _one_of(*_OPENER),
    "cross-origin-resource-policy": _one_of("same-origin", "same-site", "cross-origin"),
    "origin-agent-cluster": _one_of("?1", "?0"),
    "permissions-policy": _check_permissions,
    "referrer-policy": _check_referrer,
    HSTS: _check_hsts,
    "x-content-type-options": _one_of("nosniff"),
    "x-dns-prefetch-control": _one_of("off", "on"),
    "x-frame-options": _check_frame,
    "x-permitted-cross-domain-policies": _one_of("none", "master-only", "by-content-type", "all"),
    "x-xss-protection": _one_of("0"),
}
