"""img2dataset with the settings that suit this bench best; run by the Python that has it, which lacks Cairn.

`python run_img2dataset.py LIST OUT SIDE_PX QUALITY N_ROWS`: as many processes as processors, each with
shards enough to be busy to the end; no EXIF is read, as Cairn reads none; the digest of what came is
made, as Cairn makes one; AREA is its own way to make photos smaller.
"""

import importlib
import os
import sys


def main(addresses: str, out: str, side_px: int, quality: int, n_rows: int) -> None:
    """Fetches the `url` column of the CSV `addresses` into files below `out`."""
    n_processes = os.cpu_count() or 1
    importlib.import_module("img2dataset").download(
        url_list=addresses,
        input_format="csv",
        url_col="url",
        output_folder=out,
        output_format="files",
        image_size=side_px,
        resize_mode="keep_ratio_largest",
        resize_only_if_bigger=True,
        encode_quality=quality,
        processes_count=n_processes,
        thread_count=32,
        number_sample_per_shard=max(1, min(1000, -(-n_rows // (4 * n_processes)))),
        extract_exif=False,
        enable_wandb=False,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(int(word) for word in sys.argv[3:6]))
