"""What a case does: the rows of the list that ask for it, how the server answers, and what photo it is about."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile.answers import whole
from tests.hostile.exchanges import Answer
from tests.hostile.photos import Photo, plain

ADDRESS = "http://{slug}.photos.test:{port}/{slug}/{n}.jpg"
# The same server where its address counts as a public one.
FACE = "http://{slug}.face.test:{port}/{slug}/{n}.jpg"


@dataclass(frozen=True)
class Row:
    """A row of the list. In the fields, `{slug}`, `{n}`, `{port}` and the other ports stand for what they are.

    raw: the line as it stands there, where it is no proper one; with its end.
    """

    address: str = ADDRESS
    image_id: str = "{slug}-{n}"
    landmark_id: str = "hostile"
    raw: bytes | None = None


@dataclass(frozen=True)
class Deed:
    """What a case does.

    photo: made of a name; each row has its own, but for `same_bytes`.
    asked: the number of requests that reach the server for all rows of the case together; None: not judged.
    shows_px: width and height of the kept image where they are not those of the photo.
    is_guarded: the case belongs to the list of which nothing may lead inside the network.
    """

    answer: Answer = whole
    photo: Callable[[str], Photo] = plain
    rows: tuple[Row, ...] = (Row(),)
    asked: int | None = None
    same_bytes: bool = False
    shows_px: tuple[int, int] | None = None
    is_guarded: bool = False


def at(*addresses: str) -> tuple[Row, ...]:
    """A row for each of these addresses."""
    return tuple(Row(address) for address in addresses)


def ids(*image_ids: str) -> tuple[Row, ...]:
    """A row for each of these ids."""
    return tuple(Row(image_id=image_id) for image_id in image_ids)


def landmarks(*landmark_ids: str) -> tuple[Row, ...]:
    """A row for each of these landmarks."""
    return tuple(Row(landmark_id=landmark_id) for landmark_id in landmark_ids)


def raw(*lines: bytes) -> tuple[Row, ...]:
    """Rows that are written as they stand here."""
    return tuple(Row(raw=line) for line in lines)
