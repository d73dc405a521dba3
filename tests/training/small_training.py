"""A small training that takes seconds: a tiny network of timm on drawn photos of a few landmarks."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from cairn.base.seats import ALONE
from cairn.base.settings import AugmentSettings, FinetuneSettings, TopSettings
from cairn.images.pixels import encode_jpeg
from cairn.images.store import FolderStore
from cairn.models.folders import BackboneConfig
from cairn.models.networks import build_network
from cairn.training.descriptor_net import DescriptorNet, Layers, map_shape_of
from cairn.training.input import TrainImages
from cairn.training.landmark_heads import CosineHead, SoftmaxHead, random_start
from cairn.training.loop import Loop
from cairn.training.optimising import Parts
from cairn.training.ranks import Ranks

N_LANDMARKS, N_PHOTOS, SIDE_PX = 4, 6, 48
CONFIG = BackboneConfig.model_validate(
    {
        "architecture": "test_resnet",
        "num_classes": 0,
        "num_features": 384,
        "pretrained_cfg": {
            "input_size": [3, 160, 160], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        },
    }
)  # fmt: skip
PLAIN = AugmentSettings(
    side_px=SIDE_PX, area=(0.7, 1.0), blur_chance=0, jpeg_chance=0, erase_chance=0
)
QUICK = FinetuneSettings(
    epochs=3, batch_images=8, learning_rate=3e-3, network_rate=1.0, frozen_epochs=0, workers=0,
    arithmetic="fp32", sampling="as they are", norms="learn",
)  # fmt: skip


def photo(landmark: int, number: int) -> bytes:
    """A photo of a landmark, which is a pattern of blocks, seen in some light."""
    rng = np.random.default_rng(landmark)
    blocks = rng.integers(0, 256, (4, 4, 3)).repeat(20, axis=0).repeat(20, axis=1)
    own = np.random.default_rng([landmark, number])
    noisy = blocks * own.uniform(0.7, 1.1) + own.normal(0, 12, blocks.shape)
    return encode_jpeg(noisy.clip(0, 255).astype(np.uint8), quality=90)


def drawn_images(folder: Path) -> TrainImages:
    """The photos of all landmarks, as files."""
    ids, targets = [], []
    for landmark in range(N_LANDMARKS):
        for number in range(N_PHOTOS):
            ids.append(f"{landmark}-{number}")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{ids[-1]}.jpg").write_bytes(photo(landmark, number))
            targets.append([landmark])
    return TrainImages(tuple(ids), tuple(f"{one}.jpg" for one in ids), np.array(targets))


def backbone_folder(folder: Path) -> Path:
    """A backbone folder with the weights of the tiny network, which has learnt nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(CONFIG.model_dump_json())
    network = build_network(CONFIG, None)
    tensors = {name.removeprefix("model."): value.contiguous() for name, value in network.state_dict().items()}  # fmt: skip
    save_file(tensors, folder / "model.safetensors")
    return folder


def landmark_photos(folder: Path, *, n_photos: int = 10) -> Path:
    """A folder for each landmark with its photos."""
    for landmark in range(N_LANDMARKS):
        (folder / f"landmark_{landmark}").mkdir(parents=True)
        for number in range(n_photos):
            path = folder / f"landmark_{landmark}/{number}.jpg"
            path.write_bytes(photo(landmark, number))
    return folder


def small_parts(top: TopSettings, *, seed: int = 0) -> Parts:
    """A tiny network with random weights, and a head for the landmarks."""
    network = build_network(CONFIG, None)
    net = DescriptorNet(network, map_shape_of(network, SIDE_PX), top)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = DescriptorNet(network, map_shape_of(network, SIDE_PX), top)
    if top.head == "softmax":
        start = random_start(N_LANDMARKS, net.width, generator=generator)
        return Parts(net, SoftmaxHead(start), Layers.of(network.model))
    start = random_start(N_LANDMARKS, top.centres, net.width, generator=generator)
    return Parts(net, CosineHead(start, scale=top.scale), Layers.of(network.model))


def small_loop(
    folder: Path, settings: FinetuneSettings = QUICK, top: TopSettings | None = None,
    ranks: Ranks | None = None,
) -> Loop:  # fmt: skip
    """A training in `folder` on drawn photos, judged by the share of right answers on the very photos."""
    ranks = ranks or Ranks(ALONE, torch.device("cpu"))
    photos = folder / f"photos{ranks.seat.rank or ''}"
    images = drawn_images(photos)
    store = FolderStore(photos)
    top = top or TopSettings(neck_width=32, head="softmax")

    def judge(parts: Parts) -> tuple[float, dict[str, float]]:
        right = share_right(parts, images, store)
        return right, {"right": right}

    return Loop(
        small_parts(top), images, settings, PLAIN, folder / "training", store,
        torch.tensor([0.5] * 3), torch.tensor([0.25] * 3), judge, ranks=ranks,
    )  # fmt: skip


def share_right(parts: Parts, images: TrainImages, store: FolderStore) -> float:
    """The share of the images whose landmark has the highest logit."""
    from cairn.images.store import read_pixels

    seen = [read_pixels(store, path)[16:64, 16:64] for path in images.paths]
    pixels = (torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        logits = parts.head.logits(parts.net(pixels))  # type: ignore[operator]  # both heads have it
    return float((logits.argmax(dim=1) == torch.from_numpy(images.targets[:, 0])).float().mean())
