"""Heads over a sample of their landmarks: loss, gradients, draws, learning, memory."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cairn.algorithms.losses import arcface_logits, cross_entropies, read_truths  # noqa: E402
from cairn.base.errors import InputError  # noqa: E402
from cairn.training.landmark_heads import (  # noqa: E402 - torch has to be there first
    CosineHead,
    sample_landmarks,
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
    pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_all_landmarks_gives_the_full_loss_and_gradients(kind: str) -> None:
    head, everything = head_of(kind), sample_of(L)
    assert everything.landmarks.tolist() == list(range(L))
    torch.testing.assert_close(head(BATCH, TARGETS, everything), head(BATCH, TARGETS))
    full = gradients(head, BATCH, TARGETS)
    for found, expected in zip(gradients(head, BATCH, TARGETS, everything), full, strict=True):
        torch.testing.assert_close(found.to_dense() if found.is_sparse else found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_sample_touches_the_sampled_rows_only(kind: str) -> None:
    head, sampled = head_of(kind), sample_of(6)
    for found in gradients(head, BATCH, TARGETS, sampled)[1:]:
        n_each = len(found) // L
        rows = [row for i in sampled.landmarks.tolist() for row in range(i * n_each, (i + 1) * n_each)]  # fmt: skip
        assert found.is_sparse
        assert found.coalesce().indices()[0].tolist() == rows


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_a_sample_is_that_of_its_columns_counted(kind: str) -> None:
    head, sampled = head_of(kind), sample_of(6)
    truths = read_truths(TARGETS, n_landmarks=L)
    if isinstance(head, CosineHead):
        logits = arcface_logits(head.cosines(BATCH), truths, margins=head.margins, scale=20.0)
    else:
        logits = head.logits(BATCH)
    columns, counts = logits[:, sampled.landmarks], sampled.counts
    expected = cross_entropies(columns, sampled.among(truths), smoothing=0.1, counts=counts)
    expected = expected * truths.mean(head.weights[truths.columns])
    torch.testing.assert_close(head(BATCH, TARGETS, sampled), expected)
    dense = torch.autograd.grad(expected.mean(), list(head.parameters()))
    for found, full in zip(gradients(head, BATCH, TARGETS, sampled)[1:], dense, strict=True):
        torch.testing.assert_close(found.to_dense(), full)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_learns_from_samples_with_an_optimiser_for_sparse_gradients(kind: str) -> None:
    head, rng = head_of(kind, smoothing=0.0), np.random.default_rng(0)
    vectors, targets = numbers(L, D, seed=3), torch.arange(L)
    optimizer = torch.optim.SparseAdam(list(head.parameters()), lr=0.05)
    first = head(vectors, targets).mean().item()
    for _ in range(200):
        chosen = torch.from_numpy(rng.choice(L, 4, replace=False))
        sampled = sample_landmarks(targets[chosen], n_landmarks=L, n_sampled=6, rng=rng)
        optimizer.zero_grad()
        torch.autograd.backward(head(vectors[chosen], targets[chosen], sampled).mean())
        optimizer.step()
    assert head(vectors, targets).mean().item() < 0.3 * first
    assert (head.logits(vectors).argmax(dim=1) == targets).all()


def test_a_sample_holds_the_batch_and_counts_for_all() -> None:
    sampled = sample_of(7)
    assert sampled.landmarks.tolist() == sorted(set(sampled.landmarks.tolist()))
    assert {0, 2, 3, 7, 8} <= set(sampled.landmarks.tolist())
    is_own = torch.isin(sampled.landmarks, TARGETS)
    assert sampled.counts[is_own].tolist() == [1] * 5
    assert sampled.counts[~is_own].tolist() == [2] * 2


def test_the_same_seed_draws_the_same_sample_and_another_another() -> None:
    targets = torch.tensor([1])
    draws = [sample_of(4, seed=seed, targets=targets).landmarks.tolist() for seed in (0, 0, 1, 2, 3)]  # fmt: skip
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) > 1


def test_a_batch_of_more_landmarks_than_asked_for_is_sampled_whole() -> None:
    sampled = sample_of(2)
    assert sampled.landmarks.tolist() == [0, 2, 3, 7, 8]
    assert sampled.counts.tolist() == [1] * 5


def test_over_all_draws_the_sum_of_the_softmax_is_that_over_all_landmarks() -> None:
    shares = np.exp(np.random.default_rng(2).normal(size=L))
    own, rest = [0, 4], [i for i in range(L) if i not in (0, 4)]
    counts = sample_of(4, targets=torch.tensor(own)).counts.sort().values.tolist()
    assert counts == [1, 1, 3.5, 3.5]
    sums = [3.5 * shares[list(drawn)].sum() for drawn in itertools.combinations(rest, 2)]
    assert shares[own].sum() + np.mean(sums) == pytest.approx(shares.sum())


def test_the_rest_is_drawn_without_preference() -> None:
    rng, n_draws = np.random.default_rng(0), 2000
    tally = np.zeros(L)
    for _ in range(n_draws):
        drawn = sample_landmarks(torch.tensor([0, 4]), n_landmarks=L, n_sampled=4, rng=rng)
        tally[drawn.landmarks.numpy()] += 1
    assert (tally[[0, 4]] == n_draws).all()
    np.testing.assert_allclose(np.delete(tally, [0, 4]), n_draws * 2 / 7, rtol=0.15)


@pytest.mark.parametrize("n_sampled", [0, L + 1])
def test_a_wrong_size_of_a_sample_is_told(n_sampled: int) -> None:
    with pytest.raises(InputError, match=f"{n_sampled} landmarks were to be sampled of 9; 1 to 9"):
        sample_of(n_sampled)


def test_a_sample_for_landmarks_that_the_head_lacks_is_told() -> None:
    with pytest.raises(InputError, match="targets reach to 9; 0 to 8 was expected"):
        sample_of(3, targets=torch.tensor([9]))


MEASURED = """
import re, sys
from pathlib import Path
import numpy as np, torch
from cairn.training.landmark_heads import CosineHead, random_start, sample_landmarks

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def step(n_landmarks, n_sampled):
    generator = torch.Generator().manual_seed(0)
    head = CosineHead(random_start(n_landmarks, 3, 512, generator=generator), scale=45.0)
    targets = torch.arange(32)
    rng = np.random.default_rng(0)
    sampled = sample_landmarks(targets, n_landmarks=n_landmarks, n_sampled=n_sampled, rng=rng)
    vectors = torch.randn(32, 512, generator=generator)
    torch.autograd.backward(head(vectors, targets, sampled).mean())
    return head.centres.grad._nnz()

step(100, 50)
before = peak()
print(step(203_094, 8_192), peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_head_of_all_landmarks_of_the_large_list_takes_no_more_memory_than_it_says() -> None:
    ran = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)  # fmt: skip
    n_rows, peak_bytes = map(int, ran.stdout.split())
    n, width, batch = 8_192, 3 * 512, 32
    step_bytes = 4 * (6 * n * width + 3 * batch * n * 3 + 8 * batch * n)
    assert n_rows == n * 3
    own_bytes = 16 * 2**20  # what the process needs beside: threads, the allocator
    assert peak_bytes < 4 * 203_094 * width + step_bytes + own_bytes
