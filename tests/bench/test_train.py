"""The bench of training steps: each way in a process of its own, in rounds that take turns."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.base.settings import TrainBenchSettings  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.bench.train import GIVEN_BACK, Speed, TrainBench, bench_train  # noqa: E402
from cairn.cli.main import main  # noqa: E402
from cairn.training.speed import CAIRN, Stepped  # noqa: E402

SMALL = TrainBenchSettings(
    backbone="test_resnet", sizes=(2, 4), side_px=32, n_landmarks=5, rounds=2, seconds=0.05
)


def test_the_share_of_a_gpu_counts_its_operations() -> None:
    speed = Speed(CAIRN, 8, tuple(Stepped(rate, 0, 0) for rate in (900.0, 1000.0, 1100.0)))
    found = TrainBench(SMALL, "NVIDIA H100 80GB HBM3", 1, {}, (speed,), 2.4e10, ())
    assert found.peak_share(speed) == pytest.approx(1000 * 2.4e10 / 989e12)
    assert TrainBench(SMALL, "a GPU", 1, {}, (speed,), 2.4e10, ()).peak_share(speed) is None
    assert speed.spread() == (900.0, 1100.0)


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["whole", "frozen"])
def test_the_ways_take_turns_with_every_size(fit: str) -> None:
    settings = SMALL.model_copy(update={"fit": fit})
    found = bench_train(settings, watch=Silent(), ways=[CAIRN, GIVEN_BACK])
    assert found.left_out == ()
    assert [(speed.way, speed.size) for speed in found.speeds] == [
        (CAIRN, 2), (GIVEN_BACK, 2), (CAIRN, 4), (GIVEN_BACK, 4)
    ]  # fmt: skip
    assert all(len(speed.rounds) == 2 and speed.images_per_s > 0 for speed in found.speeds)


@pytest.mark.slow
def test_the_command_prints_a_row_for_each_way_and_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["bench", "train", "--backbone", "test_resnet", "--sizes", "2", "--side-px", "32"]
    assert main([*words, "--rounds", "1", "--seconds", "0.05"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 8
    assert "torch bf16, channels last" in said


@pytest.mark.slow
def test_a_network_that_nobody_knows_is_told() -> None:
    with pytest.raises(InputError, match="no way of training resnet51 could take a step"):
        bench_train(SMALL.model_copy(update={"backbone": "resnet51"}), watch=Silent(), ways=[CAIRN])
