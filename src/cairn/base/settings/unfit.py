"""Settings of a recipe that are in range each and do not go together: a sentence for every such pair."""

from collections.abc import Collection, Mapping

from cairn.base.settings.forms import Settings
from cairn.base.settings.training import AUTO, FinetuneSettings, TopSettings

_OF_ARCFACE = ("centres", "scale", "margins")
_OF_THE_NETWORK = ("network_rate", "layer_decay", "frozen_epochs", "thawing_epochs")
# Batch norm cannot learn from one image.
_LEAST_IMAGES = 2


def unfit(sections: Mapping[str, Settings], chosen: Collection[str]) -> list[str]:
    """What is wrong with the sections `top` and `finetune` together; nothing of one that is not there.

    chosen: the names of settings that a person chose. Those that a recipe or the program brings may be of no use, so
    that a flag can switch away what they belong to.
    """
    top, finetune = sections.get("top"), sections.get("finetune")
    wrong: list[str] = []
    if isinstance(top, TopSettings):
        wrong += _useless(chosen, _OF_ARCFACE, top, because="--head softmax", instead="--head arcface") if top.head == "softmax" else []  # fmt: skip
    if isinstance(finetune, FinetuneSettings):
        wrong += _of_steps(finetune)
        if finetune.frozen == 1:
            wrong += _useless(chosen, _OF_THE_NETWORK, finetune, because="--frozen 1", instead="--frozen 0")  # fmt: skip
    if isinstance(top, TopSettings) and isinstance(finetune, FinetuneSettings):
        wrong += _of_sides(top, finetune)
    return wrong


def _of_steps(finetune: FinetuneSettings) -> list[str]:
    least = _LEAST_IMAGES * finetune.accumulate
    if finetune.batch_images >= least or finetune.batch_images == AUTO:
        return []
    return [
        f"--batch-images is {finetune.batch_images}, taken in --accumulate {finetune.accumulate} parts; expected: {least} images "
        f"or more, at least {_LEAST_IMAGES} in a part, or fewer parts"
    ]


def _of_sides(top: TopSettings, finetune: FinetuneSettings) -> list[str]:
    if top.top_pooling != "flatten" or not finetune.growing:
        return []
    return [
        f"--growing is {','.join(finetune.growing)} with --top-pooling flatten, whose layers fit one side only; expected: "
        "--growing '' or another --top-pooling"
    ]


def _useless(
    chosen: Collection[str], names: Collection[str], model: Settings, *, because: str, instead: str
) -> list[str]:
    """A sentence for each of `names` that was chosen, though it changes nothing."""
    return [
        f"--{name.replace('_', '-')} is {_told(getattr(model, name))} with {because}, where it changes nothing; "
        f"expected: {instead}, or no --{name.replace('_', '-')}"
        for name in names
        if name in chosen
    ]


def _told(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
