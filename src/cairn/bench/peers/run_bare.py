"""The limit: the same photos from memory, made smaller and encoded in one process, and nothing else.

`python run_bare.py PHOTOS OUT SIDE_PX QUALITY N_ROWS MODE`; MODE is "memory" (results are dropped, but those of
the first 50 rows, by which its quality is told) or "files" (each is written whole: temporary file, fsync, rename).
"""

import io
import math
import os
import sys
from pathlib import Path

from PIL import Image

N_LOOKED_AT = 50
# Cairn decodes at the same fraction.
ENOUGH_TIMES = 1.5


def shrunk(content: bytes, side_px: int, quality: int) -> bytes:
    """`content`, a JPEG, as a smaller one: decoded at a fraction that is 1.5 times too large, then Lanczos."""
    image = Image.open(io.BytesIO(content))
    scale = side_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image.draft("RGB", (math.ceil(ENOUGH_TIMES * size[0]), math.ceil(ENOUGH_TIMES * size[1])))
    small = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def main(photos: str, out: str, side_px: int, quality: int, n_rows: int, mode: str) -> None:
    """Makes `n_rows` photos smaller, those of the folder `photos` in turn."""
    contents = [path.read_bytes() for path in sorted(Path(photos).glob("*.jpg"))]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_rows):
        made = shrunk(contents[number % len(contents)], side_px, quality)
        if mode == "files":
            _write_whole(folder / f"{number}.jpg", made)
        elif number < N_LOOKED_AT:
            (folder / f"{number}.jpg").write_bytes(made)


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


if __name__ == "__main__":
    folder, results, side, q, n, how = sys.argv[1:]
    main(folder, results, int(side), int(q), int(n), how)
