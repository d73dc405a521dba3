"""Which of several copies stay: of each group at least one, and none goes that says something else than what stays."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cairn.algorithms.duplicates import groups_of

Truth = Sequence[str] | None


@dataclass(frozen=True)
class Copy:
    """`image_id` is a copy of `of`, which is to stay."""

    image_id: str
    of: str


def copies_to_leave_out(
    copies: Sequence[Copy], truths: Mapping[str, Truth], gone: Collection[str]
) -> tuple[set[str], set[str]]:
    """The images that go because a copy of them stays, and those that cannot be decided about.

    truths: what each image shows; a copy of an image that is not in it counts for nothing. gone: images that are left
    out for another reason; they go on connecting their copies, but none of these goes for their sake.
    Copies of copies are copies. What is nobody's copy stays; where all of a group are someone's, the one stays that has
    most copies. An image goes only where one that stays shows all that it shows; else it stays, and is one of those
    that cannot be decided about.
    """
    pairs = {
        (copy.image_id, copy.of)
        for copy in copies
        if copy.image_id in truths and copy.of in truths and copy.image_id != copy.of
    }
    ids = sorted({image_id for pair in pairs for image_id in pair})
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    rows = np.array([(row_of[a], row_of[b]) for a, b in sorted(pairs)], dtype=np.int64)
    groups: dict[int, list[str]] = defaultdict(list)
    for image_id, first in zip(ids, groups_of(len(ids), rows.reshape(-1, 2)).tolist(), strict=True):
        if image_id not in gone:
            groups[first].append(image_id)
    named = {image_id for image_id, _ in pairs}
    n_copies = Counter(of for _, of in pairs)
    leaving: set[str] = set()
    left: set[str] = set()
    for group in groups.values():
        # Those of which others are copies come first, so that they stay rather than their copies.
        group.sort(key=lambda image_id: (-n_copies[image_id], image_id))
        staying = [image_id for image_id in group if image_id not in named] or group[:1]
        for image_id in [one for one in group if one not in staying]:
            if any(_covers(truths[other], truths[image_id]) for other in staying):
                leaving.add(image_id)
            else:
                left.add(image_id)
                staying.append(image_id)
    return leaving, left


def _covers(staying: Truth, going: Truth) -> bool:
    """Whether an image that shows `staying` says all that one says that shows `going`."""
    if going is None:
        return True
    if staying is None or bool(staying) != bool(going):
        return False
    return set(going) <= set(staying)
