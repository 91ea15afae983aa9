"""`SERVICES` becomes `ServiceEntry` values by name. Runs at start-up."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from msframework.conf.findings import HIDDEN, Findings, did_you_mean, shown
from msframework.conf.settings import ServiceEntry
from msframework.conf.url import http_fault
from msframework.types import UNSET, Unset

_EXAMPLE: Final = "{'regions': {'url': 'http://regions:8000'}}"
_FILES: Final = ("ca", "cert", "key")
_KEYS: Final = tuple(item.name for item in fields(ServiceEntry) if item.name != "name")


def read_services(
    value: object, where: str, findings: Findings
) -> Mapping[str, ServiceEntry | None] | Unset:
    """Return the entries of *value* by name, or `UNSET` when there is a mistake in one."""
    if not isinstance(value, Mapping):
        advice = f"Write {_EXAMPLE}."
        findings.add(where, "SERVICES", shown(value), "a dict of services by name", advice)
        return UNSET
    before = len(findings.problems)
    entries = {
        name: _read_entry(name, {"url": item} if isinstance(item, str) else item, where, findings)
        for name, item in value.items()
    }
    return UNSET if len(findings.problems) > before else MappingProxyType(entries)


def _read_entry(name: object, item: object, where: str, findings: Findings) -> ServiceEntry | None:
    path = f"SERVICES[{name!r}]"
    if not isinstance(name, str) or not name:
        findings.add(where, path, "named so", "a text as name", f"Write {_EXAMPLE}.")
        return None
    if not isinstance(item, Mapping):
        expected = "a dict with 'url', or the url alone"
        findings.add(where, path, shown(item), expected, f"Write {_EXAMPLE}.")
        return None
    for key in item:
        if key not in _KEYS:
            advice = did_you_mean(str(key), _KEYS, "Remove it.")
            findings.add(where, f"{path}[{key!r}]", "unknown", f"one of {', '.join(_KEYS)}", advice)
    _check_url(path, item.get("url"), where, findings)
    _check_limits(path, item, where, findings)
    _check_files(path, item, where, findings)
    headers = _read_headers(path, item.get("headers", {}), where, findings)
    known = {key: item[key] for key in _KEYS if key in item}
    paths = {key: known[key] for key in _FILES if isinstance(known.get(key), os.PathLike)}
    known |= {key: os.fspath(path) for key, path in paths.items()}
    known["url"] = str(item.get("url", "")).rstrip("/")
    return ServiceEntry(**{**known, "name": name, "headers": headers})


def _check_url(path: str, url: object, where: str, findings: Findings) -> None:
    if (fault := http_fault(url)) is not None:
        advice = "Give the scheme and host: 'http://regions:8000'."
        findings.add(where, f"{path}['url']", fault, "an http:// or https:// address", advice)


def _check_limits(path: str, item: Mapping[str, Any], where: str, findings: Findings) -> None:
    for key in ("total_timeout", "connect_timeout"):
        value = item.get(key, 1.0)
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            name = f"{path}[{key!r}]"
            findings.add(where, name, shown(value), "seconds above 0", "Write 2.0, for instance.")
    limit = item.get("limit", 1)
    if type(limit) is not int or limit < 1:
        expected = "a whole number, 1 or more"
        advice = "It is how many connections are kept to the service at most."
        findings.add(where, f"{path}['limit']", shown(limit), expected, advice)


def _check_files(path: str, item: Mapping[str, Any], where: str, findings: Findings) -> None:
    given = [key for key in _FILES if item.get(key) is not None]
    for key in given:
        value = item[key]
        if not isinstance(value, (str, os.PathLike)) or "-----BEGIN" in str(value) or not value:
            advice = "Write '/path/of.pem'."
            findings.add(where, f"{path}[{key!r}]", HIDDEN, "the path of a file in PEM", advice)
    for one, other in (("cert", "key"), ("key", "cert")):
        if one in given and other not in given:
            advice = f"Add {other!r}, or remove {one!r}."
            findings.add(where, f"{path}[{one!r}]", f"set, and {other!r} is not", "both", advice)
    if given and not str(item.get("url", "")).casefold().startswith("https:"):
        found = "set, and its url does not begin with https://"
        advice = f"Call the service by https://, or remove {given[0]!r}."
        findings.add(where, f"{path}[{given[0]!r}]", found, "an url with TLS", advice)


def _read_headers(path: str, value: object, where: str, findings: Findings) -> Mapping[str, str]:
    if isinstance(value, Mapping) and all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        return MappingProxyType(dict(value))
    advice = "These headers go out with every call to the service."
    findings.add(where, f"{path}['headers']", HIDDEN, "a dict of texts by text", advice)
    return {}
