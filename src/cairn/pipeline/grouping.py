"""A proposal of landmark folders for photos that lie in none: copies in the work folder to look through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes, safe_name, write_bytes
from cairn.base.settings import DescribeSettings, ImportSettings
from cairn.base.watching import Advance, Watch
from cairn.engines.local import LocalEngine
from cairn.images.pixels import Limits, PixelError, decode
from cairn.pipeline.describing import embedder_of
from cairn.pipeline.importing import require_apart
from cairn.pipeline.whole_folders import whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.stages.group import ALONE, group
from cairn.stages.listing import IMAGE_SUFFIXES, ListedFile, list_files

ENOUGH_PX = 1024
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Proposal:
    """Where the proposed folders lie and what they hold."""

    folder: Path
    n_images: int
    n_groups: int
    n_alone: int


def propose_groups(
    work: str | Path,
    *,
    folder: Path,
    settings: DescribeSettings,
    importing: ImportSettings,
    watch: Watch,
) -> Proposal:
    """Folders of photos that look alike, copied to `WORK/proposal`; `folder` stays as it is.

    Raises InputError where `folder` holds no photo that can be read.
    """
    place = WorkFolder(Path(work))
    require_apart(place.root, folder)
    files = [
        file
        for file in list_files(folder, flat=True)
        if file.is_regular
        and not file.is_system
        and Path(file.source).suffix.lower() in IMAGE_SUFFIXES
    ]
    target = place.root / "proposal"
    if target.exists():
        raise InputError(
            f"{target} exists already, perhaps with folders that you have named; a new proposal would take its "
            "place; import it, move it away or remove it, then run the same command again"
        )
    with place.locked():
        embedder = embedder_of(settings, work=place, watch=watch)
        readable: list[str] = []
        with watch.phase("describe", len(files)) as advance:
            limits = Limits(importing.max_pixels, importing.max_bytes)
            seen = _readable(folder, files, limits, readable, advance)
            batches = list(embedder.describe(seen))
        if not batches:
            raise InputError(
                f"{folder} holds no photo that can be read; files such as .jpg or .heic were expected; "
                "name another folder"
            )
        proposed = group(readable, np.concatenate(batches))
        with whole_folder(target) as fresh, watch.phase("copy", len(readable)) as advance:
            names = {file.source: file.name_on_disk for file in files}
            _copy(folder, names, proposed, fresh, advance)
    n_alone = len(proposed.get(ALONE, ()))
    return Proposal(target, len(readable), len(proposed) - (ALONE in proposed), n_alone)


def _readable(
    folder: Path,
    files: Sequence[ListedFile],
    limits: Limits,
    sources: list[str],
    advance: Advance,
) -> Iterator[Pixels]:
    """The pixels of the files that are images; `sources` grows by the name of each."""

    def pixels_of(file: ListedFile) -> Pixels | None:
        try:
            content = (folder / file.name_on_disk).read_bytes()
            return decode(content, limits=limits, enough_px=ENOUGH_PX).pixels
        except (PixelError, OSError):
            return None

    for file, pixels in zip(files, LocalEngine().map(pixels_of, files), strict=True):
        advance(1)
        if pixels is not None:
            sources.append(file.source)
            yield pixels


def _copy(
    folder: Path,
    names: Mapping[str, str],
    proposed: Mapping[str, Sequence[str]],
    target: Path,
    advance: Advance,
) -> None:
    for name, sources in proposed.items():
        for source in sources:
            write_bytes(target / name / _flat_name(source), (folder / names[source]).read_bytes())
            advance(1)


def _flat_name(source: str) -> str:
    """A file name that keeps the ending and differs where the path differs."""
    path = Path(source)
    return f"{safe_name(path.stem)}_{digest_bytes(source.encode())[:8]}{path.suffix.lower()}"
