"""The page of a training: curves, what val shows of it, what the network saw and why it stopped, as one HTML file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from cairn.base.checks import counted, duration
from cairn.base.files import write_text
from cairn.base.settings.recipes import Recipe
from cairn.reports.charts import Chart, percent
from cairn.reports.curves import Lines, Series, binned, curve_chart, step_series, told
from cairn.reports.pages import render
from cairn.reports.sheets import TILE_PX, Photo, data_address
from cairn.reports.training_val import (
    Pair,
    confused_pairs,
    size_rows,
    surest_distractors,
    worst_landmarks,
)
from cairn.reports.training_words import (
    FINISHED,
    RUNNING,
    Epoch,
    best_of,
    ending_of,
    epochs_of,
    sections,
)

PAIR_PX, N_PAIRS_AT_FIRST = 170, 12


@dataclass(frozen=True)
class TrainingContents:
    """What the page tells.

    key: of the training, by which the page can be told from another's. because: `running`, how it ended, or an error.
    lines: of the log. val: VAL_ANSWERS_SCHEMA, after the best epoch. landmarks: landmark_id, name, n_train and photo,
    an image of train, of each landmark of train. samples: what an image shows, then JPEGs of it: the whole, then as the
    first epochs see it. thumbnail: a JPEG of an image_id, or None where there is none. credit: of an image_id, or empty.
    about: how it was made, words by name. next_says: what else belongs to `next_command`, or empty.
    """

    dataset: str
    name: str
    key: str
    recipe: Recipe
    because: str
    lines: Lines
    val: pl.DataFrame
    landmarks: pl.DataFrame
    samples: Sequence[tuple[str, Sequence[bytes]]]
    thumbnail: Callable[[str], bytes | None]
    credit: Callable[[str], str]
    about: Mapping[str, str]
    next_command: str
    next_says: str
    written_at: str
    has_report: bool

    @cached_property
    def n_train(self) -> dict[str, int]:
        """Photos of each landmark in train."""
        return dict(self.landmarks.select("landmark_id", "n_train").iter_rows())

    @cached_property
    def names(self) -> dict[str, str]:
        """The name of each landmark."""
        return dict(self.landmarks.select("landmark_id", "name").iter_rows())

    @cached_property
    def photos(self) -> dict[str, str]:
        """An image of train of each landmark."""
        return dict(self.landmarks.select("landmark_id", "photo").iter_rows())

    def photo(self, image_id: str, *, alt: str, side_px: int = PAIR_PX) -> Photo:
        """The photo as it is shown."""
        jpeg = self.thumbnail(image_id)
        return Photo(image_id, data_address(jpeg, side_px=side_px) if jpeg else None, alt)


@dataclass(frozen=True)
class PairRow:
    """A confused pair as shown: the image of val, and a photo in train of the one and the other landmark."""

    pair: Pair
    shown: str
    answered: str
    photos: tuple[Photo, Photo, Photo]


def write_training_page(path: Path, contents: TrainingContents) -> None:
    """`path` holds the page; it asks for nothing from outside and runs no script."""
    write_text(path, render_training_page(contents))


def is_page_of(path: Path, key: str) -> bool:
    """Whether the page at `path` is that of the training `key`."""
    return f'<meta name="cairn-training" content="{key}">' in _head(path)


def is_finished_page_of(path: Path, key: str) -> bool:
    """Whether the page at `path` is that of the training `key`, and tells that it has finished."""
    state = f'<meta name="cairn-training-state" content="{FINISHED}">'
    return is_page_of(path, key) and state in _head(path)


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(4096)
    except OSError:
        return ""


def render_training_page(contents: TrainingContents) -> str:
    """The page as the text of one HTML file."""
    epochs = epochs_of(contents.lines)
    best = best_of(epochs)
    ending = ending_of(contents.because, contents.recipe, contents.lines)
    pairs, none = _pairs(contents), _distractors(contents)
    shown = [photo.image_id for row in pairs for photo in row.photos]
    shown += [photo.image_id for photo in none]
    return render(
        "training.html.j2",
        {
            "contents": contents,
            "ending": ending,
            "is_running": ending.word == RUNNING,
            "lead": _lead(contents, epochs, best),
            "cards": _cards(best),
            "epochs": epochs,
            "best": best,
            "charts": _charts(contents, best),
            "sizes": size_rows(contents.val, contents.n_train),
            "worst": worst_landmarks(contents.val, contents.n_train),
            "pairs": pairs,
            "n_at_first": N_PAIRS_AT_FIRST,
            "distractors": none,
            "samples": [_sample(title, jpegs) for title, jpegs in contents.samples],
            "sections": sections(contents.recipe),
            "credits": [(one, said) for one in dict.fromkeys(shown) if (said := contents.credit(one))],
        },
    )  # fmt: skip


def _lead(contents: TrainingContents, epochs: Sequence[Epoch], best: Epoch | None) -> str:
    n_steps = sum("loss" in line for line in contents.lines)
    seconds = next((line["seconds"] for line in reversed(contents.lines) if line.get("seconds")), 0)
    said = f"{counted(n_steps, 'step')} in {duration(seconds or 0)}, judged after {counted(len(epochs), 'epoch')}."
    if best is None or best.gap is None:
        return said
    return f"{said} The best is epoch {best.number}, with a GAP of {best.gap:.3f} on val, distractors included."


def _cards(best: Epoch | None) -> list[tuple[str, str, str]]:
    """Title, value and words of the scores of the best epoch."""
    if best is None:
        return []

    def number(value: float | None, show: Callable[[float], str]) -> str:
        return "–" if value is None else show(value)

    return [
        ("GAP with distractors", number(best.gap, "{:.3f}".format), "the score that the best epoch is chosen by"),
        ("GAP without distractors", number(best.gap_without_distractors, "{:.3f}".format), "of the images that show a landmark of train"),
        ("Top-1", number(best.top_1, percent), "of these, the share that is answered rightly"),
    ]  # fmt: skip


def _charts(contents: TrainingContents, best: Epoch | None) -> dict[str, Chart | None]:
    lines, n_epochs = contents.lines, contents.recipe.finetune.epochs
    scores = [
        Series("GAP with distractors", "train", *told(lines, "gap"), has_dots=True),
        Series("GAP without distractors", "val", *told(lines, "gap_without_distractors"), has_dots=True),
        Series("Top-1", "test", *told(lines, "top_1"), has_dots=True),
    ]  # fmt: skip
    lowest = min((float(one.values.min()) for one in scores if len(one.values)), default=0.0)
    return {
        "scores": curve_chart(
            scores, what="Scores on val", y_title="score", n_epochs=n_epochs, span=(0.5 if lowest > 0.55 else 0.0, 1.0),
            best=(best.number, best.gap, "best") if best and best.gap is not None else None,
            word="{:.1f}".format,
        ),
        "loss": curve_chart(step_series(lines, "loss"), what="Loss on train", y_title="loss", n_epochs=n_epochs),
        "rate": curve_chart(
            [Series("learning rate", "train", *binned(*told(lines, "learning_rate")))], what="Learning rate", n_epochs=n_epochs
        ),
        "speed": curve_chart(step_series(lines, "images_per_s"), what="Images a second", n_epochs=n_epochs),
        "gradient": curve_chart(
            step_series(lines, "gradient_norm"), what="Length of the gradient", n_epochs=n_epochs,
            level=contents.recipe.finetune.clip_norm,
        ),
    }  # fmt: skip


def _pairs(contents: TrainingContents) -> list[PairRow]:
    found = []
    for pair in confused_pairs(contents.val):
        shown, answered = contents.names[pair.shown], contents.names[pair.answered]
        photos = (
            contents.photo(pair.image_id, alt=f"image of val: {shown}"),
            contents.photo(contents.photos[pair.answered], alt=f"photo in train: {answered}"),
            contents.photo(contents.photos[pair.shown], alt=f"photo in train: {shown}"),
        )
        found.append(PairRow(pair, shown, answered, photos))
    return found


def _distractors(contents: TrainingContents) -> list[Photo]:
    found = []
    for image_id, answered in surest_distractors(contents.val):
        name = contents.names[answered]
        photo = contents.photo(image_id, alt=f"no landmark, answered {name}", side_px=TILE_PX)
        found.append(Photo(photo.image_id, photo.source, photo.alt, caption=name))
    return found


def _sample(title: str, jpegs: Sequence[bytes]) -> tuple[str, list[Photo]]:
    words = ["whole", *(f"epoch {number}" for number in range(1, len(jpegs)))]
    return title, [
        Photo("", data_address(jpeg, side_px=TILE_PX), f"{title}, {word}", caption=word)
        for jpeg, word in zip(jpegs, words, strict=True)
    ]
