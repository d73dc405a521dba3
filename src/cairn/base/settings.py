"""Every setting of every stage, with its default, range and meaning, written here and nowhere else."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

DEFAULT_BACKBONE = "vit_small_patch14_dinov2.lvd142m"
EMBEDDED_BACKBONE = "embedded"
# The embedded backbone was trained on small scenes, and sees no more in larger ones.
EMBEDDED_SIDES_PX = (192, 256)


def _words(value: object) -> object:
    """`a,b` as the command line gives it, as a list."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _ratio(value: object) -> object:
    """`80/10/10` as the command line gives it, as three shares that add up to 1."""
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or len(parts) != 3:
        raise ValueError("three numbers for train/val/test were expected, such as 80/10/10")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        raise ValueError(
            "three numbers for train/val/test were expected, such as 80/10/10"
        ) from None
    total = sum(numbers)
    if not 0 < total < float("inf") or min(numbers) < 0:
        raise ValueError("shares of 0 or more that are not all 0 were expected, such as 80/10/10")
    return tuple(number / total for number in numbers)


Ratio = Annotated[tuple[float, float, float], BeforeValidator(_ratio)]
Pooling = Literal["avg", "gem", "cls"]
SidePx = Annotated[int, Field(ge=64, le=4096)]


class Settings(BaseModel):
    """The parent of all settings: frozen, every key known, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def as_json(self) -> dict[str, JsonValue]:
        """Every setting by name, in the form a card keeps."""
        return self.model_dump(mode="json")


class ImportSettings(Settings):
    """How photos enter the work folder."""

    max_side_px: int = Field(
        1024,
        ge=64,
        le=16384,
        description="longest side that is kept; smaller photos stay untouched",
    )
    quality: int = Field(
        92, ge=50, le=100, description="JPEG quality of photos that are made smaller"
    )
    max_pixels: int = Field(
        200_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_bytes: int = Field(
        200_000_000, ge=1_000, description="a file with more bytes is refused before reading"
    )


class SplitSettings(Settings):
    """How images are dealt to train, val and test."""

    ratio: Ratio = Field(
        (0.8, 0.1, 0.1),
        description="shares of train/val/test, such as 80/10/10",
        validate_default=True,
    )
    seed: int = Field(
        0, ge=0, description="another seed deals otherwise; the same seed deals the same"
    )
    copy_bits: int = Field(
        136, ge=0, le=180,
        description="images whose 512-bit likeness differs in at most so many bits count as copies",
    )  # fmt: skip

    @model_validator(mode="after")
    def _train_has_a_share(self) -> Self:
        if self.ratio[0] == 0:
            raise ValueError("ratio: train needs a share above 0, such as 80/10/10")
        return self


class DownloadSettings(Settings):
    """How photos are fetched, checked and kept."""

    columns: str = Field(
        "", description="what the list calls its columns where it calls them otherwise: url=link,id=key,landmark=place"
    )  # fmt: skip
    max_side_px: int = Field(
        1024, ge=16, le=16384, description="side that is kept, see --side; smaller photos stay untouched"
    )  # fmt: skip
    side: Literal["longest", "shortest"] = Field(
        "longest", description="which side of the photo --max-side-px speaks of"
    )
    quality: int = Field(
        92, ge=50, le=100, description="JPEG quality of photos that are made smaller"
    )
    as_it_came: bool = Field(
        False, description="keep the bytes of every photo as the host sent them, once they are checked"
    )  # fmt: skip
    output: Literal["folders", "shards"] = Field(
        "folders", description="folders: a folder for each landmark; shards: tar files as WebDataset reads them"
    )  # fmt: skip
    shard_images: int = Field(1000, ge=1, description="images in a shard")
    smaller: bool = Field(
        True, description="ask hosts that offer it for a smaller photo, as the table of hosts says"
    )
    contact: str = Field(
        "", description="a mail address or page of yours, told to every host; some demand it"
    )
    concurrency: int = Field(64, ge=1, le=1024, description="requests at once, all hosts together")
    host_concurrency: int = Field(
        4, ge=1, le=256, description="requests at once to one host that the table of hosts does not name"
    )  # fmt: skip
    host_rate: float = Field(
        10.0, gt=0, description="requests a second to one host that the table does not name"
    )
    bandwidth_mbit: float = Field(
        0.0, ge=0, description="most megabits a second, all hosts together; 0: no limit"
    )
    attempts: int = Field(3, ge=1, le=20, description="tries of one photo in one run")
    dns_s: float = Field(10.0, gt=0, description="seconds for a host's name to be found")
    connect_s: float = Field(10.0, gt=0, description="seconds for a connection")
    first_byte_s: float = Field(20.0, gt=0, description="seconds until the host begins its answer")
    silence_s: float = Field(15.0, gt=0, description="seconds in which a host may send nothing")
    photo_s: float = Field(120.0, gt=0, description="seconds for one try of one photo, all in all")
    least_kb_per_s: float = Field(
        1.0, ge=0, description="a photo that comes more slowly than this is given up"
    )
    max_bytes: int = Field(
        50_000_000, ge=1_000, description="a photo with more bytes is refused while it comes"
    )
    max_pixels: int = Field(
        100_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    decode_s: float = Field(60.0, gt=0, description="seconds for one photo to be decoded")
    decode_memory_mb: int = Field(
        1024, ge=128, description="memory that decoding one photo may take; a photo that wants more is refused"
    )  # fmt: skip
    decoders: int = Field(
        0, ge=0, le=256, description="processes that decode; 0: one for each processor"
    )
    opt_out: bool = Field(
        True, description="leave photos whose host says noai, noimageai, noindex or noimageindex"
    )
    placeholder_ids: int = Field(
        5, ge=0, description="the same bytes at so many addresses, under three landmarks or more, are no photo; 0: never"
    )  # fmt: skip
    max_failures: str = Field(
        "", description="stop once so many photos failed in this run: a number, or a share such as 30%"
    )  # fmt: skip
    spare_disk_mb: int = Field(
        500, ge=0, description="wait for space while the disk has less than this left"
    )
    proxy: str = Field("", description="a proxy's address, http://host:port")
    certificates: str = Field(
        "", description="a PEM file of certificates to trust besides the usual ones"
    )
    allow_private: bool = Field(
        False, description="allow addresses inside your own network; for tests and archives behind a wall"
    )  # fmt: skip

    @field_validator("max_failures")
    @classmethod
    def _is_a_number_or_a_share(cls, value: str) -> str:
        number = value.removesuffix("%")
        if value and not (number.isdecimal() and (number == value or int(number) <= 100)):
            raise ValueError("a number of photos or a share such as 30% was expected")
        return value


class SelectSettings(Settings):
    """Which rows of a list are wanted, for a start that is small."""

    landmarks: int = Field(
        0, ge=0, description="only so many landmarks, `_none` counted as one; 0: all"
    )
    per_landmark: int = Field(0, ge=0, description="only so many photos of each landmark; 0: all")
    sample: int = Field(0, ge=0, description="only so many photos; 0: all")
    seed: int = Field(
        0, ge=0, description="another seed chooses others; more of the same seed adds to what is there"
    )  # fmt: skip


class DescribeSettings(Settings):
    """How an image becomes one vector."""

    backbone: str = Field(
        DEFAULT_BACKBONE, min_length=1,
        description="a backbone folder, the name of a timm model, or 'embedded'",
    )  # fmt: skip
    weights: str = Field(
        "hub",
        min_length=1,
        description="for a timm name: 'hub', 'none', or a folder with model.safetensors",
    )
    sides_px: Annotated[tuple[SidePx, ...], BeforeValidator(_words)] = Field(
        (224, 320, 448), min_length=1, max_length=5,
        description="the image is seen at these sizes (side of a square of equal area), then averaged; for embedded 192,256",
    )  # fmt: skip
    keep_shape: bool = Field(
        True, description="keep the image's shape instead of squashing it to a square"
    )
    interpolation: Literal["network", "bilinear", "bicubic", "lanczos"] = Field(
        "bicubic", description="how images are resized; network: as its config.json says"
    )
    pooling: Annotated[tuple[Pooling, ...], BeforeValidator(_words)] = Field(
        ("avg", "gem"),
        min_length=1,
        max_length=3,
        description="avg, gem, cls: joined in this order",
    )
    gem_power: float = Field(3.0, ge=1, le=20, description="power of the generalised mean")
    runtime: Literal["auto", "openvino", "onnx", "torch"] = Field(
        "auto", description="what runs the network; auto is torch on a GPU, else OpenVINO"
    )
    batch_size: int = Field(16, ge=1, le=1024, description="images of one shape that run together")


class ExploreSettings(Settings):
    """What the report of a catalog shows."""

    landmark: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        (), description="landmarks, by id, that get a sheet of photos besides the largest: ID,ID"
    )
    sheets: bool = Field(True, description="sheets of photos of the 30 largest landmarks")
    sheet_images: int = Field(8, ge=1, le=200, description="photos on a sheet")
    map_images: int = Field(
        20_000, ge=0, le=20_000, description="images on the map, drawn by lot where there are more; 0: no map"
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="draws the lots of the map")


class TrainSettings(Settings):
    """How a recogniser is fitted on the descriptors of train and val."""

    recipe: Literal["frozen"] = Field(
        "frozen", description="what is trained; frozen: head, whitening, fusion and calibration"
    )
    precision: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="answers are given where at least this share of them is expected to be right",
    )
    whitening_power: float = Field(
        0.5,
        ge=0,
        le=1,
        description="variances of the descriptors are divided by this power of them: 0 is none",
    )
    seed: int = Field(0, ge=0, description="deals the folds")


class EvaluateSettings(Settings):
    """How a recogniser is scored."""

    precision: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="how many images can be answered is told at this share of right answers",
    )
    n_bootstrap: int = Field(1000, ge=0, le=100_000, description="resamplings behind each interval")
    seed: int = Field(0, ge=0, description="draws the resamplings")


class DemoSettings(Settings):
    """What the demo renders."""

    seed: int = Field(7, ge=0, description="another seed invents other landmarks")


class ServeSettings(Settings):
    """Where the service listens and what it accepts."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; the default is this machine only",
    )
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    max_pixels: int = Field(
        50_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_upload_bytes: int = Field(20_000_000, ge=1_000, description="a larger upload is refused")


class ReviewSettings(Settings):
    """Where the review page listens, and who decides on it."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; the default is this machine only, any other asks for a token",
    )
    port: int = Field(8090, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    reviewer: str = Field(
        "", description="who decides, which names the journal; where it is left out, the page asks"
    )
    audit: int = Field(
        100, ge=0, le=10_000,
        description="of what was accepted automatically, so many findings and so many images are to be looked at",
    )  # fmt: skip


class RecognizeSettings(Settings):
    """What an answer holds."""

    n_candidates: int = Field(5, ge=1, le=1000, description="candidates listed for each image")
    n_evidence: int = Field(3, ge=0, le=20, description="gallery images listed for each candidate")
    max_pixels: int = Field(
        200_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_bytes: int = Field(200_000_000, ge=1_000, description="a file with more bytes is refused")


class PartsSettings(Settings):
    """Over which splits the parts of the recogniser are compared."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(_words)] = Field(
        (10, 11, 12, 13, 14), min_length=1, description="seeds of the splits"
    )
    ratio: Ratio = Field(
        (0.5, 0.0, 0.5), description="shares of train/val/test in each", validate_default=True
    )


class BenchSettings(Settings):
    """How long a measurement takes."""

    rounds: int = Field(5, ge=1, le=100, description="times that each contender runs, in turn")
    n_images: int = Field(64, ge=1, description="images in one round")


class DownloadBenchSettings(Settings):
    """How long the measurement of downloads takes, and who takes part."""

    rounds: int = Field(5, ge=1, le=100, description="times that each contender runs, in turn")
    n_images: int = Field(
        5000, ge=1, description="photos in one round, each at an address of its own"
    )
    ours_only: bool = Field(
        False, description="Cairn alone, to see its memory over many more photos"
    )


class ScrubSettings(Settings):
    """What counts as doubtful, and how far scrub looks for it."""

    min_side_px: int = Field(
        128, ge=1, le=4096, description="an image whose shorter side has fewer pixels is too small"
    )
    max_aspect: float = Field(
        3.0, ge=1, description="an image that is more times as long as it is wide has an odd shape"
    )
    n_neighbors: int = Field(
        50, ge=10, le=1000, description="nearest images that are asked what an image shows"
    )
    max_candidates: int = Field(
        300, ge=0, description="images of each kind of doubt whose points are matched, the most doubtful first; and as many with seams"
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="the same seed finds the same")


class ScrubBenchSettings(Settings):
    """What is planted to measure scrub with, and how often."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(_words)] = Field(
        (10, 11, 12), min_length=1, description="seeds of the planted sets"
    )
    per_kind: int = Field(
        60, ge=1, description="copies of each kind, wrong landmarks, distractors and composites in each set"
    )  # fmt: skip
    n_bad: int = Field(30, ge=1, description="blurred, dark and blank photos, so many of each")


class MatchingBenchSettings(Settings):
    """How many photos are matched to measure matching with."""

    n_pairs: int = Field(
        1500, ge=200, description="pairs of photos of different landmarks, so many of either half of the landmarks"
    )  # fmt: skip
    n_images: int = Field(
        200, ge=20, description="images that photos are tried with, at most so many of either half"
    )
    seed: int = Field(11, ge=0, description="deals the landmarks to the halves and draws the pairs")


class NeighborsBenchSettings(Settings):
    """The made-up descriptors among which neighbours are found."""

    sizes: Annotated[tuple[int, ...], BeforeValidator(_words)] = Field(
        (1_000, 10_000, 100_000, 1_000_000), min_length=1, description="numbers of descriptors"
    )
    width: int = Field(128, ge=2, le=4096, description="numbers in one descriptor")
    n_neighbors: int = Field(10, ge=1, le=1000, description="neighbours of each")
    seed: int = Field(0, ge=0, description="another seed makes up others")


class ExploreBenchSettings(Settings):
    """The made-up catalog that exploring is measured on."""

    n_rows: int = Field(1_200_000, ge=100, description="rows of the made-up catalog")
    n_landmarks: int = Field(15_000, ge=1, description="landmarks that its images show")


SECTIONS: dict[str, type[Settings]] = {
    "import": ImportSettings,
    "download": DownloadSettings,
    "select": SelectSettings,
    "split": SplitSettings,
    "explore": ExploreSettings,
    "describe": DescribeSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "demo": DemoSettings,
    "recognize": RecognizeSettings,
    "serve": ServeSettings,
    "review": ReviewSettings,
    "bench": BenchSettings,
    "bench_download": DownloadBenchSettings,
    "bench_explore": ExploreBenchSettings,
    "scrub": ScrubSettings,
    "bench_scrub": ScrubBenchSettings,
    "bench_neighbors": NeighborsBenchSettings,
    "bench_matching": MatchingBenchSettings,
    "parts": PartsSettings,
}


def settings_folder(name: str) -> Path | None:
    """The folder that a backbone or weights setting names, or None where it is a model's name."""
    path = Path(name)
    return path if path.is_dir() or path.is_absolute() or name.startswith((".", "~")) else None
