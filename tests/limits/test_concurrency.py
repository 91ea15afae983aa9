"""The limit of concurrency, on services in a virtual time."""

from itertools import pairwise

import pytest

from msframework.limits.concurrency import Baseline, ConcurrencyLimit
from tests.limits.simulation import Kind, simulate

CAPACITY = 500  # ten connections, 20 ms each


def pooled():
    return [Kind(0.02)]


def test_nothing_is_refused_while_a_service_can_serve_it():
    for share in (0.1, 0.5, 0.9):
        assert simulate(CAPACITY * share, pooled(), seconds=20).refused == 0


@pytest.mark.parametrize("factor", [3, 10])
def test_what_is_accepted_under_overload_is_answered_in_time(factor):
    usual = simulate(CAPACITY, pooled(), seconds=10).between(2, 10)
    course = simulate(CAPACITY * factor, pooled(), seconds=10)
    assert course.between(2, 10).p99 < 2 * usual.p99
    assert len(course.between(2, 9).taken) / 7 > 0.9 * CAPACITY
    assert course.between(0, 1).p99 < 4 * usual.p99


def test_a_service_recovers_within_two_seconds():
    course = simulate(lambda now: 5000 if 3 < now < 6 else 400, pooled(), seconds=12)
    assert course.between(0, 3).refused == course.between(7, 12).refused == 0
    assert course.between(7, 12).p99 < 0.1


def test_a_burst_after_idle_time_is_queued_as_long_as_the_queue_is_short():
    def rate(now):
        return 1500 if 5 < now < 5.05 else 10

    assert simulate(rate, pooled(), seconds=8).refused == 0


def test_a_database_that_gets_slower_keeps_all_its_connections_busy_and_is_believed_afterwards():
    slow = [Kind(lambda now: 0.1 if 5 < now < 15 else 0.02)]
    course = simulate(250, slow, seconds=22, limit=ConcurrencyLimit(least=20))
    assert course.between(0, 5).refused == 0
    assert len(course.between(8, 15).taken) / 7 > 90  # of the 100 that it can do
    assert course.between(9, 15).p99 < 0.6
    assert course.between(17, 22).refused == 0


def test_a_database_that_gets_slower_but_keeps_up_costs_nobody_an_answer():
    slow = [Kind(lambda now: 0.1 if 3 < now < 8 else 0.02)]
    assert simulate(80, slow, seconds=12).refused == 0


def test_a_dependency_without_a_queue_that_gets_slower_is_no_overload():
    slow = [Kind(lambda now: 0.5 if now > 5 else 0.02, pool=None)]
    course = simulate(1000, slow, seconds=14)
    assert course.between(0, 5).refused == 0
    assert course.between(11, 14).refused < 30


def test_a_shift_from_fast_to_slow_operations_is_no_overload():
    fast, slow = Kind(0.002, 0.95), Kind(0.5, 0.05, pool=None)
    limit = ConcurrencyLimit(least=16)
    assert simulate(300, [fast, slow], seconds=5, limit=limit).refused == 0
    fast.share, slow.share = 0.1, 0.9
    assert simulate(120, [fast, slow], seconds=5, limit=limit, seed=2).refused == 0


def test_a_start_with_cold_caches_is_forgotten():
    cold = [Kind(lambda now: max(0.02, 0.1 - 0.05 * now))]
    course = simulate(200, cold, seconds=8)
    assert course.between(3, 8).refused == 0
    assert cold[0].baseline.latency < 0.03


def test_slow_operations_are_not_refused_before_the_first_of_them_is_answered():
    course = simulate(100, [Kind(2.0, pool=None)], seconds=10)
    assert course.refused < 20


def test_a_limit_stays_between_its_bounds_and_changes_by_steps():
    limit, baseline = ConcurrencyLimit(least=4, start=10, most=40), Baseline()
    seen = [limit.value]
    for latency in [0.001] * 5 + [5.0] * 12:
        for _ in range(10):
            limit.note(baseline, latency, limit.value, limit.era)
        limit.is_met = True
        limit.update()
        seen.append(limit.value)
    assert (max(seen), seen[-1] >= 4) == (40, True)
    assert all(0.5 <= new / old <= 4 for old, new in pairwise(seen))


def test_a_window_with_few_samples_says_nothing():
    limit, baseline = ConcurrencyLimit(), Baseline()
    for _ in range(7):
        limit.note(baseline, 10.0, 80, limit.era)
    limit.is_met = True
    limit.update()
    assert limit.value == 80


def test_what_an_earlier_limit_admitted_says_nothing_of_this_one():
    limit, baseline = ConcurrencyLimit(), Baseline()
    limit.note(baseline, 10.0, 80, limit.era - 1)
    assert baseline.count == 0
