import functools
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID, uuid4

import pytest

from msframework.migrations.defaults import describe_default


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Maker:
    def __call__(self):
        return 7

    @classmethod
    def make(cls):
        return cls()


TOLD = [
    (None, None),
    ("it's", '"it\'s"'),
    (7, "7"),
    (True, "True"),
    (b"x", "b'x'"),
    (Decimal("1.50"), "Decimal('1.50')"),
    (datetime(2024, 5, 6), "datetime.datetime(2024, 5, 6, 0, 0)"),
    (UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
    (Colour.RED, "'red'"),
    (Size.BIG, "3"),
    ({"a": [1, (2,)]}, "{'a': [1, (2,)]}"),
    ({"b", "a"}, "{'a', 'b'}"),
    (dict, "dict"),
    (uuid4, "uuid.uuid4"),
    (datetime.now, "datetime.datetime.now"),
    (functools.partial(datetime.now, UTC), "partial(datetime.datetime.now, datetime.timezone())"),
    (functools.partial(int, base=8), "partial(int, base=8)"),
    (lambda: 1, f"{__name__}.<lambda>"),
    (Maker(), f"{__name__}.Maker()"),
    (Maker.make, f"{__name__}.Maker.make"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), TOLD, ids=[str(text) for _, text in TOLD])
def test_a_default_has_a_text_that_stays_the_same(value, text):
    assert describe_default(value) == text
