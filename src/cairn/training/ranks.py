"""Several processes that train together: how they meet, add up and decide; nothing of what they train."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from cairn.base.errors import InputError, RankLost, Stopped
from cairn.base.seats import ALONE, Seat

T = TypeVar("T")
# Longer than anything that one does while the others wait: reading weights, writing a checkpoint to a slow disk.
WAITS_S = 1800.0
# What goes from one to another at once: enough to keep the line busy, little beside the gradients.
BUCKET_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them, which computes on `device`.

    All of them have to call the same methods in the same order. Each raises RankLost where another one has ended, or
    has not come for half an hour.
    """

    seat: Seat
    device: torch.device

    @staticmethod
    def alone() -> "Ranks":
        """One process that trains by itself, on a GPU where there is one."""
        return Ranks(ALONE, _device_of(ALONE))

    def apart(self) -> "Ranks":
        """This process by itself, on its device."""
        return Ranks(ALONE, self.device)

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and tells."""
        return self.seat.leads

    @property
    def world(self) -> int:
        """How many they are."""
        return self.seat.world

    def summed(self, numbers: Sequence[float]) -> list[float]:
        """The numbers of all, added up one by one; exact for whole numbers below 2^53."""
        together = torch.tensor(numbers, dtype=torch.float64)
        self.add_up([together])
        found: list[float] = together.tolist()
        return found

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Each tensor becomes the sum over all; small ones of one kind travel together."""
        if self.world == 1:
            return
        for bucket in _buckets(tensors):
            if len(bucket) == 1 and bucket[0].is_contiguous():
                add_up_here(bucket[0])
                continue
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            add_up_here(flat)
            first = 0
            for tensor in bucket:
                tensor.copy_(flat[first : first + tensor.numel()].view(tensor.shape))
                first += tensor.numel()

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Each tensor becomes what it is on rank 0."""
        if self.world == 1:
            return
        for tensor in tensors:
            there = tensor.contiguous()
            with _told():
                distributed.broadcast(there, src=0)
            tensor.copy_(there)

    def gathered(self, rows: Tensor, *, most: int) -> Tensor:
        """The rows of all, those of rank 0 first; each has at most `most`, whole numbers of 0 or more, or -1."""
        if self.world == 1:
            return rows
        own = torch.full((most, *rows.shape[1:]), -1, dtype=torch.int64)
        own[: len(rows)] = rows
        found = [torch.empty_like(own) for _ in range(self.world)]
        with _told():
            distributed.all_gather(found, own)
        return torch.cat(found)

    def as_first(self, numbers: Sequence[int]) -> list[int]:
        """The numbers that rank 0 came with; the others come with as many."""
        told = torch.tensor(numbers, dtype=torch.int64)
        if self.world > 1:
            with _told():
                distributed.broadcast(told, src=0)
        found: list[int] = told.tolist()
        return found

    def lead(self, work: Callable[[], object]) -> None:
        """Rank 0 does `work`, and the others wait for it.

        Raises what `work` raises, on rank 0; Stopped on all others then.
        """
        has_failed = self.leads
        try:
            if self.leads:
                work()
            has_failed = False
        finally:
            (has_failed_there,) = self.as_first([has_failed])
        if has_failed_there:
            raise self.ended()

    def in_turn(self, work: Callable[[], T]) -> T:
        """What each finds by `work`, rank 0 before all others: it makes, and they read what it made.

        Raises what `work` raises; Stopped on the others where rank 0 failed.
        """
        found: list[T] = []

        self.lead(lambda: found.append(work()))
        return found[0] if found else work()

    def require_same(self, number: int, what: str) -> None:
        """Nothing, where all came with the same number of 0 to 2^48.

        Raises InputError on rank 0 otherwise, and Stopped on the others.
        """
        least, most = (self._extreme(sign * number) * sign for sign in (-1, 1))
        if least != most:
            raise self.told(
                InputError(
                    f"processes that train together see different {what}; one work folder was expected for all of them; "
                    "put it on a disk that all machines reach under the same path"
                )
            )

    def _extreme(self, number: int) -> int:
        highest = torch.tensor([number])
        if self.world > 1:
            with _told():
                distributed.all_reduce(highest, op=distributed.ReduceOp.MAX)
        return int(highest)

    def told(self, error: Exception) -> Exception:
        """`error` on rank 0; where all have found the same, the others need not say it again, and get Stopped."""
        return error if self.leads else self.ended()

    def ended(self) -> Stopped:
        """That rank 0 has ended the training, and says why."""
        return Stopped(
            f"rank 0 of {self.world} has ended the training; its end was expected to be told there; read the words of rank 0"
        )


def add_up_here(tensor: Tensor) -> None:
    """The tensor, contiguous, becomes the sum over all processes; only where several have met.

    Raises RankLost where another one has ended, or does not come.
    """
    with _told():
        distributed.all_reduce(tensor)


@contextlib.contextmanager
def joined(seat: Seat, *, waits_s: float = WAITS_S) -> Iterator[Ranks]:
    """Inside it the processes have met, each with its device: a GPU of its own, or the processor.

    They meet where torchrun says, by environment variables that torch reads.
    waits_s: how long one waits for the others at any point.
    Raises InputError where there are more processes than GPUs, RankLost where they do not meet.
    """
    device = _device_of(seat)
    if seat.world == 1:
        yield Ranks(seat, device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _told():
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            rank=seat.rank, world_size=seat.world, timeout=timedelta(seconds=waits_s),
        )  # fmt: skip
    try:
        yield Ranks(seat, device)
    finally:
        distributed.destroy_process_group()


def _device_of(seat: Seat) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    n_gpus = torch.cuda.device_count()
    if seat.local_world > n_gpus:
        raise InputError(
            f"{seat.local_world} processes were started on a machine with {n_gpus} GPUs; at most one for each GPU was "
            f"expected; start fewer: torchrun --nproc-per-node {n_gpus} -m cairn train WORK …"
        )
    return torch.device("cuda", seat.local_rank)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Inside it the many ways in which torch says that another process is gone become one."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise RankLost(
            f"another of the processes that train together has ended, or did not come in time ({said}); all were expected "
            "to go on; read its words, then run the same command again: it goes on from the last checkpoint"
        ) from error


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors in order, as many together as fit into a bucket and are of one type on one device."""
    bucket: list[Tensor] = []
    n_bytes = 0
    for tensor in tensors:
        is_other = bool(bucket) and (tensor.dtype, tensor.device) != (bucket[0].dtype, bucket[0].device)  # fmt: skip
        if bucket and (is_other or n_bytes + tensor.nbytes > BUCKET_BYTES):
            yield bucket
            bucket, n_bytes = [], 0
        bucket.append(tensor)
        n_bytes += tensor.nbytes
    if bucket:
        yield bucket
