"""What a landmark head of very many landmarks costs in training: memory and seconds a step, all or sampled."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from cairn.base.errors import InputError
from cairn.base.settings import LandmarkHeadBenchSettings
from cairn.base.watching import Watch

_OF_A_NUMBER = 4


@dataclass(frozen=True)
class HeadCost:
    """What one way of training the head took; `n_sampled` landmarks a step, 0: all.

    peak_bytes: beside what the process needs without it. bound_bytes: what it is promised to stay under.
    """

    n_sampled: int
    peak_bytes: int
    bound_bytes: int
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """Seconds of a step; the first one, in which memory is fetched, is left out."""
        return statistics.median(self.seconds[1:])


def bench_landmark_head(settings: LandmarkHeadBenchSettings, *, watch: Watch) -> list[HeadCost]:
    """The cost of a step on all landmarks, and on a sample of them, each in a process of its own.

    Raises InputError where such a process ends early, most likely for want of memory.
    """
    ways = [0, settings.sampled] if settings.sampled < settings.n_landmarks else [0]
    found = []
    with watch.phase("landmark head", len(ways)) as advance:
        for n_sampled in ways:
            found.append(_measured(settings, n_sampled))
            advance(1)
    return found


def bound_bytes(settings: LandmarkHeadBenchSettings, n_sampled: int) -> int:
    """What `CosineHead` and its optimiser promise to stay under, see there."""
    width, images = settings.centres * settings.width, settings.batch_images
    n_rows = settings.n_landmarks * settings.centres
    head = settings.n_landmarks * width
    if not n_sampled:
        tables = 5 * images * n_rows + 8 * images * settings.n_landmarks
        return _OF_A_NUMBER * (7 * head + tables)
    step = (
        6 * n_sampled * width + 3 * images * n_sampled * settings.centres + 8 * images * n_sampled
    )
    return _OF_A_NUMBER * (head + n_rows + step)


def _measured(settings: LandmarkHeadBenchSettings, n_sampled: int) -> HeadCost:
    words = [sys.executable, "-m", "cairn.training.head_cost", json.dumps(settings.as_json()), str(n_sampled)]  # fmt: skip
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise InputError(
            f"measuring a head of {settings.n_landmarks:,} landmarks ended with code {ran.returncode} ({said[0]}); 0 was "
            f"expected; it needs up to {bound_bytes(settings, n_sampled) / 1e9:.1f} GB: try fewer with --n-landmarks"
        )
    told = json.loads(ran.stdout)
    return HeadCost(
        n_sampled, told["peak_bytes"], bound_bytes(settings, n_sampled), tuple(told["seconds"])
    )
