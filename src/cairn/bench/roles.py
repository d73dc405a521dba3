"""Which photo plays which role in a planted set: drawn by a seed, at most one role a photo."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cairn.base.errors import InputError
from cairn.base.settings import ScrubBenchSettings
from cairn.bench.photo_notes import PhotoNotes

# Folders of this name hold photos that show no landmark; see stages/listing.py.
NONE_FOLDER = "_none"
EXACT, RECOMPRESSED, RESIZED = "exact copy", "recompressed copy", "resized copy"
MIRRORED, CROPPED, WATERMARKED = "mirrored copy", "cropped copy", "watermarked copy"
COPIES = (EXACT, RECOMPRESSED, RESIZED, MIRRORED, CROPPED, WATERMARKED)
WRONG, DISTRACTOR = "wrong landmark", "distractor"
COMPOSITE, COMPOSITE_OF_KEPT = "composite", "composite of kept photos"
BLURRED, DARK, BLANK = "blurred photo", "dark photo", "blank photo"
SMALL, STRIP, DRAWING = "small photo", "strip of a photo", "drawing"
ODD = (SMALL, STRIP, DRAWING)
ROLES = (
    *COPIES, WRONG, DISTRACTOR, COMPOSITE, COMPOSITE_OF_KEPT, BLURRED, DARK, BLANK, *ODD,
)  # fmt: skip
# One in so many copies lies in another landmark's folder.
ELSEWHERE_EVERY = 6
# At most so much of a landmark's photos is taken from it or spoilt, and as much is brought to it.
MOST_OF_A_FOLDER = 0.25


@dataclass(frozen=True)
class Role:
    """One photo to be planted: what it is made of, main photo first, and the folder it is put in."""

    kind: str
    roots: tuple[str, ...]
    folder: str
    is_elsewhere: bool = False


def folder_of(photo: str) -> str:
    """The landmark's folder in which a photo lies."""
    return photo.split("/", 1)[0]


def deal_roles(
    photos: Sequence[str], notes: PhotoNotes, *, seed: int, settings: ScrubBenchSettings
) -> list[Role]:
    """The roles of a planted set.

    photos: paths relative to the folder of landmark folders, sorted. Photos that were noted as near copies or as
    showing several landmarks get no role.
    Raises InputError where there are too few photos.
    """
    dealer = _Dealer(photos, notes, np.random.default_rng(seed))
    n, n_bad = settings.per_kind, settings.n_bad
    roles = [_moved(WRONG, dealer.of_landmark(leaving=True), dealer) for _ in range(n)]
    roles += [_moved(DISTRACTOR, dealer.of_none(), dealer) for _ in range(n)]
    roles += [_pair(COMPOSITE, dealer, leaving=True) for _ in range(n - n // 2)]
    roles += [_pair(COMPOSITE_OF_KEPT, dealer, leaving=False) for _ in range(n // 2)]
    for kind in (BLURRED, DARK):
        roles += [_alone(kind, dealer.of_landmark(leaving=True)) for _ in range(n_bad)]
    for kind in COPIES:
        roles += [_copy(kind, dealer, i) for i in range(n)]
    roles += [_alone(BLANK, photo) for photo in dealer.seen(n_bad)]
    roles += [_alone(kind, dealer.of_none()) for kind in ODD for _ in range(settings.n_odd)]
    return roles


def _moved(kind: str, photo: str, dealer: "_Dealer") -> Role:
    return Role(kind, (photo,), dealer.another_folder(photo))


def _alone(kind: str, photo: str) -> Role:
    return Role(kind, (photo,), folder_of(photo))


def _pair(kind: str, dealer: "_Dealer", *, leaving: bool) -> Role:
    main = dealer.of_landmark(leaving=leaving)
    other = dealer.of_landmark(leaving=leaving, unlike=main)
    return Role(kind, (main, other), folder_of(main))


def _copy(kind: str, dealer: "_Dealer", number: int) -> Role:
    photo = dealer.any()
    goes = number % ELSEWHERE_EVERY == ELSEWHERE_EVERY - 1 and folder_of(photo) != NONE_FOLDER
    folder = dealer.another_folder(photo) if goes else folder_of(photo)
    return Role(kind, (photo,), folder, is_elsewhere=goes)


class _Dealer:
    """Deals photos, each once, in a drawn order."""

    def __init__(self, photos: Sequence[str], notes: PhotoNotes, rng: np.random.Generator) -> None:
        free = [p for p in photos if p not in notes.group_of and p not in notes.several]
        self._free = [free[i] for i in rng.permutation(len(free))]
        self._notes, self._rng = notes, rng
        sizes = Counter(map(folder_of, photos))
        self._most = {
            name: max(1, int(MOST_OF_A_FOLDER * size))
            for name, size in sizes.items()
            if name != NONE_FOLDER
        }
        self._taken: Counter[str] = Counter()
        self._brought: Counter[str] = Counter()

    def of_landmark(self, *, leaving: bool, unlike: str | None = None) -> str:
        """A photo of a landmark, and of another one than the photo `unlike`.

        leaving: it will be missed in its folder, from which few are taken.
        """
        for photo in self._free:
            folder = folder_of(photo)
            is_open = not leaving or self._taken[folder] < self._most.get(folder, 0)
            is_other = unlike is None or not self._notes.are_related(folder_of(unlike), folder)
            if folder != NONE_FOLDER and is_open and is_other:
                self._taken[folder] += leaving
                return self._dealt(photo)
        raise _too_few("photos of landmarks")

    def of_none(self) -> str:
        """A photo that shows no landmark."""
        for photo in self._free:
            if folder_of(photo) == NONE_FOLDER:
                return self._dealt(photo)
        raise _too_few(f"photos in {NONE_FOLDER}")

    def any(self) -> str:
        """Any photo."""
        if not self._free:
            raise _too_few("photos")
        return self._dealt(self._free[0])

    def seen(self, n: int) -> list[str]:
        """`n` photos of landmarks whose folder and size are used and nothing else; they stay free."""
        found = [photo for photo in self._free if folder_of(photo) != NONE_FOLDER][:n]
        if len(found) < n:
            raise _too_few("photos of landmarks")
        return found

    def another_folder(self, photo: str) -> str:
        """The folder of a landmark that `photo` does not show; none is brought more than its share of photos."""
        folders = [
            name
            for name, most in self._most.items()
            if self._brought[name] < most and not self._notes.are_related(folder_of(photo), name)
        ]
        if not folders:
            raise _too_few("photos in landmark folders that can take one more")
        folder = str(self._rng.choice(folders))
        self._brought[folder] += 1
        return folder

    def _dealt(self, photo: str) -> str:
        self._free.remove(photo)
        return photo


def _too_few(what: str) -> InputError:
    return InputError(
        f"the folder has too few {what}: each plays one role, and at most a quarter of a landmark's photos leaves its "
        "folder; enough for every kind were expected; lower --per-kind, --n-bad or --n-odd, or name a folder with more photos"
    )
