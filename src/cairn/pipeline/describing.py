"""Descriptors over a work folder: made once for each image's bytes and each way of making them.

They lie in `descriptors/<way>/`, where the way is the digest of backbone, weights and settings, in
parts that are written whole. A part names the digest of the bytes behind each of its rows; so another
setting, another weight or other pixels are described again, and nothing else is.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.files import digest_bytes, digest_file, digest_json, write_bytes, write_json
from cairn.base.settings import (
    EMBEDDED_BACKBONE,
    EMBEDDED_SIDES_PX,
    LEAST_SIDE_PX,
    DescribeSettings,
)
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.store import Inside
from cairn.models.backbones import open_backbone
from cairn.models.embedder import Embedder, open_embedder
from cairn.models.folders import BackboneConfig
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.descriptors import Descriptors
from cairn.stages.describe import KeptImage, chunks, describe
from cairn.version import __version__

# What Ctrl-C may cost, at most.
IMAGES_A_PART = 64
DIGEST_BYTES = 32

Floats = npt.NDArray[np.float32]


def embedder_of(settings: DescribeSettings, *, work: WorkFolder, watch: Watch) -> Embedder:
    """What describes images as `settings` say; exported networks are kept in the work folder."""
    settings = resolved(settings)
    backbone = open_backbone(settings, cache=work.root / "backbones", watch=watch)
    return open_embedder(backbone, as_trained(settings, backbone.config))


def as_trained(settings: DescribeSettings, config: BackboneConfig) -> DescribeSettings:
    """The settings for that network: one with a descriptor of its own is seen in its own way."""
    if not config.has_own_descriptor:
        return settings
    return in_its_own_way(settings, side_px=config.pretrained_cfg.input_size[1])


def in_its_own_way(settings: DescribeSettings, *, side_px: int) -> DescribeSettings:
    """By its own descriptor, on squares of the side it was trained at, wherever the settings were not given."""
    own: dict[str, object] = {
        "pooling": ("cls",),
        "sides_px": (max(LEAST_SIDE_PX, side_px),),
        "keep_shape": False,
    }
    new = {name: value for name, value in own.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=new)


def resolved(settings: DescribeSettings) -> DescribeSettings:
    """The settings that mean the same in another working directory; sizes that suit the embedded backbone."""
    changes: dict[str, object] = {
        name: str(Path(value).expanduser().resolve())
        for name, value in (("backbone", settings.backbone), ("weights", settings.weights))
        if Path(value).expanduser().is_dir()
    }
    if settings.backbone == EMBEDDED_BACKBONE and "sides_px" not in settings.model_fields_set:
        changes["sides_px"] = EMBEDDED_SIDES_PX
    return settings.model_copy(update=changes)


def describe_catalog(
    work: WorkFolder, catalog: Catalog, embedder: Embedder, *, engine: Engine, watch: Watch
) -> Descriptors:
    """A descriptor for every kept image of the catalog, in its order; only what is missing is made."""
    images = current_images(work, catalog)
    folder = work.descriptors(embedder.source)
    # Each descriptor is held once: of a million images they take gigabytes.
    vectors = np.empty((len(images), embedder.width), np.float32)
    rows_of: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(image.digest, []).append(row)
    done: set[str] = set()
    for digests, known in _parts(folder, width=embedder.width):
        done |= _fill(vectors, rows_of, digests, known)
    missing = [images[rows[0]] for digest, rows in rows_of.items() if digest not in done]
    if missing:
        write_json(
            folder / "card.json",
            _about(embedder),
        )
        with watch.phase("describe", len(missing)) as advance:
            for part in chunks(missing, IMAGES_A_PART):
                described = describe(
                    part, store=work.images, embedder=embedder, engine=engine, advance=advance
                )
                _write_part(folder, part, described)
                _fill(vectors, rows_of, [image.digest for image in part], described)
    return Descriptors(tuple(image.image_id for image in images), vectors, embedder.source)


def _fill(
    vectors: Floats, rows_of: Mapping[str, Sequence[int]], digests: Sequence[str], known: Floats
) -> set[str]:
    """Those of `digests` that are asked for; their rows of `vectors` now hold what `known` has for them."""
    found = [(place, digest) for place, digest in enumerate(digests) if digest in rows_of]
    for place, digest in found:
        vectors[rows_of[digest]] = known[place]
    return {digest for _, digest in found}


def _about(embedder: Embedder) -> dict[str, JsonValue]:
    return {
        "cairn": __version__,
        "source": embedder.source,
        "backbone": embedder.backbone.name,
        "backbone_digest": embedder.backbone.digest,
        "settings": embedder.settings.as_json(),
    }


def current_images(work: WorkFolder, catalog: Catalog) -> list[KeptImage]:
    """The kept images with the digests of the bytes that lie there now.

    A file is read only where its size differs from the catalog's or it is newer than the catalog; an image inside of a
    shard, only where the shard is newer.
    """
    written_ns = work.catalog_path.stat().st_mtime_ns

    @cache
    def is_newer(file: str) -> bool:
        try:
            return (work.root / file).stat().st_mtime_ns > written_ns
        except OSError:
            # Where it has gone, reading it will say so in words.
            return False

    def digest_now(path: str, size_bytes: int, digest: str) -> str:
        inside = Inside.of(path)
        if inside is None:
            return _digest(work.root / path, size_bytes, digest, written_ns)
        return digest_bytes(work.images.read(path)) if is_newer(inside.file) else digest

    return [
        KeptImage(image_id, path, digest_now(path, size_bytes, digest))
        for image_id, path, size_bytes, digest in catalog.images.select(
            "image_id", "path", "size_bytes", "kept_digest"
        ).iter_rows()
    ]


def require_there(work: WorkFolder, images: Sequence[KeptImage]) -> None:
    """Nothing, where the file of every image is there; otherwise raises InputError that says how many have gone."""
    files = {
        image.path: inside.file if (inside := Inside.of(image.path)) else image.path
        for image in images
    }
    gone_files = {file for file in set(files.values()) if not (work.root / file).is_file()}
    gone = [path for path, file in files.items() if file in gone_files]
    if gone:
        raise InputError(
            f"{counted(len(gone), 'image')} of {len(images):,} {'has' if len(gone) == 1 else 'have'} gone (first: "
            f"{work.root / gone[0]}); all that the catalog keeps were expected; bring them back, or run again what "
            "brought them there: cairn import or cairn download"
        )


def descriptors_at_hand(
    work: WorkFolder, digests: Collection[str]
) -> dict[str, npt.NDArray[np.float32]]:
    """The descriptor of each of `digests`, made in the way that was used last among those that have them all.

    Raises InputError where there is no such way.
    """
    cards = (work.root / "descriptors").glob("*/card.json")
    for card in sorted(cards, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        known = _known(card.parent)
        if known.keys() >= set(digests):
            return known
    raise InputError(
        f"no way of describing images in {work.root} has a descriptor of all {len(digests):,} of them; one each was "
        f"expected, as scrub makes them; run: cairn scrub {work.root}"
    )


def _digest(path: Path, size_bytes: int, digest: str, written_ns: int) -> str:
    try:
        stat = path.stat()
    except OSError:
        # Where it has gone, reading it will say so in words.
        return digest
    changed = stat.st_size != size_bytes or stat.st_mtime_ns > written_ns
    return digest_file(path) if changed else digest


def _write_part(
    folder: Path, images: Sequence[KeptImage], vectors: npt.NDArray[np.float32]
) -> None:
    digests = [image.digest for image in images]
    rows = np.frombuffer(bytes.fromhex("".join(digests)), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    name = f"{digest_json([*digests])[:24]}.safetensors"
    write_bytes(folder / name, save({"digests": rows, "vectors": vectors}))


def _known(folder: Path) -> dict[str, Floats]:
    """The descriptors that lie in `folder`, by digest."""
    return {
        digest: vector
        for digests, vectors in _parts(folder, width=None)
        for digest, vector in zip(digests, vectors, strict=True)
    }


def _parts(folder: Path, *, width: int | None) -> Iterator[tuple[list[str], Floats]]:
    """Part by part the digests and descriptors that lie in `folder`; a part that cannot be read counts as not made.

    width: numbers in each; None: as many as the first has.
    """
    for path in sorted(folder.glob("*.safetensors")):
        try:
            part = load_file(path)
            digests, vectors = part["digests"], part["vectors"]
        except OSError:
            continue
        except (SafetensorError, KeyError):
            path.unlink(missing_ok=True)
            continue
        width = vectors.shape[-1] if width is None else width
        if vectors.shape == (len(digests), width) and np.isfinite(vectors).all():
            yield [row.tobytes().hex() for row in digests], vectors
