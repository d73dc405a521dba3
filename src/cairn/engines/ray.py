"""Many machines: the parts of the work run as tasks of a Ray cluster, or of a local one."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from cairn.base.errors import MissingExtra

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RayEngine:
    """An engine of at most `n_ahead` tasks before the reader, on the cluster that `address` names.

    address: as `ray.init` takes it; "local" starts one on this machine. Work and items are pickled, so the
    store that a stage is given has to be one that every machine reaches.
    """

    address: str = "local"
    n_ahead: int = 64

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`work` of each item, in order; an error of one task is raised as it was.

        Raises MissingExtra where Ray is not installed.
        """
        ray = _ray(self.address)
        task = ray.remote(work)
        waiting: deque[Any] = deque()  # Ray's references have no types
        try:
            for item in items:
                waiting.append(task.remote(item))
                if len(waiting) >= self.n_ahead:
                    yield _result(ray, waiting.popleft())
            while waiting:
                yield _result(ray, waiting.popleft())
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)


def _ray(address: str) -> Any:  # a module without types
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            "work on many machines", extra="ray", otherwise="this machine alone needs no Ray"
        ) from error
    if not ray.is_initialized():
        ray.init(
            address=address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    return ray


def _result(ray: Any, reference: Any) -> Any:  # whatever the task gave
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
