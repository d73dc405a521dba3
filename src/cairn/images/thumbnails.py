"""Thumbnails: small JPEGs of images, made once for the bytes of each and kept in a folder."""

from pathlib import Path

from cairn.base.files import digest_bytes, write_bytes
from cairn.images.store import ImageStore, thumbnail

# A folder with a million files is slow to list; these hold some thousands each.
DIGITS_A_FOLDER = 2


class Thumbnails:
    """The thumbnails of the images of `store`, kept in `folder` by the digest of the images' bytes."""

    def __init__(self, folder: Path, store: ImageStore) -> None:
        self._folder = folder
        self._store = store

    def jpeg(self, image_id: str, path: str, kept_digest: str | None) -> bytes:
        """A JPEG of the image at `path`, its longest side at most 256 px; several threads may ask at once.

        kept_digest: of the image's bytes, by which the thumbnail is kept; where there is none, it goes by `image_id`
        and `path`.
        Raises InputError where the image has gone or no longer decodes.
        """
        place = self._place(kept_digest or digest_bytes(f"{image_id}\n{path}".encode()))
        try:
            return place.read_bytes()
        except OSError:
            made = thumbnail(self._store, path)
        write_bytes(place, made)
        return made

    def _place(self, digest: str) -> Path:
        return self._folder / digest[:DIGITS_A_FOLDER] / f"{digest}.jpg"
