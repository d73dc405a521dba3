"""The page of a training: what is counted, what is drawn, what is said, and that it can do no harm."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cairn.base.settings.recipes import ALL_EPOCHS, NO_BETTER, OUT_OF_TIME, Recipe
from cairn.records.val_answers import VAL_ANSWERS_SCHEMA
from cairn.reports.curves import MAX_POINTS, binned, curve_chart, step_series
from cairn.reports.training import (
    TrainingContents,
    is_finished_page_of,
    is_page_of,
    render_training_page,
    write_training_page,
)
from cairn.reports.training_val import (
    confused_pairs,
    size_rows,
    surest_distractors,
    worst_landmarks,
)
from cairn.reports.training_words import BY_HAND, RUNNING, best_of, ending_of, epochs_of
from tests.make import jpeg

EVIL = "<script>alert(1)</script>"
STEPS = 10
Row = tuple[str, str, list[str], str, float, bool]


def answers(n: int = 200, *, n_landmarks: int = 9, seed: int = 0) -> pl.DataFrame:
    """Answers on val, about half of them right, a tenth to images of no landmark."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(n):
        shown = int(n_landmarks * rng.random() ** 2)
        said = shown if rng.random() < 0.5 else int(rng.integers(n_landmarks))
        shows = [f"l{shown}"] if rng.random() < 0.9 else []
        rows.append((f"i{number}", f"g{number // 2}", shows, f"l{said}", float(rng.random()), f"l{said}" in shows))  # fmt: skip
    return pl.DataFrame(rows, schema=VAL_ANSWERS_SCHEMA, orient="row")


def log(n_epochs: int = 4, scores: tuple[float, ...] = (0.2, 0.5, 0.4, 0.3)) -> list[dict[str, float | None]]:  # fmt: skip
    """The lines of a log of so many epochs."""
    lines: list[dict[str, float | None]] = []
    for step in range(1, n_epochs * STEPS + 1):
        lines.append({"step": step, "epoch": step / STEPS, "loss": 3 / step, "learning_rate": 1e-3, "images_per_s": 50.0, "gradient_norm": None, "seconds": float(step)})  # fmt: skip
        if step % STEPS == 0:
            gap = scores[step // STEPS - 1]
            lines.append({"step": step, "epoch": step / STEPS, "score": gap, "gap": gap, "gap_without_distractors": gap, "top_1": gap, "seconds": float(step)})  # fmt: skip
    return lines


def contents(**changed: object) -> TrainingContents:
    landmarks = pl.DataFrame(
        [(f"l{n}", f"Tower {n} {EVIL}", n + 1, f"t{n}") for n in range(9)],
        schema=["landmark_id", "name", "n_train", "photo"], orient="row",
    )  # fmt: skip
    told: dict[str, object] = {
        "dataset": EVIL, "name": "default", "key": "0123456789ab", "recipe": Recipe.named("tiny"), "because": ALL_EPOCHS,
        "lines": log(), "val": answers(), "landmarks": landmarks, "samples": [("Tower", [jpeg(n) for n in range(8)])],
        "thumbnail": lambda image_id: jpeg(1), "credit": lambda image_id: EVIL if image_id == "t1" else "",
        "about": {"Machine": "2 processors"}, "next_command": "cairn index work", "next_says": "", "written_at": "now", "has_report": False,
    }  # fmt: skip
    return TrainingContents(**told | changed)  # type: ignore[arg-type]  # names and values stand side by side


def test_the_pairs_that_are_confused_most_are_those_of_a_table_of_all_with_all() -> None:
    val = answers()
    table = np.zeros((9, 9), dtype=int)
    for shown, said, right in val.select("landmark_ids", "answered", "right").iter_rows():
        if shown and not right:
            table[int(shown[0][1:]), int(said[1:])] += 1
    found = confused_pairs(val, most=100)
    assert {(int(one.shown[1:]), int(one.answered[1:])): one.n for one in found} == {
        (int(row), int(column)): table[row, column] for row, column in zip(*table.nonzero(), strict=True)
    }  # fmt: skip
    assert [one.n for one in found] == sorted((one.n for one in found), reverse=True)
    assert confused_pairs(val, most=3) == found[:3]


def test_a_pair_is_shown_by_its_surest_image() -> None:
    rows = [("a", "a", ["x"], "y", 0.2, False), ("b", "b", ["x"], "y", 0.7, False), ("c", "c", ["x"], "x", 0.9, True)]  # fmt: skip
    (pair,) = confused_pairs(pl.DataFrame(rows, schema=VAL_ANSWERS_SCHEMA, orient="row"))
    assert (pair.image_id, pair.n, pair.n_images) == ("b", 2, 3)


def test_recall_by_size_is_that_of_counting_landmark_by_landmark() -> None:
    val = answers()
    n_train = {"l0": 30, "l1": 20, **{f"l{n}": 7 for n in range(2, 6)}, "l6": 3, "l7": 1, "l8": 1}
    rows = {row.name: row for row in size_rows(val, n_train)}
    known = [(ids[0], right) for ids, right in val.select("landmark_ids", "right").iter_rows() if ids]  # fmt: skip
    n_images, n_right = Counter(one for one, _ in known), Counter(one for one, right in known if right)  # fmt: skip
    of_middle = [n_right[f"l{n}"] / n_images[f"l{n}"] for n in range(2, 6)]
    assert rows["middle"].recall.value == pytest.approx(sum(of_middle) / 4)
    assert rows["singleton"].n_images == n_images["l7"] + n_images["l8"]
    assert rows["head"].top_1.low < rows["head"].top_1.value < rows["head"].top_1.high
    assert sum(row.n_images for row in rows.values()) == len(known)


def test_a_size_all_of_whose_images_are_right_still_has_an_interval() -> None:
    rows = [(f"i{n}", f"i{n}", ["x"], "x", 0.9, True) for n in range(4)]
    val = pl.DataFrame(rows, schema=VAL_ANSWERS_SCHEMA, orient="row")
    (row,) = size_rows(val, {"x": 5})
    assert (row.recall.value, row.recall.high) == (1.0, 1.0)
    assert 0.3 < row.recall.low < 0.7


def test_the_worst_landmarks_come_first_with_what_they_are_taken_for() -> None:
    rows = [
        ("a", "a", ["x"], "x", 0.2, True), ("b", "b", ["x"], "y", 0.7, False), ("c", "c", ["y"], "x", 0.9, False),
        ("d", "d", ["z"], "z", 0.9, True),
    ]  # fmt: skip
    val = pl.DataFrame(rows, schema=VAL_ANSWERS_SCHEMA, orient="row")
    found = worst_landmarks(val, {"x": 1, "y": 2, "z": 3})
    assert [(one.landmark_id, one.n_right, one.taken_for) for one in found] == [("y", 0, "x"), ("x", 1, "y")]  # fmt: skip


def test_distractors_that_are_answered_the_surest_come_first() -> None:
    scores = {row[0]: row[4] for row in answers().iter_rows() if not row[2]}
    found = [image_id for image_id, _ in surest_distractors(answers(), most=5)]
    assert found == sorted(scores, key=lambda one: -scores[one])[:5]


def test_a_million_steps_become_few_points_that_keep_the_mean() -> None:
    at, values = np.arange(100_003) / 1000, np.random.default_rng(0).random(100_003)
    few_at, few = binned(at, values)
    assert len(few_at) == len(few) == MAX_POINTS
    assert few.mean() == pytest.approx(values.mean(), abs=1e-4)
    drawn = step_series([{"epoch": step / 9, "loss": 1.0} for step in range(1, 9_000)], "loss")
    assert all(len(one.at) <= MAX_POINTS for one in drawn)


def test_a_smoothed_curve_lies_where_the_steps_lie() -> None:
    lines: list[dict[str, float | None]] = [{"epoch": step / 100, "loss": 5.0 if step < 300 else 1.0 + (step % 2)} for step in range(1, 601)]  # fmt: skip
    smooth = step_series(lines, "loss")[1]
    assert smooth.values[0] == pytest.approx(5.0)
    assert smooth.values[-1] == pytest.approx(1.5, abs=0.1)


def test_curves_stay_inside_of_their_chart_whatever_a_step_says() -> None:
    lines: list[dict[str, float | None]] = [{"epoch": step / 10, "loss": 1.0} for step in range(1, 41)]  # fmt: skip
    lines[7]["loss"] = 1e9
    chart = curve_chart(step_series(lines, "loss"), what="Loss", n_epochs=4)
    assert chart is not None
    heights = [float(word) for curve in chart.curves for word in curve.path.split()[1::2]]
    assert chart.top <= min(heights)
    assert max(heights) <= chart.bottom
    assert curve_chart((), what="Loss", n_epochs=4) is None


def test_the_best_epoch_is_the_first_of_the_highest_score() -> None:
    best = best_of(epochs_of(log(scores=(0.2, 0.5, 0.5, 0.3))))
    assert best is not None
    assert best.number == 2


@pytest.mark.parametrize(
    ("because", "scores", "word", "said"),
    [
        (RUNNING, (0.1, 0.2, 0.3, 0.4), "running", "Epoch 4.00 of 4"),
        (OUT_OF_TIME, (0.1, 0.2, 0.3, 0.4), "stopped", "The same command goes on"),
        (BY_HAND, (0.1, 0.2, 0.3, 0.4), "stopped", "Ctrl-C was pressed in epoch 4.00"),
        (NO_BETTER, (0.4, 0.2, 0.3, 0.1), "finished", "Epoch 1 of 4 was the best"),
        (ALL_EPOCHS, (0.1, 0.2, 0.3, 0.4), "finished", "--epochs 8"),
        (ALL_EPOCHS, (0.1, 0.2, 0.4, 0.3), "finished", "Epoch 3 was the best"),
        ("the loss of step 3 is nan", (0.1, 0.2, 0.3, 0.4), "broken off", "the loss of step 3 is nan"),
    ],
)  # fmt: skip
def test_the_page_says_what_stopped_it_and_what_to_do(
    because: str, scores: tuple[float, ...], word: str, said: str
) -> None:
    ending = ending_of(because, Recipe.named("tiny"), log(scores=scores))
    assert ending.word == word
    assert said in f"{ending.says} {ending.advice}"


def test_a_running_training_says_how_long_it_will_take_and_loads_itself_again() -> None:
    ending = ending_of(RUNNING, Recipe.named("tiny"), log(1))
    assert "Epoch 1.00 of 4, about 30 s to go" in ending.says
    assert 'http-equiv="refresh"' in render_training_page(contents(because=RUNNING))
    assert 'http-equiv="refresh"' not in render_training_page(contents())


@pytest.mark.parametrize("has_thumbnails", [True, False])
def test_names_do_no_harm_and_nothing_is_asked_from_outside(has_thumbnails: bool) -> None:
    shown = {} if has_thumbnails else {"thumbnail": lambda image_id: None}
    page = render_training_page(contents(**shown))
    assert not {word for word in ("<script", "http://", "https://") if word in page}


def test_a_page_before_the_first_epoch_says_so() -> None:
    nothing = pl.DataFrame(schema=VAL_ANSWERS_SCHEMA)
    for lines in ([], log()[:5], [{"step": 1, "epoch": 0.1, "loss": None}]):
        page = render_training_page(contents(lines=lines, val=nothing, because=RUNNING))
        assert "No epoch has ended yet" in page
        assert "nan" not in page.replace("Cairn", "")


def test_scores_that_are_undefined_are_not_drawn() -> None:
    lines = [line | ({"gap": None, "score": None} if "score" in line else {}) for line in log()]
    page = render_training_page(contents(lines=lines))
    assert "nan" not in page


def test_a_page_is_known_by_its_training(tmp_path: Path) -> None:
    write_training_page(tmp_path / "training.html", contents())
    assert is_page_of(tmp_path / "training.html", "0123456789ab")
    assert not is_page_of(tmp_path / "training.html", "another")
    assert not is_page_of(tmp_path / "gone.html", "0123456789ab")
    assert is_finished_page_of(tmp_path / "training.html", "0123456789ab")
    write_training_page(tmp_path / "training.html", contents(because=RUNNING))
    assert not is_finished_page_of(tmp_path / "training.html", "0123456789ab")


def test_every_setting_is_told_and_those_of_the_recipe_are_marked() -> None:
    page = render_training_page(contents())
    assert '<tr class="set"><th scope="row"><code>--neck-width</code></th><td>256</td>' in page
    assert '<tr><th scope="row"><code>--clip-norm</code></th><td>5.0</td>' in page
