import enum

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.models import EnumField, Model


class OrderState(enum.Enum):
    OPEN = "open"
    PAID = "paid in full"


class HTTPKind(enum.StrEnum):
    PLAIN = "plain"


class Order(Model):
    state = EnumField(OrderState, default=OrderState.OPEN)
    kind = EnumField(HTTPKind, "shop.kind", null=True)


def test_a_type_has_the_name_of_its_enum_unless_it_is_given_one():
    assert (Order.state.enum_type, Order.state.enum_values) == (
        "order_state",
        ("open", "paid in full"),
    )
    assert Order.kind.enum_type == "shop.kind"
    assert EnumField(HTTPKind).enum_type == "http_kind"
    assert Order.state.choices == [("open", "OPEN"), ("paid in full", "PAID")]


def test_members_and_their_values_are_values_of_the_column():
    assert Order.state.db_value(OrderState.PAID) == "paid in full"
    assert Order.state.db_value("open") == "open"
    assert Order.state.python_value("open") is OrderState.OPEN
    with pytest.raises(ValueError, match="closed"):
        Order.state.db_value("closed")


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        ({"A": 1}, None, "1 cannot be a value of a type"),
        ({"A": ""}, None, "'' cannot be a value of a type"),
        ({"A": "ü" * 32}, None, "a text of 1 to 63 bytes"),
        ({"A": "a"}, "Order State", "'Order State' cannot be the name of its type"),
        ({"A": "a"}, "a.b.c", "cannot be the name of its type"),
    ],
)
def test_what_postgresql_would_not_take_is_refused(values, name, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        EnumField(enum.Enum("Refused", values), name)
