"""The loop: steps over batches, one after the other, that can be broken off anywhere and taken up again to the bit."""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings, FinetuneSettings
from cairn.base.settings.recipes import ALL_EPOCHS, NO_BETTER, OUT_OF_TIME
from cairn.base.watching import Watch
from cairn.images.store import ImageStore
from cairn.training.checkpoints import (
    optimizer_tensors,
    read_checkpoint,
    restore,
    restore_optimizer,
    write_checkpoint,
)
from cairn.training.descriptor_net import hold_still, normalised
from cairn.training.input import Seen, Sides, TrainImages, batches_seen
from cairn.training.keys import purpose
from cairn.training.machine import arithmetic_of, workers_of
from cairn.training.optimising import Parts, Rates, optimizer_of, set_rates
from cairn.training.order import Order
from cairn.training.telling import Log

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"
EVENTS = "tensorboard"
# Batch norm cannot learn from one image.
_LEAST_IMAGES = 2
_MOST_LOST = 0.01
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Tensors = tuple[Tensor, ...] | list[Tensor]
# What the network and its head are worth on val: the larger the better; and what else there is to tell.
Judge = Callable[[Parts], tuple[float, dict[str, float]]]


@dataclass(frozen=True)
class Outcome:
    """How training ended.

    because: "all epochs", "time" or "no better score". best: the best score on val, and after which epoch it was.
    n_lost: images that could not be read and were left out, in this run.
    """

    because: str
    n_steps: int
    best: float
    best_epoch: int
    n_lost: int


@dataclass
class _Progress:
    step: int = 0
    best: float = -math.inf
    best_epoch: int = -1
    seconds: float = 0.0

    def as_json(self) -> dict[str, float | int | None]:
        best = self.best if math.isfinite(self.best) else None
        return {
            "step": self.step,
            "best": best,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
        }


@dataclass
class Loop:
    """A training that lies in `folder`: `last.safetensors` to go on from, `best.safetensors`, `log.jsonl`, `tensorboard/`.

    mean, deviation: [3], what pixels are normalised with. device: where it is computed. after_epoch: is called when an
    epoch was judged, with whether it is the best so far, before that is saved.
    """

    parts: Parts
    images: TrainImages
    settings: FinetuneSettings
    augmenting: AugmentSettings
    folder: Path
    store: ImageStore
    mean: Tensor
    deviation: Tensor
    judge: Judge
    after_epoch: Callable[[bool], None] = lambda is_best: None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        both = nn.ModuleList([self.parts.net, self.parts.head])
        self._both = both.to(self.device).to(memory_format=torch.channels_last)
        self.mean, self.deviation = self.mean.to(self.device), self.deviation.to(self.device)
        mains = self.images.targets[:, 0]
        self._order = Order(
            self.images.image_ids, mains, self.settings.sampling, self.settings.seed
        )
        self._steps_an_epoch = self._order.n_batches(self.settings.batch_images)
        self.n_steps = self.settings.epochs * self._steps_an_epoch
        self._rates = Rates(self.n_steps, self.settings.warmup, self.settings.decay)
        self._optimizer = optimizer_of(self.parts, self.settings)
        self._running = _running_mean(self._both, self.settings.ema, lambda: self._progress.step)
        self._type = arithmetic_of(self.settings.arithmetic, self.device)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self._type == torch.float16)
        self._progress = _Progress()
        self._log = Log(self.folder / LOG, self.folder / EVENTS)
        self._gradient_norm = math.nan
        self._n_lost = self._n_read = 0

    def run(self, watch: Watch) -> Outcome:
        """Trains to the end, from the last checkpoint where there is one.

        Raises InputError where the loss is no number any more or too many images cannot be read, DiskError where the
        disk is full; the checkpoints stay.
        """
        self._take_up(watch)
        because = ALL_EPOCHS
        started = saved = before = time.monotonic()
        limit_s = seconds_of(self.settings.time)
        already_s = self._progress.seconds
        with watch.phase("train the network", self.n_steps) as advance:
            advance(self._progress.step)
            for seen in self._batches():
                loss = self._step(seen)
                self._progress.step += 1
                now = time.monotonic()
                self._progress.seconds = already_s + now - started
                advance(1)
                self._tell_step(loss, n_images=len(seen.pixels), took_s=now - before)
                is_over = limit_s is not None and now - started >= limit_s
                if self._progress.step % self._steps_an_epoch == 0:
                    self._end_epoch()
                    saved = now
                elif is_over or now - saved >= self.settings.save_s:
                    self._save()
                    saved = now
                if is_over or self._is_idle():
                    because = OUT_OF_TIME if is_over else NO_BETTER
                    break
                before = time.monotonic()
        return Outcome(
            because,
            self._progress.step,
            self._progress.best,
            self._progress.best_epoch,
            self._n_lost,
        )

    def _batches(self) -> Generator[Seen]:
        """The batches from here to the end; their workers end with them."""
        n_left = self.n_steps - self._progress.step
        if not n_left:
            return
        given = self._order.from_step(
            self._progress.step, self.settings.batch_images, last="filled"
        )
        seen = batches_seen(
            self.images,
            (batch for batch, _ in zip(given, range(n_left), strict=False)),
            store=self.store,
            augmenting=self.augmenting,
            side_of=Sides(self.n_steps, self.augmenting.side_px, self.settings.growing),
            n_workers=workers_of(self.settings.workers),
            is_pinned=self.device.type == "cuda",
        )
        with contextlib.closing(seen):
            yield from seen

    def _step(self, seen: Seen) -> float:
        """One step; the mean loss of its images."""
        settings, step = self.settings, seen.batch.step
        # What chance there is in the network hangs on the step alone, so that a broken run goes on as if it had not been.
        torch.manual_seed(int(purpose("step", settings.seed, step)) >> 1)
        self.parts.freeze(settings, epoch=step // self._steps_an_epoch)
        self._both.train()
        hold_still(self.parts.net.maps, norms_too=settings.norms == "still")
        set_rates(self._optimizer, settings.learning_rate, self._rates.at(step))
        self._count_lost(seen)
        self._gradient_norm = math.nan
        n_images = len(seen.pixels)
        if n_images < _LEAST_IMAGES:
            return math.nan
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        n_parts = min(settings.accumulate, n_images // _LEAST_IMAGES)
        for places in np.array_split(np.arange(n_images), n_parts):
            part = slice(int(places[0]), int(places[-1]) + 1)
            losses = self._losses(seen.pixels[part], seen.targets[part])
            loss = losses.sum() / n_images
            torch.autograd.backward(self._scaler.scale(loss))
            total += loss.detach()
        self._require_number(total, step)
        self._scaler.unscale_(self._optimizer)
        if settings.clip_norm:
            norm = nn.utils.clip_grad_norm_(self._both.parameters(), settings.clip_norm)
            self._gradient_norm = float(norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._running is not None:
            self._running.update_parameters(self._both)
        return float(total)

    def _losses(self, pixels: Tensor, targets: Tensor) -> Tensor:
        """[B]: the loss of each image."""
        is_whole = self._type == torch.float32
        on_device = pixels.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, self._type, enabled=not is_whole):
            descriptors = self.parts.net(normalised(on_device, self.mean, self.deviation))
        losses: Tensor = self.parts.head(descriptors.float(), targets)
        return losses

    def _require_number(self, loss: Tensor, step: int) -> None:
        if not math.isfinite(float(loss)):
            raise InputError(
                f"the loss of step {step:,} is {float(loss)}; a number was expected; the checkpoints before it are kept "
                f"in {self.folder}: run again with a lower --learning-rate, --clip-norm 1 or --arithmetic fp32"
            )

    def _count_lost(self, seen: Seen) -> None:
        self._n_lost += seen.n_lost
        self._n_read += len(seen.pixels)
        if self._n_lost > max(10, _MOST_LOST * self._n_read):
            raise InputError(
                f"{self._n_lost:,} of {self._n_lost + self._n_read:,} images could not be read; hardly any was expected, as all "
                "were checked when they were kept; bring the photos back, or import them again"
            )

    def _tell_step(self, loss: float, *, n_images: int, took_s: float) -> None:
        progress = self._progress
        self._log.tell(
            "train", step=progress.step, epoch=progress.step / self._steps_an_epoch, loss=loss,
            learning_rate=self.settings.learning_rate * self._rates.at(progress.step - 1),
            images_per_s=n_images / max(took_s, 1e-9), gradient_norm=self._gradient_norm,
            seconds=progress.seconds,
        )  # fmt: skip

    def _end_epoch(self) -> None:
        """Judges what was learnt, keeps it where it is the best so far, and saves."""
        epoch = self._progress.step // self._steps_an_epoch
        score, told = self.judge(self.judged())
        is_best = score > self._progress.best
        if is_best:
            self._progress.best, self._progress.best_epoch = score, epoch
            self._write(self.folder / BEST, {"both": self._chosen().state_dict()})
        self._log.tell(
            "val", step=self._progress.step, epoch=float(epoch), score=score, **told,
            seconds=self._progress.seconds,
        )  # fmt: skip
        self._log.flush()
        self.after_epoch(is_best)
        self._save()

    def _is_idle(self) -> bool:
        patience = self.settings.patience
        epoch, rest = divmod(self._progress.step, self._steps_an_epoch)
        return bool(patience) and rest == 0 and epoch - self._progress.best_epoch >= patience

    def _chosen(self) -> nn.Module:
        """Network and head as they would be used: the running mean where there is one."""
        return self._both if self._running is None else self._running.module

    def judged(self) -> Parts:
        """Network and head as they would be used, ready to answer."""
        net, head = self._chosen().eval().children()
        return Parts(net, head, self.parts.layers)  # type: ignore[arg-type]  # torch forgets the types of a list

    def load_best(self) -> None:
        """Network and head become those of the best epoch.

        Raises InputError where there is no best one.
        """
        path = self.folder / BEST
        kept = read_checkpoint(path)
        if kept is None:
            raise InputError(
                f"there is no {path}; the weights of a trained network were expected; train to the end of an epoch"
            )
        restore(self._both, kept.of("both"), path=path)

    def _save(self) -> None:
        parts = {
            "both": self._both.state_dict(),
            "optimizer": optimizer_tensors(self._optimizer),
            "scaler": {
                name: torch.tensor(value) for name, value in self._scaler.state_dict().items()
            },
        }
        if self._running is not None:
            parts["running"] = self._running.state_dict()
        self._log.flush()
        self._write(self.folder / LAST, parts)

    def _write(self, path: Path, parts: dict[str, dict[str, Tensor]]) -> None:
        write_checkpoint(path, parts, self._progress.as_json())

    def _take_up(self, watch: Watch) -> None:
        """Goes back to the last checkpoint, where there is one; what was told after it is forgotten."""
        path = self.folder / LAST
        kept = read_checkpoint(path)
        if kept is None:
            self._log.keep_until(0)
            return
        restore(self._both, kept.of("both"), path=path)
        restore_optimizer(self._optimizer, kept.of("optimizer"))
        if self._running is not None:
            restore(self._running, kept.of("running"), path=path)
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(
                {name: value.item() for name, value in kept.of("scaler").items()}
            )
        told = kept.progress
        best = told["best"]
        self._progress = _Progress(
            int(str(told["step"])), -math.inf if best is None else float(str(best)),
            int(str(told["best_epoch"])), float(str(told["seconds"])),
        )  # fmt: skip
        self._log.keep_until(self._progress.step)
        watch.note(f"going on after step {self._progress.step:,} of {self.n_steps:,}")


def _running_mean(both: nn.Module, share: float, n_done: Callable[[], int]) -> AveragedModel | None:
    """The running mean of weights and buffers; n_done: how many steps were taken before.

    In the first steps it keeps less, or a short training would end near the weights that it began with.
    """
    if not share:
        return None

    def mean(kept: Tensors, new: Tensors, n_averaged: Tensor | int) -> None:
        kept_share = min(share, (1 + n_done()) / (10 + n_done()))
        get_ema_multi_avg_fn(kept_share)(kept, new, n_averaged)  # type: ignore[no-untyped-call]

    return AveragedModel(both, multi_avg_fn=mean, use_buffers=True)


def seconds_of(text: str) -> float | None:
    """`8h` in seconds; None for no limit."""
    return float(text[:-1]) * _UNITS_S[text[-1]] if text else None
