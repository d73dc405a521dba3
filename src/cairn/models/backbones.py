"""Backbones by name or folder: found, fetched, and exported to ONNX once into a cache."""

from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from cairn.base.checks import nearest_name
from cairn.base.errors import BundleError, DiskError, InputError
from cairn.base.files import digest_file, digest_json
from cairn.base.settings import EMBEDDED_BACKBONE, DescribeSettings, settings_folder
from cairn.base.watching import Watch
from cairn.models.exporting import ORIGIN, export_backbone
from cairn.models.folders import (
    CONFIG,
    NETWORK,
    WEIGHTS,
    Backbone,
    BackboneConfig,
    digest_folder,
    open_network,
    quantised,
    read_config,
)
from cairn.models.hub import fetch_weights
from cairn.models.networks import OTHERWISE, require_torch, torch_versions

# What timm keeps about where weights come from; once here, they come from their folder.
SOURCES = {"url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture"}
EMBEDDED = Path(__file__).parent / "embedded"


def open_backbone(settings: DescribeSettings, *, cache: Path, watch: Watch) -> Backbone:
    """The backbone that the settings name, ready to be run; its int8 twin where they ask for int8.

    cache: the folder where networks that were exported to ONNX are kept for the next time.
    Raises InputError for an unknown name or a hub that cannot be reached, BundleError for a folder
    that is incomplete or whose weights do not fit, and MissingExtra where torch is needed.
    """
    found = _found(settings, cache=cache, watch=watch)
    return quantised(found) if settings.describe_in == "int8" else found


def _found(settings: DescribeSettings, *, cache: Path, watch: Watch) -> Backbone:
    if settings.backbone == EMBEDDED_BACKBONE:
        return open_network(EMBEDDED, name=EMBEDDED_BACKBONE, digest=digest_folder(EMBEDDED))
    folder = settings_folder(settings.backbone)
    if folder is not None:
        return _open_folder(folder.expanduser(), cache=cache, watch=watch)
    near = nearest_name(settings.backbone, [EMBEDDED_BACKBONE])
    if near:
        raise InputError(
            f"there is no backbone {settings.backbone}{near}; a backbone folder, the name of a timm model or "
            f"{EMBEDDED_BACKBONE} was expected; check the spelling"
        )
    return _open_timm(settings.backbone, settings.weights, cache=cache, watch=watch)


def _open_folder(folder: Path, *, cache: Path, watch: Watch) -> Backbone:
    config, name = read_config(folder), folder.resolve().name
    digest = digest_folder(folder)
    if (folder / NETWORK).is_file():
        return open_network(folder, name=name, digest=digest)
    if not (folder / WEIGHTS).is_file():
        raise BundleError(
            f"{folder} has neither {NETWORK} nor {WEIGHTS}; a backbone folder holds one of them or both; "
            "copy it again from its source"
        )
    origin: dict[str, JsonValue] = {"name": name, "weights": digest}
    entry = _cached(cache, origin)
    if entry is None:
        require_torch(name)
        watch.note(f"exporting the backbone {name} to ONNX, once; it is kept in {cache}")
        entry = _export_to_cache(config, folder / WEIGHTS, cache=cache, origin=origin)
    return open_network(entry, name=name, digest=digest)


def _open_timm(name: str, weights: str, *, cache: Path, watch: Watch) -> Backbone:
    given = None if weights in ("hub", "none") else _weights_file(Path(weights).expanduser())
    origin: dict[str, JsonValue] = {
        "name": name,
        "weights": digest_folder(given.parent) if given else weights,
    }
    entry = _cached(cache, origin)
    if entry is None:
        require_torch(name)
        config, repository = _timm_config(name)
        if given is not None and (given.parent / CONFIG).is_file():
            config = _same_architecture(name, config, given.parent)
        if weights == "hub":
            told = config.pretrained_cfg.license
            given = fetch_weights(repository, name=name, license_name=told, watch=watch)
        watch.note(f"exporting the backbone {name} to ONNX, once; it is kept in {cache}")
        entry = _export_to_cache(config, given, cache=cache, origin=origin)
    # Not over the ONNX: another exporter gives other bytes for the same network.
    parts: dict[str, JsonValue] = {part: digest_file(entry / part) for part in (CONFIG, WEIGHTS)}
    return open_network(entry, name=name, digest=digest_json(parts))


def _weights_file(folder: Path) -> Path:
    path = folder / WEIGHTS
    if not path.is_file():
        raise BundleError(
            f"there is no {path}; --weights takes 'hub', 'none' or a folder with {WEIGHTS}; "
            "name a folder that has it"
        )
    return path


def _same_architecture(name: str, config: BackboneConfig, folder: Path) -> BackboneConfig:
    # The folder's own config knows how its weights were trained (padding, mean, deviation).
    own = read_config(folder)
    if own.architecture != config.architecture:
        raise BundleError(
            f"{folder} holds weights of {own.architecture}, the backbone {name} is "
            f"{config.architecture}; weights of one architecture were expected; use --backbone {folder}"
        )
    return own


def _cached(cache: Path, origin: dict[str, JsonValue]) -> Path | None:
    # Without torch no other export can be made, so one of any version is taken.
    wanted = {**origin, **(torch_versions() or {})}
    for path in sorted(cache.glob(f"*/{ORIGIN}")):
        is_whole = all((path.parent / part).is_file() for part in (CONFIG, NETWORK, WEIGHTS))
        if is_whole and wanted.items() <= _origin(path).items():
            return path.parent
    return None


def _origin(path: Path) -> dict[str, JsonValue]:
    try:
        return TypeAdapter(dict[str, JsonValue]).validate_json(path.read_bytes())
    except ValidationError:
        return {}


def _export_to_cache(
    config: BackboneConfig, weights: Path | None, *, cache: Path, origin: dict[str, JsonValue]
) -> Path:
    full = {**origin, **(torch_versions() or {})}
    folder = cache / f"{config.architecture}-{digest_json(full)[:12]}"
    try:
        export_backbone(config, weights, folder, origin=full)
    except (InputError, DiskError):
        # Another process may have made the same while we did.
        if _cached(cache, origin) is None:
            raise
    return folder


def _timm_config(name: str) -> tuple[BackboneConfig, str]:
    import timm

    if not timm.is_model(name):
        raise InputError(
            f"{name!r} is neither a folder that exists nor a model of timm"
            f"{nearest_name(name, timm.list_models())}; a backbone was expected; {OTHERWISE[3:]}"
        )
    architecture, _, tag = name.partition(".")
    try:
        cfg = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = timm.list_pretrained(f"{architecture}.*")
        raise InputError(
            f"timm knows the model {architecture} but not its weights {tag!r}; one of "
            f"{', '.join(tags) or 'no weights at all'} was expected; name one of them with --backbone"
        ) from error
    if cfg is None:
        raise InputError(
            f"timm {metadata.version('timm')} has no preprocessing for {name}; a model with it was "
            "expected; choose another with --backbone"
        )
    wanted = {key: value for key, value in asdict(cfg).items() if key not in SOURCES}
    config = BackboneConfig.model_validate(
        {
            "architecture": architecture,
            "num_classes": cfg.num_classes,
            "num_features": 1,
            "pretrained_cfg": {key: value for key, value in wanted.items() if value is not None},
        }
    )
    return config, cfg.hf_hub_id or f"timm/{name}"
