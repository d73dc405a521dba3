import io
import struct

import numpy as np
import pytest
from PIL import Image

from cairn.images.headers import gif_frames, webp_size
from tests.make import encoded, pixels


def animation(kind: str, n_frames: int) -> bytes:
    frames = [Image.fromarray(pixels(i, height=30, width=40)) for i in range(n_frames)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0"}])
def test_every_kind_of_webp_tells_its_size(options: dict[str, object]) -> None:
    assert webp_size(encoded(pixels(1, height=77, width=1234), "WEBP", **options)) == (1234, 77)


def test_the_size_is_that_of_the_whole_animation() -> None:
    assert webp_size(animation("WEBP", 3)) == (40, 30)


def test_what_is_no_webp_has_no_size() -> None:
    whole = encoded(pixels(1), "WEBP")
    for content in (b"", b"RIFF", whole[:29], encoded(pixels(1), "PNG"), b"RIFF" + bytes(40)):
        assert webp_size(content) is None
    assert webp_size(whole[:12] + b"ABCD" + whole[16:]) is None


@pytest.mark.parametrize("n_frames", [1, 2, 7])
def test_the_frames_of_a_gif_are_counted(n_frames: int) -> None:
    assert gif_frames(animation("GIF", n_frames), at_most=1000) == n_frames


def test_frames_are_counted_no_further_than_needed() -> None:
    assert gif_frames(animation("GIF", 7), at_most=3) == 4


def test_a_gif_that_is_cut_off_or_broken_anywhere_is_counted_all_the_same() -> None:
    whole = animation("GIF", 3)
    for cut in range(0, len(whole), 97):
        assert gif_frames(whole[:cut], at_most=10) <= 3
    rng = np.random.default_rng(0)
    for _ in range(50):
        broken = np.frombuffer(whole, dtype=np.uint8).copy()
        broken[rng.integers(6, len(whole), 9)] = rng.integers(0, 256, 9)
        assert gif_frames(broken.tobytes(), at_most=10) <= 11


def test_an_endless_gif_of_tiny_frames_is_left_soon() -> None:
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    assert gif_frames(head + frame * 200_000, at_most=100) == 101
