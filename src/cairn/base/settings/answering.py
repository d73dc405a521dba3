"""Settings of a finished recogniser: what an answer holds, where it is served, what contests get."""

from pydantic import Field

from cairn.base.settings.forms import Settings


class RecognizeSettings(Settings):
    """What an answer holds."""

    n_candidates: int = Field(5, ge=1, le=1000, description="candidates listed for each image")
    n_evidence: int = Field(3, ge=0, le=20, description="gallery images listed for each candidate")
    match_all: bool = Field(
        False,
        description="match points also where the answer is sure, to show what speaks for it; no answer depends on it",
    )
    max_pixels: int = Field(
        200_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_bytes: int = Field(200_000_000, ge=1_000, description="a file with more bytes is refused")


class SubmitSettings(Settings):
    """How the answers to a contest are ranked."""

    transductive: bool = Field(
        False,
        description="rank by a rule that uses all photos of the list at once: landmarks that many photos get go down",
    )


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
