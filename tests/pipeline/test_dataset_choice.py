from pathlib import Path
from typing import Any

import pytest

from cairn.base.errors import SettingsError
from cairn.pipeline.dataset_choice import DatasetChoice


def test_without_parts_train_is_meant() -> None:
    (part,) = DatasetChoice("gld-v2").chosen
    assert (part.part.name, part.is_clean, part.list_name) == ("train", False, "gld-v2/train")


def test_clean_images_are_a_choice_of_the_same_list() -> None:
    choice = DatasetChoice("gld-v2", parts=("test", "train_clean"))
    assert [part.list_name for part in choice.chosen] == ["gld-v2/test", "gld-v2/train"]
    assert [part.is_clean for part in choice.chosen] == [False, True]
    assert "train_clean.csv" in choice.chosen[1].lists(choice.dataset)


def test_photos_come_from_tars_where_there_are_any_and_nobody_says_otherwise() -> None:
    assert DatasetChoice("gld-v2").uses_tars
    assert not DatasetChoice("gld-v2", by="urls").uses_tars
    assert not DatasetChoice("gld-v1", lists=Path()).uses_tars


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"name": "gld-v3"}, "--dataset is 'gld-v3'; expected: gld-v1 or gld-v2"),
        ({"parts": ("tran",)}, "--parts has 'tran'.*train"),
        ({"parts": ("train", "train_clean")}, "expected: train once"),
        ({"by": "disk"}, "--from is 'disk'; expected: tars or urls"),
        ({"by": "urls", "parts": ("index",)}, "--parts has index; expected with photos by their"),
        ({"by": "urls", "n_tars": 2}, "--tars goes with photos from tars"),
        ({"name": "gld-v1"}, "--lists is not given; expected: a folder with train.csv"),
        ({"name": "gld-v1", "by": "tars"}, "--from is tars; expected: urls, as gld-v1 has no tars"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_in_words(told: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        DatasetChoice(**{"name": "gld-v2", **told})
