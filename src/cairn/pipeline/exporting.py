"""Export: a network as a folder with ONNX, OpenVINO's own form and an int8 twin, and how near each comes to it."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from cairn.base.errors import BundleError, InputError
from cairn.base.files import digest_file, disk_errors, write_bytes, write_json
from cairn.base.settings import DescribeSettings, ExportSettings, settings_folder
from cairn.base.watching import Advance, Silent, Watch
from cairn.bundles import CARD, Bundle, open_bundle
from cairn.bundles import NETWORK as BUNDLE_NETWORK
from cairn.models.backbones import open_backbone
from cairn.models.embedder import Embedder, open_embedder
from cairn.models.exporting import ORIGIN
from cairn.models.folders import CONFIG, INT8, NETWORK, WEIGHTS, Backbone, quantised
from cairn.models.networks import torch_versions
from cairn.models.openvino_files import write_bf16, write_int8
from cairn.models.quantising import quantise, require_quantiser
from cairn.models.runtimes.contract import Pixels
from cairn.models.runtimes.openvino import OpenVinoRuntime, processor
from cairn.models.runtimes.torch import TorchRuntime
from cairn.pipeline.describing import as_trained, resolved
from cairn.pipeline.export_answers import Asked, changes_on_photos, changes_on_test
from cairn.pipeline.export_photos import ExportPhotos, Pixels8
from cairn.pipeline.whole_folders import whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.parity import AnswerChange, FormatParity, ParityReport
from cairn.reports.parity import write_parity_report
from cairn.stages.export import Written, compare_formats
from cairn.version import __version__

PARITY, PAGE = "parity.json", "parity.html"
BF16, INT8_OPENVINO = "openvino/bf16.xml", "openvino/int8.xml"


@dataclass(frozen=True)
class Exported:
    """What export left; `parity` is None where no photos were given."""

    folder: Path
    files: tuple[str, ...]
    parity: ParityReport | None


@dataclass(frozen=True)
class Source:
    """The network that is exported, how images are described by it, and the bundle that it is of."""

    backbone: Backbone
    describe: DescribeSettings
    bundle: Bundle | None = None


def export(
    source: str,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    describing: DescribeSettings | None = None,
    settings: ExportSettings | None = None,
    watch: Watch | None = None,
) -> Exported:
    """The network of a timm name, a backbone folder or a bundle, written to the new folder `out`; see docs/export.md.

    photos: a folder of photos or a work folder, which int8 is calibrated on and the formats are compared on.
    Raises InputError where `out` exists or int8 has no photos, BundleError where the network cannot be exported,
    MissingExtra where torch or the quantiser is needed, DiskError where the disk is full.
    """
    folder, chosen, shown = Path(out), settings or ExportSettings(), watch or Silent()
    _require_new(folder)
    if "int8" in chosen.formats:
        _require_photos(photos)
        require_quantiser()
    drawn = None if photos is None else ExportPhotos.of(Path(photos), chosen)
    way = describing or DescribeSettings()
    with _opened(str(source), folder, way, shown) as found, whole_folder(folder) as fresh:
        formats, n_calibrated = _written(found, fresh, drawn, chosen, shown)
        parity = None
        if drawn is not None:
            parity = _compared(found, formats, n_calibrated, drawn, chosen, shown)
            parity.write(fresh / PARITY)
            write_parity_report(fresh / PAGE, parity)
        write_json(fresh / ORIGIN, _origin(found, formats, chosen))
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return Exported(folder, tuple(files), parity)


def _require_new(folder: Path) -> None:
    if folder.exists():
        raise InputError(
            f"{folder} exists already; a new folder was expected; remove it or name another"
        )


def _require_photos(photos: str | Path | None) -> None:
    if photos is None:
        raise InputError(
            "int8 is calibrated on photos, and none were given; a folder of photos or a work folder was expected; add "
            "--photos DIR, or leave int8 out: --formats onnx,bf16"
        )


@contextmanager
def _opened(name: str, out: Path, describing: DescribeSettings, watch: Watch) -> Iterator[Source]:
    """The source called `name`; what has to be exported to ONNX first lies beside `out` meanwhile."""
    folder = settings_folder(name)
    if folder is not None and (folder / BUNDLE_NETWORK).is_file() and (folder / CARD).is_file():
        bundle = open_bundle(folder)
        if bundle.card.describe.describe_in == "int8":
            raise BundleError(
                f"the bundle {folder} holds an int8 network; one in full precision was expected; export what it was "
                "made of instead"
            )
        yield Source(bundle.backbone, bundle.card.describe, bundle)
        return
    asked = resolved(describing.model_copy(update={"backbone": name, "describe_in": "fp32"}))
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        cache = tempfile.TemporaryDirectory(dir=out.parent, prefix=".making-")
    with cache as made:
        backbone = open_backbone(asked, cache=Path(made), watch=watch)
        yield Source(backbone, as_trained(asked, backbone.config))


def _written(
    found: Source, fresh: Path, drawn: ExportPhotos | None, settings: ExportSettings, watch: Watch
) -> tuple[dict[str, Written], int]:
    """The formats, and how many photos int8 was calibrated on."""
    here, n_calibrated = _copied(found, fresh), 0
    describe = found.describe.model_copy(update={"runtime": "openvino", "describe_in": "fp32"})
    plain = open_embedder(here, describe)
    formats = {"onnx": _format(plain, fresh, [fresh / NETWORK])}
    if "bf16" in settings.formats:
        trunk = fresh / BF16
        top = write_bf16(fresh / NETWORK, trunk)
        runtime = OpenVinoRuntime(trunk, arithmetic="bf16", top=top)
        embedder = Embedder(here, describe.model_copy(update={"describe_in": "bf16"}), runtime)
        files = [path for path in (trunk, top) if path is not None]
        formats["bf16"] = _format(
            embedder, fresh, [p for path in files for p in (path, path.with_suffix(".bin"))]
        )
    if "int8" in settings.formats and drawn is not None:
        with watch.phase("calibrate", len(drawn.calibration)) as advance:

            def calibrated(n_photos: int) -> None:
                nonlocal n_calibrated
                n_calibrated += n_photos
                advance(n_photos)

            quantise(fresh / NETWORK, fresh / INT8, _calibration(plain, drawn, calibrated, watch))
        write_int8(fresh / INT8, fresh / INT8_OPENVINO)
        twin = open_embedder(quantised(here), describe.model_copy(update={"describe_in": "int8"}))
        formats["int8"] = _format(twin, fresh, [fresh / INT8])
        saved = replace(twin, runtime=OpenVinoRuntime(fresh / INT8_OPENVINO, arithmetic="int8"))
        both = [fresh / INT8_OPENVINO, (fresh / INT8_OPENVINO).with_suffix(".bin")]
        formats["int8 openvino"] = _format(saved, fresh, both)
    return formats, n_calibrated


def _copied(found: Source, fresh: Path) -> Backbone:
    """The backbone as it lies in the new folder: the same files, so that its descriptors are the same too."""
    backbone = found.backbone
    with disk_errors(fresh):
        shutil.copyfile(backbone.network, fresh / NETWORK)
        if backbone.weights is not None:
            shutil.copyfile(backbone.weights, fresh / WEIGHTS)
    if found.bundle is None:
        write_bytes(fresh / CONFIG, (backbone.folder / CONFIG).read_bytes())
    else:
        write_json(fresh / CONFIG, backbone.config.model_dump(mode="json"))
    return replace(backbone, network=fresh / NETWORK)


def _calibration(
    embedder: Embedder, photos: ExportPhotos, advance: Advance, watch: Watch
) -> Iterator[Pixels]:
    """What the network is given of each photo that it is calibrated on, at one of the sides in turn."""
    largest = 2 * max(embedder.settings.sides_px)
    found = photos.pixels(photos.calibration, max_side_px=largest, watch=watch)
    for i, image in enumerate(found):
        seen = embedder.network_inputs(image)
        yield seen[i % len(seen)]
        advance(1)


def _format(embedder: Embedder, fresh: Path, files: list[Path]) -> Written:
    names = tuple(path.relative_to(fresh).as_posix() for path in files)
    return Written(embedder, names, sum(path.stat().st_size for path in files))


def _compared(
    found: Source,
    formats: Mapping[str, Written],
    n_calibrated: int,
    photos: ExportPhotos,
    settings: ExportSettings,
    watch: Watch,
) -> ParityReport:
    largest = 2 * max(found.describe.sides_px)
    images = list(photos.pixels(photos.compared, max_side_px=largest, watch=watch))
    if not images:
        raise InputError(
            f"none of {len(photos.compared)} photos in {photos.store.root} can be read; photos were expected; name "
            "another folder with --photos"
        )
    name, embedder = _reference(found, formats["onnx"].embedder)
    vectors = np.empty((len(images), embedder.width), np.float32)
    with watch.phase("reference", len(images)) as advance:
        done = 0
        for block in embedder.describe(images):
            vectors[done : done + len(block)] = block
            done += len(block)
            advance(len(block))
    rows = compare_formats(
        formats, images, reference=vectors, rounds=settings.rounds, clock=time.perf_counter,
        watch=watch,
    )  # fmt: skip
    changes, left_out = _answer_changes(found, formats, photos, images, watch)
    rows = [replace(row, answers=changes.get(row.name)) for row in rows]
    return _report(found, name, rows, len(images), n_calibrated, left_out)


def _answer_changes(
    found: Source,
    formats: Mapping[str, Written],
    photos: ExportPhotos,
    images: list[Pixels8],
    watch: Watch,
) -> tuple[dict[str, AnswerChange], str | None]:
    """What the formats change of a bundle's answers, or why that is not told."""
    if found.bundle is None:
        return {}, "no bundle was exported, and a backbone alone answers nothing"
    embedders = {name: one.embedder for name, one in formats.items()}
    asked = Asked.of(WorkFolder(photos.store.root))
    if asked is None:
        return changes_on_photos(found.bundle, images, embedders), None
    return changes_on_test(found.bundle, asked, embedders, watch), None


def _reference(found: Source, onnx: Embedder) -> tuple[str, Embedder]:
    """Torch with the network's own weights where both are here, else its ONNX form in fp32."""
    backbone = found.backbone
    if backbone.weights is None or torch_versions() is None:
        return "the ONNX network in fp32", onnx
    runtime = TorchRuntime(backbone.config, backbone.weights, device="cpu")
    return "torch in fp32", replace(onnx, runtime=runtime)


def _report(
    found: Source,
    reference: str,
    rows: list[FormatParity],
    n_photos: int,
    n_calibration: int,
    left_out: str | None,
) -> ParityReport:
    name, abilities = processor()
    return ParityReport(
        backbone=found.backbone.name, digest=found.backbone.digest, reference=reference,
        sides_px=found.describe.sides_px, pooling=found.describe.pooling, n_photos=n_photos,
        n_calibration=n_calibration,
        processor=name, has_bf16="BF16" in abilities, formats=tuple(rows),
        answers_left_out=left_out,
    )  # fmt: skip


def _origin(
    found: Source, formats: Mapping[str, Written], settings: ExportSettings
) -> dict[str, JsonValue]:
    backbone = found.backbone
    told: dict[str, JsonValue] = {
        "cairn": __version__, "name": backbone.name, "weights": backbone.digest,
        "network": digest_file(backbone.network), "settings": settings.as_json(),
        "formats": {name: list(one.files) for name, one in formats.items()},
    }  # fmt: skip
    return told | (torch_versions() or {})
