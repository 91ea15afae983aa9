"""Sliding windows in this process: never too much, told truly, and in bounded memory."""

import random
from copy import deepcopy

import pytest

from msframework.limits.windows import SLOTS, WindowCounter, judge, wait

KEY, OTHER = b"a" * 16, b"b" * 16


def test_a_caller_gets_its_amount_and_no_more():
    counter = WindowCounter(3, 60)

    found = [counter.take(KEY, 1, 100.0 + second) for second in range(4)]

    assert found == [(True, 2, 60), (True, 1, 59), (True, 0, 58), (False, 0, 57)]
    assert counter.take(OTHER, 1, 103.0) == (True, 2, 60)


def test_a_request_may_cost_more():
    counter = WindowCounter(5, 60)

    assert counter.take(KEY, 3, 0.0) == (True, 2, 60)
    assert counter.take(KEY, 3, 0.0) == (False, 2, 60)
    assert counter.take(KEY, 2, 0.0)[:2] == (True, 0)


def test_what_was_used_up_fades_over_the_next_window():
    counter = WindowCounter(4, 60)
    for _ in range(4):
        counter.take(KEY, 1, 0.0)

    assert not counter.take(KEY, 1, 60.0)[0]
    assert counter.take(KEY, 1, 60.1)[0]
    assert not counter.take(KEY, 1, 70.0)[0]
    assert counter.take(KEY, 1, 75.1)[0]


def test_a_caller_who_pauses_begins_anew():
    counter = WindowCounter(2, 60)
    counter.take(KEY, 2, 0.0)

    assert counter.take(KEY, 1, 120.0) == (True, 1, 60)


@pytest.mark.parametrize("seed", range(40))
def test_no_stretch_holds_twice_the_amount_and_the_wait_is_exact(seed):
    dice = random.Random(seed)
    amount, window = dice.randint(1, 8), dice.choice((1, 5, 60))
    cost = dice.randint(1, amount)
    counter, now, taken = WindowCounter(amount, window), dice.random() * 100, []
    for _ in range(60):
        now += dice.expovariate(amount * 1.5 / window / cost)
        allowed, left, seconds = counter.take(KEY, cost, now)
        assert 0 <= left <= amount
        if allowed:
            taken.append(now)
            continue
        assert left < cost
        assert deepcopy(counter).take(KEY, cost, now + seconds + 1e-6)[0]
        if seconds > 1:
            assert not deepcopy(counter).take(KEY, cost, now + seconds - 1 - 1e-6)[0]
    for begin in taken:
        assert sum(cost for each in taken if begin <= each < begin + window) <= 2 * amount


def test_callers_beyond_the_bound_share_budgets():
    counter = WindowCounter(1, 60, most=10)
    keys = [bytes((number % 256, number // 256)) * 8 for number in range(5000)]

    allowed = sum(counter.take(key, 1, 0.0)[0] for key in keys)

    assert allowed <= 10 + SLOTS
    assert len(counter) <= 10 + SLOTS
    assert not counter.take(keys[0], 1, 1.0)[0]  # who was there before is not forgotten


def test_a_slot_is_remembered_like_a_caller():
    counter = WindowCounter(1, 60, most=1)
    counter.take(KEY, 1, 0.0)
    counter.take(OTHER, 1, 119.0)
    counter.take(KEY, 1, 120.0)

    assert not counter.take(OTHER, 1, 121.0)[0]


def test_memory_stays_bounded_over_many_windows():
    counter, keys = WindowCounter(9, 1, most=50), [bytes((number,)) * 16 for number in range(200)]

    for turn in range(20):
        for key in keys:
            counter.take(key, 1, 2.5 * turn)
        assert len(counter) <= 6 * 50 + 2 * len(keys)
    counter.take(KEY, 1, 1000.0)

    assert len(counter) == 1


def test_a_count_of_a_store_is_told_alike():
    assert judge(9, 60, 1, True, 0, 4, 30.5) == (True, 5, 31)
    assert judge(9, 60, 1, True, 0, 9, 30.0) == (True, 0, wait(9, 60, 1, 0, 9, 30.0))
    assert judge(9, 60, 1, False, 9, 5, 30.0) == (False, 0, 4)
    assert judge(9, 60, 9, False, 0, 5, 30.0)[:2] == (False, 4)


def test_a_wait_is_a_second_at_the_least():
    assert wait(9, 60, 1, 0, 0, 60.0) == 1
