"""The loop: steps over batches, one after the other, that can be broken off anywhere and taken up again to the bit."""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings, FinetuneSettings
from cairn.base.settings.recipes import ALL_EPOCHS, NO_BETTER, OUT_OF_TIME
from cairn.base.watching import Watch
from cairn.images.store import ImageStore
from cairn.training.checkpoints import read_checkpoint, restore, write_checkpoint
from cairn.training.input import Seen, Sides, TrainImages, batches_seen
from cairn.training.machine import workers_of
from cairn.training.optimising import Parts, Rates
from cairn.training.order import Order
from cairn.training.ranks import Ranks
from cairn.training.stepping import LEAST_IMAGES, Stepper
from cairn.training.telling import Log

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"
EVENTS = "tensorboard"
_MOST_LOST = 0.01
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

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

    mean, deviation: [3], what pixels are normalised with. ranks: who trains together, and where it is computed; each has
    a loop of its own, and rank 0 alone writes. on_best: is called when an epoch was judged that is the best so far,
    before that is saved; after_epoch: when an epoch is judged and saved; both on rank 0 alone.
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
    on_best: Callable[[], None] = lambda: None
    after_epoch: Callable[[], None] = lambda: None
    ranks: Ranks = field(default_factory=Ranks.alone)

    def __post_init__(self) -> None:
        mains = self.images.targets[:, 0]
        self._order = Order(
            self.images.image_ids, mains, self.settings.sampling, self.settings.seed
        )
        self._steps_an_epoch = self._order.n_batches(self.settings.batch_images)
        self.n_steps = self.settings.epochs * self._steps_an_epoch
        self._rates = Rates(self.n_steps, self.settings.warmup, self.settings.decay)
        self._stepper = Stepper(
            self.parts, self.settings, self.mean, self.deviation, self._steps_an_epoch, self.ranks,
        )  # fmt: skip
        self._progress = _Progress()
        self._log = Log(self.folder / LOG, self.folder / EVENTS)
        self._n_lost = self._n_read = 0

    def run(self, watch: Watch) -> Outcome:
        """Trains to the end, from the last checkpoint where there is one.

        Raises InputError where the loss is no number any more or too many images cannot be read, DiskError where the
        disk is full; the checkpoints stay.
        """
        self._take_up(watch)
        # A kill between the last checkpoint and what comes after it does not undo that nothing got better.
        had_ended = self._progress.step > 0 and self._is_idle()
        because = NO_BETTER if had_ended else ALL_EPOCHS
        started = saved = before = time.monotonic()
        limit_s = seconds_of(self.settings.time)
        already_s = self._progress.seconds
        with watch.phase("train the network", self.n_steps) as advance:
            advance(self._progress.step)
            for seen in () if had_ended else self._batches():
                loss = self._step(seen)
                self._progress.step += 1
                now = time.monotonic()
                self._progress.seconds = already_s + now - started
                advance(1)
                self._tell_step(loss, n_images=seen.batch.n_together, took_s=now - before)
                # Clocks differ: that of rank 0 counts.
                is_over, is_due = self.ranks.as_first(
                    [now - started >= limit_s, now - saved >= self.settings.save_s]
                )
                if self._progress.step % self._steps_an_epoch == 0:
                    self._end_epoch()
                    saved = now
                elif is_over or is_due:
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
            self._progress.step, self.settings.batch_images, self.ranks.seat.rank, self.ranks.world,
            last="filled", n_parts=self._stepper.n_parts,
        )  # fmt: skip
        seen = batches_seen(
            self.images,
            (batch for batch, _ in zip(given, range(n_left), strict=False)),
            store=self.store,
            augmenting=self.augmenting,
            side_of=Sides(self.n_steps, self.augmenting.side_px, self.settings.growing),
            n_workers=workers_of(self.settings.workers, self.ranks.seat),
            is_pinned=self.ranks.device.type == "cuda",
        )
        with contextlib.closing(seen):
            yield from seen

    def _step(self, seen: Seen) -> float:
        """One step; the mean loss of its images, on all ranks."""
        step = seen.batch.step
        n_seen, n_lost = map(int, self.ranks.summed([len(seen.pixels), seen.n_lost]))
        self._count_lost(n_seen, n_lost)
        if n_seen < LEAST_IMAGES:
            return math.nan
        loss = self._stepper.gradients(seen, n_seen, self._rates.at(step))
        self._require_number(loss, step)
        self._stepper.take()
        return loss

    def _require_number(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise self.ranks.told(
                InputError(
                    f"the loss of step {step:,} is {loss}; a number was expected; the checkpoints before it are kept "
                    f"in {self.folder}: run again with a lower --learning-rate, --clip-norm 1 or --arithmetic fp32"
                )
            )

    def _count_lost(self, n_seen: int, n_lost: int) -> None:
        self._n_lost += n_lost
        self._n_read += n_seen
        if self._n_lost > max(10, _MOST_LOST * self._n_read):
            raise self.ranks.told(
                InputError(
                    f"{self._n_lost:,} of {self._n_lost + self._n_read:,} images could not be read; hardly any was expected, "
                    "as all were checked when they were kept; bring the photos back, or import them again"
                )
            )

    def _tell_step(self, loss: float, *, n_images: int, took_s: float) -> None:
        progress = self._progress
        if not self.ranks.leads:
            return
        self._log.tell(
            "train", step=progress.step, epoch=progress.step / self._steps_an_epoch, loss=loss,
            learning_rate=self.settings.learning_rate * self._rates.at(progress.step - 1),
            images_per_s=n_images / max(took_s, 1e-9), gradient_norm=self._stepper.gradient_norm,
            seconds=progress.seconds,
        )  # fmt: skip

    def _end_epoch(self) -> None:
        """Judges what was learnt, keeps it where it is the best so far, and saves."""
        epoch = self._progress.step // self._steps_an_epoch
        score, told = self.judge(self.judged())
        is_best = bool(self.ranks.as_first([score > self._progress.best])[0])
        if is_best:
            self._progress.best, self._progress.best_epoch = score, epoch

        def keep() -> None:
            if is_best:
                self._write(self.folder / BEST, {"both": self._stepper.chosen().state_dict()})
            self._log.tell(
                "val", step=self._progress.step, epoch=float(epoch), score=score, **told,
                seconds=self._progress.seconds,
            )  # fmt: skip
            if is_best:
                self.on_best()

        self.ranks.lead(keep)
        self._save()
        self.ranks.lead(self.after_epoch)

    def _is_idle(self) -> bool:
        patience = self.settings.patience
        epoch, rest = divmod(self._progress.step, self._steps_an_epoch)
        return bool(patience) and rest == 0 and epoch - self._progress.best_epoch >= patience

    def judged(self) -> Parts:
        """Network and head as they would be used, ready to answer."""
        net, head = self._stepper.chosen().eval().children()
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
        restore(self._stepper.both, kept.of("both"), path=path)

    def _save(self) -> None:
        def write() -> None:
            self._log.flush()
            self._write(self.folder / LAST, self._stepper.tensors())

        self.ranks.lead(write)

    def _write(self, path: Path, parts: dict[str, dict[str, Tensor]]) -> None:
        write_checkpoint(path, parts, self._progress.as_json())

    def _take_up(self, watch: Watch) -> None:
        """Goes back to the last checkpoint, where there is one; what was told after it is forgotten."""
        kept = read_checkpoint(self.folder / LAST)
        self.ranks.require_same(
            0 if kept is None else int(str(kept.progress["step"])), "checkpoints"
        )
        if kept is None:
            self.ranks.lead(lambda: self._log.keep_until(0))
            return
        self._stepper.restore(kept)
        told = kept.progress
        best = told["best"]
        self._progress = _Progress(
            int(str(told["step"])), -math.inf if best is None else float(str(best)),
            int(str(told["best_epoch"])), float(str(told["seconds"])),
        )  # fmt: skip
        self.ranks.lead(lambda: self._log.keep_until(self._progress.step))
        watch.note(f"going on after step {self._progress.step:,} of {self.n_steps:,}")


def seconds_of(text: str) -> float:
    """`8h` in seconds; infinite for no limit."""
    return float(text[:-1]) * _UNITS_S[text[-1]] if text else math.inf
