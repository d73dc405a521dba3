"""Training by several processes: their gradients are those of one, and they end together."""

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402 - torch has to be there first

from cairn.base.errors import InputError  # noqa: E402
from cairn.base.settings import FinetuneSettings  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.cli.seating import seat_of  # noqa: E402
from cairn.training.checkpoints import read_checkpoint  # noqa: E402
from cairn.training.loop import LAST, LOG  # noqa: E402
from cairn.training.telling import read_log  # noqa: E402
from tests.training.rank_work import CASES, HEADS, begin, ended, gradients_of  # noqa: E402
from tests.training.small_training import QUICK, small_loop  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

slow = pytest.mark.slow


def changed(**settings: object) -> FinetuneSettings:
    return FinetuneSettings.model_validate(QUICK.as_json() | settings)


def apart(ours: "dict[str, Tensor]", theirs: "dict[str, Tensor]") -> float:
    """How far apart two vectors of named tensors are, as a share of the length of the second."""
    assert ours.keys() == theirs.keys()
    one, other = (torch.cat([parts[name].flatten() for name in ours]) for parts in (ours, theirs))
    return float((one - other).norm() / other.norm())


def farthest(ours: "dict[str, Tensor]", theirs: "dict[str, Tensor]") -> float:
    """The largest difference between two numbers, as a share of the largest of their tensor, or of 1."""
    return max(
        float((ours[name] - other).abs().max() / other.abs().max().clamp(min=1))
        for name, other in theirs.items()
    )


def last(folder: Path) -> dict[str, "Tensor"]:
    kept = read_checkpoint(folder / "training" / LAST)
    assert kept is not None
    return {name: value.float() for name, value in kept.of("both").items()}


@slow
def test_the_gradients_of_two_ranks_are_those_of_one_process(tmp_path: Path) -> None:
    ended(begin("gradients", tmp_path, QUICK, HEADS["softmax"]))
    for name, (top, settings) in CASES.items():
        alone = gradients_of(small_loop(tmp_path, settings, top))
        for rank in (0, 1):
            together = load_file(tmp_path / f"{name}-{rank}.safetensors")
            # The images of one process in reverse order change its gradients by 1.7e-5: float32 is no finer here.
            assert apart(together, alone) < 2e-5, name


@slow
@pytest.mark.parametrize("norms", ["learn", "still"])
def test_two_ranks_come_to_the_weights_of_one_process_and_one_goes_on_from_them(
    tmp_path: Path, norms: str
) -> None:
    settings = changed(
        epochs=2, norms=norms, optimizer="sgd", ema=0.5, accumulate=2, frozen_epochs=1
    )
    top = HEADS["softmax"]
    assert ended(begin("run", tmp_path / "two", settings, top)) == ["all epochs\n"] * 2
    small_loop(tmp_path / "one", settings, top).run(Silent())
    ours, theirs = last(tmp_path / "two"), last(tmp_path / "one")
    assert farthest(ours, theirs) < 1e-4
    told = list(read_log(tmp_path / "two/training" / LOG))
    assert [line["step"] for line in told if "loss" in line] == [1, 2, 3, 4, 5, 6]

    longer = settings.model_copy(update={"epochs": 3, "decay": "constant"})
    for folder in ("two", "one"):
        assert small_loop(tmp_path / folder, longer, top).run(Silent()).n_steps == 9
    ours, theirs = last(tmp_path / "two"), last(tmp_path / "one")
    assert farthest(ours, theirs) < 1e-4


@slow
def test_a_rank_that_is_killed_ends_the_other_with_a_word(tmp_path: Path) -> None:
    processes = begin("hang", tmp_path, changed(epochs=50), HEADS["softmax"])
    assert processes[1].stdout is not None
    assert processes[1].stdout.readline() == "hangs\n"
    processes[1].send_signal(signal.SIGKILL)
    started = time.monotonic()
    _, said = processes[0].communicate(timeout=400)
    processes[1].communicate()
    assert time.monotonic() - started < 100
    assert processes[0].returncode == 1
    assert "RankLost: another of the processes that train together has ended" in said


@slow
def test_a_rank_that_hangs_ends_the_other_after_a_while(tmp_path: Path) -> None:
    processes = begin("hang", tmp_path, changed(epochs=50), HEADS["softmax"], waits_s=8)
    _, said = processes[0].communicate(timeout=400)
    processes[1].communicate("go on")
    assert processes[0].returncode == 1
    assert "RankLost: another of the processes that train together has ended, or did not come" in said  # fmt: skip
    assert processes[1].returncode == 1


@slow
def test_a_full_disk_on_rank_0_ends_both_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "training").write_text("a file where the folder should be")
    processes = begin("run", tmp_path, changed(epochs=1), HEADS["softmax"])
    first, second = (process.communicate(timeout=400)[1] for process in processes)
    assert "training" in first
    assert "Stopped: rank 0 of 2 has ended the training" in second
    assert [process.returncode for process in processes] == [1, 1]


@slow
def test_a_gradient_that_is_infinite_on_one_rank_makes_no_rank_take_the_step(
    tmp_path: Path,
) -> None:
    said = ended(begin("infinite", tmp_path, changed(clip_norm=1.0), HEADS["softmax"]))
    # Both tensors of the head are as they were, and the scale is halved.
    assert [json.loads(line) for line in said] == [[2, 512.0]] * 2


@slow
def test_an_image_that_is_gone_leaves_a_rank_without_any_and_all_go_on(tmp_path: Path) -> None:
    processes = begin("gone", tmp_path, changed(epochs=1, batch_images=2), HEADS["softmax"])
    assert ended(processes) == ["1", "1"]


def test_torchrun_tells_the_seat_and_half_a_word_is_told() -> None:
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}  # fmt: skip
    seat = seat_of(told)
    assert (seat.rank, seat.world, seat.local_rank, seat.local_world) == (3, 4, 1, 2)
    assert not seat.leads
    assert seat_of({}).world == 1
    for wrong in ({"RANK": "0"}, told | {"RANK": "4"}, told | {"LOCAL_RANK": "x"}):
        with pytest.raises(InputError, match="the environment says that several processes train together, but not clearly"):  # fmt: skip
            seat_of(wrong)
