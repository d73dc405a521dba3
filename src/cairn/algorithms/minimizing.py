"""Minimising a smooth function of an array by whole steps with memory."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Point = TypeVar("Point", npt.NDArray[np.float32], npt.NDArray[np.float64])


def minimise(
    loss: Callable[[Point], tuple[float, Point]],
    start: Point,
    *,
    n_steps: int,
    memory: int = 8,
    tolerance: float = 1e-6,
) -> Point:
    """Where `loss` (value and gradient) is about smallest, by L-BFGS with halved steps.

    It stops after `n_steps`, or when a step lowers the loss by less than `tolerance` of itself.
    Source: Nocedal, Wright, Numerical Optimization, algorithm 7.4.
    """
    at, (value, gradient) = start, loss(start)
    moves: list[Point] = []
    turns: list[Point] = []
    for _ in range(n_steps):
        direction = _direction(gradient, moves, turns)
        slope = float((gradient * direction).sum())
        if slope <= 0:
            return at
        length = 1.0
        while True:
            new_at = at - np.float32(length) * direction
            new_value, new_gradient = loss(new_at)
            if new_value <= value - 1e-4 * length * slope:
                break
            length /= 2
            if length < 1e-8:
                return at
        move, turn = new_at - at, new_gradient - gradient
        # Where nothing bends any more, the squares of tiny numbers may come out as 0.
        if float((move * turn).sum()) > 0 and float((turn**2).sum()) > 0:
            moves.append(move)
            turns.append(turn)
            del moves[:-memory], turns[:-memory]
        is_done = value - new_value <= tolerance * abs(value)
        at, value, gradient = new_at, new_value, new_gradient
        if is_done:
            return at
    return at


def _direction(gradient: Point, moves: list[Point], turns: list[Point]) -> Point:
    """The uphill direction, bent by what the last moves taught of the curvature."""
    if not moves:
        return gradient / np.float32(max(1.0, float(np.linalg.norm(gradient))))
    bent = gradient.copy()
    products = [float((move * turn).sum()) for move, turn in zip(moves, turns, strict=True)]
    shares: list[np.float32] = []
    for move, turn, product in zip(moves[::-1], turns[::-1], products[::-1], strict=True):
        shares.append(np.float32(float((move * bent).sum()) / product))
        bent -= shares[-1] * turn
    bent *= np.float32(products[-1] / float((turns[-1] ** 2).sum()))
    for move, turn, product, share in zip(moves, turns, products, shares[::-1], strict=True):
        bent += move * (share - np.float32(float((turn * bent).sum()) / product))
    return bent
