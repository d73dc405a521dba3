"""Work done ahead of the one who waits for it, in threads, with a bound on how far ahead."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")

POLL_S = 0.1


def worked_ahead(
    items: Iterable[Item], work: Callable[[Item], Done], *, n_threads: int, n_ahead: int
) -> Iterator[Done]:
    """`work(item)` of each item, in their order; at most `n_ahead` are made before they are asked for.

    `items` is read in a thread of its own, so that what makes them overlaps with what uses them.
    An error in `items` or in `work` is raised where its result would have come.
    """
    waiting: queue.Queue[Future[Done] | None] = queue.Queue(maxsize=n_ahead)
    has_stopped = threading.Event()

    def put(future: "Future[Done] | None") -> None:
        while not has_stopped.is_set():
            try:
                return waiting.put(future, timeout=POLL_S)
            except queue.Full:
                continue
        return None

    def read() -> None:
        try:
            for item in items:
                put(workers.submit(work, item))
                if has_stopped.is_set():
                    return
        finally:
            put(None)

    with ThreadPoolExecutor(n_threads) as workers, ThreadPoolExecutor(1) as readers:
        reader = readers.submit(read)
        try:
            while (future := waiting.get()) is not None:
                yield future.result()
            reader.result()
        finally:
            has_stopped.set()
            workers.shutdown(wait=False, cancel_futures=True)
