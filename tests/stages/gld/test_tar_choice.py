from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cairn.stages.gld.datasets import DATASETS
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tar_choice import TarChoice, end_of_unfound, tars_to_read
from cairn.stages.gld.tar_ids import read_ids, write_ids
from cairn.stages.gld.tar_state import TarRecord, TarState

GLD = DATASETS["gld-v2"]
PART = replace(GLD.part("test"), n_tars=3)
NUMBERS = [3, 1, 7, 5]


def chosen(
    folder: Path, statuses: dict[int, str], held: dict[int, list[int]], wanted: list[int], n_tars: int = 0
) -> TarChoice:  # fmt: skip
    (folder / "test.csv").write_text("id\n" + "".join(f"{n:016x}\n" for n in NUMBERS))
    state = TarState(folder / "state.json")
    for number, status in statuses.items():
        state.put(PART.tars[number], TarRecord.model_validate({"status": status}))
    for number, ids in held.items():
        write_ids(folder, PART.tars[number], np.array(ids, np.uint64))
    with PartRows(GLD, PART, {"test.csv": folder / "test.csv"}) as rows:
        sought = Sought(rows, np.isin(NUMBERS, wanted))
        return tars_to_read(PART, sought, state=state, folder=folder, n_tars=n_tars)


def numbers(choice: TarChoice) -> list[int]:
    return [PART.tars.index(tar) for tar in choice.tars]


def test_at_first_every_tar_is_read(tmp_path: Path) -> None:
    choice = chosen(tmp_path, {}, {}, NUMBERS)
    assert (numbers(choice), choice.n_photos) == ([0, 1, 2], 4)


def test_of_the_first_tars_their_share_of_the_photos_is_expected(tmp_path: Path) -> None:
    choice = chosen(tmp_path, {}, {}, NUMBERS, n_tars=1)
    assert (numbers(choice), choice.n_photos) == ([0], 1)


def test_a_tar_that_is_done_is_read_again_only_for_a_photo_it_holds(tmp_path: Path) -> None:
    done = {0: "done", 1: "done", 2: "failed"}
    choice = chosen(tmp_path, done, {0: [3, 99], 1: [1, 7]}, [1, 5])
    assert (numbers(choice), choice.n_photos) == ([1, 2], 2)


def test_a_tar_of_which_nobody_knows_what_it_held_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test/images_000.ids.npy").write_bytes(b"damaged")
    assert numbers(chosen(tmp_path, {0: "done"}, {}, [5], n_tars=1)) == [0]


def test_where_nothing_is_looked_for_nothing_is_read(tmp_path: Path) -> None:
    assert chosen(tmp_path, {}, {}, []) == TarChoice((), 0)


@pytest.mark.parametrize(
    ("statuses", "end"),
    [
        ({}, ("pending", "not fetched yet")),
        ({0: "done", 1: "failed"}, ("pending", "not fetched yet")),
        ({0: "done", 1: "done", 2: "fetched"}, ("pending", "not fetched yet")),
        ({0: "done", 1: "failed", 2: "done"}, ("failed", "tar failed")),
        ({0: "done", 1: "done", 2: "done"}, ("failed", "not in its tar")),
    ],
)
def test_a_photo_that_no_tar_has_brought_ends_as_its_tars_do(
    tmp_path: Path, statuses: dict[int, str], end: tuple[str, str]
) -> None:
    state = TarState(tmp_path / "state.json")
    for number, status in statuses.items():
        state.put(PART.tars[number], TarRecord.model_validate({"status": status}))
    assert end_of_unfound(PART, state) == end


def test_ids_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_ids(tmp_path, PART.tars[0]) is None
    write_ids(tmp_path, PART.tars[0], np.array([1, 2**64 - 1], np.uint64))
    found = read_ids(tmp_path, PART.tars[0])
    assert found is not None
    assert found.tolist() == [1, 2**64 - 1]
