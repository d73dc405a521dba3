"""Settings of training a network: how images are varied, what stands on the network, how it learns."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cairn.base.settings.forms import Settings, words

# A number of images that is to be found out.
AUTO = 0


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("two numbers, the smaller one first, were expected, such as 0.5,1")
    return pair


def _rising_sides(steps: tuple[str, ...]) -> tuple[str, ...]:
    found = [re.fullmatch(r"(0?\.\d+):(\d+)", step) for step in steps]
    shares = [float(match[1]) for match in found if match]
    if len(shares) < len(steps) or shares != sorted(set(shares)):
        raise ValueError(
            "shares that rise, each with its side, were expected, such as 0.5:128,0.8:192"
        )
    return steps


def _auto(value: object) -> object:
    """`auto` as 0."""
    return AUTO if value == "auto" else value


_IsPair, _IsRising = BeforeValidator(words), AfterValidator(_rising)
Share = Annotated[float, Field(ge=0, le=1)]
_Area = Annotated[float, Field(gt=0, le=1)]
# A patch of twice the width for its height fits up to here.
_PatchArea = Annotated[float, Field(gt=0, le=0.5)]
_Aspect = Annotated[float, Field(ge=0.1, le=10)]
_Quality = Annotated[int, Field(ge=1, le=100)]
_BlurPx = Annotated[float, Field(gt=0, le=20)]
_Margin = Annotated[float, Field(ge=0, lt=1.57)]


class AugmentSettings(Settings):
    """How images are varied in training, so that a network learns the landmark and not the photo."""

    side_px: int = Field(224, ge=16, le=4096, description="side of the square that comes out")
    area: Annotated[tuple[_Area, _Area], _IsPair, _IsRising] = Field(
        (0.5, 1.0), description="share of the image's area that is cut out: least,most; 1,1: all of it"
    )  # fmt: skip
    aspect: Annotated[tuple[_Aspect, _Aspect], _IsPair, _IsRising] = Field(
        (0.75, 1.3333), description="how wide the cut is for its height: least,most; where no such cut of its area fits into the image, the nearest that does"
    )  # fmt: skip
    rotation_deg: float = Field(
        5.0, ge=0, le=45, description="degrees of turning at most, either way"
    )
    shear_deg: float = Field(0.0, ge=0, le=45, description="degrees of leaning at most, either way")
    zoom: float = Field(
        0.0, ge=0, le=0.9, description="share by which width and height are stretched at most, each for itself, either way; edges are repeated"
    )  # fmt: skip
    mirror: bool = Field(
        False, description="mirror about every second image; a mirrored building is another building"
    )  # fmt: skip
    blur_chance: Share = Field(0.1, description="share of the images that are blurred")
    blur_px: Annotated[tuple[_BlurPx, _BlurPx], _IsPair, _IsRising] = Field(
        (0.3, 1.5), description="standard deviation of the blur: least,most"
    )
    brightness: Share = Field(0.2, description="share by which brightness changes at most")
    contrast: Share = Field(0.2, description="share by which contrast changes at most")
    saturation: Share = Field(
        0.2, description="share by which the strength of colours changes at most"
    )
    jpeg_chance: Share = Field(
        0.25, description="share of the images that are stored as JPEG once more"
    )
    jpeg_quality: Annotated[tuple[_Quality, _Quality], _IsPair, _IsRising] = Field(
        (40, 95), description="JPEG quality then: least,most"
    )
    erase_chance: Share = Field(0.25, description="share of the images that get a plain patch")
    erase_area: Annotated[tuple[_PatchArea, _PatchArea], _IsPair, _IsRising] = Field(
        (0.02, 0.15), description="share of the image under the patch: least,most"
    )


_WholeWidth = Annotated[int, Field(ge=1, le=65_536)]


class TopSettings(Settings):
    """What stands on the network while it is trained: pooling, neck, landmark head."""

    top_pooling: Literal["gem", "avg", "flatten"] = Field(
        "gem", description="how maps become one vector: gem with a learnt power, avg, or flatten, all places side by side"
    )  # fmt: skip
    convolution: int = Field(
        0, ge=0, le=65_536, description="maps of a 3 × 3 convolution with ReLU and a 2 × 2 maximum in front of the pooling, as the old VGG16 had them; 0: none"
    )  # fmt: skip
    neck_width: int = Field(
        512, ge=0, le=65_536, description="numbers in a descriptor: a linear layer, batch norm and PReLU; 0: as pooled"
    )  # fmt: skip
    dense: Annotated[tuple[_WholeWidth, ...], BeforeValidator(words)] = Field(
        (), description="layers with ReLU before the head, by width, as the old project had them; the last gives the descriptor"
    )  # fmt: skip
    head: Literal["softmax", "arcface"] = Field(
        "softmax", description="softmax: a weight row and a bias for each landmark; arcface: cosines with a margin"
    )  # fmt: skip
    centres: int = Field(1, ge=1, le=16, description="arcface: centres of each landmark")
    scale: float = Field(45.0, gt=0, description="arcface: what cosines are multiplied with")
    margins: Annotated[tuple[_Margin, _Margin], _IsPair, _IsRising] = Field(
        (0.05, 0.5), description="arcface: radians of the landmark with the most and with the fewest photos"
    )  # fmt: skip
    landmark_weights: bool = Field(
        False, description="an image of a landmark with many photos counts less in the loss"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of what is expected that is spread over all landmarks"
    )
    pixel_scale: Literal["network", "old"] = Field(
        "network", description="network: mean and deviation as the weights were trained; old: 0 to 1, whatever they expect"
    )  # fmt: skip


class FinetuneSettings(Settings):
    """How a network is trained: for how long, what of it, by which steps."""

    epochs: int = Field(10, ge=1, description="how often the images are gone through")
    batch_images: Annotated[int, BeforeValidator(_auto)] = Field(
        32, ge=0, le=65_536, description="images in one step, all processes together; auto: as many as GPUs have room for, or as a processor is quickest with"
    )  # fmt: skip
    accumulate: int = Field(
        1, ge=1, le=1024, description="parts that the images of a step are taken in, where memory is short"
    )  # fmt: skip
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="what takes the steps")
    learning_rate: float = Field(1e-3, gt=0, description="of head and neck, at its highest")
    network_rate: float = Field(
        0.1, gt=0, le=1, description="the network's learning rate, as a share of that"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="each layer learns by this share of the one above it"
    )
    weight_decay: float = Field(1e-4, ge=0, description="share of a weight that a step takes away")
    warmup: float = Field(
        0.05, ge=0, lt=1, description="share of the steps in which the learning rate rises"
    )
    decay: Literal["cosine", "constant"] = Field(
        "cosine", description="how the learning rate falls after that"
    )
    frozen: float = Field(
        0.0, ge=0, le=1, description="share of the network's layers, from the image on, that stay as they are"
    )  # fmt: skip
    frozen_epochs: int = Field(
        1, ge=0, description="epochs at the beginning in which the whole network stays as it is"
    )
    thawing_epochs: int = Field(
        0, ge=0, description="epochs after those in which the layers begin to learn, the last ones first; 0: all at once"
    )  # fmt: skip
    norms: Literal["still", "learn"] = Field(
        "still", description="batch norms of the network: still: keep the statistics they came with; learn: from each batch, as a network needs that begins from nothing"
    )  # fmt: skip
    sampling: Literal["as they are", "balanced", "square root"] = Field(
        "square root", description="how often a landmark of n photos is seen in an epoch: n times, all alike, or by √n"
    )  # fmt: skip
    sampled_landmarks: int = Field(
        0, ge=0, description="landmarks among which a step tells its images' own, which are always with them; the others are drawn anew; 0: all"
    )  # fmt: skip
    growing: Annotated[tuple[str, ...], BeforeValidator(words), AfterValidator(_rising_sides)] = (
        Field(
            (), description="smaller sides at first: until which share of the steps, side in px, such as 0.5:128,0.8:192"
        )
    )  # fmt: skip
    clip_norm: float = Field(5.0, ge=0, description="longest gradient of a step; 0: no limit")
    ema: float = Field(
        0.0, ge=0, lt=1, description="share that a running mean of the weights keeps at each step, less in the first steps; 0: none"
    )  # fmt: skip
    arithmetic: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="what is computed with; auto: bf16 where the processor has it"
    )
    compile: bool = Field(
        False, description="compile the network first, which takes minutes and makes steps quicker; on a processor it needs a C++ compiler"
    )  # fmt: skip
    deterministic: bool = Field(
        False, description="only operations that give the same numbers each time, on a GPU too, where they are slower"
    )  # fmt: skip
    patience: int = Field(
        0, ge=0, description="epochs without a better score on val after which it ends; 0: never"
    )
    time: str = Field("", pattern=r"^(\d+(\.\d+)?[smhd])?$", description="ends after so long: 90m, 8h, 2d")  # fmt: skip
    save_s: float = Field(300.0, ge=0, description="seconds between checkpoints within an epoch")
    workers: int = Field(
        -1, ge=-1, le=256, description="processes that decode; -1: one for each processor but one"
    )
    seed: int = Field(0, ge=0, description="deals, orders and varies the images")
