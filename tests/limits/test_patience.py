"""The patience with a loop that is late."""

import pytest

from msframework.limits.patience import Patience


def test_a_loop_in_time_is_not_watched():
    patience = Patience(0.1)
    for _ in range(100):
        patience.observe(0.02)
    assert not patience.is_watching


def test_the_newest_of_a_late_turn_are_refused():
    patience = Patience(0.1)
    patience.observe(0.08)
    assert patience.is_watching
    begun = [number for number in range(100) if not patience.is_over(0.005 * number)]
    assert begun == list(range(21))


def test_a_long_turn_is_noticed_while_it_lasts():
    patience = Patience(0.1)
    patience.observe(0.02)
    assert [patience.is_over(0.005 * number) for number in range(22)] == [False] * 21 + [True]
    assert patience.is_watching


def test_a_few_that_wait_for_one_slow_function_are_begun():
    patience = Patience(0.1)
    patience.observe(0.4)
    assert not any(patience.is_over(0.45) for _ in range(8))
    assert patience.is_over(0.45)


def test_fewer_are_begun_in_a_queue_that_stands():
    patience = Patience(0.1)
    for begun in (8, 4, 4):
        patience.observe(0.4)
        assert not any(patience.is_over(0.45) for _ in range(begun))
        assert patience.is_over(0.45)
    patience.observe(0.01)
    assert not any(patience.is_over(0.45) for _ in range(8))


def test_slow_functions_one_after_the_other_are_no_queue():
    patience = Patience(0.1)
    for _ in range(5):
        patience.observe(0.4)
        assert not any(patience.is_over(0.45) for _ in range(7))


@pytest.mark.parametrize(("share", "begun"), [(1.25, 25), (0.75, 15)])
def test_shares_wait_longer_or_shorter(share, begun):
    patience = Patience(0.1)
    patience.observe(0.08)
    assert sum(not patience.is_over(0.005 * number + 0.001, share) for number in range(99)) == begun


def test_two_turns_in_time_end_it_and_one_does_not():
    patience = Patience(0.1)
    for lag in (0.08, 0.01, 0.08, 0.01):
        patience.observe(lag)
    assert patience.is_watching
    patience.observe(0.01)
    assert not patience.is_watching


def test_a_loop_that_stays_late_is_told_from_one_slow_function():
    patience = Patience(0.1)
    patience.observe(0.4)
    assert not patience.stays_late
    patience.observe(0.06)
    assert patience.stays_late
    patience.observe(0.01)
    assert not patience.stays_late


def test_a_refusal_and_a_late_turn_after_it_are_enough():
    patience = Patience(0.1)
    while not patience.is_over(0.2):
        assert not patience.stays_late
    patience.observe(0.06)
    assert patience.stays_late
