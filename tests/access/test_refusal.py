"""Challenges of a refusal: those of its operation, whoever raised it and however often."""

import pytest

from msframework import Unauthorized
from msframework.access.refusal import with_challenges


class Own(Unauthorized):
    code = 7

    def __init__(self, field):
        super().__init__({"field": field}, headers={"X-Own": field})


def test_an_exception_that_is_raised_again_has_the_challenges_of_each_operation():
    kept = Own("a")

    one, other = with_challenges(kept, ["Bearer"]), with_challenges(kept, ["Key"])

    assert one.headers == {"X-Own": "a", "WWW-Authenticate": ["Bearer"]}
    assert other.headers == {"X-Own": "a", "WWW-Authenticate": ["Key"]}
    assert kept.headers == {"X-Own": "a"}
    assert (type(one), one.error, one.code, one.args) == (Own, kept.error, 7, kept.args)


def test_what_led_to_it_is_kept():
    with pytest.raises(Own) as caught:
        raise Own("a") from KeyError("b")

    found, raised = with_challenges(caught.value, ["Bearer"]), caught.value

    assert (found.__cause__, found.__traceback__) == (raised.__cause__, raised.__traceback__)


def test_challenges_of_its_own_stay():
    own = Unauthorized(headers={"www-authenticate": "Digest"})

    assert with_challenges(own, ["Bearer"]) is own
    assert with_challenges(Unauthorized(), []).headers == {}
