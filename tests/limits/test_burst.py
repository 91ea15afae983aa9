"""The queue of a burst: who is next, and when it is no burst."""

import pytest

from msframework.limits.burst import BurstQueue


def filled(queue, count, now=0.0, priority="normal"):
    return [queue.add(number, priority, now) for number in range(count)]


def test_the_newest_is_next_and_those_that_matter_most_before_all():
    queue = BurstQueue()
    for number, priority in enumerate(["high", "low", "normal", "high", "normal"]):
        assert queue.add(number, priority, 0.0)
    assert [queue.take(0, 10) for _ in range(6)] == [3, 0, 4, 2, 1, None]


@pytest.mark.parametrize(("occupied", "priorities"), [(7, "hnl"), (9, "hn"), (11, "h"), (13, "")])
def test_each_priority_has_room_of_its_own(occupied, priorities):
    queue = BurstQueue()
    for priority in ("low", "normal", "high"):
        queue.add(priority[0], priority, 0.0)
    taken = [queue.take(occupied, 10) for _ in range(3)]
    assert "".join(filter(None, taken)) == priorities


def test_a_burst_that_goes_away_in_time_loses_nobody():
    queue = BurstQueue(longest=2.0, most=1000)
    assert all(filled(queue, 200))
    while queue:
        assert queue.observe(1.9) == []
        queue.take(0, 1)
    queue.observe(2.1)
    assert all(filled(queue, 200, 2.2))


def test_a_queue_that_stands_too_long_is_closed_until_there_was_none_for_some_time():
    queue = BurstQueue(longest=2.0, rest=1.0)
    filled(queue, 3)
    assert queue.observe(1.9) == []
    assert queue.add("late", "low", 1.9)
    assert sorted(map(str, queue.observe(2.0))) == ["0", "1", "2", "late"]
    assert not queue
    assert not queue.add("one", "normal", 2.9)
    assert not queue.add("two", "normal", 3.8)
    assert queue.add("three", "normal", 4.9)


def test_one_that_is_too_long_is_closed_at_once():
    queue = BurstQueue(most=3)
    assert filled(queue, 4) == [True, True, True, False]
    assert queue.take(0, 1) == 2
    assert queue.observe(0.05) == [0, 1]  # or they would be served before new ones


def test_who_gives_up_is_forgotten():
    queue = BurstQueue()
    filled(queue, 2)
    queue.discard(1, "normal")
    assert queue.take(0, 1) == 0
    queue.discard(0, "normal")
    assert queue.take(0, 1) is None
