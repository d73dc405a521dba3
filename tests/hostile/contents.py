"""Cases of what is inside: photos of every kind, files that are none, and bytes that come more than once."""

from tests.hostile.answers import says
from tests.hostile.deeds import Deed, Row
from tests.hostile.photos import (
    adobe_rgb_jpeg,
    as_kind,
    called,
    claiming,
    cmyk,
    cut,
    deep_colours,
    deep_grey,
    grey,
    half_clear,
    heic,
    huge,
    large,
    many_frames,
    moving,
    of_size,
    palette_with_hole,
    plain,
    text,
    turned,
    two_pages,
    wide_gamut,
    with_long_comment,
    with_lost_rows,
    without_pixels,
    ycck,
)

SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='160' height='120'><circle r='50'/></svg>"
PALETTE_TOLERANCE = 12.0

PHOTOS = {
    "large photo": Deed(photo=large, shows_px=(256, 192), asked=1),
    **{f"EXIF orientation {number}": Deed(photo=turned(number)) for number in range(2, 9)},
    "CMYK": Deed(photo=cmyk),
    "YCCK with Adobe's mark": Deed(photo=ycck),
    "RGB with Adobe's mark": Deed(photo=adobe_rgb_jpeg),
    "grey": Deed(photo=grey),
    "16-bit grey": Deed(photo=deep_grey),
    "16-bit colours": Deed(photo=deep_colours),
    "palette with transparency": Deed(photo=palette_with_hole),
    "half transparent": Deed(photo=half_clear),
    "wide gamut": Deed(photo=wide_gamut),
    "animated GIF": Deed(photo=moving("GIF")),
    "animated WebP": Deed(photo=moving("WEBP")),
    "PNG": Deed(photo=as_kind("PNG", "image/png")),
    "WebP": Deed(photo=as_kind("WEBP", "image/webp")),
    "GIF": Deed(photo=as_kind("GIF", "image/gif", PALETTE_TOLERANCE)),
    "BMP": Deed(photo=as_kind("BMP", "image/bmp")),
    "TIFF of two pages": Deed(photo=two_pages),
    "AVIF": Deed(photo=as_kind("AVIF", "image/avif")),
    "HEIC": Deed(photo=heic),
    "1×1": Deed(photo=of_size(1, 1)),
    "1×3000": Deed(photo=of_size(1, 3000), shows_px=(1, 256)),
    "PNG called JPEG": Deed(photo=called("image/jpeg", as_kind("PNG", "image/png"))),
    "JPEG called HTML": Deed(photo=called("text/html", plain)),
    "lost rows": Deed(photo=with_lost_rows),
}

NO_PHOTOS = {
    "truncated JPEG": Deed(photo=cut(0.6), asked=1),
    "JPEG cut in the last rows": Deed(photo=cut(0.995), asked=1),
    "HTML called JPEG": Deed(photo=text("<!doctype html><p>Gone", "image/jpeg"), asked=1),
    "SVG": Deed(photo=text(SVG, "image/svg+xml"), asked=1),
    "JPEG 2000": Deed(photo=as_kind("JPEG2000", "image/jp2"), asked=1),
    "zero-sized": Deed(photo=without_pixels, asked=1),
    "PNG of 20000×20000": Deed(photo=huge(20_000), asked=1),
    "JPEG that claims 65000×65000": Deed(photo=claiming(65_000, 65_000), asked=1),
    "comment bomb": Deed(photo=with_long_comment, asked=1),
    "GIF of 20,000 frames": Deed(photo=many_frames(20_000), asked=1),
}

TWICE = "http://{slug}.photos.test:{port}/{slug}/1.jpg"
REPEATED = {
    "placeholder": Deed(
        rows=tuple(Row(landmark_id=f"hostile-{place}") for place in ("a", "a", "b", "b", "c", "d")),
        same_bytes=True,
        asked=6,
    ),
    "same bytes": Deed(rows=(Row(), Row()), same_bytes=True, asked=2),
    "same address": Deed(rows=(Row(TWICE), Row(TWICE)), asked=1),
    "same address, written otherwise": Deed(
        rows=(Row(TWICE), Row("HTTP://{slug}.Photos.TEST:{port}/{slug}/1.jpg#top")), asked=2
    ),
    "same address, two landmarks": Deed(
        rows=(Row(TWICE), Row(TWICE, landmark_id="hostile-too")), asked=1
    ),
    "same id": Deed(rows=(Row(image_id="{slug}"), Row(image_id="{slug}")), asked=1),
    "same row": Deed(rows=(Row(TWICE, image_id="{slug}"), Row(TWICE, image_id="{slug}")), asked=1),
    "same address, not there": Deed(says(404), rows=(Row(TWICE), Row(TWICE)), asked=1),
}
