"""What an OpenAPI document alone says of access: for each operation who may call it, and the 401
and 403 that it promises. The three versions give one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

METHODS = ("get", "post", "put", "patch", "delete", "trace")


@dataclass(frozen=True)
class DocumentedAccess:
    """One operation, as the document tells of it.

    Attributes:
        alternatives: schemes with the scopes that each needs; any one of them is enough, and
            `{}` among them needs no credentials. None at all: anybody may call it.
        promised: which of 401 and 403 it has.
    """

    alternatives: tuple[Mapping[str, tuple[str, ...]], ...]
    promised: frozenset[int]

    @property
    def needs_credentials(self) -> bool:
        return bool(self.alternatives) and {} not in self.alternatives

    @property
    def schemes(self) -> frozenset[str]:
        """Every scheme whose credentials it takes."""
        return frozenset(name for need in self.alternatives for name in need)

    @property
    def scopes(self) -> frozenset[frozenset[str]]:
        """The sets of scopes, each of which is enough."""
        return frozenset(
            frozenset(scope for scopes in need.values() for scope in scopes)
            for need in self.alternatives
        )


def read_document(document: Mapping[str, Any]) -> dict[tuple[str, str], DocumentedAccess]:
    """Return the access of each operation by its method, in capitals, and its whole path."""
    prefix = _prefix(document)
    return {
        (method.upper(), f"{prefix}{path}"): _read(operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def _prefix(document: Mapping[str, Any]) -> str:
    """Return the path of the address at which the paths begin."""
    if "swagger" in document:
        path = document.get("basePath", "")
    else:
        path = urlsplit(document.get("servers", [{"url": ""}])[0]["url"]).path
    return str(path).rstrip("/")


def _read(operation: Mapping[str, Any], document: Mapping[str, Any]) -> DocumentedAccess:
    # NOTE: where a version cannot say a requirement whole, `x-security` does.
    needs = operation.get("x-security", operation.get("security", document.get("security", [])))
    return DocumentedAccess(
        tuple({name: tuple(scopes) for name, scopes in need.items()} for need in needs),
        frozenset(_promised(operation)),
    )


def _promised(operation: Mapping[str, Any]) -> Iterator[int]:
    for status in ("401", "403"):
        if status in operation["responses"]:
            yield int(status)
