"""The calls that fetch objects of another service by their keys, and the reading of its answers.

Made at start-up, run per request. An answer that is not what was asked for is an `UpstreamError`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote

import peewee
from marshmallow import Schema, fields

from msframework.aio import run_concurrently
from msframework.client import BoundClient
from msframework.client.failure import upstream_error
from msframework.client.plan import split_path
from msframework.codec import compile_schema
from msframework.compile.promise import missing_members
from msframework.db.cursor import Cursor
from msframework.exceptions import Gone, InvalidInput, NotFound
from msframework.principal import Principal
from msframework.serving.request import Request
from msframework.types import Field, JSONObject, JSONValue

logger = logging.getLogger("msframework.collection")
# Bytes of the keys in one call: they leave room for the rest of a request line within the 8,000
# octets that every recipient should support (RFC 9112, 3).
_LONGEST: Final = 6000
_ABSENT: Final = (404, 410)
MOST_CALLS: Final = 100


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Where objects of another service are, and how they are asked for, as `Remote` declares it."""

    service: str
    path: str
    by: str
    forward: Sequence[str]
    batch_size: int
    at_once: int
    timeout: float
    schema: Any

    @property
    def parameter(self) -> str:
        """The name of the parameter in its path; empty for a list."""
        return next(iter(split_path(self.path)[1::2]), "")


class RemoteCalls:
    """The calls for objects of one source.

    Keys and objects are matched by the texts of the keys. The calls are bounded: `at_once` run
    concurrently, and all of them end within the `timeout` of the source.
    """

    __slots__ = ("_parameter", "_schema", "_source", "_with_size")

    def __init__(self, source: RemoteSource) -> None:
        self._source, self._parameter = source, source.parameter
        self._schema = compile_schema(source.schema)
        self._with_size = "?" not in source.path

    async def fetch(self, request: Request, keys: Iterable[str]) -> Mapping[str, JSONObject]:
        """Return the objects of *keys*, which are distinct, as far as the other service has them.

        Raises:
            UpstreamError: the first failure; the other calls are cancelled, and have ended.
            InvalidInput: it would take too many calls.
        """
        source, parts = self._source, list(self._cut(keys))
        found: dict[str, JSONObject] = {}
        if not parts:
            return found
        if len(parts) > MOST_CALLS:
            told = f"These rows need {len(parts)} calls; expected {MOST_CALLS} at most."
            raise InvalidInput({"query": {"expand": [told]}})
        given, left = request.headers, iter(parts)
        headers = {name: given[name] for name in source.forward if name in given}
        client = request.client(source.service)
        number = min(source.at_once, len(parts))
        work = [self._work(client, headers, left, found) for _ in range(number)]
        try:
            async with asyncio.timeout(source.timeout):
                await run_concurrently(work)
        except TimeoutError as exc:
            error = f"its objects were not there after {source.timeout:g} s"
            raise self._failure(error, 504) from exc
        return found

    def _cut(self, keys: Iterable[str]) -> Iterator[Sequence[str]]:
        """Yield the keys of each call; those that no call can name are left out."""
        most = 1 if self._parameter else self._source.batch_size
        part: list[str] = []
        length = 0
        for key in keys:
            size = len(quote(key)) + len("%2C")
            if size > _LONGEST or not self._can_name(key):
                continue
            if len(part) == most or length + size > _LONGEST:
                yield part
                part, length = [], 0
            part.append(key)
            length += size
        if part:
            yield part

    def _can_name(self, key: str) -> bool:
        """Tell whether a path, or a list with commas between, can have *key* in it."""
        return key not in ("", ".", "..") if self._parameter else key != "" and "," not in key

    async def _work(
        self,
        client: BoundClient,
        headers: Mapping[str, str],
        parts: Iterator[Sequence[str]],
        found: dict[str, JSONObject],
    ) -> None:
        """Ask for one part of the keys after the other, as long as some are left."""
        for part in parts:
            if self._parameter:
                await self._ask_one(client, headers, part[0], found)
            else:
                await self._ask_list(client, headers, part, found)

    async def _ask_one(
        self,
        client: BoundClient,
        headers: Mapping[str, str],
        key: str,
        found: dict[str, JSONObject],
    ) -> None:
        values: dict[str, Any] = {self._parameter: key}
        try:
            answer = await client.call(
                "GET", self._source.path, passing=_ABSENT, headers=headers, **values
            )
        except (NotFound, Gone):
            return
        if answer is not None:
            found[key] = self._check(answer)

    async def _ask_list(
        self,
        client: BoundClient,
        headers: Mapping[str, str],
        part: Sequence[str],
        found: dict[str, JSONObject],
    ) -> None:
        source = self._source
        params: dict[str, object] = {f"{source.by}__in": ",".join(part)}
        if self._with_size:
            params["per_page"] = len(part)
        answer = await client.call("GET", source.path, params=params, headers=headers, whole=True)
        for key, each in self._read_list(answer, frozenset(part)):
            if found.setdefault(key, each) != each:
                self._refuse(f"two different objects have one {source.by}")

    def _read_list(
        self, answer: JSONValue, asked: Collection[str]
    ) -> Iterator[tuple[str, JSONObject]]:
        """Yield the objects of *answer*, a list or a page, by the texts of their keys."""
        pagination, by = None, self._source.by
        if isinstance(answer, dict):
            answer, pagination = answer.get("data"), answer.get("pagination")
        if not isinstance(answer, list):
            self._refuse("its answer is no list")
        if len(answer) > len(asked):
            self._refuse(f"its answer has {len(answer)} objects, and {len(asked)} were asked for")
        if _is_cut(pagination, len(answer)):
            self._refuse("its answer is a part of the objects that were asked for")
        for each in answer:
            shown = self._check(each)
            key = text_of(shown.get(by))
            if key is None:
                self._refuse(f"an object has no {by}")
            if key not in asked:
                self._refuse(f"an object was not asked for by {by}__in")
            yield key, shown

    def _check(self, each: JSONValue) -> JSONObject:
        """Return *each*, an object that its schema can answer."""
        if not isinstance(each, dict):
            self._refuse("an object was expected, and is none")
        try:
            written = self._schema.dump_json(each)
        except Exception as exc:
            self._refuse("an object is not as its schema says", exc)
        missing = list(missing_members(self._schema.schema, json.loads(written), "", False))
        if missing:
            self._refuse(f"an object lacks {', '.join(missing)}")
        return each

    def _refuse(self, error: str, cause: Exception | None = None) -> NoReturn:
        raise self._failure(error) from cause

    def _failure(self, error: str, status: int = 502) -> Exception:
        """Return the failure for *error*, a text that is logged and not sent to callers."""
        source = self._source
        logger.warning("%s: GET %s: %s", source.service, source.path, error)
        answered = 200 if status == 502 else None
        return upstream_error(source.service, answered, error=error, status_code=status)


@dataclass(slots=True)
class RemoteBatch:
    """The objects of another service at one path of an answer: a `Batch`."""

    path: str
    key: peewee.Field
    always: bool
    calls: RemoteCalls
    has_scope: bool = False
    is_remote: bool = True

    def empty(self) -> object:
        """Return null."""
        return None

    def member(self, schema: Schema) -> Field:
        """Return the field that shows an object."""
        return fields.Nested(schema, dump_only=True, allow_none=True)

    async def fetch(
        self,
        keys: Sequence[Any],
        asked: Collection[str],
        request: Request,
        principal: Principal | None,
        cur: Cursor,
    ) -> Mapping[Any, object]:
        """Return the objects of *keys*, as far as the other service has any.

        Raises:
            UpstreamError: it failed, or answered something else.
        """
        texts = {text: key for key in keys if (text := text_of(key)) is not None}
        found = await self.calls.fetch(request, texts)
        return {texts[text]: each for text, each in found.items()}


def text_of(key: object) -> str | None:
    """Return a key as both sides write it; `None` where it is none."""
    if key.__class__ is str or key.__class__ is int or isinstance(key, uuid.UUID):
        return str(key)
    return None


def _is_cut(pagination: object, count: int) -> bool:
    """Tell whether *pagination*, beside a page of *count* rows, says that there are more."""
    if not isinstance(pagination, dict):
        return False
    if pagination.get("next") not in (None, "", False):
        return True
    numbers = ((pagination.get("pages"), 1), (pagination.get("total"), count))
    return any(number.__class__ is int and number > most for number, most in numbers)
