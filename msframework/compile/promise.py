"""The data that a method promised to return, and the refusal of any other.

`Promise` is made at start-up; its checks run per request, where a method returned something else
than a plain dict or list, and for every answer where members are checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from marshmallow import Schema, fields

from msframework.codec.kinds import WrongKind, is_data, is_list, is_object, name_kind
from msframework.codec.known import overrides, reads_anything
from msframework.compile.returns import is_status
from msframework.operation import Answer, Operation
from msframework.schemas.naming import wire_name
from msframework.schemas.presence import is_always_answered


@dataclass(frozen=True, slots=True)
class Promise:
    """The kind of data that one declared success has.

    Attributes:
        where: the method, for messages.
        text: the promise in words.
        many: whether it is a list; `None` where nothing is said of the data.
        free: whether the schema's own code reads the data first, so that it may be anything.
        paged: whether the list comes as a page.
    """

    where: str
    text: str
    many: bool | None
    schema: Schema | None
    free: bool
    paged: bool

    def check(self, data: Any) -> None:
        """Refuse *data* that is of another kind.

        Raises:
            WrongKind: it is refused.
        """
        kind = data.__class__
        if self.paged:
            self.refuse(data)
        if self.free or self.many is None:
            fits = is_data(kind)
        else:
            fits = is_list(kind) if self.many else is_object(kind)
        if not fits:
            self.refuse(data)

    def check_page(self, rows: Any) -> None:
        """Refuse a page where none fits, and *rows* that are no list."""
        if self.many is False:
            raise WrongKind(f"{self.where}: it returned a page, but promised {self.text}.")
        if not is_list(rows.__class__):
            raise WrongKind(
                f"{self.where}: it returned a page of {name_kind(rows)}, but a page holds a list."
            )

    def check_nothing(self) -> None:
        """Refuse `None` where anything is promised."""
        if self.paged or self.many is not None:
            self.refuse(None)

    def refuse(self, data: object, cause: Exception | None = None) -> NoReturn:
        """Refuse *data*: name its kind, the promise, and the *cause*."""
        why = "" if cause is None else f" {cause}."
        raise WrongKind(
            f"{self.where}: it returned {name_kind(data)}, but promised {self.text}.{why}"
        ) from cause

    def read_tuple(self, data: tuple[Any, ...]) -> bool:
        """Refuse a tuple that means a status or headers; return whether *data* is a page.

        Raises:
            WrongKind: it is an answer in Flask's form.
        """
        if len(data) not in (2, 3):
            return False
        first, second = data[0], data[1]
        headers = isinstance(second, Mapping)
        if headers and self.many and isinstance(first, Mapping):
            return False  # two rows
        if headers and len(data) == 2 and self.many is not False and is_list(first.__class__):
            return True
        status = is_status(second) and not isinstance(first, int | float)
        if headers or status or (len(data) == 3 and isinstance(data[2], Mapping)):
            name_kind(first)
            raise WrongKind(
                f"{self.where}: it returned a tuple of data and a status or headers, but promised "
                f"{self.text}. Return Reply(data, status=…, headers=…)."
            )
        return False

    def check_members(self, written: bytes) -> None:
        """Refuse an answer, as it is sent, that lacks members which its schema requires."""
        if self.schema is None or self.free:
            return
        missing = list(
            dict.fromkeys(missing_members(self.schema, json.loads(written), "", bool(self.many)))
        )
        if missing:
            raise WrongKind(
                f"{self.where}: it promised {self.text}, but its answer lacks {', '.join(missing)}."
            )


def read_promise(operation: Operation, answer: Answer, *, usual: bool) -> Promise:
    """Return the `Promise` of *operation* for the data of *answer*."""
    schema, paged = answer.schema, usual and operation.page is not None
    many = None if schema is None else bool(schema.many)
    free = schema is not None and (reads_anything(schema) or bool(schema._hooks["pre_dump"]))
    return Promise(operation.where, _promised(answer, paged), many, schema, free, paged)


def _promised(answer: Answer, paged: bool) -> str:
    schema = answer.schema
    promised = "data" if schema is None else f"an object ({type(schema).__name__})"
    if schema is not None and schema.many:
        promised = f"a list of objects ({type(schema).__name__})"
    if paged:
        promised = "a page (page.fetch(…), page.result(…), or rows and a dict)"
    return f"{promised} for status {answer.status}"


def missing_members(schema: Schema, data: object, path: str, many: bool) -> Iterator[str]:
    """Yield the paths of members that *schema* requires and *data* lacks."""
    if many:
        for item in data if isinstance(data, list) else ():
            yield from missing_members(schema, item, f"{path}[]", False)
        return
    if not isinstance(data, dict) or overrides(schema, "dump") or schema._hooks["post_dump"]:
        return
    for name, field in schema.dump_fields.items():
        key = wire_name(field, name)
        place = f"{path}.{key}".lstrip(".")
        if key not in data:
            if is_always_answered(schema, name, field):
                yield place
        elif isinstance(field, fields.Nested) and not isinstance(field, fields.Pluck):
            inner = field.schema
            yield from missing_members(inner, data[key], place, bool(inner.many or field.many))
