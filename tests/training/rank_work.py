"""What each of several processes does in tests of training together: `python -m tests.training.rank_work NAME FOLDER …`."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import save_file

from cairn.base.errors import CairnError
from cairn.base.settings import FinetuneSettings, TopSettings
from cairn.base.watching import Silent
from cairn.cli.seating import seat_of
from cairn.training.loop import Loop
from cairn.training.ranks import Ranks, joined
from tests.training.small_training import QUICK, small_loop

HEADS = {
    "softmax": TopSettings(neck_width=32, head="softmax"),
    "arcface": TopSettings(neck_width=32, head="arcface", centres=3, scale=20),
}
# Seven images: shares of 3 and 4, and of 2 + 1 and 2 + 2 where they are taken in two parts.
CASES = {
    f"{head}-{n_parts}": (top, QUICK.model_copy(update={"batch_images": 7, "accumulate": n_parts}))
    for head, top in HEADS.items()
    for n_parts in (1, 2)
} | {
    f"{head}-sampled": (top, QUICK.model_copy(update={"batch_images": 3, "sampled_landmarks": 3}))
    for head, top in HEADS.items()
}


def gradients_of(loop: Loop, *, n_before: int = 0) -> dict[str, torch.Tensor]:
    """The gradients of one step, after so many steps; sparse ones in full."""
    for seen in islice(loop._batches(), n_before):
        loop._step(seen)
        loop._progress.step += 1
    seen = next(loop._batches())
    (n_seen,) = loop.ranks.summed([len(seen.pixels)])
    loss = loop._stepper.gradients(seen, int(n_seen), 1.0)
    named = loop._stepper.both.named_parameters()
    found = {
        name: value.grad.to_dense().contiguous() for name, value in named if value.grad is not None
    }
    return {"loss": torch.tensor([loss]), **found}


def _gradients(loop: Loop, folder: Path) -> None:
    for name, (top, settings) in CASES.items():
        found = gradients_of(small_loop(folder, settings, top, loop.ranks))
        save_file(found, folder / f"{name}-{loop.ranks.seat.rank}.safetensors")


def _run(loop: Loop, folder: Path) -> None:
    sys.stdout.write(f"{loop.run(Silent()).because}\n")


def _hang(loop: Loop, folder: Path) -> None:
    """Rank 1 never comes to its second step."""
    plain = loop._step

    def step(seen: object) -> float:
        if not loop.ranks.leads and loop._progress.step == 1:
            sys.stdout.write("hangs\n")
            sys.stdout.flush()
            sys.stdin.read()
        return plain(seen)  # type: ignore[arg-type]

    loop._step = step  # type: ignore[method-assign]
    loop.run(Silent())


def _infinite(loop: Loop, folder: Path) -> None:
    """In fp16's way of scaling; the gradient of rank 1 is infinite in the first step, so that nobody takes it."""
    stepper = loop._stepper
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    before = {name: value.clone() for name, value in stepper.both.state_dict().items()}
    weight = next(iter(loop.parts.head.parameters()))
    if not loop.ranks.leads:
        weight.register_hook(lambda gradient: gradient * torch.inf)  # type: ignore[no-untyped-call]
    loop._step(next(loop._batches()))
    same = [name for name, value in loop.parts.head.named_parameters() if torch.equal(value, before[f"1.{name}"])]  # fmt: skip
    sys.stdout.write(json.dumps([len(same), float(stepper.scaler.get_scale())]))


def _gone(loop: Loop, folder: Path) -> None:
    """One photo can no longer be read, which leaves one of the ranks without any in that step."""
    loop.judge = lambda parts: (0.5, {})
    photos = "photos" if loop.ranks.leads else "photos1"
    (folder / photos / "0-0.jpg").unlink()
    sys.stdout.write(str(loop.run(Silent()).n_lost))


WORK: dict[str, Callable[[Loop, Path], None]] = {
    "gradients": _gradients, "run": _run, "hang": _hang, "infinite": _infinite,
    "gone": _gone,
}  # fmt: skip


def begin(
    name: str, folder: Path, settings: FinetuneSettings, top: TopSettings, *, world: int = 2,
    waits_s: float = 200.0,
) -> list[subprocess.Popen[str]]:  # fmt: skip
    """The processes of a training together, each at `name` of the table above."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tests.training.rank_work", name, str(folder), str(waits_s),
             json.dumps(settings.as_json()), json.dumps(top.as_json())]  # fmt: skip
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
              "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}  # fmt: skip
    return [
        subprocess.Popen(
            words, env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(world)
    ]  # fmt: skip


def ended(processes: list[subprocess.Popen[str]], *, within_s: float = 400.0) -> list[str]:
    """What each has printed; all have come to their end without an error."""
    said = [process.communicate(timeout=within_s) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return [out for out, _ in said]


def _main(name: str, folder: Path, waits_s: float, settings: str, top: str) -> int:
    torch.set_num_threads(1)
    seat = seat_of(os.environ)
    try:
        with joined(seat, waits_s=waits_s) as ranks:
            WORK[name](_loop(folder, settings, top, ranks), folder)
    except CairnError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _loop(folder: Path, settings: str, top: str, ranks: Ranks) -> Loop:
    finetuning = FinetuneSettings.model_validate_json(settings)
    return small_loop(folder, finetuning, TopSettings.model_validate_json(top), ranks)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:]))
