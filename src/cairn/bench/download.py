"""What a downloaded photo costs: Cairn beside img2dataset, the script it replaces and the bare limit, in one run."""

import contextlib
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.settings import DownloadBenchSettings, DownloadSettings
from cairn.base.watching import Watch
from cairn.bench.measured import Cost, last_words, run_measured
from cairn.bench.photos import make_photos
from cairn.bench.ways import BARE, Ground, Way, field_of
from cairn.models.runtimes.openvino import processor

# So many rows are compared with what a slow and careful hand would have kept.
N_COMPARED = 50
IMAGES_OF_A_LANDMARK = 100


@dataclass(frozen=True)
class Contender:
    """One way to the photos: what each round cost, what its start costs, and how near its pixels are.

    start_cpu_s: CPU seconds of a run over one row. They are part of every round's cost too.
    error: mean absolute error (0 to 255) of kept photos against Lanczos on the whole photo.
    """

    name: str
    n_images: int
    costs: tuple[Cost, ...]
    start_cpu_s: float
    error: float

    @property
    def images_per_s(self) -> tuple[float, ...]:
        """Photos a second by the clock on the wall, in each round."""
        return tuple(self.n_images / cost.wall_s for cost in self.costs)

    @property
    def cpu_ms(self) -> tuple[float, ...]:
        """Milliseconds of CPU for a photo, its share of the start among them, in each round."""
        return tuple(1000 * cost.cpu_s / self.n_images for cost in self.costs)

    @property
    def peak_bytes(self) -> int | None:
        """The most memory that all its processes had together, in the worst round."""
        return max((cost.peak_bytes for cost in self.costs if cost.peak_bytes), default=None)


@dataclass(frozen=True)
class DownloadBench:
    """What was measured, and on what; `left_out` has the reason for each contender that is missing."""

    n_images: int
    n_photos: int
    photo_bytes: float
    quality: int
    processor: str
    versions: dict[str, str]
    contenders: tuple[Contender, ...]
    left_out: dict[str, str]

    def cpu_share(self, name: str, of: str) -> float | None:
        """CPU of `name` for a photo over that of `of`: the median over rounds; None where one is missing."""
        cpu_ms = {contender.name: contender.cpu_ms for contender in self.contenders}
        if name not in cpu_ms or of not in cpu_ms:
            return None
        pairs = zip(cpu_ms[name], cpu_ms[of], strict=True)
        return statistics.median(one / other for one, other in pairs)


def bench_download(
    scratch: Path, *, settings: DownloadBenchSettings, img2dataset: Path | None, watch: Watch
) -> DownloadBench:
    """What each contender takes for the same photos from the same server, in rounds that take turns.

    scratch: the photos are made and kept here (about 65 MB). What is downloaded is deleted in the end only: file
    systems may take long to use again what has just become free, which would count against whoever comes next.
    img2dataset: the Python of an environment that has it; None leaves it out.
    Raises InputError where a contender fails or does not keep every photo.
    """
    scratch = scratch.absolute()
    field = field_of(img2dataset=img2dataset, ours_only=settings.ours_only)
    photos = make_photos(scratch / "photos", n_photos=settings.n_images, watch=watch)
    with _served(scratch / "photos") as port, _fresh(scratch / "out") as out:
        ground = Ground(
            addresses=_list(scratch / "list.csv", port, settings.n_images),
            photos=scratch / "photos",
            out=out,
            n_images=settings.n_images,
            quality=DownloadSettings().quality,
        )
        one = replace(ground, addresses=_list(scratch / "one.csv", port, 1), n_images=1)
        starts = {name: _start_cpu_s(name, way, one) for name, way in field.ways.items()}
        costs, errors = _rounds(field.ways, ground, photos, n_rounds=settings.rounds, watch=watch)
    return DownloadBench(
        n_images=settings.n_images,
        n_photos=len(photos),
        photo_bytes=statistics.mean(path.stat().st_size for path in photos),
        quality=ground.quality,
        processor=processor()[0],
        versions=field.versions,
        contenders=tuple(
            Contender(name, settings.n_images, tuple(costs[name]), starts[name], errors[name])
            for name in field.ways
        ),
        left_out=field.left_out,
    )


@contextlib.contextmanager
def _served(photos: Path) -> Iterator[int]:
    """The port of a server of `photos` in a process of its own, whose CPU is nobody's."""
    words = [sys.executable, "-m", "cairn.bench.serving", str(photos)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            port = server.stdout.readline() if server.stdout else b""
            if not port.strip().isdigit():
                raise InputError(
                    f"the server of photos said {port!r}; the number of its port was expected; "
                    "see what it wrote above"
                )
            yield int(port)
        finally:
            if server.stdin:
                server.stdin.close()


@contextlib.contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """`folder`, empty; it is gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _list(path: Path, port: int, n_images: int) -> Path:
    rows = (
        f"{i:016d},http://127.0.0.1:{port}/{i}.jpg,{i // IMAGES_OF_A_LANDMARK}\n"
        for i in range(n_images)
    )
    path.write_text("id,url,landmark_id\n" + "".join(rows))
    return path


def _rounds(
    found: Mapping[str, Way], ground: Ground, photos: Sequence[Path], *, n_rounds: int, watch: Watch
) -> tuple[dict[str, list[Cost]], dict[str, float]]:
    """What each contender cost in each round, and its error; a round starts one contender later than the last."""
    names = list(found)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    errors: dict[str, float] = {}
    with watch.phase("measure", n_rounds * len(names)) as advance:
        for i in range(n_rounds):
            first = i % len(names)
            for name in names[first:] + names[:first]:
                cost, kept = _run(name, found[name], ground)
                costs[name].append(cost)
                if name not in errors:
                    errors[name] = _error(kept, photos)
                advance(1)
    return costs, errors


def _start_cpu_s(name: str, way: Way, one: Ground) -> float:
    """CPU seconds of a run over one row; the better of two, as the first may find cold caches."""
    return min(_run(name, way, one)[0].cpu_s for _ in range(2))


def _run(name: str, way: Way, ground: Ground) -> tuple[Cost, dict[int, Path]]:
    """What one run of a contender into a folder of its own cost, and the photos it kept."""
    ground = replace(ground, out=ground.out / str(len(list(ground.out.iterdir()))))
    cost = run_measured(way.words(ground), cwd=ground.photos.parent, environment=way.environment)
    kept = way.kept(ground.out)
    # The bare limit leaves only as many as are looked at.
    wanted = min(ground.n_images, N_COMPARED) if name == BARE else ground.n_images
    if len(kept) != wanted:
        raise InputError(
            f"{name} kept {len(kept):,} of {wanted:,} photos; all were expected; "
            f"see what it said last:\n{last_words(ground.photos.parent)}"
        )
    return cost, kept


def _error(kept: Mapping[int, Path], photos: Sequence[Path]) -> float:
    """Mean over the first rows: how far each kept photo is from the whole photo made as small by Lanczos."""
    numbers = sorted(kept)[:N_COMPARED]
    return statistics.mean(_apart(kept[i], photos[i % len(photos)]) for i in numbers)


def _apart(kept: Path, photo: Path) -> float:
    with Image.open(kept) as image, Image.open(photo) as whole:
        reference = whole.convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
        difference = np.asarray(image.convert("RGB"), np.float32) - np.asarray(
            reference, np.float32
        )
    return float(np.abs(difference).mean())
