"""What README and docs/ say holds: blocks run, links lead somewhere, tables match the code."""

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from safetensors.numpy import load_file

from cairn import bundles
from cairn.base.files import Card, FileRecord
from cairn.base.settings import SECTIONS, Settings
from cairn.bundles import BackboneCard, BundleCard, GalleryChange, NetworkTraining
from cairn.cli.flags import shown_default
from cairn.cli.main import COMMANDS, main
from cairn.cli.measuring import BENCHES
from cairn.images.pixels import CAUSES_OF_DECODERS, Cause
from cairn.models.folders import OWN_DESCRIPTOR, BackboneConfig, Preprocessing
from cairn.records.catalog import CATALOG_SCHEMA
from cairn.records.decisions import DECISIONS_SCHEMA
from cairn.records.exploration import COUNTS_SCHEMA, LANDMARK_COUNTS_SCHEMA, CatalogCounts, Totals
from cairn.records.findings import FINDINGS_SCHEMA
from cairn.records.image_checks import IMAGE_CHECKS_SCHEMA
from cairn.records.image_map import IMAGE_MAP_SCHEMA
from cairn.records.landmarks import LANDMARK_SCHEMA
from cairn.records.parity import FormatParity, ParityReport
from cairn.records.recognitions import NONE_BECAUSE
from cairn.records.scores import Estimate, LandmarkScore, QueryCounts, Scores, SizeScore
from cairn.records.split import SPLIT_SCHEMA
from cairn.records.tables import Schema
from cairn.records.val_answers import VAL_ANSWERS_SCHEMA
from cairn.records.verdict_events import Decided, Reversed
from cairn.records.verified import VERIFIED_SCHEMA
from cairn.stages import import_photos
from cairn.stages.download import journal_file, shard_files
from cairn.stages.evaluate import OUT_OF_FOLD_SCHEMA
from cairn.stages.gld.tar_state import TarRecord
from cairn.stages.joining import SAME_BYTES
from cairn.stages.policies import POLICIES
from cairn.web import service
from tests.make import jpeg, photo_folder
from tests.models.nets import net_folder
from tests.serving import PhotoServer, Said, write_list

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
ANCHOR = re.compile(r"\]\(([^)\s#]*)#([^)\s]+)\)")
FLAG = re.compile(r"--[a-z][a-z0-9-]+")
# Pages that begin with photos and no project.
FROM_NOTHING = {"run.md", "import.md", "download.md"}
SLOW_PAGES = {"README.md", "run.md", "download.md", "bench.md"}
# The same measurements, of less: the last of two equal flags counts.
LESS = {
    "train": [
        "--backbone",
        "test_resnet",
        "--side-px",
        "32",
        "--sizes",
        "2",
        "--rounds",
        "1",
        "--seconds",
        "0.05",
    ],
    "embed": ["--rounds", "1", "--n-images", "2"],
    "download": ["--rounds", "1", "--n-images", "2"],
    "parts": ["--seeds", "1"],
    "explore": ["--n-rows", "300", "--n-landmarks", "20"],
    "head": ["--n-images", "300", "--n-landmarks", "20", "--width", "16", "--n-queries", "100"],
    "neighbors": ["--sizes", "50,100", "--width", "8", "--n-neighbors", "3"],
    "scrub": ["--seeds", "0", "--per-kind", "1", "--n-bad", "1"],
}
SECTIONS_OF = {
    "demo": ("demo", "evaluate"),
    "download": ("download", "select"),
    "run": ("import", "download", "split", "describe", "train", "evaluate"),
    "import": ("import", "describe"),
    "explore": ("explore", "describe"),
    "scrub": ("describe", "scrub"),
    "split": ("split",),
    "train": ("describe", "train", "augment", "top", "finetune"),
    "recipes": (),
    "index": (),
    "add": ("import",),
    "remove": (),
    "evaluate": ("evaluate",),
    "recognize": ("recognize",),
    "submit": ("submit", "recognize"),
    "score": (),
    "review": ("review",),
    "serve": ("serve",),
    "export": ("export", "describe"),
    "bench": (
        "describe",
        "bench",
        "bench_download",
        "train",
        "parts",
        "bench_scrub",
        "bench_explore",
        "bench_head",
        "bench_neighbors",
        "bench_matching",
        "bench_recipes",
        "bench_input",
        "bench_train",
        "bench_landmark_head",
    ),
}


@dataclass(frozen=True)
class Place:
    """Where the blocks of a page run."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch


@pytest.fixture(scope="module")
def photo_server() -> Iterator[PhotoServer]:
    """A host of photos on this machine."""
    with PhotoServer() as server:
        yield server


def addresses(photos: Path, server: PhotoServer) -> list[dict[str, object]]:
    """Rows of a list: an address at which the server has each of the photos."""
    paths = {path.relative_to(photos): path.read_bytes() for path in photos.glob("*/*.jpg")}
    server.said |= {f"/{path.as_posix()}": Said(content=content) for path, content in paths.items()}
    return [
        {
            "id": f"{path.parent}-{path.stem}",
            "url": f"http://127.0.0.1:{server.ports[0]}/{path.as_posix()}",
            "landmark_id": path.parent,
        }
        for path in sorted(paths)
    ]


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    finished: Path,
    photo_server: PhotoServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """A folder as docs/README.md describes it: photos, new photos, a backbone, and mostly a project."""
    page: Path = request.getfixturevalue("page")
    shutil.copytree(finished / "photos", tmp_path / "photos")
    (tmp_path / "photos/eiffel_tower").mkdir()
    (tmp_path / "photos/eiffel_tower/one.jpg").write_bytes(jpeg(9))
    (tmp_path / "photos/landmarks.csv").write_text("landmark_id,name\nlandmark_1,The Second\n")
    for folder in (tmp_path, tmp_path / "photos"):
        notes = "photo,also_shows\nlandmark_1/001.jpg,landmark_2\n"
        (folder / "notes.csv").write_text(notes)
    shutil.copytree(finished / "photos/landmark_2", tmp_path / "new_photos")
    photo_folder(tmp_path / "more_photos", {"lighthouse_of_mirmere": 2}, first_seed=40)
    shutil.copy(finished / "photos/landmark_1/001.jpg", tmp_path / "photo.jpg")
    net_folder(tmp_path / "backbone")
    (tmp_path / "flat").mkdir()
    for path in (finished / "photos").glob("*/*.jpg"):
        shutil.copy(path, tmp_path / "flat" / f"{path.parent.name}_{path.name}")
    write_list(tmp_path / "list.csv", addresses(finished / "photos", photo_server))
    if page.name not in FROM_NOTHING:
        shutil.copytree(finished / "work", tmp_path / "work")
        shutil.copytree(finished / "work", tmp_path / "demo")
        shutil.copytree(finished / "photos", tmp_path / "demo/sample")
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, monkeypatch)


def run_cairn(words: list[str], place: Place) -> None:
    if words[0] == "demo":
        # It takes a minute or two, and runs whole in tests/test_without_torch.py.
        assert set(FLAG.findall(" ".join(words))) <= {"--work", "--seed", "--n-bootstrap"}
        return
    if words[0] in ("serve", "review"):
        # Serving itself is tested in tests/web and tests/test_without_torch.py.
        place.monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
        words = [*words, "--port", "0"]
    if words[0] == "bench":
        words = [*words, *LESS[words[1]]]
    if "--urls" in words:
        # The list's host is this machine.
        words = [*words, "--allow-private"]
    try:
        code = main(words)
    except SystemExit as left:
        code = int(str(left.code))
    assert code == 0, f"cairn {' '.join(words)}"


def make_has_the_target(words: list[str], place: Place) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", makefile, re.MULTILINE)


def curl_asks_what_is_served(words: list[str], place: Place) -> None:
    path = "/" + words[-1].removeprefix("http://").partition("/")[2]
    assert f'("{path}")' in Path(service.__file__).read_text()
    assert path == "/healthz" or words[:2] == ["-F", "image=@photo.jpg"]


def pip_installs_a_known_extra(words: list[str], place: Place) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for extra in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        assert set(extra.split(",")) <= set(extras)


PROGRAMS: dict[str, Callable[[list[str], Place], None]] = {
    "cairn": run_cairn,
    "make": make_has_the_target,
    "curl": curl_asks_what_is_served,
    "pip": pip_installs_a_known_extra,
}


def run_console(block: str, place: Place) -> None:
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ ")) if line.startswith("$ ") else []
        if words and words[0] in PROGRAMS:
            PROGRAMS[words[0]](words[1:], place)


def run_python(block: str, place: Place) -> None:
    code = compile(block, "a block of the docs", "exec")
    if "cairn.demo(" not in block:
        exec(code, {"__name__": "docs"})


RUN = {"console": run_console, "python": run_python}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name in SLOW_PAGES))
        for page in PAGES
        if any(kind in RUN for kind, _ in BLOCK.findall(page.read_text()))
    ],
)
def test_what_a_page_shows_can_be_run_from_top_to_bottom(page: Path, place: Place) -> None:
    for kind, block in BLOCK.findall(page.read_text()):
        if kind in RUN:
            RUN[kind](block, place)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def anchors_of(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    for target, anchor in ANCHOR.findall(page.read_text()):
        if "://" not in target:
            assert anchor in anchors_of(page.parent / target if target else page), anchor


def test_every_command_and_every_page_is_listed() -> None:
    listed = set(LINK.findall((DOCS / "README.md").read_text()))
    assert {f"{name}.md" for name in COMMANDS} <= listed
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= listed
    decisions = set(LINK.findall((DOCS / "decisions/README.md").read_text()))
    assert {path.name for path in (DOCS / "decisions").glob("0*.md")} <= decisions


def settings_table(model: type[Settings]) -> str:
    """The settings of a stage as the pages show them."""
    rows = [
        f"| `--{name.replace('_', '-')}` | `{shown_default(info.default)}` | {info.description} |"
        for name, info in model.model_fields.items()
    ]
    return "\n".join(["| flag | default | meaning |", "| --- | --- | --- |", *rows])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_a_command_has_its_settings_with_their_defaults(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    for section in SECTIONS_OF[name]:
        assert settings_table(SECTIONS[section]) in page, f"[{section}]"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_a_command_has_each_of_its_flags_and_no_other(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [[name, kind] for kind in BENCHES] if name == "bench" else [[name]]
    for call in calls:
        with pytest.raises(SystemExit):
            main([*call, "--help"])
    flags = set(FLAG.findall(capsys.readouterr().out)) - {"--help"}
    flags = {flag for flag in flags if not flag.startswith("--no-")}
    shown = {flag for flag in rows_of((DOCS / f"{name}.md").read_text()) if flag.startswith("--")}
    assert shown == flags


def test_the_words_for_the_scores_are_those_of_the_record() -> None:
    page = (DOCS / "evaluate.md").read_text()
    for info in Scores.model_fields.values():
        if info.annotation is Estimate:
            row = f"| {info.title} | {info.description} |".replace("{wanted}", "95 %")
            assert row in page


def rows_of(text: str) -> list[str]:
    """The first cell of each row of the tables, where it is code."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def part_of_files(title: str) -> str:
    """What docs/files.md says under a heading."""
    text = (DOCS / "files.md").read_text()
    found = re.search(rf"^###+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, title
    return found.group(1)


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("`catalog.parquet`", CATALOG_SCHEMA),
        ("`landmarks.parquet`", LANDMARK_SCHEMA),
        ("`split.parquet`", SPLIT_SCHEMA),
        ("`decisions.parquet`", DECISIONS_SCHEMA),
        ("`verified.parquet`", VERIFIED_SCHEMA),
        ("`findings.parquet`", FINDINGS_SCHEMA),
        ("`image_checks.parquet`", IMAGE_CHECKS_SCHEMA),
        ("`out_of_fold.parquet`", OUT_OF_FOLD_SCHEMA),
        ("`explore.parquet`", COUNTS_SCHEMA),
        ("`landmarks.parquet` of a report", LANDMARK_COUNTS_SCHEMA),
        ("`map.parquet`", IMAGE_MAP_SCHEMA),
        ("`best_answers.parquet`", VAL_ANSWERS_SCHEMA),
    ],
)
def test_the_columns_of_each_table_are_told_with_their_types(title: str, schema: Schema) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", part_of_files(title), re.MULTILINE)
    # `pl.String` and `pl.List(pl.String)` are called as polars prints them.
    assert rows == [(name, re.sub(r"^.*\.", "", str(kind))) for name, kind in schema.items()]


_PARITY = ParityReport(
    "net", "0", "torch in fp32", (64,), ("avg",), 1, 1, "a processor", True,
    (FormatParity("onnx", ("f",), 1, 1.0, 1.0, 1.0, (1.0,)),), None,
)  # fmt: skip
# As it is read back, which has no types.
PARITY = json.loads(json.dumps(_PARITY.to_json()))


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Cards", Card.model_fields),
        ("Verdicts", Decided.model_fields | Reversed.model_fields),
        ("A file's record", FileRecord.model_fields),
        ("`journal.sqlite`", dict.fromkeys(journal_file.COLUMNS)),
        ("Shards", dict.fromkeys(shard_files.TOLD)),
        ("`card.json` of a bundle", BundleCard.model_fields),
        ("`changes` of the card", GalleryChange.model_fields),
        ("`backbone` of the card", BackboneCard.model_fields),
        ("`network_training` of the card", NetworkTraining.model_fields),
        ("`config.json` of a backbone", [*BackboneConfig.model_fields, OWN_DESCRIPTOR]),
        ("`pretrained_cfg`", Preprocessing.model_fields),
        ("`tar_state.json`", TarRecord.model_fields),
        ("`parity.json`", PARITY),
        ("`formats`", PARITY["formats"][0]),
        ("`explore.json`", CatalogCounts.model_fields),
        ("`totals`", Totals.model_fields),
        ("`scores.json`", Scores.model_fields),
        ("`counts`", QueryCounts.model_fields),
        ("An estimate", Estimate.model_fields),
        ("`by_size`", SizeScore.model_fields),
        ("`by_landmark`", LandmarkScore.model_fields),
    ],
)
def test_the_keys_of_each_card_and_record_are_told(title: str, names: Mapping[str, object]) -> None:
    assert rows_of(part_of_files(title)) == list(names)


def test_the_arrays_and_files_of_a_bundle_are_told(finished: Path) -> None:
    bundle = finished / "work/models/default"
    assert set(rows_of(part_of_files("`head.safetensors`"))) == set(
        load_file(bundle / bundles.HEAD)
    )
    readable = json.loads((bundle / bundles.CALIBRATION).read_text())
    assert rows_of(part_of_files("`calibration.json`")) == list(readable)
    names = {path.name + "/" * path.is_dir() for path in bundle.iterdir()}
    assert set(rows_of(part_of_files("The files of a bundle"))) == names


def test_every_file_of_a_finished_project_is_told(finished: Path) -> None:
    told = set(re.findall(r"`([^`\s]+)`", (DOCS / "files.md").read_text()))
    for path in (finished / "work").iterdir():
        assert {path.name, f"{path.name}/"} & told, path.name


def test_every_policy_is_told_in_its_own_words() -> None:
    rows = dict(
        re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|$", (DOCS / "scrub.md").read_text(), re.MULTILINE)
    )
    for name, policy in POLICIES.items():
        # A page may say more of it, such as which images are meant.
        assert re.sub(r" \([^)]*\)", "", rows[name]) == policy.says


def words_of(module: object, names: Iterable[str]) -> set[str]:
    return {getattr(module, name) for name in names}


def test_every_cause_has_its_words() -> None:
    said = (DOCS / "import.md").read_text()
    named = ("SYSTEM_FILE", "NO_FOLDER")
    causes = set(Cause) - CAUSES_OF_DECODERS
    for cause in {*map(str, causes), *words_of(import_photos, named), SAME_BYTES}:
        assert f"| `{cause}` |" in said
    answers = (DOCS / "recognize.md").read_text()
    for cause in NONE_BECAUSE:
        assert f"| `{cause}` |" in answers
