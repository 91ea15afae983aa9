"""How rate limits are written, and what is refused."""

import pytest

from msframework import RateLimit
from msframework.limits.rate import as_rate_limit, find_mistakes, parse_rates, policies_of

UNREADABLE = ["100/fortnight", "-1/minute", "5", "", "minute", "1.5/minute", "1/minute;", 7, None]
NOTHING = ["0/minute", "1/0 minutes", "5/minute; 0/hour"]
TOO_MUCH = ["99999999999/minute", "1/2 years"]


def tenant(request):
    """Tell callers apart."""


async def late(request):
    """Tell them apart too late."""


def several(request):
    """Tell them apart more than once."""
    yield ""


def two(request, name):
    """Tell them apart by more than a request."""


class LateTenant:
    """Tells them apart too late, as an object."""

    async def __call__(self, request):
        return ""


def test_a_limit_is_an_amount_in_a_time():
    assert parse_rates("100/minute") == [(100, 60, "minute")]
    assert parse_rates("10 per 2 seconds; 500/6 hours") == [
        (10, 2, "2 seconds"),
        (500, 21600, "6 hours"),
    ]


@pytest.mark.parametrize("text", UNREADABLE + NOTHING + TOO_MUCH)
def test_what_is_no_limit_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"is no rate limit|allows nothing|is beyond") as caught:
        parse_rates(text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (RateLimit("1/fortnight"), "'1/fortnight' is no rate limit"),
        (RateLimit("9/minute", by="user"), "a rate limit is by 'user'"),
        (RateLimit("9/minute", by=late), "which is no plain function"),
        (RateLimit("9/minute", by=None), "which is no plain function"),
        (RateLimit("9/minute", by=several), "which is no plain function"),
        (RateLimit("9/minute", by=LateTenant()), "which is no plain function"),
        (RateLimit("9/minute", by=two), "which cannot be called with the request alone"),
        (RateLimit("9/minute", by=lambda: ""), "which cannot be called with the request alone"),
        (RateLimit("9/minute", scope="two words"), "has the scope 'two words'"),
        (RateLimit("9/minute", scope='quo"te'), "has the scope"),
        (RateLimit("9/minute", cost=0), "has the cost 0"),
        (RateLimit("9/minute; 5/hour", cost=6), "has the cost 6"),
        (RateLimit("9/minute", cost=True), "has the cost True"),
        (RateLimit("9/minute", cost="2"), "has the cost '2'"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_a_mistake_is_told_with_advice(limit, found):
    ((text, advice),) = find_mistakes(limit)

    assert found in text
    assert advice.startswith("Write ")


def test_a_right_limit_has_no_mistake():
    assert (
        list(find_mistakes(RateLimit("9/minute; 5/hour", by=tenant, scope="a.b-c_1", cost=5))) == []
    )


def test_a_text_may_say_what_tells_callers_apart():
    limit = RateLimit("9/minute", cost=2)

    assert as_rate_limit("9/minute by address") == RateLimit("9/minute", "address")
    assert as_rate_limit("9 per minute") == RateLimit("9 per minute")
    assert as_rate_limit(limit) is limit
    with pytest.raises(TypeError, match="9 is no rate limit"):
        as_rate_limit(9)


def test_a_policy_has_a_name_a_text_and_an_item():
    one, other = policies_of(RateLimit("9/minute; 5/6 hours", by=tenant, cost=2), "orders")

    assert (one.name, other.name) == ("orders/tenant/minute", "orders/tenant/6-hours")
    assert other.text == "5/6 hours by tenant, 2 each time"
    assert other.item == '"orders/tenant/6-hours";q=5;w=21600'


def test_the_name_of_a_place_is_ascii_and_its_own():
    (policy,) = policies_of(RateLimit("9/minute"), "größe")
    (other,) = policies_of(RateLimit("9/minute"), "grüße")

    assert policy.item == '"gr%C3%B6%C3%9Fe/principal/minute";q=9;w=60'
    assert other.name != policy.name


@pytest.mark.parametrize(
    ("by", "caller"),
    [(lambda request: "", "lambda"), (type("Ä", (), {"__call__": tenant})(), "own")],
)
def test_every_name_can_stand_in_a_header(by, caller):
    (policy,) = policies_of(RateLimit("9/minute", by=by, scope="x"), "orders")

    assert policy.name == f"x/{caller}/minute"
