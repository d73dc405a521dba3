"""What the input bench needs torch for: torchvision's way to the same batches, and a small training to feed them to."""

import functools
import io
from collections.abc import Generator, Iterator
from pathlib import Path

import timm
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from cairn.base.settings import AugmentSettings, FinetuneSettings, TopSettings
from cairn.base.settings.recipes import Recipe
from cairn.models.folders import BackboneConfig
from cairn.training.descriptor_net import normalised
from cairn.training.finetuning import make_parts
from cairn.training.input import TrainImages
from cairn.training.machine import arithmetic_of
from cairn.training.optimising import optimizer_of

# Pixels uint8 [B, S, S, 3] and the landmark of each [B].
Fed = tuple[Tensor, Tensor]
_ENDLESS = 1 << 40


def has_gpu() -> bool:
    """Whether torch can use a GPU."""
    return torch.cuda.is_available()


def torchvision_batches(
    folder: Path, settings: AugmentSettings, *, n_images: int, n_workers: int, is_cut_only: bool
) -> Generator[Fed]:
    """Batches of `n_images` from torchvision's ImageFolder and torch's DataLoader, without end.

    settings: what its own transforms are given, as far as they know it. is_cut_only: cut and made smaller, no more.
    """
    kinds = [_cut(settings), v2.PILToTensor()] if is_cut_only else _transforms(settings)
    images = ImageFolder(str(folder), v2.Compose(kinds))
    loader = DataLoader(
        images,
        batch_size=n_images,
        sampler=RandomSampler(images, replacement=True, num_samples=_ENDLESS),
        num_workers=n_workers,
        multiprocessing_context="forkserver" if n_workers else None,
        pin_memory=has_gpu(),
    )
    for pixels, targets in loader:
        yield pixels.permute(0, 2, 3, 1), targets


def _cut(settings: AugmentSettings) -> v2.Transform:
    return v2.RandomResizedCrop(settings.side_px, scale=settings.area, ratio=settings.aspect)


def _transforms(settings: AugmentSettings) -> list[v2.Transform]:
    """The same kinds with the same ranges, on Pillow's images, where colours are quicker than on tensors."""
    blur = v2.GaussianBlur(9, settings.blur_px)
    stored = v2.Lambda(functools.partial(_stored, settings.jpeg_quality))
    colours = v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation)
    return [
        _cut(settings),
        v2.RandomRotation(settings.rotation_deg, v2.InterpolationMode.BILINEAR),
        v2.RandomApply([blur], settings.blur_chance),
        colours,
        v2.RandomApply([stored], settings.jpeg_chance),
        v2.PILToTensor(),
        v2.RandomErasing(settings.erase_chance, settings.erase_area, (0.5, 2.0)),
    ]


def _stored(quality: tuple[int, int], image: Image.Image) -> Image.Image:
    """Stored as JPEG once more: torchvision is about to lose its own transform for that."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(torch.randint(quality[0], quality[1] + 1, ())))
    return Image.open(buffer).convert("RGB")


def synthetic_batches(side_px: int, *, n_images: int, n_landmarks: int) -> Iterator[Fed]:
    """One batch of chance pixels, again and again."""
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0, 256, (n_images, side_px, side_px, 3), dtype=torch.uint8, generator=rng
    )
    targets = torch.randint(0, n_landmarks, (n_images,), generator=rng)
    if has_gpu():
        pixels, targets = pixels.pin_memory(), targets.pin_memory()
    while True:
        yield pixels, targets


class SmallTraining:
    """A network of timm with neck and softmax head that takes one step after the other, on a GPU where there is one."""

    def __init__(self, backbone: str, train: TrainImages, side_px: int) -> None:
        """From random weights: they are as quick as any.

        Raises BundleError where timm knows no such network.
        """
        self.device = torch.device("cuda" if has_gpu() else "cpu")
        augmenting = AugmentSettings(side_px=side_px)
        recipe = Recipe("bench", augmenting, TopSettings(), FinetuneSettings(frozen_epochs=0))
        self._parts = make_parts(train, recipe, config=_config(backbone, side_px), weights=None)
        for part in (self._parts.net, self._parts.head):
            part.to(self.device).to(memory_format=torch.channels_last).train()
        self._parts.freeze(recipe.finetune, epoch=0)
        self._optimizer = optimizer_of(self._parts, recipe.finetune)
        self.arithmetic = arithmetic_of("auto", self.device)
        self._mean = torch.full((3,), 0.5, device=self.device)

    def take(self, batches: Iterator[Fed], n_steps: int) -> None:
        """So many steps; all of them are done when it returns."""
        for _ in range(n_steps):
            self._step(*next(batches))
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _step(self, pixels: Tensor, targets: Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        seen = normalised(pixels.to(self.device, non_blocking=True), self._mean, self._mean / 2)
        is_whole = self.arithmetic == torch.float32
        with torch.autocast(self.device.type, self.arithmetic, enabled=not is_whole):
            descriptors = self._parts.net(seen)
        losses = self._parts.head(descriptors.float(), targets[:, None])
        torch.autograd.backward(losses.mean())
        self._optimizer.step()


def _config(backbone: str, side_px: int) -> BackboneConfig:
    width = timm.create_model(backbone, num_classes=0).num_features
    half = [0.5, 0.5, 0.5]
    return BackboneConfig.model_validate(
        {
            "architecture": backbone, "num_features": width,
            "pretrained_cfg": {"input_size": [3, side_px, side_px], "mean": half, "std": half},
        }
    )  # fmt: skip
