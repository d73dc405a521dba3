"""What `cairn train --dry-run` and `--find-rate` do, in words: a training tried before it begins."""

from typing import TYPE_CHECKING

from cairn.base.checks import counted
from cairn.base.settings import DescribeSettings
from cairn.base.settings.recipes import Recipe
from cairn.cli.display import TerminalWatch, say, table, warn
from cairn.cli.flags import Option
from cairn.pipeline.trying import TriedHere, find_rate_first, try_first

if TYPE_CHECKING:
    from cairn.training.trying import Stretch, Tried

_EVERY = 5
DRY_RUN = Option(
    "--dry-run", "with a recipe: take some batches through everything, say what training will take, and change nothing", is_switch=True
)  # fmt: skip
FIND_RATE = Option(
    "--find-rate", "with a recipe: some steps on a copy at rates that rise, to say which --learning-rate to train with", is_switch=True
)  # fmt: skip


def find_rate(
    work: str, name: str, recipe: Recipe, describing: DescribeSettings, again: str
) -> int:
    """The rate to train with, on stdout. again: the command that trains."""
    done = find_rate_first(
        work, name=name, recipe=recipe, describing=describing, watch=TerminalWatch()
    )
    found = done.found
    rows = [
        (f"{rate:.1e}", f"{loss:.4f}", f"{mean:.4f}")
        for rate, loss, mean in zip(found.rates, found.losses, found.smoothed, strict=True)
    ]
    say(table(("rate", "loss", "smoothed"), [*rows[::_EVERY], *rows[-1:]]))
    say(f"\n{table(('what', 'rate'), found.told())}")
    say(f"report: {done.report}")
    say(f"next: {again} --learning-rate {found.suggested:g}")
    return 0


def dry_run(work: str, recipe: Recipe, describing: DescribeSettings, again: str) -> int:
    """What training will take, on stdout; warnings on stderr. again: the command that trains."""
    found = try_first(work, recipe=recipe, describing=describing, watch=TerminalWatch())
    say(tried(found))
    for warning in found.warnings:
        warn(f"note: {warning}")
    say("nothing was changed")
    say(f"next: {again}")
    return 0


def tried(found: TriedHere) -> str:
    """What was tried, as tables."""
    what, settings = found.tried, found.recipe.finetune
    head = (
        f"{counted(what.n_images, 'image')} of {counted(what.n_landmarks, 'landmark')} to learn from, "
        f"{counted(what.n_val, 'image')} to judge by ({counted(what.n_distractors, 'distractor')} among them)\n"
        f"{counted(settings.epochs, 'epoch')} of {counted(what.steps_an_epoch, 'step')}, {counted(settings.batch_images, 'image')} each; "
        f"{what.n_parameters:,} parameters; descriptors of {what.width} numbers; {what.arithmetic} on the {what.device}"
    )
    columns = ("steps", "side px", "parameters that learn", "forward + backward s", "optimiser s", "step with input s", "images/s")  # fmt: skip
    rows = [_row(what, one, settings.batch_images) for one in what.stretches]
    return f"{head}\n\n{table(columns, rows)}\n\n{table(('what', 'takes'), _costs(found))}\n"


def _row(what: "Tried", stretch: "Stretch", batch_images: int) -> tuple[str, ...]:
    steps, step_s = stretch.steps, what.step_s(stretch)
    return (
        f"{steps.start + 1:,} to {steps.stop:,}", str(stretch.side_px), f"{stretch.n_learning:,}", f"{stretch.took.learn_s:.3f}",
        f"{stretch.took.step_s:.3f}", f"{step_s:.3f}", f"{batch_images / step_s:.1f}",
    )  # fmt: skip


def _costs(found: TriedHere) -> list[tuple[str, str]]:
    what, costs = found.tried, found.tried.costs
    return [
        ("input of a step", f"{costs.decode_s:.3f} s of one processor, {counted(what.n_workers, 'worker')}; {costs.workers_s:.1f} s until the first was there"),
        ("val, after each epoch", _time(costs.judge_s)),
        ("the last epoch, val and checkpoint with it", _time(what.epoch_s)),
        ("all epochs", _time(what.run_s)),
        ("the network as ONNX, checked", _time(costs.export_s)),
        ("memory of the GPU, at most" if what.on_gpu else "memory of this process, at most", f"{_gb(costs.peak_bytes)} of {_gb(costs.memory_bytes)}"),
        ("checkpoints and network on the disk", f"{_gb(costs.disk_bytes)} ({_gb(costs.checkpoint_bytes)} to go on from)"),
        ("descriptors of all images", _gb(found.descriptor_bytes)),
        ("free on the disk", _gb(found.free_bytes)),
    ]  # fmt: skip


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    """Seconds as people say them: `40 s`, `12 min`, `3.5 h`, `2.1 days`."""
    for unit_s, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"
