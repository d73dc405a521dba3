"""How the rows of a landmark head learn where a step sees only some of them: one number remembered for each row."""

from typing import Any

import torch
from torch import Tensor, nn

_LEAST = 1e-10


def learn_rows_lazily(optimizer: torch.optim.Optimizer) -> None:
    """Parameters [R, D] with sparse gradients learn row by row from now on, all others as the optimiser would have it.

    A row that has a gradient g moves by learning rate · g / √(sum of the means of g² in all its steps so far), after it
    was made smaller by its weight decay; all others stay as they are, and cost nothing. What is remembered is 4 bytes a
    row, where Adam remembers 8 bytes a number; it lies in the state of the optimiser, and so in its checkpoints.
    Source: Duchi, Hazan, Singer, JMLR 12 (2011), with one sum for each row.
    """
    optimizer.register_step_pre_hook(_step_rows)


# Any: torch gives the arguments of `step`, which has none.
def _step_rows(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
    with torch.no_grad():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    _step(parameter, parameter.grad.coalesce(), optimizer.state[parameter], group)
                    # Nothing is left for the optimiser to do here.
                    parameter.grad = None


def _step(
    parameter: nn.Parameter, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]
) -> None:
    rows, values = gradient.indices()[0], gradient.values()
    if "sums" not in state:
        # Adam asks everything that it finds in a checkpoint for its step.
        state["step"] = torch.zeros(())
        state["sums"] = values.new_zeros(len(parameter))
    state["step"] += 1
    state["sums"].index_add_(0, rows, values.square().mean(dim=1))
    lengths = state["sums"][rows].sqrt_().add_(_LEAST)[:, None]
    if group["weight_decay"]:
        kept = parameter[rows].mul_(1 - group["lr"] * group["weight_decay"])
        parameter.index_copy_(0, rows, kept)
    parameter.index_add_(0, rows, values / lengths, alpha=-group["lr"])
