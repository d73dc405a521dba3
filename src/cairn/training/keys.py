"""Keys: numbers that look drawn by lot and hang on (seed, epoch, image_id) alone; what chance in training is made of."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
_STEP = np.uint64(0x9E3779B97F4A7C15)


def scattered(states: Keys) -> Keys:
    """For each number [N] another of 64 bits that looks drawn by lot; different ones stay different.

    Source: the next number of splitmix64 from each state; Steele, Lea, Flood, OOPSLA 2014.
    """
    found = states + _STEP
    found ^= found >> np.uint64(30)
    found *= np.uint64(0xBF58476D1CE4E5B9)
    found ^= found >> np.uint64(27)
    found *= np.uint64(0x94D049BB133111EB)
    found ^= found >> np.uint64(31)
    return found


def image_keys(image_ids: Iterable[str]) -> Keys:
    """A number [N] for each id, the same on every machine: its BLAKE2b hash of 64 bits.

    It takes about a microsecond an id. That two of 4 million ids share a number happens to one catalog in two million;
    they are then augmented alike, and nothing else comes of it.
    """
    joined = bytearray()
    for image_id in image_ids:
        joined += blake2b(image_id.encode(), digest_size=8).digest()
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def purpose(*words: str | int) -> np.uint64:
    """One number for what keys are drawn for, such as the order of an epoch; other words give another."""
    joined = "\0".join(map(str, words)).encode()
    return np.uint64(int.from_bytes(blake2b(joined, digest_size=8).digest(), "little"))


def drawn(keys: Keys, again: Counts, what_for: np.uint64) -> Keys:
    """A number [N] for each image: the one numbered `again` in the splitmix64 sequence that its key and purpose begin.

    keys: [N] of images. again: [N] how often the image came before in the same epoch, 0 or more.
    """
    return scattered((keys ^ what_for) + again.astype(np.uint64) * _STEP)


def augmentation_keys(keys: Keys, again: Counts, *, seed: int, epoch: int) -> Keys:
    """What the augmentation of each image [N] in one epoch is drawn from; the arguments as in `drawn`."""
    return drawn(keys, again, purpose("augmentation", seed, epoch))


def key_of(image_id: str, *, seed: int, epoch: int, again: int = 0) -> int:
    """What the augmentation of one image in one epoch is drawn from, as `augmentation_keys` says.

    again: how often this epoch has shown the image before; samplings that repeat images show another view each time.
    """
    return int(
        augmentation_keys(image_keys([image_id]), np.array([again]), seed=seed, epoch=epoch)[0]
    )


def generator_of(key: int) -> np.random.Generator:
    """The source of chance that belongs to a key; it gives the same numbers wherever it is made."""
    return np.random.Generator(np.random.Philox(key=key))
