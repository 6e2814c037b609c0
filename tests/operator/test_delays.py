"""What the delay queue promises: one entry a key, the earliest deadline, one worker a key, a bound."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from controller.delays import DelayQueue, QueueFull


def test_the_earliest_deadline_wins():
    queue = DelayQueue(10)
    queue.add("a", due=10)
    queue.add("a", due=5)
    queue.add("a", due=20)
    assert (len(queue), queue.next_due(), queue.take(4), queue.take(5), queue.take(100)) == (1, 5, None, "a", None)


def test_a_key_that_is_worked_on_is_not_taken_again_until_it_is_done():
    queue = DelayQueue(10)
    queue.add("a", due=1)
    assert queue.take(1) == "a"
    queue.add("a", due=2)
    assert (queue.take(9), queue.next_due()) == (None, None)
    queue.done("a")
    assert queue.take(9) == "a"


def test_a_busy_key_does_not_hold_up_the_others():
    queue = DelayQueue(10)
    queue.add("a", due=1)
    queue.take(1)
    queue.add("a", due=2)
    queue.add("b", due=3)
    assert (queue.next_due(), queue.take(5)) == (3, "b")


def test_a_full_queue_takes_no_new_key_but_moves_a_known_one():
    queue = DelayQueue(1)
    queue.add("a", due=9)
    with pytest.raises(QueueFull):
        queue.add("b", due=1)
    queue.add("a", due=1)
    assert queue.take(1) == "a"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=40))
def test_keys_come_out_in_the_order_of_their_earliest_deadlines(added):
    queue, earliest = DelayQueue(10), {}
    for key, due in added:
        queue.add(key, due=due)
        earliest[key] = min(due, earliest.get(key, due))
    taken = []
    while (key := queue.take(20)) is not None:
        taken.append(earliest[key])
    assert taken == sorted(earliest.values())


def test_keys_that_are_woken_all_the_time_leave_nothing_behind():
    queue = DelayQueue(10)
    queue.add("quiet", due=50_000.0)
    for now in range(10_000):
        queue.add("busy", due=float(now))
        assert queue.take(float(now)) == "busy"
        queue.done("busy")
        queue.add("busy", due=now + 100_000.0)
    assert len(queue._heap) < 100
    assert (queue.take(60_000.0), queue.take(60_000.0), queue.take(200_000.0)) == ("quiet", None, "busy")
