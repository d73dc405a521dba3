"""Rows of a head learn lazily: as the slow loop over rows has it, and all else as the optimiser has it."""

from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - torch has to be there first

from cairn.training.lazy_rows import learn_rows_lazily  # noqa: E402
from cairn.training.optimising import clip, whole_gradients  # noqa: E402
from tests.training.small_heads import BATCH, TARGETS, head_of, sample_of  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor


def the_rows(head: nn.Module) -> nn.Parameter:
    """The large table of a head."""
    return next(iter(head.parameters()))


def stepped(n_steps: int, *, decay: float = 0.0) -> tuple["Tensor", "Tensor"]:
    """The centres after so many steps on changing samples, and those of a loop over rows."""
    head = head_of("arcface")
    rows = the_rows(head)
    slow, sums = rows.detach().clone(), [0.0] * len(rows)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1, weight_decay=decay)
    learn_rows_lazily(optimizer)
    for step in range(n_steps):
        optimizer.zero_grad()
        torch.autograd.backward(head(BATCH, TARGETS, sample_of(6, seed=step)).mean())
        assert rows.grad is not None
        gradient = rows.grad.to_dense()
        for row in set(rows.grad.coalesce().indices()[0].tolist()):
            sums[row] += float((gradient[row] ** 2).mean())
            slow[row] *= 1 - 0.1 * decay
            slow[row] -= 0.1 * gradient[row] / (sums[row] ** 0.5 + 1e-10)
        optimizer.step()
    return rows.detach(), slow


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_rows_move_as_in_a_loop_over_them(decay: float) -> None:
    fast, slow = stepped(4, decay=decay)
    torch.testing.assert_close(fast, slow)


def test_rows_that_a_step_does_not_see_stay_as_they_are_to_the_bit() -> None:
    head, sampled = head_of("softmax"), sample_of(6)
    rows = the_rows(head)
    before = rows.detach().clone()
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1)
    learn_rows_lazily(optimizer)
    torch.autograd.backward(head(BATCH, TARGETS, sampled).mean())
    optimizer.step()
    moved = (rows != before).any(dim=1)
    assert moved.nonzero()[:, 0].tolist() == sampled.landmarks.tolist()
    remembered = optimizer.state[rows]
    assert {name: tuple(value.shape) for name, value in remembered.items()} == {
        "step": (),
        "sums": (9,),
    }


def test_what_has_a_whole_gradient_learns_as_the_optimiser_has_it() -> None:
    lazy, plain = (torch.nn.Parameter(torch.ones(3, 2)) for _ in range(2))
    for parameter, is_lazy in ((lazy, True), (plain, False)):
        optimizer = torch.optim.AdamW([parameter], lr=0.1)
        if is_lazy:
            learn_rows_lazily(optimizer)
        parameter.grad = torch.full((3, 2), 0.5)
        optimizer.step()
    assert torch.equal(lazy, plain)


def test_the_longest_gradient_counts_each_row_of_a_sparse_one_once() -> None:
    rows = torch.nn.Parameter(torch.zeros(4, 2))
    rows.grad = torch.sparse_coo_tensor(
        torch.tensor([[1, 1]]),
        torch.tensor([[3.0, 0.0], [0.0, 4.0]]),
        (4, 2),
        check_invariants=True,
    )
    clip(whole_gradients([rows]), longest=1.0)
    torch.testing.assert_close(rows.grad.to_dense()[1], torch.tensor([0.6, 0.8]))
