"""Weights from timm's hub: `model.safetensors` and nothing else, told before it is fetched."""

from pathlib import Path

from cairn.base.errors import BundleError, InputError, MissingExtra
from cairn.base.watching import Watch

HUB_FILE = "model.safetensors"
OTHERWISE = "name a backbone folder with --backbone FOLDER, or use the small one shipped with Cairn: --backbone embedded"


def fetch_weights(repository: str, *, name: str, license_name: str | None, watch: Watch) -> Path:
    """The path of a network's weights, fetched from the hub unless they are here already.

    Name, licence and size are told to `watch` before the download.
    Raises InputError if the hub cannot be reached, and BundleError if it has no safetensors.
    """
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError as error:
        raise MissingExtra(
            f"the backbone {name} from the hub", extra="train", otherwise=f"or {OTHERWISE}"
        ) from error
    try:
        return Path(hub.hf_hub_download(repository, HUB_FILE, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    # The library's HTTP client, and with it the error of a failed connection, changes between its
    # versions; its own errors always descend from that client's.
    unreachable: tuple[type[Exception], ...] = (OSError, *_parents(errors.HfHubHTTPError))
    try:
        files = hub.HfApi().model_info(repository, files_metadata=True, timeout=30).siblings or []
        sizes = {file.rfilename: file.size or 0 for file in files}
        if HUB_FILE not in sizes:
            raise BundleError(
                f"{repository} on the hub has no {HUB_FILE}; only safetensors are loaded, never a pickle; "
                f"choose another timm model, or {OTHERWISE}"
            )
        watch.note(
            f"fetching the backbone {name} from {repository} "
            f"({sizes[HUB_FILE] / 1e6:,.0f} MB, licence: {license_name or 'not stated'})"
        )
        return Path(hub.hf_hub_download(repository, HUB_FILE))
    except unreachable as error:
        raise InputError(
            f"the weights of the backbone {name} could not be fetched from {repository} "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}); "
            f"a connection to the hub was expected; try again when there is one, or {OTHERWISE}"
        ) from error


def _parents(error: type[Exception]) -> list[type[Exception]]:
    return [parent for parent in error.__bases__ if issubclass(parent, Exception)]
