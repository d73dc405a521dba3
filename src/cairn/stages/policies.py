"""Policies: what is done about images without asking each time, as data that a person can read."""

from dataclasses import dataclass

from cairn.base.checks import nearest_name
from cairn.base.errors import InputError
from cairn.records.findings import (
    BLANK,
    BLURRED,
    COPIES,
    DARK,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    TOO_SMALL,
    WRONG_LANDMARK,
)

# Nothing can be recognised in such an image; an odd shape or a drawing may still show its landmark.
UNREADABLE = (TOO_SMALL, BLURRED, DARK, BLANK)


@dataclass(frozen=True)
class Policy:
    """What is done about images, once verdicts have been heard; see docs/scrub.md.

    says: it in a sentence. hears: whether verdicts count; those that do go before everything else.
    excludes: a sure finding of these kinds leaves its image out. believes: the suggestion of a sure finding of these
    kinds becomes what its image shows. least_verified: an image is left out that fewer images of its own landmark
    are verified to show; 0: none is. least_images: then a landmark with fewer images left loses those too.
    """

    name: str
    says: str
    hears: bool = True
    excludes: tuple[str, ...] = ()
    believes: tuple[str, ...] = ()
    least_verified: int = 0
    least_images: int = 0


NONE = Policy("none", "undoes every decision", hears=False)
VERDICTS = Policy("verdicts", "does what people said, and nothing else")
CAREFUL = Policy(
    "careful",
    "does what people said, and leaves out sure copies and images in which nothing can be recognised",
    excludes=(*COPIES, *UNREADABLE),
)
THOROUGH = Policy(
    "thorough",
    "does what careful does, and believes sure findings of a wrong landmark, of none and of several",
    excludes=(*COPIES, *UNREADABLE),
    believes=(WRONG_LANDMARK, NO_LANDMARK, SEVERAL_LANDMARKS),
)
# The numbers of the published cleaning code: at least 2 verified images, at least 2 images a landmark.
GLD_CLEAN = Policy(
    "gld-clean",
    "does what people said, and cleans as Google Landmarks v2 was cleaned: an image stays where at least two others of "
    "its landmark are verified to show the same",
    least_verified=2,
    least_images=2,
)
POLICIES = {policy.name: policy for policy in (NONE, VERDICTS, CAREFUL, THOROUGH, GLD_CLEAN)}


def policy_named(name: str) -> Policy:
    """The policy of that name; raises InputError where there is none."""
    if name not in POLICIES:
        raise InputError(
            f"there is no policy {name}{nearest_name(name, POLICIES)}; one of {', '.join(POLICIES)} was expected; "
            "docs/scrub.md says what each does"
        )
    return POLICIES[name]
