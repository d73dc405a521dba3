"""What a network and its head are worth: their answers on val, distractors among them, scored by GAP."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cairn.algorithms.metrics import gap, once, share, surest_first
from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.images.store import ImageStore
from cairn.training.descriptor_net import normalised
from cairn.training.input import Sides, TrainImages, batches_seen
from cairn.training.landmark_heads import CosineHead, SoftmaxHead
from cairn.training.optimising import Parts
from cairn.training.order import Batch
from cairn.training.ranks import Ranks
from cairn.training.samples import as_it_is

_AT_ONCE = 32


@dataclass(frozen=True)
class Answers:
    """The surest answer for each of Q images: `landmarks` [Q] positions, `scores` [Q] that rank across images."""

    landmarks: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]

    @staticmethod
    def none() -> "Answers":
        """The answers for no image."""
        return Answers(np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Val:
    """The images that training is judged on, distractors (targets all -1) among them, each seen whole.

    side_px: of the square that they are squashed to. mean, deviation: as in the loop.
    ranks: who shares the work; each answers for some of the images, and all have the answers then.
    """

    images: TrainImages
    store: ImageStore
    side_px: int
    mean: Tensor
    deviation: Tensor
    n_workers: int = 0
    ranks: Ranks = field(default_factory=Ranks.alone)

    def judge(self, parts: Parts) -> tuple[float, dict[str, float]]:
        """The score of the answers of a network and its head."""
        return self.score(self.answers(parts))

    def score(self, answers: Answers) -> tuple[float, dict[str, float]]:
        """GAP with distractors, and beside it GAP without them and the share of right answers; NaN where undefined."""
        targets = self.images.targets
        is_right = (targets == answers.landmarks[:, None]).any(axis=1)
        shows = targets[:, 0] >= 0
        ids = np.array(self.images.image_ids)
        order = surest_first(answers.scores, ids, answers.landmarks.astype(str))
        n_shown = np.array([float(shows.sum())])
        with_all = float(gap(is_right[order], n_shown, once(len(order)))[0])
        known = order[shows[order]]
        without = float(gap(is_right[known], n_shown, once(len(known)))[0])
        top_1 = float(share(is_right, shows, once(len(is_right)))[0])
        return with_all, {"gap": with_all, "gap_without_distractors": without, "top_1": top_1}

    def answers(self, parts: Parts) -> Answers:
        """The landmark with the highest logit for each image, and how sure that is: its probability, or its cosine."""
        device = next(parts.net.parameters()).device
        n_images = len(self.images.image_ids)
        landmarks = torch.zeros(n_images, dtype=torch.int64)
        scores = torch.zeros(n_images, dtype=torch.float64)
        with torch.inference_mode():
            for rows, pixels in self._seen():
                shown = normalised(
                    pixels.to(device), self.mean.to(device), self.deviation.to(device)
                )
                found, sure = _surest(parts, parts.net(shown))
                landmarks[rows], scores[rows] = found.cpu(), sure.cpu().double()
        # An image that another rank answers for is 0 here.
        self.ranks.add_up([landmarks, scores])
        return Answers(landmarks.numpy(), scores.numpy())

    def _seen(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Which images, and their pixels, of those that fall to this rank.

        Raises InputError where one can no longer be read: what is judged must be the same each time.
        """
        n_images = len(self.images.image_ids)
        places = [
            np.arange(first, min(first + _AT_ONCE, n_images))
            for first in range(0, n_images, _AT_ONCE)
        ]
        own = places[self.ranks.seat.rank :: self.ranks.world]
        batches = (
            Batch(0, number, rows, np.zeros(len(rows), np.uint64), len(rows))
            for number, rows in enumerate(own)
        )
        whole = as_it_is(AugmentSettings(side_px=self.side_px))
        for seen in batches_seen(
            self.images, batches, store=self.store, augmenting=whole,
            side_of=Sides(1, self.side_px), n_workers=self.n_workers,
        ):  # fmt: skip
            if seen.n_lost:
                raise InputError(
                    f"{seen.n_lost} images of val could not be read; all were expected, as they were checked when they "
                    "were kept; bring the photos back, or import them again"
                )
            yield torch.from_numpy(seen.batch.rows), seen.pixels


def _surest(parts: Parts, descriptors: Tensor) -> tuple[Tensor, Tensor]:
    """The landmark and the score of each descriptor [B, D]."""
    head = parts.head
    if isinstance(head, SoftmaxHead):
        scores, landmarks = head.logits(descriptors).softmax(dim=1).max(dim=1)
    elif isinstance(head, CosineHead):
        scores, landmarks = head.cosines(descriptors).max(dim=1)
    else:
        raise TypeError(f"a landmark head was expected, not {type(head).__name__}")
    return landmarks, scores
