"""Thumbnails are made once for the bytes of an image, and found again by them."""

import io
from pathlib import Path

import pytest
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes
from cairn.images.store import FolderStore
from cairn.images.thumbnails import Thumbnails
from tests.make import jpeg

LARGE = jpeg(1, height=600, width=800)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    (tmp_path / "a.jpg").write_bytes(LARGE)
    return FolderStore(tmp_path)


def test_a_thumbnail_has_the_shape_of_its_image_and_256_px(
    tmp_path: Path, store: FolderStore
) -> None:
    made = Thumbnails(tmp_path / "t", store).jpeg("a", "a.jpg", digest_bytes(LARGE))
    assert Image.open(io.BytesIO(made)).size == (256, 192)


@pytest.mark.parametrize("digest", [digest_bytes(LARGE), None])
def test_it_is_found_again_without_its_image(
    tmp_path: Path, store: FolderStore, digest: str | None
) -> None:
    made = Thumbnails(tmp_path / "t", store).jpeg("a", "a.jpg", digest)
    (tmp_path / "a.jpg").unlink()
    assert Thumbnails(tmp_path / "t", store).jpeg("a", "a.jpg", digest) == made
    assert len(list((tmp_path / "t").rglob("*.jpg"))) == 1


def test_other_bytes_make_another(tmp_path: Path, store: FolderStore) -> None:
    thumbnails = Thumbnails(tmp_path / "t", store)
    first = thumbnails.jpeg("a", "a.jpg", digest_bytes(LARGE))
    other = jpeg(2, height=600, width=800)
    (tmp_path / "a.jpg").write_bytes(other)
    assert thumbnails.jpeg("a", "a.jpg", digest_bytes(other)) != first


def test_an_image_that_has_gone_is_told(tmp_path: Path, store: FolderStore) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Thumbnails(tmp_path / "t", store).jpeg("b", "b.jpg", digest_bytes(b"b"))
    assert not (tmp_path / "t").exists()
