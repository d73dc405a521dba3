"""Settings of explore, scrub and review: what is shown, what counts as doubtful, who decides."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from cairn.base.settings.forms import Settings, words


class ExploreSettings(Settings):
    """What the report of a catalog shows."""

    landmark: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        (), description="landmarks, by id, that get a sheet of photos besides the largest: ID,ID"
    )
    sheets: bool = Field(True, description="sheets of photos of the 30 largest landmarks")
    sheet_images: int = Field(8, ge=1, le=200, description="photos on a sheet")
    map_images: int = Field(
        20_000, ge=0, le=20_000, description="images on the map, drawn by lot where there are more; 0: no map"
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="draws the lots of the map")


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
    least_candidates: int = Field(
        300, ge=0, description="images of each kind of doubt whose points are matched, the most doubtful first; and as many with seams"
    )  # fmt: skip
    candidates_share: float = Field(
        0.03, ge=0, le=1, description="share of all images whose points are matched, where that is more than --least-candidates"
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="the same seed finds the same")

    def n_candidates(self, n_images: int) -> int:
        """How many of `n_images` are matched for each kind of doubt."""
        return max(self.least_candidates, round(self.candidates_share * n_images))


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
