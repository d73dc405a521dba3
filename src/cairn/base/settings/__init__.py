"""Every setting of every stage, with its default, range and meaning, written in this folder and nowhere else."""

from cairn.base.settings.answering import RecognizeSettings, ServeSettings
from cairn.base.settings.benches import (
    BenchSettings,
    DownloadBenchSettings,
    ExploreBenchSettings,
    InputBenchSettings,
    MatchingBenchSettings,
    NeighborsBenchSettings,
    PartsSettings,
    RecipesBenchSettings,
    ScrubBenchSettings,
)
from cairn.base.settings.cleaning import ExploreSettings, ReviewSettings, ScrubSettings
from cairn.base.settings.exporting import ExportSettings
from cairn.base.settings.fetching import DownloadSettings, SelectSettings
from cairn.base.settings.forms import Settings, settings_folder
from cairn.base.settings.making import (
    DEFAULT_BACKBONE,
    EMBEDDED_BACKBONE,
    EMBEDDED_SIDES_PX,
    DemoSettings,
    DescribeSettings,
    EvaluateSettings,
    ImportSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.settings.training import AugmentSettings, FinetuneSettings, TopSettings

__all__ = [
    "DEFAULT_BACKBONE",
    "EMBEDDED_BACKBONE",
    "EMBEDDED_SIDES_PX",
    "SECTIONS",
    "AugmentSettings",
    "BenchSettings",
    "DemoSettings",
    "DescribeSettings",
    "DownloadBenchSettings",
    "DownloadSettings",
    "EvaluateSettings",
    "ExploreBenchSettings",
    "ExploreSettings",
    "ExportSettings",
    "FinetuneSettings",
    "ImportSettings",
    "InputBenchSettings",
    "MatchingBenchSettings",
    "NeighborsBenchSettings",
    "PartsSettings",
    "RecipesBenchSettings",
    "RecognizeSettings",
    "ReviewSettings",
    "ScrubBenchSettings",
    "ScrubSettings",
    "SelectSettings",
    "ServeSettings",
    "Settings",
    "SplitSettings",
    "TopSettings",
    "TrainSettings",
    "settings_folder",
]

SECTIONS: dict[str, type[Settings]] = {
    "import": ImportSettings,
    "download": DownloadSettings,
    "select": SelectSettings,
    "split": SplitSettings,
    "explore": ExploreSettings,
    "describe": DescribeSettings,
    "train": TrainSettings,
    "augment": AugmentSettings,
    "top": TopSettings,
    "finetune": FinetuneSettings,
    "evaluate": EvaluateSettings,
    "demo": DemoSettings,
    "recognize": RecognizeSettings,
    "serve": ServeSettings,
    "review": ReviewSettings,
    "export": ExportSettings,
    "bench": BenchSettings,
    "bench_download": DownloadBenchSettings,
    "bench_explore": ExploreBenchSettings,
    "bench_input": InputBenchSettings,
    "scrub": ScrubSettings,
    "bench_scrub": ScrubBenchSettings,
    "bench_neighbors": NeighborsBenchSettings,
    "bench_matching": MatchingBenchSettings,
    "parts": PartsSettings,
    "bench_recipes": RecipesBenchSettings,
}
