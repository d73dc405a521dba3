"""Settings of download: how photos are fetched, and which rows of a list are wanted."""

from typing import Literal

from pydantic import Field, field_validator

from cairn.base.settings.forms import Settings


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
        5, ge=0, description="the same bytes at so many addresses, under three landmarks or more or none named, are no photo; 0: never"
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
