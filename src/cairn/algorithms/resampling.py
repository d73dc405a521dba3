"""How sure a measure is: the bootstrap over groups of copies; arrays in, arrays out."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from cairn.algorithms.metrics import Floats, once

Statistic = Callable[[Floats], Floats]
BLOCK_CELLS = 1 << 20


def resamplings(
    groups: npt.NDArray[np.str_], *, n: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Blocks [B, Q] of weights, `n` rows in all: how often each query counts in each resampling.

    groups: [Q]; as many groups as there are get drawn with replacement, each with all its queries.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    n_rows = max(1, BLOCK_CELLS // max(1, len(groups)))
    for start in range(0, n, n_rows):
        rows = min(n_rows, n - start)
        drawn = rng.integers(len(names), size=(rows, len(names)))
        drawn += np.arange(rows)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, -1)
        yield counts[:, group_of].astype(float)


def bootstrap(
    statistics: Mapping[str, Statistic], groups: npt.NDArray[np.str_],
    *, n: int, level: float = 0.95, rng: np.random.Generator,
) -> dict[str, tuple[float, float, float]]:  # fmt: skip
    """Of each statistic its value and the ends of its interval; NaN where they are undefined.

    statistics: each takes weights [B, Q] and gives [B]. All see the same `n` resamplings.
    The interval is that of the percentiles, widened to the value where it leaves it out, which
    happens to statistics that resampling shifts, such as a calibration error. With fewer than
    two groups, or `n` of 0, there is no interval. Resamplings where a statistic is undefined are left out.
    """
    values = {
        name: float(statistic(once(len(groups)))[0]) for name, statistic in statistics.items()
    }
    drawn: dict[str, list[Floats]] = {name: [] for name in statistics}
    if len(np.unique(groups)) > 1:
        for weights in resamplings(groups, n=n, rng=rng):
            for name, statistic in statistics.items():
                drawn[name].append(statistic(weights))
    return {name: (value, *_interval(value, drawn[name], level)) for name, value in values.items()}


def wilson(share: float, n: int) -> tuple[float, float]:
    """The ends of the 95 % interval of a share seen among `n` independent things, `n` at least 1.

    Source: Wilson, Journal of the American Statistical Association 22, 1927.
    """
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _interval(value: float, drawn: list[Floats], level: float) -> tuple[float, float]:
    found = np.concatenate(drawn) if drawn else np.empty(0)
    found = found[np.isfinite(found)]
    if not found.size or not np.isfinite(value):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return min(float(low), value), max(float(high), value)
