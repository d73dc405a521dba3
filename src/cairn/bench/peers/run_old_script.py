"""The script that Cairn replaces, written again from its description: 8 processes, urllib, a square squash.

`python run_old_script.py LIST OUT SIDE_PX`: its side was 96 px; another is given so that the work is the
same. It has no deadline, no second try and no record of what failed, which is why it is cheap to write.
"""

import csv
import io
import multiprocessing
import sys
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

N_PROCESSES = 8
QUALITY = 90


def fetch(job: tuple[str, str, str, int]) -> int:
    """1 where the photo of `job` (id, address, folder, side) could not be had, else 0."""
    image_id, url, out, side_px = job
    path = Path(out) / f"{image_id}.jpg"
    if path.exists():
        return 0
    try:
        content = urlopen(url).read()
        photo = Image.open(io.BytesIO(content)).convert("RGB").resize((side_px, side_px))
        photo.save(path, format="JPEG", quality=QUALITY)
    except Exception:  # noqa: BLE001 - the script swallowed everything
        return 1
    return 0


def main(addresses: str, out: str, side_px: int) -> None:
    """Fetches the rows `id,url,...` of the CSV `addresses` into `out`."""
    Path(out).mkdir(parents=True, exist_ok=True)
    with Path(addresses).open(newline="") as file:
        jobs = [(row["id"], row["url"], out, side_px) for row in csv.DictReader(file)]
    with multiprocessing.Pool(N_PROCESSES) as pool:
        n_failed = sum(pool.imap_unordered(fetch, jobs))
    sys.stdout.write(f"{n_failed} of {len(jobs)} failed\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
