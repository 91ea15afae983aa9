"""The shares of priorities."""

from msframework.limits.priority import NORMAL, SHARES


def test_the_order_of_priorities_is_that_of_their_shares():
    assert sorted(SHARES, key=SHARES.__getitem__, reverse=True) == ["high", "normal", "low"]
    assert SHARES[NORMAL] == 1
