"""cleanvision with all its checks as they come; run by the Python that has it, which lacks Cairn.

`python run_cleanvision.py PHOTOS OUT`: OUT becomes JSON: version, and hits as [check, photo, other photo or null,
score], the score from 0 to 1, higher for worse. Sets of duplicates are told pair by pair.
"""

import importlib
import itertools
import json
import sys
from importlib import metadata
from pathlib import Path

SETS = ("exact_duplicates", "near_duplicates")


def main(photos: str, out: str) -> None:
    """Looks at every photo below the folder `photos`."""
    lab = importlib.import_module("cleanvision").Imagelab(data_path=photos)
    lab.find_issues()
    hits = []
    for check in lab.issue_summary["issue_type"]:
        if check in SETS:
            for alike in lab.info[check]["sets"]:
                pairs = itertools.combinations(sorted(_name(photos, path) for path in alike), 2)
                hits += [[check, one, other, 1.0] for one, other in pairs]
            continue
        flagged = lab.issues[lab.issues[f"is_{check}_issue"]]
        for path, score in flagged[f"{check}_score"].items():
            hits.append([check, _name(photos, path), None, 1.0 - float(score)])
    said = {"version": metadata.version("cleanvision"), "hits": hits}
    Path(out).write_text(json.dumps(said))


def _name(photos: str, path: str) -> str:
    return Path(path).resolve().relative_to(Path(photos).resolve()).as_posix()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
