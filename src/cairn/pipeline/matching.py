"""What `cairn bench matching` needs of a folder of photos: their points, and what trying photos gives each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cairn.algorithms.duplicates import groups_of, near_pairs
from cairn.algorithms.inverted_lists import neighbors_among, open_index
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.standing import Shown, other_landmarks
from cairn.algorithms.whitening import fit_whitening
from cairn.base.errors import InputError
from cairn.base.settings import DescribeSettings, ImportSettings, ScrubSettings, SplitSettings
from cairn.base.watching import Watch
from cairn.bench.photo_notes import PhotoNotes
from cairn.bench.saying import Best
from cairn.engines.local import LocalEngine
from cairn.images.pixels import Decoded
from cairn.models.keypoints import Keypoints
from cairn.pipeline.describing import current_images, describe_catalog, embedder_of
from cairn.pipeline.importing import Lists, import_lists
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.stages.describe import checked_image
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.pixels import ENOUGH_PX
from cairn.stages.scrub.scrubbing import N_DIRECTIONS
from cairn.stages.scrub.trying import Album, try_photos


@dataclass(frozen=True)
class Trials:
    """The images of a folder that may be asked about, by their place in `landmarks`: what each shows.

    keypoints_of: the points of one. best_under: what scrub's trying of photos gives it when it is said to show a
    landmark; None where it has too few points, or the landmark no photo that is not its copy. Both may be asked by
    several threads.
    """

    landmarks: tuple[str, ...]
    keypoints_of: Callable[[int], Keypoints]
    best_under: Callable[[int, str], Best | None]


def prepare_trials(
    work: Path, folder: Path, notes: PhotoNotes, *, describing: DescribeSettings, watch: Watch
) -> Trials:
    """The folder imported to `work` and described as scrub does.

    notes: near copies do not speak for each other, and photos of several landmarks are not asked about.
    Raises InputError where no photo shows a landmark.
    """
    place, engine = WorkFolder(work), LocalEngine()
    with place.locked():
        catalog = import_lists(
            place, Lists(folder), settings=ImportSettings(), engine=engine, watch=watch
        )
        embedder = embedder_of(describing, work=place, watch=watch)
        plain = describe_catalog(place, catalog, embedder, engine=engine, watch=watch).vectors
    vectors = fit_whitening(plain, n_dims=N_DIRECTIONS).apply(plain)
    kept = current_images(place, catalog)

    def pixels_of(row: int) -> Decoded:
        return checked_image(kept[row], place.images, enough_px=ENOUGH_PX)

    n_neighbors = ScrubSettings().n_neighbors
    neighbors = neighbors_among(vectors, n_neighbors, index=open_index(vectors, n_neighbors))
    return _trials(catalog, notes, vectors, neighbors, Looks(pixels_of, None))


def _trials(
    catalog: Catalog, notes: PhotoNotes, vectors: npt.NDArray[np.float32], neighbors: Neighbors, looks: Looks
) -> Trials:  # fmt: skip
    images = catalog.images
    mains: list[str | None] = images["landmark_ids"].list.first().to_list()
    names = sorted({name for name in mains if name is not None})
    if not names:
        raise InputError(
            f"none of {len(images):,} photos shows a landmark; folders with a landmark's photos were expected; name "
            "another folder"
        )
    code_of = {name: code for code, name in enumerate(names)}
    main = np.array([-1 if name is None else code_of[name] for name in mains], np.int64)
    groups = _copy_groups(images["source"].to_list(), images["likeness"].to_list(), notes)
    rows = np.flatnonzero(main >= 0)
    shown = Shown(rows, main[rows], len(names), groups)
    album = Album(vectors, groups, shown.images_of())
    sources: list[str] = images["source"].to_list()
    asked = [row for row in rows.tolist() if sources[row] not in notes.several]

    def best_under(place: int, landmark: str) -> Best | None:
        row, code = asked[place], code_of[landmark]
        near = Neighbors(neighbors.rows[[row]], neighbors.similarities[[row]])
        votes = other_landmarks(near, groups[[row]], np.array([[code]]), main, shown)
        others = [other for other in votes.landmarks[0].tolist() if other >= 0]
        tried = try_photos(row, [code], others, album=album, looks=looks, seed=0)
        return Best(tried.own.best, tried.others_surprise) if tried.was_possible else None

    return Trials(
        tuple(names[main[row]] for row in asked),
        lambda place: looks.keypoints(asked[place]),
        best_under,
    )


def _copy_groups(
    sources: Sequence[str], likenesses: Sequence[bytes], notes: PhotoNotes
) -> npt.NDArray[np.int64]:
    """[N]: images of one number are near copies by their likeness, or were noted as such."""
    codes = np.frombuffer(b"".join(likenesses), dtype=np.uint8).reshape(len(likenesses), -1)
    first: dict[int, int] = {}
    noted = []
    for row, source in enumerate(sources):
        if source in notes.group_of:
            noted.append((first.setdefault(notes.group_of[source], row), row))
    alike = near_pairs(codes, max_bits=SplitSettings().copy_bits)
    return groups_of(
        len(sources), np.concatenate([alike, np.array(noted, np.int64).reshape(-1, 2)])
    )
