"""What scrub finds: Cairn and its peers on photos with planted faults, kind by kind, over several seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import write_text
from cairn.base.settings import DescribeSettings, ScrubBenchSettings
from cairn.base.watching import Watch
from cairn.bench import cleaners, hits
from cairn.bench.cleaners import CAIRN, Cleaners, Finished, cleaners_of
from cairn.bench.hits import Looked, judged
from cairn.bench.measured import Cost
from cairn.bench.photo_notes import PhotoNotes, read_photo_notes
from cairn.bench.planted import photos_in, plant
from cairn.bench.tallies import (
    QUEUES,
    Precision,
    Recall,
    Seen,
    curve,
    missed,
    precisions,
    recalls,
)
from cairn.models.runtimes.openvino import processor
from cairn.records.tables import write_table

IMPORT = "Cairn, import"
CURVES, UNPLANTED, MISSED = "curves.parquet", "unplanted.csv", "missed.csv"


@dataclass(frozen=True)
class Asked:
    """What the bench is given besides its settings.

    folder: of landmark folders. notes: CSV of near copies and photos of several landmarks. looked: CSV of what a
    person said of hits that were not planted. cleanvision, imagededup: the Pythons of environments that have them.
    """

    folder: Path
    notes: Path | None = None
    looked: Path | None = None
    cleanvision: Path | None = None
    imagededup: Path | None = None


@dataclass(frozen=True)
class Contender:
    """What one contender found in every seed's planted set, and what each run cost."""

    name: str
    seen: tuple[Seen, ...]
    costs: tuple[Cost, ...]
    phases: tuple[Mapping[str, float], ...] = ()

    @property
    def recalls(self) -> dict[str, Recall]:
        """The recall of each planted kind, over all seeds."""
        return recalls(self.seen)

    def precisions(self, *, sure: bool = False) -> dict[tuple[str, ...], Precision]:
        """What the findings of each queue turned out to be, over all seeds."""
        return precisions(self.seen, sure=sure)


@dataclass(frozen=True)
class ScrubBench:
    """What was measured, and on what; `left_out` has the reason for each contender that is missing.

    n_photos: in each seed's planted set. imports: the cost of Cairn's import, which its peers have no need of.
    """

    folder: str
    seeds: tuple[int, ...]
    n_photos: tuple[int, ...]
    processor: str
    contenders: tuple[Contender, ...]
    imports: tuple[Cost, ...]
    versions: dict[str, str]
    left_out: dict[str, str]
    looked: Looked

    @property
    def cairn(self) -> Contender:
        """What Cairn found."""
        return self.contenders[0]

    def curves(self) -> pl.DataFrame:
        """contender, seed, queue, rank, precision and recall, for all of them."""
        return pl.concat(
            [
                curve(seen, queue).select(
                    pl.lit(contender.name).alias("contender"),
                    pl.lit(seen.seed).alias("seed"),
                    pl.lit(" or ".join(queue)).alias("queue"),
                    "rank",
                    "precision",
                    "recall",
                )
                for contender in self.contenders
                for seen in contender.seen
                for queue in QUEUES
            ]
        )

    def unplanted(self) -> pl.DataFrame:
        """Cairn's hits that were not planted, each once, the best score of each first, then what else was looked at.

        kind, photo, other and is_odd (yes, no, or empty for a person to fill in), image_id, seed, score, reason.
        """
        said = {hits.NEW: "", hits.ODD: "yes", hits.FINE: "no"}
        new = _together(
            self.cairn.seen, lambda seen: seen.hits.filter(pl.col("verdict").is_in(list(said)))
        )
        found = new.sort("kind", "score", "image_id", descending=[False, True, False]).select(
            "kind", pl.col("key").list.get(0).alias("photo"), pl.col("key").list.get(1).alias("other"),
            pl.col("verdict").replace_strict(said, return_dtype=pl.String).alias("is_odd"),
            "image_id", "seed", "score", "reason",
        ).unique(["kind", "photo", "other"], keep="first", maintain_order=True)  # fmt: skip
        before = self.looked.table.join(found, on=["kind", "photo", "other"], how="anti")
        return pl.concat([found, before], how="diagonal")

    def missed(self) -> pl.DataFrame:
        """The planted photos that Cairn did not find as what they are: the rows of the truth, with their seed."""
        lost = _together(self.cairn.seen, missed)
        return lost.with_columns(pl.col("roots").list.join(" ")).select(
            "seed", "kind", "photo", "roots", "variant", "strength", "is_elsewhere"
        )


def bench_scrub(
    scratch: Path, asked: Asked, *, settings: ScrubBenchSettings, describing: DescribeSettings, watch: Watch
) -> ScrubBench:  # fmt: skip
    """What Cairn and its peers find in the planted set of each seed.

    scratch: a folder `seed-N` each, with photos, truth and Cairn's work folder, about 250 MB for 1,500 photos. What is
    there already is used again. Left there, too: CURVES, UNPLANTED and MISSED.
    Raises InputError where Cairn fails, or where the folder has too few photos.
    """
    scratch = scratch.absolute()
    photos = photos_in(asked.folder)
    notes = read_photo_notes(asked.notes, photos) if asked.notes else PhotoNotes()
    looked = Looked.read(asked.looked) if asked.looked else Looked()
    peers = cleaners_of(cleanvision=asked.cleanvision, imagededup=asked.imagededup)
    imports: list[Cost] = []
    runs: dict[str, list[tuple[Seen, Finished]]] = {}
    n_photos = []
    for seed in settings.seeds:
        place = scratch / f"seed-{seed}"
        planted = plant(asked.folder, place, notes, seed=seed, settings=settings, watch=watch)
        n_photos.append(len(photos_in(place / "photos")))
        for name, finished in _run_all(place, describing, peers, imports, watch).items():
            hits_seen = judged(finished.hits, planted, notes, looked)
            seen = Seen(seed, planted, hits_seen, finished.parts)
            runs.setdefault(name, []).append((seen, finished))
    found = ScrubBench(
        folder=asked.folder.name,
        seeds=settings.seeds,
        n_photos=tuple(n_photos),
        processor=processor()[0],
        contenders=tuple(_contender(name, run) for name, run in runs.items() if name not in peers.left_out),
        imports=tuple(imports),
        versions=peers.versions,
        left_out=peers.left_out,
        looked=looked,
    )  # fmt: skip
    write_table(found.curves(), scratch / CURVES)
    write_text(scratch / UNPLANTED, found.unplanted().write_csv())
    write_text(scratch / MISSED, found.missed().write_csv())
    return found


def _contender(name: str, run: Sequence[tuple[Seen, Finished]]) -> Contender:
    return Contender(
        name,
        tuple(seen for seen, _ in run),
        tuple(finished.cost for _, finished in run),
        tuple(finished.phases for _, finished in run),
    )


def _run_all(
    place: Path, describing: DescribeSettings, peers: Cleaners, imports: list[Cost], watch: Watch
) -> dict[str, Finished]:
    """What each contender found in the planted set at `place`; a peer that fails is left out from then on."""
    finished: dict[str, Finished] = {}
    with watch.phase("clean", 1 + len(peers.pythons)) as advance:
        cost, finished[CAIRN] = cleaners.run_cairn(place, describing)
        imports.append(cost)
        advance(1)
        for name, python in peers.pythons.items():
            if name not in peers.left_out:
                try:
                    finished[name] = cleaners.run_peer(name, python, place)
                except InputError as error:
                    peers.left_out[name] = f"it failed: {cleaners.last_sentence(error)}"
            advance(1)
    return finished


def _together(seen: Sequence[Seen], rows_of: Callable[[Seen], pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([rows_of(one).with_columns(pl.lit(one.seed).alias("seed")) for one in seen])
