"""The whole way over images that a download left in shards, beside the same in folders."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from safetensors.torch import load_file, save_file  # noqa: E402

import cairn  # noqa: E402
from cairn.base.settings import DescribeSettings, SplitSettings, TrainSettings  # noqa: E402
from cairn.cli.main import main  # noqa: E402
from cairn.models.networks import build_network  # noqa: E402
from cairn.pipeline.describing import current_images  # noqa: E402
from cairn.pipeline.downloading import download  # noqa: E402
from cairn.pipeline.exploring import explore  # noqa: E402
from cairn.pipeline.scrubbing import scrub  # noqa: E402
from cairn.pipeline.steps import evaluate, index, split, train  # noqa: E402
from cairn.pipeline.work_folder import WorkFolder  # noqa: E402
from cairn.training.loop import LAST  # noqa: E402
from tests.serving import SETTINGS, PhotoServer, Said, listed, write_list  # noqa: E402
from tests.training.small_training import CONFIG, N_LANDMARKS, photo  # noqa: E402

pytestmark = pytest.mark.slow
N_ROWS = 48
OUTPUTS = ("folders", "shards")


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same list downloaded into folders and into shards of seven, and dealt."""
    root = tmp_path_factory.mktemp("downloaded")
    with PhotoServer() as server:
        for number in range(N_ROWS):
            content = photo(number % N_LANDMARKS, number // N_LANDMARKS)
            server.said[f"/{number}.jpg"] = Said(content=content)
        urls = write_list(root / "list.csv", listed(server, N_ROWS, n_landmarks=N_LANDMARKS))
        for output in OUTPUTS:
            changes = {"output": output, "shard_images": 7}
            download(root / output, urls=urls, settings=SETTINGS.model_copy(update=changes))
            split(root / output, settings=SplitSettings(ratio=(0.5, 0.25, 0.25), copy_bits=0))
    return {output: root / output for output in OUTPUTS}


def test_from_shards_to_an_answer(works: dict[str, Path]) -> None:
    work = works["shards"]
    assert not (work / "images").exists()
    assert len(list((work / "shards").iterdir())) == -(-N_ROWS // 7)
    describing = DescribeSettings(backbone="embedded", sides_px=(64,))
    settings = TrainSettings(recipe="frozen")
    scrub(work, describing=describing)
    explore(work, describing=describing)
    train(work, describing=describing, settings=settings)
    bundle = index(work).bundle
    assert evaluate(work).scores is not None
    found = cairn.Recognizer.load(bundle).recognize(photo(1, 99))
    assert found.landmarks[0].landmark_id == "landmark_1"


def test_a_network_trained_from_shards_is_that_of_folders_to_the_bit(
    works: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(CONFIG.model_dump_json())
    tensors = build_network(CONFIG, None).state_dict()
    save_file(
        {name.removeprefix("model."): value.contiguous() for name, value in tensors.items()},
        tmp_path / "model.safetensors",
    )
    made = []
    for output, n_workers in (("folders", "0"), ("shards", "2")):
        words = ["train", str(works[output]), "--recipe", "tiny", "--backbone", str(tmp_path)]
        words += ["--side-px", "64", "--epochs", "2", "--batch-images", "8", "--arithmetic", "fp32"]
        assert main([*words, "--neck-width", "16", "--workers", n_workers]) == 0
        (folder,) = (works[output] / "networks/default").iterdir()
        made.append((folder.name, load_file(folder / "checkpoints" / LAST)))
    (name, tensors), (other_name, others) = made
    assert name == other_name
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensor, others[key]) for key, tensor in tensors.items())


def test_a_shard_that_was_changed_later_is_read_again(works: dict[str, Path]) -> None:
    work = WorkFolder(works["shards"])
    before = {image.path: image.digest for image in current_images(work, work.catalog())}
    shard = work.root / "shards/00002.tar"
    whole = shard.read_bytes()
    try:
        shard.write_bytes(whole[::-1])
        after = {image.path: image.digest for image in current_images(work, work.catalog())}
    finally:
        shard.write_bytes(whole)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {path for path in before if path.startswith("shards/00002.tar#")}
