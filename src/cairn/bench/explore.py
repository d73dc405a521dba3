"""What exploring a large catalog costs: seconds and memory of the whole command over made-up rows."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.settings import ExploreBenchSettings
from cairn.base.watching import Watch
from cairn.bench.measured import Cost, run_measured
from cairn.records.catalog import CATALOG_SCHEMA
from cairn.records.landmarks import LANDMARK_SCHEMA, Landmarks
from cairn.records.split import SPLIT_SCHEMA
from cairn.records.tables import write_table

Ints = npt.NDArray[np.int64]

HOSTS = 2_000
AUTHORS = 60_000
LICENCES = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC0-1.0", "public domain", None)
CAUSES = ("not found", "gone", "host too busy", "not an image", "truncated", "too slow")
SIDES_PX = (
    (1024, 768),
    (768, 1024),
    (1024, 683),
    (1024, 576),
    (640, 480),
    (1024, 1024),
    (500, 333),
)
# Of the logarithm of the landmarks' sizes: nearly half of the landmarks then have ten images or fewer.
SPREAD = 1.9
KEPT_SHARE, NONE_SHARE, COPY_SHARE = 0.8, 0.05, 0.02


@dataclass(frozen=True)
class ExploreBench:
    """What was measured. size_bytes: of the made-up catalog."""

    n_rows: int
    n_landmarks: int
    size_bytes: int
    cost: Cost


def bench_explore(folder: Path, *, settings: ExploreBenchSettings, watch: Watch) -> ExploreBench:
    """The cost of `cairn explore --no-sheets` over a made-up work folder in `folder`, which is made where it is not there."""
    name = f"made-up-{settings.n_rows}-{settings.n_landmarks}"
    work = folder / name
    if not (work / "catalog.parquet").exists():
        with watch.phase("make up rows", 1) as advance:
            make_up(work, n_rows=settings.n_rows, n_landmarks=settings.n_landmarks)
            advance(1)
    words = [sys.executable, "-m", "cairn", "explore", name, "--no-sheets"]
    with watch.phase("explore", 1) as advance:
        cost = run_measured(words, cwd=folder)
        advance(1)
    size_bytes = (work / "catalog.parquet").stat().st_size
    return ExploreBench(settings.n_rows, settings.n_landmarks, size_bytes, cost)


def make_up(work: Path, *, n_rows: int, n_landmarks: int) -> None:
    """`work` holds a catalog, landmarks and a split of rows as a large download leaves them; the same every time.

    The landmarks' sizes fall off as those of the Google Landmarks list of 2018 do: some of thousands, half with a handful.
    """
    rng = np.random.default_rng(0)
    catalog = _catalog(rng, n_rows, n_landmarks)
    work.mkdir(parents=True, exist_ok=True)
    _landmarks(n_landmarks).write(work / "landmarks.parquet")
    write_table(_split(rng, catalog), work / "split.parquet")
    write_table(catalog, work / "catalog.parquet")


def _catalog(rng: np.random.Generator, n: int, n_landmarks: int) -> pl.DataFrame:
    is_kept = rng.random(n) < KEPT_SHARE
    shape = np.array(SIDES_PX)[rng.integers(0, len(SIDES_PX), n)]
    ids = pl.Series(range(n)).hash(1).cast(pl.UInt64)
    landmark = _names(_landmark_of_each(rng, n, n_landmarks), "landmark_")
    shown = landmark.reshape((-1, 1)).cast(pl.List(pl.String))
    shows_none = pl.Series(rng.random(n) < NONE_SHARE)
    host = _names((HOSTS * rng.random(n) ** 4).astype(np.int64), "https://host-")
    kept = pl.Series(is_kept)
    table = pl.DataFrame({"row": pl.Series(range(1, n + 1), dtype=pl.Int64)}).with_columns(
        list=pl.lit("/lists/made-up.csv"),
        image_id=_hex(ids),
        source=pl.format("{}.example/photos/{}.jpg", host, _hex(ids)),
        own_landmark_ids=pl.when(shows_none).then(pl.lit([], pl.List(pl.String))).otherwise(shown),
        status=pl.when(kept).then(pl.lit("kept")).otherwise(pl.lit("failed")),
        cause=pl.when(~kept).then(_choice(rng, CAUSES, n)),
        path=pl.when(kept).then(pl.format("images/{}/{}.jpg", landmark, _hex(ids))),
        width_px=pl.when(kept).then(pl.Series(shape[:, 0])),
        height_px=pl.when(kept).then(pl.Series(shape[:, 1])),
        size_bytes=pl.when(kept).then(pl.Series(rng.integers(20_000, 400_000, n))),
        digest=pl.when(kept).then(_digests(ids)),
        kept_digest=pl.when(kept).then(_digests(ids)),
        likeness=pl.when(kept).then(_likenesses(rng, n)),
        licence=_choice(rng, LICENCES, n),
        author=_names(rng.integers(0, AUTHORS, n), "Author "),
        attempts=pl.lit(1),
    )  # fmt: skip
    table = table.with_columns(landmark_ids=pl.col("own_landmark_ids"))
    absent = [pl.lit(None, kind).alias(name) for name, kind in CATALOG_SCHEMA.items() if name not in table.columns]  # fmt: skip
    return table.with_columns(absent).select(
        pl.col(name).cast(kind) for name, kind in CATALOG_SCHEMA.items()
    )


def _landmark_of_each(rng: np.random.Generator, n: int, n_landmarks: int) -> Ints:
    """[n] a landmark for each row."""
    ends = np.cumsum(np.exp(SPREAD * rng.standard_normal(n_landmarks)))
    places = np.searchsorted(ends / ends[-1], rng.random(n))
    return np.minimum(places, n_landmarks - 1).astype(np.int64)


def _split(rng: np.random.Generator, catalog: pl.DataFrame) -> pl.DataFrame:
    kept = catalog.filter(pl.col("status") == "kept").select("image_id")
    # Every second image may be a copy of the one before it, and then shares its part.
    is_copy = pl.Series((rng.random(len(kept)) < COPY_SHARE) & (np.arange(len(kept)) % 2 == 1))
    lot = pl.when(is_copy).then(pl.col("lot").shift(1)).otherwise("lot")
    part = pl.when(lot < 0.8).then(pl.lit("train")).when(lot < 0.9).then(pl.lit("val"))
    table = kept.with_columns(lot=pl.Series(rng.random(len(kept)))).with_columns(
        part=part.otherwise(pl.lit("test")),
        group=pl.when(is_copy).then(pl.col("image_id").shift(1)).otherwise("image_id"),
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in SPLIT_SCHEMA.items() if name not in table.columns]  # fmt: skip
    return table.with_columns(absent).select(list(SPLIT_SCHEMA))


def _landmarks(n: int) -> Landmarks:
    ids = _names(np.arange(n), "landmark_")
    numbers = np.arange(n)
    known = pl.DataFrame({"landmark_id": ids}).with_columns(
        name=pl.format("Landmark {}", pl.Series(numbers)),
        country=pl.format("Country {}", pl.Series(numbers % 90)),
    )
    unknown = [
        pl.lit(None, kind).alias(name)
        for name, kind in LANDMARK_SCHEMA.items()
        if name not in known.columns
    ]
    known = known.with_columns(unknown)
    return Landmarks(known.select(list(LANDMARK_SCHEMA)).sort("landmark_id"))


def _names(numbers: Ints, before: str) -> pl.Series:
    return pl.select(pl.format(before + "{}", pl.Series(numbers))).to_series()


def _choice(rng: np.random.Generator, words: tuple[str | None, ...], n: int) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(rng.integers(0, len(words), n))


def _hex(numbers: pl.Series) -> pl.Series:
    """16 digits of each number."""
    return pl.Series(f"{number:016x}" for number in numbers)


def _digests(numbers: pl.Series) -> pl.Series:
    """64 digits that no other number has."""
    return pl.Series(f"{number:016x}" * 4 for number in numbers)


def _likenesses(rng: np.random.Generator, n: int) -> pl.Series:
    content = rng.bytes(64 * n)
    return pl.Series([content[64 * i : 64 * i + 64] for i in range(n)], dtype=pl.Binary)
