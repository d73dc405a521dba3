"""In which order images are seen in training.

All of it hangs on (seed, epoch, image_id): not on workers, nor on ranks (processes that train together), nor on where a
run was killed, nor on the place of an image in a list. So a run that is taken up again is the undisturbed one.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cairn.base.checks import nearest_name
from cairn.base.errors import InputError
from cairn.training.keys import (
    Counts,
    Keys,
    augmentation_keys,
    drawn,
    image_keys,
    purpose,
    scattered,
)

Rows = npt.NDArray[np.intp]
Sampling = Literal["as they are", "balanced", "square root"]
LastBatch = Literal["short", "filled"]


def _as_they_are(counts: Counts) -> Counts:
    return counts


def _balanced(counts: Counts) -> Counts:
    return np.full_like(counts, -(-int(counts.sum()) // len(counts)))


def _square_root(counts: Counts) -> Counts:
    roots = np.sqrt(counts)
    # Added exactly: another machine may add in another order, round otherwise and so see other images.
    return np.rint(roots * (int(counts.sum()) / math.fsum(roots))).astype(np.int64)


# How often each landmark is seen in an epoch, by the numbers [K] of its images.
SAMPLINGS: dict[Sampling, Callable[[Counts], Counts]] = {
    "as they are": _as_they_are,
    "balanced": _balanced,
    "square root": _square_root,
}


@dataclass(frozen=True)
class Batch:
    """What one rank sees in one step.

    epoch, step: counted from 0; steps go on through all epochs.
    rows: [B] the images, as places in the lists that the order was made of.
    keys: [B] what the augmentation of each is drawn from, see `keys.generator_of`.
    n_together: images of all ranks in this step. Where ranks add up their gradients, the loss of a rank is the sum over
    its images / n_together (× ranks where they average them); so the gradient is that of one process.
    """

    epoch: int
    step: int
    rows: Rows
    keys: Keys
    n_together: int


def shares(n_images: int, rank: int, world: int, *, n_parts: int = 1) -> list[Rows]:
    """Which of a batch's images fall to a rank, as places in it: an array for each part that the batch is taken in.

    The batch is cut into parts one after the other, and each part into the shares of ranks 0, 1, …; sizes differ by one
    at most. So all ranks together see in each part the images that one process sees in it.
    """
    return [
        part[len(part) * rank // world : len(part) * (rank + 1) // world]
        for part in np.array_split(np.arange(n_images), n_parts)
    ]


class Order:
    """The images of every epoch, in order, for N images of K landmarks.

    sampling says how often a landmark of n images is seen in an epoch, which is the same in all epochs:
    - "as they are": n times, each image once; an epoch has N images.
    - "balanced": N / K times, rounded up; an epoch has K × that. It goes in rounds that show each landmark once, so
      that at no moment a landmark has been seen more than once more often than another.
    - "square root": N × √n / (sum of all √n) times, rounded to the nearest, at least once; an epoch has N images, give
      or take K / 2.
    The images of a landmark are seen in turn, and the next epoch goes on where this one ended: at the end of any epoch,
    no image has been seen more than once more often than another of its landmark. For the rest the order looks drawn
    by lot, anew in each epoch.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        landmarks: npt.NDArray[np.int64],
        sampling: Sampling,
        seed: int,
    ) -> None:
        """The order of images that show one landmark each.

        landmarks: [N] any whole numbers, the same for images of one landmark; distractors may share one too.
        seed: 0 or more; another one gives another order and other augmentation.
        Raises InputError where there is no image, an id stands twice, the lengths differ, the sampling is unknown or
        the seed is negative.
        """
        _check_given(image_ids, landmarks, sampling, seed)
        self._seed = seed
        self._goes_in_rounds = sampling == "balanced"
        self._keys = image_keys(image_ids)
        _check_each_id_stands_once(image_ids, self._keys)
        _, landmark = np.unique(landmarks, return_inverse=True)
        self._counts = np.bincount(landmark).astype(np.int64)
        self._firsts = np.cumsum(self._counts) - self._counts
        self._visits = SAMPLINGS[sampling](self._counts)
        turns = scattered(self._keys ^ purpose("turn", seed))
        # The rows of the first landmark in turn, then those of the second, and so on.
        self._in_turn = np.lexsort((turns, landmark))

    @property
    def epoch_length(self) -> int:
        """How many images an epoch shows, repeated ones counted each time."""
        return int(self._visits.sum())

    def n_batches(self, batch_size: int) -> int:
        """How many steps an epoch has, the last batch counted."""
        _check_number("batch_size", batch_size, least=1)
        return -(-self.epoch_length // batch_size)

    def epoch(self, epoch: int) -> Rows:
        """The images of an epoch in order, as places in the lists given: [epoch_length].

        Raises InputError where the epoch is negative.
        """
        _check_number("epoch", epoch)
        return self._epoch(epoch)[0]

    def batches(
        self,
        epoch: int,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        *,
        last: LastBatch = "short",
        n_parts: int = 1,
    ) -> Iterator[Batch]:
        """The batches of one epoch that fall to a rank.

        batch_size: images of all ranks together in one step. The shares of ranks 0, 1, … one after the other are the
        batch of one process; they differ by one image at most. world: how many ranks there are.
        last: what becomes of the last batch of an epoch where the sizes do not divide. "short": it has what is left,
        so nothing is added, and a rank may get no image at all. "filled": it goes on with the first images of the
        same epoch, under other keys, so all batches have one size.
        n_parts: how many parts a batch is taken in, each of which is shared; see `shares`.
        Raises InputError where a number is out of its range or `last` is unknown.
        """
        _check_number("epoch", epoch)
        _check_sharing(batch_size, rank, world, last)
        return self._cut(epoch, 0, batch_size, (rank, world, n_parts), last)

    def from_step(
        self,
        step: int,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        *,
        last: LastBatch = "short",
        n_parts: int = 1,
    ) -> Iterator[Batch]:
        """The batches from a step on, epoch after epoch without end: how to go on once `step` steps were taken.

        The other values as in `batches`. With the same batch_size and `last` these are the very batches that an
        undisturbed run sees; rank and world may be others.
        Raises InputError where a number is out of its range or `last` is unknown.
        """
        _check_number("step", step)
        _check_sharing(batch_size, rank, world, last)
        return self._endless(step, batch_size, (rank, world, n_parts), last)

    def _endless(
        self, step: int, batch_size: int, share: tuple[int, int, int], last: LastBatch
    ) -> Iterator[Batch]:
        epoch, n_done = divmod(step, self.n_batches(batch_size))
        while True:
            yield from self._cut(epoch, n_done, batch_size, share, last)
            epoch, n_done = epoch + 1, 0

    def _cut(
        self, epoch: int, first: int, batch_size: int, share: tuple[int, int, int], last: LastBatch
    ) -> Iterator[Batch]:
        rows, keys = self._epoch(epoch)
        rank, world, n_parts = share
        n_batches = self.n_batches(batch_size)
        for number in range(first, n_batches):
            start = number * batch_size
            n = batch_size if last == "filled" else min(batch_size, len(rows) - start)
            places = start + np.concatenate(shares(n, rank, world, n_parts=n_parts))
            own_keys = keys[places % len(rows)]
            for lap in range(1, 1 + (start + n - 1) // len(rows)):
                own_keys = np.where(places >= lap * len(rows), scattered(own_keys), own_keys)
            step = epoch * n_batches + number
            yield Batch(epoch, step, rows[places % len(rows)], own_keys, n)

    def _epoch(self, epoch: int) -> tuple[Rows, Keys]:
        """The rows and the augmentation keys of an epoch, in order.

        At 4 million images it takes a second or two and about 100 bytes an image, of which 16 are kept by who asked;
        the order itself keeps 16.
        """
        landmark = np.repeat(np.arange(len(self._counts)), self._visits)
        first_visits = np.cumsum(self._visits) - self._visits
        visit = np.arange(len(landmark)) - first_visits[landmark]
        starts = epoch * self._visits % self._counts
        n_images = self._counts[landmark]
        rows = self._in_turn[self._firsts[landmark] + (starts[landmark] + visit) % n_images]
        again = visit // n_images
        lots = drawn(self._keys[rows], again, purpose("order", self._seed, epoch))
        order = (
            np.lexsort((lots, visit)) if self._goes_in_rounds else np.argsort(lots, kind="stable")
        )
        keys = augmentation_keys(self._keys[rows], again, seed=self._seed, epoch=epoch)
        return rows[order], keys[order]


def _check_given(
    image_ids: Sequence[str], landmarks: npt.NDArray[np.int64], sampling: str, seed: int
) -> None:
    if sampling not in SAMPLINGS:
        names = ", ".join(f"'{name}'" for name in SAMPLINGS)
        raise InputError(
            f"the sampling '{sampling}' is unknown{nearest_name(sampling, SAMPLINGS)}; one of {names} was expected; "
            "name one of them"
        )
    if landmarks.shape != (len(image_ids),) or not len(image_ids):
        raise InputError(
            f"there are {len(image_ids)} image ids and landmarks of the shape {landmarks.shape}; "
            "one landmark for each image and at least one image were expected; give both for the same images"
        )
    _check_number("seed", seed)


def _check_each_id_stands_once(image_ids: Sequence[str], keys: Keys) -> None:
    if len(np.unique(keys)) < len(keys):
        image_id, count = Counter(image_ids).most_common(1)[0]
        if count > 1:
            raise InputError(
                f"the image id '{image_id}' stands {count} times among {len(keys)} images; each image was expected "
                "once; leave the other rows out, and let the sampling repeat images"
            )


def _check_number(what: str, number: int, *, least: int = 0) -> None:
    if number < least:
        raise InputError(f"{what} is {number}; {least} or more was expected; give another number")


def _check_sharing(batch_size: int, rank: int, world: int, last: str) -> None:
    _check_number("batch_size", batch_size, least=1)
    if not 0 <= rank < world:
        raise InputError(
            f"rank is {rank} of {world}; a rank from 0 to one less than the number of ranks was expected; "
            "count ranks from 0"
        )
    if last not in ("short", "filled"):
        raise InputError(
            f"the last batch was to be '{last}'; 'short' or 'filled' was expected; name one of the two"
        )
