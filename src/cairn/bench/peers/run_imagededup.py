"""imagededup with one of its methods as it comes; run by the Python that has it, which lacks Cairn.

`python run_imagededup.py METHOD PHOTOS OUT`: METHOD is PHash, DHash, WHash, AHash or CNN. OUT becomes JSON: version,
and hits as ["duplicate", photo, other photo, score], each pair once, the score from 0 to 1, higher for nearer.
"""

import importlib
import json
import sys
from importlib import metadata
from pathlib import Path

HASH_BITS = 64


def main(method: str, photos: str, out: str) -> None:
    """Looks at every photo below the folder `photos`."""
    finder = getattr(importlib.import_module("imagededup.methods"), method)()
    found = finder.find_duplicates(image_dir=photos, recursive=True, scores=True)
    pairs = {}
    for photo, others in found.items():
        for other, score in others:
            near = float(score) if method == "CNN" else 1.0 - float(score) / HASH_BITS
            pairs[tuple(sorted((photo, other)))] = near
    hits = [["duplicate", one, other, near] for (one, other), near in sorted(pairs.items())]
    said = {"version": metadata.version("imagededup"), "hits": hits}
    Path(out).write_text(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
