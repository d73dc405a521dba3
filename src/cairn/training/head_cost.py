"""What a landmark head costs in training: run as `python -m cairn.training.head_cost SETTINGS WAY`, it prints JSON.

A process of its own is needed for each way, as a process never takes less memory than it once took.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch

from cairn.base.settings import LandmarkHeadBenchSettings
from cairn.training.landmark_heads import CosineHead, random_start, sampled_for
from cairn.training.lazy_rows import learn_rows_lazily


def measured(settings: LandmarkHeadBenchSettings, n_sampled: int) -> dict[str, object]:
    """Seconds of each step, and the most memory that head, gradients and optimiser took beside the process.

    n_sampled: landmarks that a step sees; 0: all.
    """
    # What the first step of any head brings with it is no cost of this one.
    _steps(settings.model_copy(update={"n_landmarks": 64, "steps": 1}), 32 if n_sampled else 0)
    before = _peak_bytes()
    seconds = _steps(settings, n_sampled)
    return {"seconds": seconds, "peak_bytes": _peak_bytes() - before}


def _steps(settings: LandmarkHeadBenchSettings, n_sampled: int) -> list[float]:
    generator = torch.Generator().manual_seed(0)
    shape = (settings.n_landmarks, settings.centres, settings.width)
    head = CosineHead(random_start(*shape, generator=generator), scale=45.0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    learn_rows_lazily(optimizer)
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(settings.steps):
        vectors = torch.randn(settings.batch_images, settings.width, generator=generator)
        targets = torch.from_numpy(rng.integers(0, settings.n_landmarks, settings.batch_images))
        started = time.perf_counter()
        sampled = sampled_for(head, targets, n_sampled=n_sampled, rng=rng)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(head(vectors.requires_grad_(), targets, sampled).mean())
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds


def _peak_bytes() -> int:
    """The most memory that this process ever had, as the kernel counts it."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    _given = LandmarkHeadBenchSettings.model_validate_json(sys.argv[1])
    sys.stdout.write(json.dumps(measured(_given, int(sys.argv[2]))))
