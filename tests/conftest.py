"""What several rooms' tests share: a backbone and a finished project, each made once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from cairn.base.settings import DescribeSettings, EvaluateSettings, SplitSettings
from cairn.pipeline.importing import Lists
from cairn.pipeline.steps import run
from tests.make import landmark_folder
from tests.models.nets import net_folder

# How fast examples are made says something about the machine, not about the code.
hypothesis_settings.register_profile(
    "cairn", suppress_health_check=[HealthCheck.too_slow], deadline=None
)
hypothesis_settings.load_profile("cairn")


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone folder with a network that takes no time."""
    return net_folder(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A folder with `photos` and a `work` folder that went the whole way; not to be changed."""
    root = tmp_path_factory.mktemp("finished")
    run(
        root / "work",
        lists=Lists(landmark_folder(root / "photos")),
        splitting=SplitSettings(ratio=(0.5, 0.0, 0.5)),
        describing=DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,)),
        evaluating=EvaluateSettings(n_bootstrap=20),
    )
    return root
