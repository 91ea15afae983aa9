"""`SWAGGER` becomes info, servers, tags and external documents. Runs at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from msframework.conf.settings import Settings
from msframework.operation import Operation
from msframework.problem import Problem
from msframework.types import JSONObject

_TEXTS: Final = (
    "version",
    "title",
    "summary",
    "description",
    "termsOfService",
    "contact_email",
)
# The objects of the OpenAPI Specification (3.1.0): the keys that each needs, and those it may have.
_OBJECTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "contact": ((), ("name", "url", "email")),
    "license": (("name",), ("name", "identifier", "url")),
    "externalDocs": (("url",), ("url", "description")),
}
_SERVER: Final = (("url",), ("url", "description", "variables"))
_TAG: Final = ((), ("description", "externalDocs"))
WORDS: Final = (*_TEXTS, *_OBJECTS, "servers", "tags")


def about_problems(info: Mapping[str, object]) -> Iterator[str]:
    """Yield a message for each mistake in `SWAGGER`."""
    for word in sorted(set(info) - set(WORDS)):
        yield f"SWAGGER has the unknown key {word!r}. It may hold {', '.join(WORDS)}."
    for word in _TEXTS:
        if not isinstance(info.get(word, ""), str):
            yield Problem("SWAGGER", f"{word} is {info[word]!r}", "a text")
    for word, keys in _OBJECTS.items():
        if word in info:
            yield from _object_problems(word, info[word], *keys)
    license = info.get("license")
    if isinstance(license, Mapping) and {"identifier", "url"} <= set(license):
        found = "license has both identifier and url; OpenAPI takes one"
        yield Problem("SWAGGER", found, advice="Drop one of them.")
    servers = info.get("servers", ())
    if isinstance(servers, (str, Mapping)) or not isinstance(servers, Sequence):
        expected = "a list such as [{'url': 'https://…'}]"
        yield Problem("SWAGGER", f"servers is {servers!r}", expected)
    else:
        for number, server in enumerate(servers):
            yield from _object_problems(f"servers[{number}]", server, *_SERVER)
    tags = info.get("tags", {})
    if not isinstance(tags, Mapping):
        expected = "a dict such as {'users': 'Who they are.'}"
        yield Problem("SWAGGER", f"tags is {tags!r}", expected)
        return
    for name, tag in tags.items():
        if not isinstance(tag, str):
            yield from _object_problems(f"tags[{name!r}]", tag, *_TAG)


def _object_problems(
    where: str, value: object, needed: Iterable[str], known: Sequence[str]
) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield Problem("SWAGGER", f"{where} is {value!r}", f"a dict with {', '.join(known)}")
        return
    for word in needed:
        if not value.get(word):
            yield Problem("SWAGGER", f"{where} has no {word}", advice="Add it.")
    for word in sorted(set(map(str, value)) - set(known)):
        found = f"{where} has the unknown key {word!r}"
        yield Problem("SWAGGER", found, advice=f"It may hold {', '.join(known)}.")


def read_info(settings: Settings) -> JSONObject:
    """Return the members of `info` beside title and version."""
    given = settings.openapi.info
    words = ("summary", "description", "termsOfService")
    found: JSONObject = {word: given[word] for word in words if given.get(word)}
    contact = dict(given.get("contact", {}))
    if given.get("contact_email"):
        contact.setdefault("email", given["contact_email"])
    if contact:
        found["contact"] = contact
    if given.get("license"):
        found["license"] = dict(given["license"])
    return found


def read_servers(settings: Settings, prefix: str) -> list[JSONObject]:
    """Return the servers of the document: those of `SWAGGER`, or its own address."""
    found = []
    for server in settings.openapi.info.get("servers") or ({"url": ""},):
        url = str(server["url"]).rstrip("/")
        if not urlsplit(url).path.endswith(prefix):
            url += prefix
        found.append({**server, "url": url or "/"})
    return found


def read_tags(settings: Settings, operations: Iterable[Operation]) -> list[JSONObject]:
    """Return the tags of *operations*, each described by `SWAGGER`, or by its blueprint."""
    found: dict[str, JSONObject] = {}
    for operation in operations:
        for name in operation.text.tags or (operation.blueprint,):
            if name:
                tag = found.setdefault(name, {"name": name})
                if name == operation.blueprint and operation.text.blueprint_description:
                    tag["description"] = operation.text.blueprint_description
    for name, given in settings.openapi.info.get("tags", {}).items():
        if name in found:
            found[name] |= {"description": given} if isinstance(given, str) else given
    return list(found.values())
