"""The demo: the whole way on rendered scenes of invented landmarks, with the embedded backbone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cairn.base.files import Card, digest_json
from cairn.base.settings import (
    EMBEDDED_BACKBONE,
    DemoSettings,
    DescribeSettings,
    EvaluateSettings,
    ImportSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.watching import Silent, Watch
from cairn.images.render.sample import SampleSettings, write_sample
from cairn.pipeline.importing import Lists
from cairn.pipeline.results import Evaluated, Indexed, Project
from cairn.pipeline.steps import run
from cairn.pipeline.whole_folders import whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TEST
from cairn.version import __version__

# Half of the photos are asked about: a tenth would be too few to say much.
DEMO_RATIO = (0.5, 0.0, 0.5)


@dataclass(frozen=True)
class Demonstrated:
    """What the demo left: the bundle, the scores, and a test photo to try."""

    indexed: Indexed
    evaluated: Evaluated
    example: Path


def demo(
    work: str | Path,
    *,
    settings: DemoSettings | None = None,
    evaluating: EvaluateSettings | None = None,
    told: Callable[[Project], None] = lambda left: None,
    watch: Watch | None = None,
) -> Demonstrated:
    """The whole way on the embedded sample, in the work folder `work`: no network, no torch.

    told: called with what each step left, as soon as it is done.
    The sample is rendered to `work/sample` once; what is there already is not made again.
    """
    shown = watch or Silent()
    place = WorkFolder(Path(work))
    sample = _sample(place, settings or DemoSettings(), shown)
    done = run(
        place.root,
        lists=Lists(sample, sample / "landmarks.csv", sample / "notes.csv"),
        importing=ImportSettings(),
        splitting=SplitSettings(ratio=DEMO_RATIO),
        describing=DescribeSettings(backbone=EMBEDDED_BACKBONE),
        training=TrainSettings(),
        evaluating=evaluating or EvaluateSettings(),
        told=told,
        watch=shown,
    )
    if done.evaluated is None:
        raise AssertionError("the demo's split has a test part")
    return Demonstrated(done.indexed, done.evaluated, _example(done.indexed.work))


def _sample(place: WorkFolder, settings: DemoSettings, watch: Watch) -> Path:
    """The folder of rendered scenes, rendered anew where it was made by another version or seed."""
    folder = place.root / "sample"
    path = place.card_path("sample")
    made = Card(
        stage="sample", version=__version__, settings=settings.as_json(), inputs={}, outputs={},
        said={"seed": digest_json(settings.as_json())},
    )  # fmt: skip
    card = Card.read(path)
    if card is None or not folder.is_dir() or not card.still_holds(made, root=folder):
        with place.locked(), whole_folder(folder) as fresh:
            write_sample(fresh, settings=SampleSettings(seed=settings.seed), watch=watch)
        made.write(path)
    return folder


def _example(place: WorkFolder) -> Path:
    """A test photo of a landmark."""
    asked = set(place.split().image_ids(TEST))
    images = place.catalog().images.select("image_id", "landmark_ids", "path").iter_rows()
    paths = (str(path) for image_id, truth, path in images if truth and image_id in asked)
    return place.root / next(paths)
