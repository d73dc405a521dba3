"""Settings of the measurements: how long they take and on what."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from cairn.base.settings.forms import Ratio, Settings, words


class PartsSettings(Settings):
    """Over which splits the parts of the recogniser are compared."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(words)] = Field(
        (10, 11, 12, 13, 14), min_length=1, description="seeds of the splits"
    )
    ratio: Ratio = Field(
        (0.5, 0.0, 0.5), description="shares of train/val/test in each", validate_default=True
    )


class RecipesBenchSettings(Settings):
    """Over which splits ways of training are compared."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(words)] = Field(
        (10, 11, 12, 13, 14), min_length=1, description="seeds of the splits"
    )
    ratio: Ratio = Field(
        (0.4, 0.1, 0.5), description="shares of train/val/test in each", validate_default=True
    )
    old_epochs: int = Field(40, ge=1, description="epochs of the old ways")
    mended: bool = Field(True, description="also the old way with each of its faults mended")


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


class InputBenchSettings(Settings):
    """The photos that the input of training is measured on, and how long that takes."""

    rounds: int = Field(5, ge=1, le=100, description="times that each contender runs, in turn")
    n_photos: int = Field(
        80, ge=4, le=200, description="made-up photos of each size, gone through again and again"
    )
    n_images: int = Field(
        256, ge=0, description="images in one round of input; 0: only training is measured"
    )
    n_steps: int = Field(
        6, ge=0, description="steps in one round of training; 0: only the input is measured"
    )
    backbone: str = Field(
        "mobilenetv3_large_100",
        description="a network of timm that is trained, from random weights",
    )
    side_px: int = Field(
        224, ge=16, le=4096, description="side of the square that the network sees"
    )
    batch_images: int = Field(32, ge=2, le=4096, description="images in one step")
    workers: int = Field(
        -1, ge=-1, le=256, description="processes that decode; -1: one for each processor"
    )
    gpu_images_per_s: Annotated[tuple[int, ...], BeforeValidator(words)] = Field(
        (500, 1000, 2500), min_length=1, description="speeds of GPUs, to tell how many processors feed them"
    )  # fmt: skip


class ExploreBenchSettings(Settings):
    """The made-up catalog that exploring is measured on."""

    n_rows: int = Field(1_200_000, ge=100, description="rows of the made-up catalog")
    n_landmarks: int = Field(15_000, ge=1, description="landmarks that its images show")


class ScrubBenchSettings(Settings):
    """What is planted to measure scrub with, and how often."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(words)] = Field(
        (10, 11, 12), min_length=1, description="seeds of the planted sets"
    )
    per_kind: int = Field(
        60, ge=1, description="copies of each kind, wrong landmarks, distractors and composites in each set"
    )  # fmt: skip
    n_bad: int = Field(30, ge=1, description="blurred, dark and blank photos, so many of each")
    n_odd: int = Field(10, ge=0, description="small photos, strips and drawings, so many of each")


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

    sizes: Annotated[tuple[int, ...], BeforeValidator(words)] = Field(
        (1_000, 10_000, 100_000, 1_000_000), min_length=1, description="numbers of descriptors"
    )
    width: int = Field(128, ge=2, le=4096, description="numbers in one descriptor")
    n_neighbors: int = Field(10, ge=1, le=1000, description="neighbours of each")
    seed: int = Field(0, ge=0, description="another seed makes up others")


class LandmarkHeadBenchSettings(Settings):
    """The landmark head whose training is measured."""

    n_landmarks: int = Field(203_094, ge=64, description="landmarks of the head")
    centres: int = Field(3, ge=1, le=16, description="centres of each landmark")
    width: int = Field(512, ge=1, le=65_536, description="numbers in a descriptor")
    batch_images: int = Field(64, ge=1, description="images in one step")
    sampled: int = Field(20_000, ge=32, description="landmarks that a step sees, where not all")
    steps: int = Field(6, ge=2, le=1000, description="steps of each way; the first is not timed")


_Size = Annotated[int, Field(ge=1, le=4096)]


class TrainBenchSettings(Settings):
    """Which steps of training are measured, and for how long."""

    backbone: str = Field(
        "resnet50", description="the name of a timm model; its weights are random"
    )
    sizes: Annotated[tuple[_Size, ...], BeforeValidator(words)] = Field(
        (1, 8, 16, 32), min_length=1, description="numbers of images in a step"
    )
    side_px: int = Field(224, ge=16, le=4096, description="side of the square images")
    n_landmarks: int = Field(1000, ge=2, description="landmarks of the head")
    fit: Literal["whole", "frozen"] = Field(
        "whole", description="what learns: the whole network, or only the head on a frozen one"
    )
    compiled: bool = Field(False, description="Cairn's step compiled by torch, too")
    rounds: int = Field(5, ge=1, le=100, description="times that each way runs, in turn")
    seconds: float = Field(
        3.0, gt=0, le=600, description="how long a way runs in a round, at least two steps"
    )


class HeadBenchSettings(Settings):
    """The made-up descriptors that heads are trained on."""

    n_images: int = Field(20_000, ge=10, description="descriptors to train on")
    n_landmarks: int = Field(2_000, ge=2, description="landmarks that they show")
    width: int = Field(512, ge=2, le=4096, description="numbers in one descriptor")
    n_queries: int = Field(5_000, ge=10, description="other descriptors, to be asked about")
    all_ways: bool = Field(False, description="also what takes long at this size")
    fit: bool = Field(False, description="also all that cairn train fits on descriptors")
    seed: int = Field(0, ge=0, description="another seed makes up others")
