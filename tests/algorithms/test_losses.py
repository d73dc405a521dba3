"""Losses of landmark heads: against loops, against torch's own, at their ends, with what is wrong told."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from cairn.algorithms.losses import (  # noqa: E402 - torch has to be there first
    arcface_logits,
    cross_entropies,
    dynamic_margins,
    landmark_weights,
    read_truths,
    require_margins,
    require_scale,
    require_smoothing,
    require_weights,
)
from cairn.base.errors import InputError  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor, dtype

Doubles = npt.NDArray[np.float64]


def some_targets(rng: np.random.Generator, *, n_images: int, n_landmarks: int) -> list[list[int]]:
    """One to three landmarks for each image, each once."""
    most = min(3, n_landmarks)
    return [
        rng.choice(n_landmarks, rng.integers(1, most + 1), replace=False).tolist()
        for _ in range(n_images)
    ]


def padded(targets: list[list[int]]) -> "Tensor":
    table: Tensor = torch.tensor([[*row, -1, -1, -1][:3] for row in targets])
    return table


def cross_entropies_by_hand(
    logits: Doubles, targets: list[list[int]], smoothing: float, counts: Doubles
) -> list[float]:
    """What was expected of each landmark, one by one, times minus the log of what it got."""
    losses = []
    for row, own in zip(logits, targets, strict=True):
        total = math.fsum(n * math.exp(z) for n, z in zip(counts, row, strict=True))
        loss = 0.0
        for landmark, z in enumerate(row):
            expected = smoothing * counts[landmark] / counts.sum()
            expected += (1 - smoothing) / len(own) if landmark in own else 0.0
            loss -= expected * math.log(math.exp(z) / total)
        losses.append(loss)
    return losses


def arcface_by_hand(
    cosines: Doubles, targets: list[list[int]], margins: Doubles, scale: float
) -> Doubles:
    """By angles, one by one."""
    logits = scale * cosines
    for image, own in enumerate(targets):
        for landmark in own:
            cosine, margin = cosines[image, landmark], margins[landmark]
            harder = math.cos(math.acos(cosine) + margin)
            if cosine <= math.cos(math.pi - margin):
                harder = cosine - margin * math.sin(math.pi - margin)
            logits[image, landmark] = scale * harder
    return logits


@given(
    st.integers(1, 7), st.integers(1, 12), st.sampled_from([0.0, 0.1, 0.9]), st.booleans(), st.integers(0, 2**32)
)  # fmt: skip
def test_cross_entropies_are_those_of_loops(
    n_images: int, n_landmarks: int, smoothing: float, is_sample: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    targets = some_targets(rng, n_images=n_images, n_landmarks=n_landmarks)
    logits = rng.normal(0, 5, (n_images, n_landmarks))
    counts = rng.uniform(1, 20, n_landmarks) if is_sample else np.ones(n_landmarks)
    found = cross_entropies(
        torch.from_numpy(logits), read_truths(padded(targets), n_landmarks=n_landmarks),
        smoothing=smoothing, counts=torch.from_numpy(counts) if is_sample else None,
    )  # fmt: skip
    by_hand = cross_entropies_by_hand(logits, targets, smoothing, counts)
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 7), st.integers(1, 12), st.floats(0.5, 90), st.integers(0, 2**32))
def test_arcface_is_that_of_angles(
    n_images: int, n_landmarks: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    targets = some_targets(rng, n_images=n_images, n_landmarks=n_landmarks)
    cosines = rng.uniform(-1, 1, (n_images, n_landmarks))
    cosines[rng.random(cosines.shape) < 0.2] = rng.choice([-1.0, 0.0, 1.0])
    margins = rng.uniform(0, 1.57, n_landmarks)
    truths = read_truths(padded(targets), n_landmarks=n_landmarks)
    found = arcface_logits(
        torch.from_numpy(cosines), truths, margins=torch.from_numpy(margins), scale=scale
    )
    by_hand = arcface_by_hand(cosines, targets, margins, scale)
    # The sine is kept above what rounding leaves of it, 1.5e-8 in float64.
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-9, atol=3e-8 * scale)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_landmark_an_image_gives_torchs_own_cross_entropy(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 6, generator=generator) * 10
    targets = torch.randint(0, 6, (9,), generator=generator)
    theirs = torch.nn.functional.cross_entropy(
        logits, targets, reduction="none", label_smoothing=smoothing
    )
    found = cross_entropies(logits, read_truths(targets, n_landmarks=6), smoothing=smoothing)
    torch.testing.assert_close(found, theirs)


def test_an_image_of_two_landmarks_counts_as_the_mean_of_two_images_of_one() -> None:
    logits = torch.randn(1, 5, generator=torch.Generator().manual_seed(1))
    both = cross_entropies(logits, read_truths(torch.tensor([[3, 1]]), n_landmarks=5))
    each = cross_entropies(logits.expand(2, 5), read_truths(torch.tensor([3, 1]), n_landmarks=5))
    torch.testing.assert_close(both, each.mean(dim=0, keepdim=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_gradients_are_those_of_small_steps(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(2)
    cosines = torch.rand(4, 5, generator=generator, dtype=torch.float64) * 1.8 - 0.9
    cosines[2, 3] = -0.97  # beyond π - m
    truths = read_truths(torch.tensor([[0, -1], [4, 2], [3, -1], [1, 0]]), n_landmarks=5)
    margins = torch.tensor([0.05, 0.1, 0.3, 0.5, 0.0], dtype=torch.float64)
    counts = torch.tensor([1.0, 1, 3, 1, 7])

    def losses(at: "Tensor") -> "Tensor":
        logits = arcface_logits(at, truths, margins=margins, scale=9.0)
        return cross_entropies(logits, truths, smoothing=smoothing, counts=counts)

    assert torch.autograd.gradcheck(losses, (cosines.requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("cosine", [1.0, -1.0, 1 + 1e-7, -1 - 1e-7, 1 - 1e-7])
def test_the_gradient_is_finite_at_both_ends_and_beyond(cosine: float, dtype: "dtype") -> None:
    cosines = torch.full((2, 2), cosine, dtype=dtype, requires_grad=True)
    truths = read_truths(torch.tensor([0, 1]), n_landmarks=2)
    logits = arcface_logits(cosines, truths, margins=torch.tensor([0.5, 0.0]), scale=45.0)
    losses = cross_entropies(logits, truths)
    (gradient,) = torch.autograd.grad(losses.sum(), cosines)
    assert torch.isfinite(losses).all()
    assert torch.isfinite(gradient).all()


def test_a_margin_only_ever_makes_the_own_landmark_harder_and_more_so_for_smaller_cosines() -> None:
    cosines = torch.linspace(-1, 1, 2001, dtype=torch.float64)[:, None]
    truths = read_truths(torch.zeros(2001, dtype=torch.long), n_landmarks=1)
    logits = arcface_logits(cosines, truths, margins=torch.tensor([0.4]), scale=1.0)[:, 0]
    assert (logits < cosines[:, 0]).all()
    # Where cos(θ + m) would turn, it steps down; on both sides it grows with the cosine.
    is_beyond = cosines[:, 0] <= -math.cos(0.4)
    assert (logits[is_beyond].diff() > 0).all()
    assert (logits[~is_beyond].diff() > 0).all()
    assert logits[is_beyond].max() < logits[~is_beyond].min()


def test_without_margin_arcface_is_the_scaled_cosine_to_the_bit() -> None:
    cosines = torch.rand(5, 7, generator=torch.Generator().manual_seed(3)) * 2 - 1
    truths = read_truths(torch.arange(5), n_landmarks=7)
    found = arcface_logits(cosines, truths, margins=torch.zeros(7), scale=45.0)
    assert torch.equal(found, cosines * 45.0)


def test_half_precision_is_reckoned_in_full() -> None:
    cosines = (torch.rand(4, 6, generator=torch.Generator().manual_seed(4)) * 2 - 1).bfloat16()
    truths = read_truths(torch.arange(4), n_landmarks=6)
    margins = torch.full((6,), 0.3)
    logits = arcface_logits(cosines, truths, margins=margins, scale=45.0)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, arcface_logits(cosines.float(), truths, margins=margins, scale=45.0))
    assert cross_entropies(logits.bfloat16(), truths).dtype == torch.float32


def test_what_was_given_stays_as_it_was() -> None:
    cosines = torch.full((1, 2), 0.5)
    truths = read_truths(torch.tensor([0]), n_landmarks=2)
    arcface_logits(cosines, truths, margins=torch.full((2,), 0.5), scale=1.0)
    cross_entropies(cosines, truths, smoothing=0.1, counts=torch.ones(2))
    assert (cosines == 0.5).all()


def test_dynamic_margins_are_those_of_the_formula() -> None:
    # n^(-1/4) is 1, 1/2 and 1/3, so the shares are 1, 1/4 and 0.
    found = dynamic_margins(np.array([1, 16, 81]))
    torch.testing.assert_close(found, torch.tensor([0.5, 0.05 + 0.45 / 4, 0.05]))


def test_landmarks_with_as_many_photos_get_the_middle_margin() -> None:
    torch.testing.assert_close(dynamic_margins(np.array([7, 7])), torch.tensor([0.275, 0.275]))
    torch.testing.assert_close(
        dynamic_margins(np.array([3]), lowest=0.2, highest=0.2), torch.tensor([0.2])
    )


def test_weights_of_landmarks_are_those_of_the_formula_and_average_one_over_photos() -> None:
    # 1 / log 2, 1 / log 4, 1 / log 8 are as 6 : 3 : 2; over 11 photos 6 + 9 + 14 = 29.
    n_photos = np.array([1, 3, 7])
    found = landmark_weights(n_photos)
    torch.testing.assert_close(found, torch.tensor([6.0, 3.0, 2.0]) * 11 / 29)
    assert float((found * torch.from_numpy(n_photos)).sum()) == pytest.approx(11)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_the_more_photos_the_smaller_margin_and_weight(counts: list[int]) -> None:
    n_photos = np.sort(np.array(counts))
    margins, weights = dynamic_margins(n_photos), landmark_weights(n_photos)
    assert (margins.diff() <= 0).all()
    assert (weights.diff() <= 0).all()
    assert 0.05 - 1e-6 <= float(margins.min()) <= float(margins.max()) <= 0.5 + 1e-6
    assert float(weights.min()) > 0


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([[[0]]]), r"\(1, 1, 1\); whole numbers \[B\] or \[B, T\]"),
        (torch.tensor([0.0]), "torch.float32 of the shape"),
        (torch.tensor([True]), "torch.bool of the shape"),
        (torch.zeros(0, dtype=torch.long), "at least one image with a landmark"),
        (torch.tensor([4]), "reach from 4 to 4; 0 to 3"),
        (torch.tensor([0, -2]), "reach from -2 to 0; 0 to 3"),
        (torch.tensor([[0, 1], [-1, -1]]), "1 of 2 images show no landmark"),
        (torch.tensor([[2, 1, 2]]), "tells the same landmark twice"),
    ],
)
def test_wrong_targets_are_told(targets: "Tensor", message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_truths(targets, n_landmarks=4)


@pytest.mark.parametrize("n_photos", [np.array([[1]]), np.array([], int), np.array([3, 0])])
def test_wrong_numbers_of_photos_are_told(n_photos: npt.NDArray[np.int64]) -> None:
    for asked in (landmark_weights, dynamic_margins):
        with pytest.raises(InputError, match="one for each landmark, at least 1, was expected"):
            asked(n_photos)


@pytest.mark.parametrize(("lowest", "highest"), [(-0.1, 0.5), (0.5, 0.1), (0.1, 1.6)])
def test_wrong_ends_of_margins_are_told(lowest: float, highest: float) -> None:
    with pytest.raises(InputError, match=f"margins from {lowest} to {highest} were asked for"):
        dynamic_margins(np.array([1, 2]), lowest=lowest, highest=highest)


def test_shapes_that_do_not_fit_are_told() -> None:
    truths, table = read_truths(torch.tensor([0, 1]), n_landmarks=3), torch.zeros(2, 3)
    with pytest.raises(InputError, match=r"\(3, 3\) for 2 images; \[B, L\] was expected"):
        cross_entropies(torch.zeros(3, 3), truths)
    with pytest.raises(InputError, match=r"\(3,\) for 2 images"):
        arcface_logits(torch.zeros(3), truths, margins=torch.zeros(3), scale=1.0)
    with pytest.raises(InputError, match=r"counts have the shape \(2,\); \[3\] was expected"):
        cross_entropies(table, truths, counts=torch.ones(2))
    with pytest.raises(InputError, match=r"margins have the shape \(1, 3\); \[3\] was expected"):
        arcface_logits(table, truths, margins=torch.zeros(1, 3), scale=1.0)


@pytest.mark.parametrize("value", [-0.1, 1.6, math.nan])
def test_margins_out_of_range_are_told(value: float) -> None:
    with pytest.raises(InputError, match="radians from 0 to below"):
        require_margins(torch.tensor([0.1, value]), n_landmarks=2)


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_weights_out_of_range_are_told(value: float) -> None:
    with pytest.raises(InputError, match="finite numbers above 0 were expected"):
        require_weights(torch.tensor([1.0, value]), n_landmarks=2)


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_wrong_scale_is_told(value: float) -> None:
    with pytest.raises(InputError, match="a number above 0 was expected"):
        require_scale(value)


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_a_wrong_smoothing_is_told(value: float) -> None:
    with pytest.raises(InputError, match="0 or more and below 1 was expected"):
        require_smoothing(value)
