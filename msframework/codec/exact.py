"""Numbers of JSON where every digit counts: decimals, and integers that came as `5.0`.

orjson makes a double of each number with a point or an exponent, and of integers beyond 64 bits.
Where a schema wants more, the text is read again, and its numbers take the place of the doubles.
`read_places` runs at start-up, `NumberMender.mend` per request, where such a number arrived.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from marshmallow import Schema, fields

from msframework.schemas.reference import Reference
from msframework.schemas.strict import StrictInteger
from msframework.strict_json import check, check_depth
from msframework.types import JSONValue

# Puts decimals where they belong: takes a value, its twin in which all numbers are decimals, and a
# list for the integers beyond 64 bits that it took over; returns the value that stands there now.
Mend = Callable[[JSONValue, JSONValue, list[Decimal]], JSONValue]
EXACT: Final = (fields.Decimal, StrictInteger)
_LARGE: Final = 2.0**62
_LARGEST_EXACT: Final = 2.0**53  # beyond, a double isn't each whole number


class WrittenFloat(float):
    """A double whose text has all digits that were sent, as `fields.Decimal` reads them."""

    __slots__ = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


class NumberMender:
    """Mends the numbers that orjson read, for one schema."""

    def __init__(self, mend: Mend) -> None:
        self._mend = mend

    def mend(self, body: bytes, data: JSONValue, max_depth: int, moves: bool = False) -> JSONValue:
        """Return *data* with the exact numbers of *body* where the schema wants them.

        Args:
            moves: whether the user's code may read numbers in other places than the schema says,
                so that each must know its digits.

        Raises:
            MalformedJSON: as `strict_json.check`.
        """
        check_depth(body, data, max_depth)
        large: list[Decimal] = []
        exact = _read_decimals(body)
        data = self._mend(data, exact, large)
        if moves:
            data = _with_digits(data, exact)
        check(body, data, max_depth, Counter(map(int, large)))
        return data


def holds_float(data: JSONValue) -> bool:
    """Tell whether a double stands anywhere in *data*."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if item.__class__ is float:
            return True
        if item.__class__ is dict:
            waiting.extend(item.values())
        elif item.__class__ is list:
            waiting.extend(item)
    return False


def _with_digits(value: JSONValue, exact: JSONValue) -> JSONValue:
    """Return *value* with a `WrittenFloat` for each double that lost digits of *exact*."""
    if value.__class__ is float and exact.__class__ is Decimal and Decimal(repr(value)) != exact:
        value = WrittenFloat(value)
        value.text = str(exact)
    elif value.__class__ is dict:
        for key, item in value.items():
            value[key] = _with_digits(item, exact[key])
    elif value.__class__ is list:
        return [_with_digits(*pair) for pair in zip(value, exact, strict=True)]
    return value


def _read_decimals(body: bytes) -> JSONValue:
    """Return the document in *body* with a decimal for every number."""
    text = bytes(body).decode()
    try:
        return _READER.decode(text)
    except InvalidOperation:
        return _CAREFUL_READER.decode(text)


def _read_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no Decimal has, and no double tells from 0
        return Decimal("1e-99999")


_READER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)
_CAREFUL_READER: Final = json.JSONDecoder(parse_float=_read_decimal, parse_int=Decimal)


def read_places(schema: Schema) -> NumberMender | None:
    """Return the `NumberMender` of *schema*, or `None` where nothing in it must be exact."""
    mend = _of_schema(schema, {})
    return None if mend is None else NumberMender(mend)


def _number(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
    if value.__class__ is not float or exact.__class__ is not Decimal:
        return value
    if not -_LARGE < value < _LARGE and exact.as_tuple().exponent == 0:
        large.append(exact)
    return exact


def _integer(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
    """Return the number for a place where an integer is wanted.

    PERF: `1.0` becomes 1 here; of decimals, the field would look at each digit.
    """
    if value.__class__ is float and -_LARGEST_EXACT < value < _LARGEST_EXACT:
        whole = int(value)
        if exact == whole:
            return whole
    return _number(value, exact, large)


def _of_field(field: object, open_schemas: dict[int, Mend]) -> Mend | None:
    if isinstance(field, StrictInteger):
        return _integer
    if isinstance(field, EXACT):
        return _number
    if isinstance(field, Reference):
        return _of_field(field.id_field, open_schemas)
    if isinstance(field, fields.List):
        return _of_items(_of_field(field.inner, open_schemas))
    if isinstance(field, fields.Tuple):
        return _of_parts([_of_field(part, open_schemas) for part in field.tuple_fields])
    if isinstance(field, fields.Mapping):
        inner = field.value_field
        return None if inner is None else _of_values(_of_field(inner, open_schemas))
    if isinstance(field, fields.Nested):
        return _of_nested(field, open_schemas)
    return None


def _of_nested(field: Any, open_schemas: dict[int, Mend]) -> Mend | None:
    try:
        schema = field.schema
    except Exception:  # marshmallow says why, when it is needed
        return None
    if isinstance(field, fields.Pluck):
        inner = schema.load_fields.get(field.field_name)
        one = inner and _of_field(inner, open_schemas)
    else:
        one = _of_schema(schema, open_schemas, alone=False)
    return _of_items(one) if schema.many or field.many else one


def _of_schema(schema: Schema, open_schemas: dict[int, Mend], alone: bool = True) -> Mend | None:
    key = id(type(schema))
    if key in open_schemas:  # a schema within itself
        return open_schemas[key]
    members: list[tuple[str, Mend]] = []

    def mend(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
        if value.__class__ is dict and exact.__class__ is dict:
            for name, inner in members:
                if name in value:
                    value[name] = inner(value[name], exact[name], large)
        return value

    inside = {**open_schemas, key: mend}
    for name, field in schema.load_fields.items():
        inner = _of_field(field, inside)
        if inner is not None:
            members.append((name if field.data_key is None else field.data_key, inner))
    if not members:
        return None
    return _of_items(mend) if alone and schema.many else mend


def _of_items(inner: Mend | None) -> Mend | None:
    if inner is None:
        return None

    def mend(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
        if value.__class__ is list and exact.__class__ is list:
            return [inner(*pair, large) for pair in zip(value, exact, strict=True)]
        return value

    return mend


def _of_parts(parts: list[Mend | None]) -> Mend | None:
    if not any(parts):
        return None

    def mend(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
        if value.__class__ is list and exact.__class__ is list:
            for place, part in enumerate(parts[: len(value)]):
                if part is not None:
                    value[place] = part(value[place], exact[place], large)
        return value

    return mend


def _of_values(inner: Mend | None) -> Mend | None:
    if inner is None:
        return None

    def mend(value: JSONValue, exact: JSONValue, large: list[Decimal]) -> JSONValue:
        if value.__class__ is dict and exact.__class__ is dict:
            return {key: inner(item, exact[key], large) for key, item in value.items()}
        return value

    return mend
