"""The loop of training: learns, goes on to the bit after a break, keeps the best, and says why it stops."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.base.settings import FinetuneSettings, TopSettings  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.training.checkpoints import read_checkpoint  # noqa: E402
from cairn.training.loop import BEST, LAST, LOG, Loop  # noqa: E402
from cairn.training.telling import read_log  # noqa: E402
from tests.training.small_training import QUICK, small_loop  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.slow


def changed(**settings: object) -> FinetuneSettings:
    return FinetuneSettings.model_validate(QUICK.as_json() | settings)


def weights(folder: Path) -> dict[str, "Tensor"]:
    kept = read_checkpoint(folder / "training" / LAST)
    assert kept is not None
    return dict(kept.tensors)


def differing(one: Path, other: Path) -> list[str]:
    """The names of tensors that are not the same to the bit."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]


TOPS = {
    "softmax": TopSettings(neck_width=32, head="softmax"),
    "arcface": TopSettings(neck_width=32, head="arcface", centres=3, scale=10),
    "dense": TopSettings(neck_width=0, dense=(24, 16), top_pooling="flatten"),
}

EPOCHS = {"softmax": 20, "arcface": 40, "dense": 25}


@pytest.mark.parametrize("name", TOPS)
def test_a_few_photos_are_learnt_by_heart(tmp_path: Path, name: str) -> None:
    loop = small_loop(tmp_path, changed(epochs=EPOCHS[name]), TOPS[name])
    outcome = loop.run(Silent())
    assert outcome.because == "all epochs"
    assert outcome.n_steps == EPOCHS[name] * 3
    assert outcome.best == 1.0


def broken_off(folder: Path, settings: FinetuneSettings, n_steps: int) -> None:
    """Trains for so many steps, saves, and goes away."""
    loop = small_loop(folder, settings)
    plain = Loop._step
    done = 0

    def step(self: Loop, seen: object) -> float:
        nonlocal done
        if done == n_steps:
            raise KeyboardInterrupt
        done += 1
        return plain(self, seen)  # type: ignore[arg-type]

    loop._step = step.__get__(loop)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        loop.run(Silent())


@pytest.mark.parametrize("given", [{"ema": 0.0}, {"ema": 0.9}, {"sampled_landmarks": 3}])
def test_a_run_broken_off_anywhere_ends_at_the_very_weights_of_an_undisturbed_one(
    tmp_path: Path, given: dict[str, object]
) -> None:
    plain = {
        "save_s": 0,
        "frozen_epochs": 1,
        "growing": "0.5:32",
        "optimizer": "adamw",
        "batch_images": 6,
    }
    settings = changed(**plain, **given)
    small_loop(tmp_path / "whole", settings).run(Silent())
    for n_steps in (1, 3, 3):
        broken_off(tmp_path / "broken", settings, n_steps)
    small_loop(tmp_path / "broken", settings).run(Silent())
    assert differing(tmp_path / "whole", tmp_path / "broken") == []


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    small_loop(tmp_path / "none", changed(epochs=2)).run(Silent())
    small_loop(tmp_path / "two", changed(epochs=2, workers=2)).run(Silent())
    assert differing(tmp_path / "none", tmp_path / "two") == []


KILLED = """
import sys
from pathlib import Path
from cairn.base.settings import FinetuneSettings
from cairn.base.watching import Silent
from tests.training.small_training import small_loop
small_loop(Path(sys.argv[1]), FinetuneSettings.model_validate_json(sys.argv[2])).run(Silent())
"""


def test_a_run_killed_in_the_middle_of_an_epoch_ends_at_the_very_weights(tmp_path: Path) -> None:
    settings = changed(epochs=15)
    saving = changed(epochs=15, save_s=0)
    asked = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), json.dumps(saving.as_json())]
    threads = torch.get_num_threads()
    process = subprocess.Popen(asked, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    last = tmp_path / "killed/training" / LAST
    until = time.monotonic() + 60
    while not last.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = read_checkpoint(last)
    assert kept is not None
    assert 0 < int(str(kept.progress["step"])) < 45
    small_loop(tmp_path / "killed", settings).run(Silent())
    small_loop(tmp_path / "whole", settings).run(Silent())
    assert differing(tmp_path / "whole", tmp_path / "killed") == []


def test_a_run_that_had_ended_for_want_of_patience_learns_no_more_when_taken_up(
    tmp_path: Path,
) -> None:
    settings = changed(epochs=60, patience=1)
    first = small_loop(tmp_path, settings).run(Silent())
    assert first.because == "no better score"
    kept = weights(tmp_path)
    again = small_loop(tmp_path, settings).run(Silent())
    assert (again.because, again.n_steps, again.best) == (first.because, first.n_steps, first.best)
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights(tmp_path).items())


def test_what_is_frozen_stays_as_it_is_to_the_bit(tmp_path: Path) -> None:
    before = {
        name: value.clone() for name, value in small_loop(tmp_path).parts.model.state_dict().items()
    }
    loop = small_loop(tmp_path, changed(frozen=1.0, epochs=2))
    loop.run(Silent())
    after = loop.parts.model.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_a_loss_that_is_no_number_is_told_and_the_checkpoint_stays(tmp_path: Path) -> None:
    small_loop(tmp_path, changed(epochs=1)).run(Silent())
    loop = small_loop(tmp_path, changed(epochs=3))
    with torch.no_grad():
        loop._take_up(Silent())
        kept = weights(tmp_path)
        next(iter(loop.parts.head.parameters())).fill_(float("nan"))
    loop._take_up = lambda watch: None  # type: ignore[method-assign]
    with pytest.raises(InputError, match="the loss of step 3 is nan; a number was expected"):
        loop.run(Silent())
    assert weights(tmp_path).keys() == kept.keys()
    assert all(bool(torch.isfinite(value).all()) for value in weights(tmp_path).values())


def test_it_ends_after_its_time_and_goes_on_from_there(tmp_path: Path) -> None:
    outcome = small_loop(tmp_path, changed(time="0.001s")).run(Silent())
    assert (outcome.because, outcome.n_steps) == ("time", 1)
    assert small_loop(tmp_path, changed(epochs=1)).run(Silent()).n_steps == 3


def test_it_ends_where_nothing_gets_better(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, changed(epochs=9, patience=2))
    loop.judge = lambda parts: (0.5, {})
    outcome = loop.run(Silent())
    assert (outcome.because, outcome.best_epoch, outcome.n_steps) == ("no better score", 1, 9)


def test_the_running_mean_answers_by_its_own_weights(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, changed(ema=0.9))
    pixels = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        before = loop.judged().net(pixels)
        for parameter in loop.parts.model.parameters():
            parameter.add_(1)
        assert torch.equal(loop.judged().net(pixels), before)


def test_the_best_epoch_is_kept_and_every_step_is_told(tmp_path: Path) -> None:
    loop = small_loop(tmp_path)
    scores = iter([0.2, 0.9, 0.4])
    loop.judge = lambda parts: (next(scores), {"more": 1.0})
    outcome = loop.run(Silent())
    assert (outcome.best, outcome.best_epoch) == (0.9, 2)
    best = read_checkpoint(tmp_path / "training" / BEST)
    assert best is not None
    assert best.progress["step"] == 6
    told = list(read_log(tmp_path / "training" / LOG))
    assert [line["score"] for line in told if "score" in line] == [0.2, 0.9, 0.4]
    steps = [line for line in told if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 10))
    assert all(line["gradient_norm"] and line["images_per_s"] for line in steps)
    loop.load_best()
    ours = loop._stepper.both.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in best.of("both").items())


def test_an_epoch_is_saved_before_anybody_is_told_of_it(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, changed(epochs=2))

    def fails() -> None:
        raise InputError("the page cannot be written")

    loop.after_epoch = fails
    with pytest.raises(InputError, match="cannot be written"):
        loop.run(Silent())
    kept = read_checkpoint(loop.folder / LAST)
    assert kept is not None
    assert kept.progress["step"] == loop.n_steps / 2


def test_images_that_have_gone_are_left_out_and_many_of_them_stop_it(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, changed(epochs=1))
    loop.judge = lambda parts: (0.5, {})
    (tmp_path / "photos/0-0.jpg").unlink()
    assert loop.run(Silent()).n_lost == 1
    loop = small_loop(tmp_path, changed(epochs=9))
    for path in (tmp_path / "photos").glob("[12]-*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="images could not be read; hardly any was expected"):
        loop.run(Silent())


def test_a_running_mean_follows_the_weights_in_a_short_training(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, changed(epochs=20, ema=0.999))
    assert loop.run(Silent()).best == 1.0
