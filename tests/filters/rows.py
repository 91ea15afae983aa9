"""A table with a column of each kind, its rows, and what each operator means in Python."""

import datetime as dt
import random
import string
import uuid
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from urllib.parse import quote

from playhouse import postgres_ext

from msframework.filters import FilterSet
from msframework.inputs.urlencoded import group_pairs, parse_pairs
from msframework.models import (
    BooleanField,
    CharField,
    DateField,
    DateTimeTZField,
    DecimalField,
    DoubleField,
    EnumField,
    IntegerField,
    JSONField,
    Model,
    TextField,
    UUIDField,
)

ORDERED = ("eq", "ne", "in", "lt", "lte", "gt", "gte", "range", "isnull")
TEXT = (*ORDERED, "contains", "icontains", "startswith", "istartswith")
TABLE = """
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE things (
    id serial PRIMARY KEY, name varchar(40) COLLATE "C" NOT NULL, note text COLLATE "C",
    age int, price numeric(10, 2), weight double precision, day date, seen timestamptz,
    token uuid, done boolean, colour colour, labels text[], numbers int[], data jsonb
)
"""


class Colour(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Thing(Model):
    name = CharField(max_length=40)
    note = TextField(null=True)
    age = IntegerField(null=True)
    price = DecimalField(max_digits=10, decimal_places=2, null=True)
    weight = DoubleField(null=True)
    day = DateField(null=True)
    seen = DateTimeTZField(null=True)
    token = UUIDField(null=True)
    done = BooleanField(null=True)
    colour = EnumField(Colour, null=True)
    labels = postgres_ext.ArrayField(TextField, null=True)
    numbers = postgres_ext.ArrayField(IntegerField, null=True)
    data = JSONField(null=True)

    class Meta:
        table_name = "things"


class ThingFilters(FilterSet):
    model = Thing
    filters = {  # noqa: RUF012
        "id": ORDERED[:-1],
        "name": tuple(each for each in TEXT if each != "isnull"),
        "note": TEXT,
        **dict.fromkeys(("age", "price", "weight", "day", "seen"), ORDERED),
        "done": ("eq", "ne", "isnull"),
        "colour": ("eq", "ne", "in", "isnull"),
        **dict.fromkeys(("labels", "numbers", "data"), ("contains", "isnull")),
    }
    sort = ("id", "name", "note", "-age", "price", "weight", "day", "seen", "done")
    search = ("name", "note")


# Few characters, so that parts of texts are found again; among them those that LIKE and SQL treat.
CHARACTERS = "abAB%_\\'\"é ,&+$1"
MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)


def maybe(choose, make):
    """Return a made value, and now and then none."""
    return make() if choose.random() > 0.15 else None


def make_text(choose, longest=6):
    """Return a short text."""
    return "".join(choose.choice(CHARACTERS) for _ in range(choose.randint(0, longest)))


MAKERS = {
    "name": make_text,
    "note": make_text,
    "age": lambda choose: choose.choice((-(2**31), -3, 0, 1, 2, 3, 7, 2**31 - 1)),
    "price": lambda choose: Decimal(choose.randint(-300, 300)).scaleb(-2),
    "weight": lambda choose: choose.choice((-1.5, 0.0, 0.1, 2.5, 1e300, 3.0)),
    "day": lambda choose: dt.date(2024, 2, 27) + dt.timedelta(days=choose.randint(0, 4)),
    "seen": lambda choose: MOMENT + dt.timedelta(microseconds=choose.randint(-3, 3)),
    "token": lambda choose: uuid.UUID(int=choose.randint(0, 3)),
    "done": lambda choose: choose.random() < 0.5,
    "colour": lambda choose: choose.choice(list(Colour)).value,
    "labels": lambda choose: [choose.choice("abc%") for _ in range(choose.randint(0, 3))],
    "numbers": lambda choose: [choose.randint(0, 3) for _ in range(choose.randint(0, 3))],
    "data": lambda choose: choose.choice(
        ({"a": 1}, {"a": 1, "b": [1, 2, "x"]}, {"a": {"c": True}}, [1, 2], "text", 5, {"a": None})
    ),
}
NOT_NULL = ("name",)


def make_rows(seed, count):
    """Return *count* rows, the same for each *seed*."""
    choose = random.Random(seed)
    return [
        {
            name: make(choose)
            if name in NOT_NULL
            else maybe(choose, lambda make=make: make(choose))
            for name, make in MAKERS.items()
        }
        for _ in range(count)
    ]


def holds(value, wanted):
    """Tell whether PostgreSQL's jsonb *value* contains *wanted* (PostgreSQL's manual, 8.14.3)."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and holds(value[key], each) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and all(
            any(holds(item, each) for item in value) for each in wanted
        )
    return type(value) is type(wanted) and value == wanted


def holds_whole(value, wanted):
    """Tell the same of the whole value of a column, whose array also contains its own items."""
    if isinstance(value, list) and not isinstance(wanted, (list, dict)):
        return any(holds(item, wanted) for item in value)
    return holds(value, wanted)


def matches(operator, value, wanted):
    """Tell whether a row with *value* is what the filter asks for."""
    if operator == "isnull":
        return (value is None) is wanted
    if operator == "ne":
        return value != wanted
    if value is None:
        return False
    tests = {
        "eq": lambda: value == wanted,
        "in": lambda: value in wanted,
        "lt": lambda: value < wanted,
        "lte": lambda: value <= wanted,
        "gt": lambda: value > wanted,
        "gte": lambda: value >= wanted,
        "range": lambda: wanted[0] <= value <= wanted[1],
        "icontains": lambda: wanted.lower() in value.lower(),
        "startswith": lambda: value.startswith(wanted),
        "istartswith": lambda: value.lower().startswith(wanted.lower()),
    }
    if operator in tests:
        return tests[operator]()
    assert operator == "contains"
    if isinstance(value, str) and isinstance(wanted, str):
        return wanted in value
    return all(each in value for each in wanted)


def parameters(query):
    """Return a request with this query string, as far as a reader looks at it."""
    return SimpleNamespace(
        query_string=query,
        get_args=lambda keep_blank_values: group_pairs(parse_pairs(query, "the query string")),
    )


def write(pairs):
    """Return the query string of names and texts."""
    return "&".join(f"{quote(name)}={quote(text, safe=',')}" for name, text in pairs)


def write_value(value):
    """Return the text of one value."""
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


LETTERS = string.ascii_letters
