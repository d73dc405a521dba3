import math

import numpy as np

from cairn.stages.download.host_queue import MOST_OUT, HostQueue, Task


def task(index: int) -> Task:
    return Task(index, f"http://a/{index}", "a")


def test_a_queue_without_anything_has_nothing_to_do_ever() -> None:
    queue = HostQueue("a", ())
    assert (queue.n_waiting, queue.has_more, queue.work_at()) == (0, False, math.inf)
    assert queue.pop_task(1e9) is None


def test_moved_tasks_come_in_their_order_and_then_second_tries_by_their_time() -> None:
    queue = HostQueue("a", np.arange(2, dtype=np.int32))
    for number, (index, at) in enumerate([(11, 9.0), (12, 3.0), (13, 3.0)]):
        queue.push_retry(task(index), at, number)
    queue.push_moved(task(21))
    queue.push_moved(task(22))
    taken = [found.index for _ in range(4) if (found := queue.pop_task(3.0))]
    assert taken == [21, 22, 12, 13]
    assert (queue.n_waiting, queue.n_rows) == (3, 2)


def test_rows_are_let_go_when_the_last_was_touched() -> None:
    queue = HostQueue("a", np.array([5, 3], dtype=np.int32))
    assert [queue.pop_row(), queue.pop_row()] == [5, 3]
    assert (queue.n_rows, queue.has_more, queue.work_at()) == (0, False, math.inf)


def test_rows_may_be_taken_from_the_end_and_none_comes_twice() -> None:
    queue = HostQueue("a", np.array([5, 3, 8, 1], dtype=np.int32))
    assert [queue.pop_row(), queue.pop_row(from_end=True), queue.pop_row()] == [5, 1, 3]
    assert (queue.n_rows, queue.has_more) == (1, True)
    assert queue.pop_row(from_end=True) == 8
    assert (queue.n_rows, queue.has_more, queue.work_at()) == (0, False, math.inf)


def test_new_rows_wait_while_too_many_tasks_are_out() -> None:
    queue = HostQueue("a", [1])
    assert queue.work_at() == -math.inf
    queue.n_out = MOST_OUT
    assert queue.work_at() == math.inf
    queue.push_retry(task(1), 7.0, 0)
    assert queue.work_at() == 7.0
