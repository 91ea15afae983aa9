"""What rows get in a dropped column on the way back."""

import uuid

import pytest

from msframework.migrations.restores import restored
from msframework.migrations.schema import Column


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "5", "5"),
        ("integer", "-5", "-5"),
        ("boolean", "True", "true"),
        ("text", '"it\'s"', "'it''s'"),
        ("jsonb", "dict", "'{}'"),
        ("jsonb", "{'a': [1]}", "'{\"a\": [1]}'"),
        ("integer[]", "list", "'{}'"),
        ("numeric(5, 2)", "Decimal('1.50')", "1.50"),
        ("date", "datetime.date(2024, 2, 29)", "'2024-02-29'"),
        ("uuid", "UUID('00000000-0000-0000-0000-000000000007')", f"'{uuid.UUID(int=7)}'"),
        ("uuid", "uuid.uuid4", uuid.uuid4),
        ("integer", "apps.nowhere.models.<lambda>", None),
        ("integer", "apps.nowhere.models.make", None),
        ("integer", "datetime.date(1)", None),
        ("integer", None, None),
    ],
)
def test_the_recorded_default(kind, text, value):
    assert restored(Column("x", kind, client_default=text)) == value


@pytest.mark.parametrize("parts", [{"null": True}, {"default": "7"}, {"serial": True}])
def test_nothing_where_the_column_needs_nothing(parts):
    assert restored(Column("x", "integer", client_default="5", **parts)) is None
