"""Steps on made-up images, each way of taking them in a process of its own: plain torch's, and Cairn's."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cairn.base.errors import CairnError
from cairn.base.memory import keep_memory
from cairn.base.seats import ALONE
from cairn.base.settings import FinetuneSettings, TopSettings
from cairn.models.folders import BackboneConfig
from cairn.models.networks import build_network
from cairn.training.descriptor_net import DescriptorNet, Layers, map_shape_of
from cairn.training.input import Seen
from cairn.training.landmark_heads import SoftmaxHead, random_start
from cairn.training.machine import memory
from cairn.training.optimising import Parts
from cairn.training.order import Batch
from cairn.training.ranks import Ranks, joined
from cairn.training.stepping import Stepper

_WARM = 2
_LEAST_STEPS = 2


@dataclass(frozen=True)
class Steps:
    """What is stepped through: `size` images of `side_px` in a step; `is_frozen`: only the head learns."""

    backbone: str
    size: int
    side_px: int
    n_landmarks: int
    is_frozen: bool


@dataclass(frozen=True)
class Stepped:
    """What a round took: images a second, page faults an image, the most memory so far."""

    images_per_s: float
    faults: float
    peak_bytes: int


@dataclass(frozen=True)
class Ready:
    """That steps can begin: on which device, and how many operations an image takes; 0 where nobody counted."""

    device: str
    n_threads: int
    operations: float


Take = Callable[[], object]


def serve(connection: Connection, way: str, steps: Steps, keeps_memory: bool) -> None:
    """A process that takes steps: it sends `Ready`, then for each number of seconds that comes a `Stepped`, until None.

    An error that it meets is sent as words.
    """
    if keeps_memory:
        keep_memory()
    try:
        with joined(ALONE) as ranks:
            take = WAYS[way](steps, ranks)
            for _ in range(_WARM):
                take()
            connection.send(_ready(way, steps, ranks))
            while (seconds := connection.recv()) is not None:
                connection.send(_stepped(take, seconds, steps.size, ranks))
    except (CairnError, RuntimeError) as error:
        connection.send(str(error))


def _stepped(take: Take, seconds: float, size: int, ranks: Ranks) -> Stepped:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    started, n_steps = time.perf_counter(), 0
    while n_steps < _LEAST_STEPS or time.perf_counter() - started < seconds:
        take()
        n_steps += 1
    took_s = time.perf_counter() - started
    n_images = n_steps * size
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / n_images
    return Stepped(n_images / took_s, faults, memory(on_gpu=ranks.device.type == "cuda")[0])


def _ready(way: str, steps: Steps, ranks: Ranks) -> Ready:
    on_gpu = ranks.device.type == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else "processor"
    # Counting takes a step of its own; one way counts for all.
    operations = _operations(steps) if on_gpu and way == CAIRN else 0.0
    return Ready(device, torch.get_num_threads(), operations)


def _operations(steps: Steps) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    take = _plain(Steps(steps.backbone, 1, steps.side_px, steps.n_landmarks, steps.is_frozen), Ranks(ALONE, torch.device("cpu")), None, is_last=False)  # fmt: skip
    with FlopCounterMode(display=False) as counted:
        take()
    return float(counted.get_total_flops())


def _plain(steps: Steps, ranks: Ranks, arithmetic: torch.dtype | None, *, is_last: bool) -> Take:
    """Plain torch: timm's network with a classifier, a cross entropy, AdamW, autocast where asked for."""
    import timm

    device = ranks.device
    layout = torch.channels_last if is_last else torch.contiguous_format
    torch.manual_seed(0)
    # Any: what timm creates has many types.
    network: Any = timm.create_model(
        steps.backbone, pretrained=False, num_classes=steps.n_landmarks
    )
    network = network.to(device).to(memory_format=layout).train()
    if steps.is_frozen:
        network.requires_grad_(False).eval()
        network.get_classifier().requires_grad_(True)
    learning = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learning)
    pixels = torch.randn(steps.size, 3, steps.side_px, steps.side_px)
    pixels = pixels.to(device, memory_format=layout)
    targets = torch.randint(steps.n_landmarks, (steps.size,), device=device)

    def take() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, arithmetic, enabled=arithmetic is not None):
            logits = network(pixels)
        loss = functional.cross_entropy(logits.float(), targets)
        torch.autograd.backward(loss)
        optimizer.step()
        return float(loss.detach())

    return take


def _cairn(steps: Steps, ranks: Ranks, *, is_compiled: bool = False) -> Take:
    """Cairn's own step: pixels of eight bits, GeM, a landmark head, clipped gradients, AdamW, the default arithmetic."""
    config = BackboneConfig.model_validate(
        {
            "architecture": steps.backbone, "num_classes": 0, "num_features": 1,
            "pretrained_cfg": {
                "input_size": [3, steps.side_px, steps.side_px], "mean": [0.5] * 3, "std": [0.25] * 3,
            },
        }
    )  # fmt: skip
    network = build_network(config, None)
    # No neck: its batch norm cannot learn from a single image.
    net = DescriptorNet(network, map_shape_of(network, steps.side_px), TopSettings(neck_width=0))
    start = random_start(steps.n_landmarks, net.width, generator=torch.Generator().manual_seed(0))
    settings = FinetuneSettings(
        batch_images=steps.size, frozen=1.0 if steps.is_frozen else 0.0, frozen_epochs=0,
        norms="still" if steps.is_frozen else "learn", compile=is_compiled,
    )  # fmt: skip
    # Any: what timm creates has many types.
    parts = Parts(net, SoftmaxHead(start), Layers.of(network.model))
    stepper = Stepper(parts, settings, torch.full((3,), 0.5), torch.full((3,), 0.25), 1000, ranks)
    seen = _made_up(steps)

    def take() -> None:
        stepper.gradients(seen, steps.size, 1.0)
        stepper.take()
        if ranks.device.type == "cuda":
            torch.cuda.synchronize()

    return take


def _made_up(steps: Steps) -> Seen:
    rng = np.random.default_rng(0)
    shape = (steps.size, steps.side_px, steps.side_px, 3)
    pixels = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
    targets = torch.from_numpy(rng.integers(0, steps.n_landmarks, (steps.size, 1)))
    rows = np.arange(steps.size)
    return Seen(Batch(0, 0, rows, rows.astype(np.uint64), steps.size), pixels, targets, 0)


CAIRN, CAIRN_COMPILED = "Cairn", "Cairn, compiled"
WAYS: dict[str, Callable[[Steps, Ranks], Take]] = {
    "torch fp32": lambda steps, ranks: _plain(steps, ranks, None, is_last=False),
    "torch bf16": lambda steps, ranks: _plain(steps, ranks, torch.bfloat16, is_last=False),
    "torch bf16, channels last": lambda steps, ranks: _plain(steps, ranks, torch.bfloat16, is_last=True),
    CAIRN: _cairn,
    CAIRN_COMPILED: lambda steps, ranks: _cairn(steps, ranks, is_compiled=True),
}  # fmt: skip
