"""What each step of the pipeline left, for whoever tells people about it."""

from dataclasses import dataclass
from pathlib import Path

from cairn.base.checks import counted
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.decisions import Decisions
from cairn.records.exploration import Exploration
from cairn.records.findings import Findings
from cairn.records.image_map import ImageMap
from cairn.records.scores import Estimate, Scores
from cairn.records.split import Split
from cairn.records.tally import Tally
from cairn.stages.download.cost import Cost
from cairn.stages.download.problems import Problems
from cairn.stages.download.verdicts import Verdict
from cairn.stages.split import Leakage


@dataclass(frozen=True)
class Project:
    """A command's result lies in this work folder."""

    work: WorkFolder


@dataclass(frozen=True)
class Imported(Project):
    """What import left."""

    catalog: Catalog
    n_in_two_folders: int


@dataclass(frozen=True)
class Downloaded(Project):
    """What download left; `tally` counts every row of the list.

    was_stopped: it was asked to end before all was done. failed_too_often: --max-failures was reached.
    """

    tally: Tally
    report: Path
    was_stopped: bool
    failed_too_often: bool

    @property
    def catalog(self) -> Catalog:
        """Every row of every list of the work folder, read anew."""
        return self.work.catalog()


@dataclass(frozen=True)
class DownloadedPart(Project):
    """What the download of a part of a data set left; the causes of `failed_tars` by place.

    n_tars: of the part; 0 where its photos come from their own addresses. n_unread: not tried yet.
    """

    downloaded: Downloaded
    n_tars: int
    n_unread: int
    failed_tars: dict[str, str]


@dataclass(frozen=True)
class LookedPart:
    """What a dry run found of a part of a data set whose photos come in tars.

    n_rows: None where its lists are not here and nobody has counted them; n_chosen, n_wanted: of them, None where the
    lists are not here. odd: what is odd about its list, a line each. tars: to be read now. disk_bytes: of tars at once, besides what is kept. room: whether the disk has
    it, in words.
    """

    list_name: str
    missing_lists: tuple[str, ...]
    n_rows: int | None
    n_chosen: int | None
    n_wanted: int | None
    odd: tuple[str, ...]
    n_tars: int
    n_tars_to_read: int
    n_photos: int | None
    received_bytes: int
    disk_bytes: int
    kept_bytes: int | None
    hours: float
    basis: str
    room: str


@dataclass(frozen=True)
class Looked:
    """What a dry run found: what is odd about the list, what would be fetched, and what that costs.

    n_private: of the rows to be fetched, those that will be refused, as their host lies inside a private network.
    room: whether the disk has it for what is kept, in words.
    """

    list_name: str
    counts: dict[Verdict, int]
    n_wanted: int
    n_private: int
    problems: Problems
    cost: Cost
    room: str


@dataclass(frozen=True)
class Explored(Project):
    """What explore left; `image_map` is None where no image has a descriptor."""

    exploration: Exploration
    image_map: ImageMap | None
    report: Path


@dataclass(frozen=True)
class Applied(Project):
    """What a policy and people's verdicts came to; `n_images` are kept, in use or not.

    n_disputed: verdicts that decide nothing, for people differ. n_protected: images that people want as they are.
    n_left: images about which sure findings contradict each other.
    """

    policy: str
    n_images: int
    decisions: Decisions
    n_disputed: int
    n_protected: int
    n_left: int

    @property
    def counts(self) -> dict[str, int]:
        """The images in use, and those left out by cause, commonest first; they add up to `n_images`."""
        causes = self.decisions.table["excluded"].drop_nulls().value_counts()
        excluded = dict(causes.sort("count", "excluded", descending=[True, False]).iter_rows())
        in_use = {"in use": self.n_images - sum(excluded.values())}
        return in_use | {f"excluded: {cause}": n for cause, n in excluded.items()}

    @property
    def changes(self) -> dict[str, int]:
        """The images that show something else by decision: `another landmark`, `no landmark`, `several landmarks`."""
        shown = self.decisions.table["landmark_ids"].drop_nulls().list.len()
        found = {
            "another landmark": int((shown == 1).sum()),
            "no landmark": int((shown == 0).sum()),
            "several landmarks": int((shown > 1).sum()),
        }
        return {what: n for what, n in found.items() if n}

    def sentences(self) -> list[str]:
        """What was decided, in lines whose counts add up."""
        told = ", ".join(f"{n:,} {what}" for what, n in self.counts.items())
        lines = [f"policy {self.policy}: {counted(self.n_images, 'image')}: {told}"]
        if self.changes:
            changes = ", ".join(
                f"{n:,} {'shows' if n == 1 else 'show'} {what}" for what, n in self.changes.items()
            )
            lines.append(f"of all images, by decision: {changes}")
        if self.n_protected:
            lines.append(f"{counted(self.n_protected, 'image')} kept as people said")
        if self.n_disputed:
            lines.append(
                f"{counted(self.n_disputed, 'verdict')} decided nothing, for people differ"
            )
        if self.n_left:
            lines.append(
                f"{counted(self.n_left, 'image')} left to people, for sure findings contradict each other"
            )
        return lines


@dataclass(frozen=True)
class Parted(Project):
    """What split left."""

    split: Split
    leakage: Leakage


@dataclass(frozen=True)
class Scrubbed(Project):
    """What scrub left: its findings, of how many images, and the page about them."""

    findings: Findings
    n_images: int
    n_duplicates: int
    report: Path


@dataclass(frozen=True)
class Trained(Project):
    """What train left; `page` is that of the training of the network, where a recipe trained one."""

    name: str
    folder: Path
    n_images: int
    n_landmarks: int
    n_distractors: int
    threshold: float
    precision: float
    page: Path | None = None


@dataclass(frozen=True)
class Indexed(Project):
    """What index left."""

    bundle: Path
    n_images: int
    n_landmarks: int
    size_bytes: int


@dataclass(frozen=True)
class Evaluated(Project):
    """What evaluate left."""

    bundle: Path
    scores: Scores
    report: Path

    def headline(self) -> list[tuple[str, str, str, str]]:
        """The scores as rows of words: name, value, interval, number of images."""
        return [
            (self.scores.words(name)[0], *_shown(estimate))
            for name, estimate in self.scores.estimates().items()
            if estimate.value is not None
        ]


@dataclass(frozen=True)
class Run:
    """What the whole way left; `evaluated` is None where the split has no test part."""

    gathered: Imported | Downloaded
    parted: Parted
    trained: Trained
    indexed: Indexed
    evaluated: Evaluated | None


def _shown(estimate: Estimate) -> tuple[str, str, str]:
    """An estimate in words: value, interval, and how many it is over."""
    has_interval = estimate.low is not None and estimate.high is not None
    interval = f"{estimate.low:.3f} to {estimate.high:.3f}" if has_interval else "none"
    return f"{estimate.value:.3f}", interval, f"{estimate.n:,}"
