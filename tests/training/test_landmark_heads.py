"""Trainable heads: against loops, by small steps, under autocast, with what is wrong told."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from cairn.base.errors import InputError  # noqa: E402
from cairn.training.landmark_heads import (  # noqa: E402 - torch has to be there first
    CosineHead,
    SoftmaxHead,
    random_start,
)
from tests.training.small_heads import (  # noqa: E402
    BATCH,
    KINDS,
    TARGETS,
    D,
    L,
    gradients,
    head_of,
    numbers,
    sample_of,
)

if TYPE_CHECKING:
    from torch import Tensor

Doubles = npt.NDArray[np.float64]


def cosines_by_hand(vectors: Doubles, centres: Doubles) -> Doubles:
    """The largest over the centres of each landmark, one by one."""
    found = np.empty((len(vectors), len(centres)))
    for i, vector in enumerate(vectors):
        for landmark, own in enumerate(centres):
            found[i, landmark] = max(
                float(vector @ centre) / math.sqrt(float(vector @ vector) * float(centre @ centre))
                for centre in own
            )
    return found


@given(
    st.integers(1, 5), st.integers(1, 8), st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32)
)  # fmt: skip
def test_the_cosine_head_is_that_of_loops_in_any_shape(
    n_images: int, n_landmarks: int, n_centres: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_landmarks, n_centres, width))
    vectors = rng.normal(size=(n_images, width))
    targets = rng.integers(0, n_landmarks, n_images)
    weights, margins = rng.uniform(0.1, 3, n_landmarks), rng.uniform(0, 1, n_landmarks)
    head = CosineHead(
        torch.from_numpy(centres), scale=15.0,
        margins=torch.from_numpy(margins), weights=torch.from_numpy(weights),
    )  # fmt: skip
    losses = head(torch.from_numpy(vectors), torch.from_numpy(targets)).detach().numpy()
    for i, own in enumerate(targets):
        cosines = cosines_by_hand(vectors, centres)[i].clip(-1, 1)
        logits = 15 * cosines
        angle, margin = math.acos(cosines[own]), margins[own]
        logits[own] = 15 * (
            math.cos(angle + margin)
            if cosines[own] > math.cos(math.pi - margin)
            else cosines[own] - margin * math.sin(margin)
        )
        by_hand = weights[own] * (math.log(math.fsum(math.exp(z) for z in logits)) - logits[own])
        assert losses[i] == pytest.approx(by_hand, rel=1e-6, abs=1e-5)


def test_the_softmax_head_is_that_of_loops() -> None:
    head = head_of("softmax", smoothing=0.0).double()
    with torch.no_grad():
        head.get_parameter("biases").copy_(numbers(L, 1, seed=5))
    rows = head.get_parameter("rows").detach().numpy()
    biases = head.get_parameter("biases").detach().numpy()[:, 0]
    losses = head(BATCH.double(), TARGETS[:, 0]).detach().numpy()
    for vector, own, loss in zip(BATCH.double().numpy(), TARGETS[:, 0].tolist(), losses, strict=True):  # fmt: skip
        logits = [float(row @ vector) + bias for row, bias in zip(rows, biases, strict=True)]
        total = math.fsum(math.exp(z) for z in logits)
        weight = np.linspace(0.5, 2, L)[own]
        assert loss == pytest.approx(-weight * math.log(math.exp(logits[own]) / total))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradients_of_heads_are_those_of_small_steps(kind: str) -> None:
    head = head_of(kind).double()
    names = [name for name, _ in head.named_parameters()]

    def losses(vectors: "Tensor", *values: "Tensor") -> "Tensor":
        given_values = dict(zip(names, values, strict=True))
        found: Tensor = torch.func.functional_call(head, given_values, (vectors, TARGETS))
        return found

    values = [value.detach().clone().requires_grad_() for value in head.parameters()]
    assert torch.autograd.gradcheck(losses, (BATCH.double().requires_grad_(), *values))


@pytest.mark.parametrize("kind", KINDS)
def test_the_autocast_around_a_head_changes_nothing(kind: str) -> None:
    head, sampled = head_of(kind), sample_of(6)
    for chosen in (None, sampled):
        plain = head(BATCH, TARGETS, chosen)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            around = head(BATCH, TARGETS, chosen)
            halves = head(BATCH.bfloat16(), TARGETS, chosen)
            answers = head.logits(BATCH)
        assert torch.equal(around, plain)
        assert halves.dtype == torch.float32
        assert torch.equal(answers, head.logits(BATCH))


@given(st.floats(1e-3, 1e3), st.integers(0, L * 3 - 1))
def test_the_length_of_a_centre_or_a_vector_changes_nothing(factor: float, row: int) -> None:
    head = head_of("arcface").double()
    before = head(BATCH.double(), TARGETS)
    with torch.no_grad():
        head.get_parameter("centres")[row] *= factor
    torch.testing.assert_close(head(BATCH.double() * factor, TARGETS), before)


def test_the_order_of_landmarks_and_of_their_centres_changes_nothing() -> None:
    start, order = numbers(L, 3, D), torch.from_numpy(np.random.default_rng(1).permutation(L))
    margins = torch.linspace(0.05, 0.5, L)
    targets = TARGETS[:, 0]
    head = CosineHead(start.clone(), scale=20.0, margins=margins)
    other = CosineHead(start[order].flip(1), scale=20.0, margins=margins[order])
    moved = torch.argsort(order)[targets]
    torch.testing.assert_close(other(BATCH, moved), head(BATCH, targets))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_image_on_a_centre_or_opposite_or_of_zeros_sends_finite_gradients(sign: float) -> None:
    start = numbers(L, 3, D)
    vectors = torch.cat([sign * start[:3, 0], torch.zeros(1, D)])
    head = CosineHead(start, scale=45.0, margins=torch.full((L,), 0.3))
    for found in gradients(head, vectors, torch.tensor([0, 1, 2, 3])):
        assert torch.isfinite(found).all()
        assert found.abs().max() < 1e9


def test_a_weight_of_a_landmark_multiplies_the_loss_of_its_images() -> None:
    weighted = CosineHead(numbers(L, 1, D), scale=9.0, weights=torch.linspace(0.5, 2, L))
    plain = CosineHead(numbers(L, 1, D), scale=9.0)
    factors = torch.linspace(0.5, 2, L)[[3, 8]]
    found = weighted(BATCH[:3], torch.tensor([[3, -1], [8, -1], [3, 8]]))
    expected = plain(BATCH[:3], torch.tensor([[3, -1], [8, -1], [3, 8]]))
    both = factors.mean().reshape(1)
    torch.testing.assert_close(found, expected * torch.cat([factors, both]))


def test_a_random_start_has_lengths_of_about_one_and_follows_its_seed() -> None:
    start = random_start(20, 3, 512, generator=torch.Generator().manual_seed(0))
    assert start.shape == (20, 3, 512)
    assert (start.norm(dim=2) - 1).abs().max() < 0.15
    again = random_start(20, 3, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(start, again)


def test_a_head_comes_back_from_its_state() -> None:
    head = head_of("arcface")
    other = CosineHead(numbers(L, 3, D, seed=9), scale=20.0, smoothing=0.1)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(BATCH, TARGETS), head(BATCH, TARGETS))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_head_cannot_use_is_told(kind: str) -> None:
    head = head_of(kind)
    with pytest.raises(InputError, match=r"\(4, 5\); \[B, 6\] was expected"):
        head(BATCH[:, :5], TARGETS)
    with pytest.raises(InputError, match=r"\(3, 9\) for 4 images"):
        head(BATCH[:3], TARGETS)
    with pytest.raises(InputError, match="reach from 9 to 9; 0 to 8 was expected"):
        head(BATCH[:1], torch.tensor([9]))
    with pytest.raises(InputError, match="1 of the batch's 1 truths are not among the 5 sampled"):
        head(BATCH[:1], torch.tensor([1]), sample_of(1))


@pytest.mark.parametrize("start", [torch.zeros(L), torch.zeros(L, 0), torch.zeros(L, D, dtype=torch.long)])  # fmt: skip
def test_a_wrong_start_is_told(start: "Tensor") -> None:
    with pytest.raises(InputError, match=r"floating-point \[L, D\] was expected, no side 0"):
        SoftmaxHead(start)
    with pytest.raises(InputError, match=r"floating-point \[L, S, D\] was expected, no side 0"):
        CosineHead(start, scale=1.0)


def test_wrong_settings_of_a_head_are_told_when_it_is_made() -> None:
    with pytest.raises(InputError, match="the scale is 0"):
        CosineHead(numbers(L, 1, D), scale=0)
    with pytest.raises(InputError, match="the label smoothing is 1"):
        SoftmaxHead(numbers(L, D), smoothing=1)
    with pytest.raises(InputError, match=r"weights have the shape \(3,\); \[9\] was expected"):
        SoftmaxHead(numbers(L, D), weights=torch.ones(3))
    with pytest.raises(InputError, match=r"margins have the shape \(3,\); \[9\] was expected"):
        CosineHead(numbers(L, 1, D), scale=1.0, margins=torch.ones(3))
