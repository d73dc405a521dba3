"""Cases of hosts and connections: statuses, redirects, names, framing, packing and time."""

from tests.hostile.answers import (
    announced,
    bomb,
    busy_until,
    chunked,
    drips,
    drips_headers,
    endless,
    first,
    goes_silent,
    header_bomb,
    hints_forever,
    lengths,
    moved,
    moved_on,
    not_packed,
    packed,
    packed_twice,
    reset,
    says,
    sends,
    with_headers,
    without_length,
)
from tests.hostile.deeds import FACE, Deed, Row, at
from tests.hostile.photos import large, text

GOOD = "http://{slug}.elsewhere.test:{port}/{slug}/good.jpg"
INSIDE = "http://inside.test:{port}/{slug}/good.jpg"
ATTEMPTS = 2
MOST_BYTES = 5_000_000
BARE_DEFLATE = -15
ZLIB = 15
BREAK = b"zz\r\n"

STATUSES = {
    "200": Deed(asked=1),
    "404": Deed(says(404), asked=1),
    "410": Deed(says(410), asked=1),
    "451": Deed(says(451), asked=1),
    "400": Deed(says(400), asked=1),
    "401": Deed(says(401, "WWW-Authenticate: Basic"), asked=1),
    "403": Deed(says(403), asked=1),
    "999": Deed(says(999), asked=ATTEMPTS),
    "204": Deed(says(204), asked=1),
    "304": Deed(says(304), asked=1),
    "408, then a photo": Deed(first(says(408)), asked=2),
    "500, then a photo": Deed(first(says(500)), asked=2),
    "500 for ever": Deed(says(500), asked=ATTEMPTS),
    "429, then a photo": Deed(first(says(429)), asked=2),
    "429 with Retry-After": Deed(first(says(429, "Retry-After: 2")), asked=2),
    "429 for ever": Deed(says(429)),
    "503 with a date": Deed(first(busy_until(3)), asked=2),
    "503 for a day": Deed(says(503, "Retry-After: 86400"), asked=1),
    "103 for ever": Deed(hints_forever(), asked=ATTEMPTS),
    "noai": Deed(with_headers("X-Robots-Tag: noai"), asked=1),
    "noimageai, second header": Deed(
        with_headers("X-Robots-Tag: nofollow", "X-Robots-Tag: noarchive, noimageai"), asked=1
    ),
    "noai for us": Deed(with_headers("X-Robots-Tag: cairn: noai"), asked=1),
    "noai for another agent": Deed(with_headers("X-Robots-Tag: otherbot: noai"), asked=1),
}

REDIRECTS = {
    "301": Deed(moved(301, GOOD), asked=2),
    "302": Deed(moved(302, GOOD), asked=2),
    "303": Deed(moved(303, GOOD), asked=2),
    "307": Deed(moved(307, GOOD), asked=2),
    "308": Deed(moved(308, GOOD), asked=2),
    "relative redirect": Deed(moved(302, "../{slug}/./good.jpg"), asked=2),
    "redirect without scheme": Deed(
        moved(302, "//{slug}.elsewhere.test:{port}/{slug}/good.jpg"), asked=2
    ),
    "redirect chain of 5": Deed(moved_on(5), asked=6),
    "redirect chain of 10": Deed(moved_on(10), asked=6),
    "redirect loop": Deed(moved(302, "/{slug}/1.jpg")),
    "redirect to file://": Deed(moved(302, "file:///etc/hostname"), asked=1),
    "redirect to ftp://": Deed(moved(302, "ftp://photos.test/photo.jpg"), asked=1),
    "redirect to data:": Deed(moved(302, "data:image/png;base64,AAAA"), asked=1),
    "redirect with a password": Deed(moved(302, "http://me:secret@photos.test/a.jpg"), asked=1),
    "redirect without Location": Deed(says(302), asked=1),
    "redirect to an unknown host": Deed(moved(302, "http://nowhere.test/photo.jpg"), asked=1),
    "redirect to a closed port": Deed(moved(302, "http://{slug}.test:{closed_port}/photo.jpg")),
}

CONNECTIONS = {
    "unknown host": Deed(rows=at("http://nowhere.test:{port}/{slug}/1.jpg"), asked=0),
    "name without address": Deed(rows=at("http://nothing.test:{port}/{slug}/1.jpg"), asked=0),
    "DNS fails for now": Deed(rows=at("http://later.test:{port}/{slug}/1.jpg"), asked=0),
    "DNS hangs": Deed(
        rows=at(*(f"http://{name}.hanging.test:{{port}}/{{slug}}/{{n}}.jpg" for name in "abc")),
        asked=0,
    ),
    "connection refused": Deed(rows=at("http://{slug}.test:{closed_port}/1.jpg"), asked=0),
    "connection never accepted": Deed(rows=at("http://{slug}.test:{full_port}/1.jpg"), asked=0),
    "certificate not trusted": Deed(rows=at("https://{slug}.test:{tls_port}/1.jpg"), asked=0),
    "no TLS behind https": Deed(rows=at("https://{slug}.test:{port}/1.jpg"), asked=0),
    "silent TLS": Deed(rows=at("https://{slug}.test:{mute_port}/1.jpg"), asked=0),
    # The HTTP library asks once more by itself, as it may where a connection ends without a word.
    "closes at once": Deed(reset, asked=2 * ATTEMPTS),
    "garbage": Deed(sends(bytes(range(128, 256)) * 64), asked=ATTEMPTS),
    "10,000 headers": Deed(header_bomb(10_000, 20)),
    "a header of 1 MB": Deed(header_bomb(1, 1_000_000)),
    "silent at once": Deed(goes_silent(after=None), asked=ATTEMPTS),
    "slow headers": Deed(drips_headers(), asked=ATTEMPTS),
    "silent after headers": Deed(goes_silent(after=0.0), asked=ATTEMPTS),
    "silent halfway": Deed(goes_silent(after=0.5), asked=ATTEMPTS),
    "slow body": Deed(drips(1), asked=ATTEMPTS),
    "steady but for hours": Deed(drips(3_000, pause_s=0.25), large, asked=ATTEMPTS),
}

BODIES = {
    "empty body": Deed(says(200, body=b""), asked=1),
    "HTML with status 200": Deed(photo=text("<!doctype html><p>Gone", "text/html"), asked=1),
    "JSON": Deed(photo=text('{"error": "gone"}', "application/json"), asked=1),
    "Content-Length too large": Deed(lengths("{more}"), asked=ATTEMPTS),
    "Content-Length too small": Deed(lengths("{less}"), asked=ATTEMPTS),
    "two Content-Lengths": Deed(lengths("{size}", "{less}"), asked=ATTEMPTS),
    "negative Content-Length": Deed(lengths("-5"), asked=ATTEMPTS),
    "no Content-Length": Deed(without_length(), asked=1),
    "no Content-Length, cut off": Deed(without_length(share=0.6), asked=ATTEMPTS),
    "HTTP/1.0": Deed(without_length("1.0"), asked=1),
    "chunked": Deed(chunked(), asked=1),
    "chunked, cut off": Deed(chunked(last=b""), asked=ATTEMPTS),
    "broken chunk": Deed(chunked(last=BREAK), asked=ATTEMPTS),
    "endless chunks": Deed(endless(is_chunked=True), asked=1),
    "endless body": Deed(endless(), asked=1),
    "too large by header": Deed(announced(MOST_BYTES + 1), asked=1),
    "too large by count": Deed(endless(f"Content-Length: {10 * MOST_BYTES}"), asked=1),
    "gzip": Deed(packed("gzip"), asked=1),
    "deflate": Deed(packed("deflate", wbits=ZLIB), asked=1),
    "bare deflate": Deed(packed("deflate", wbits=BARE_DEFLATE), asked=1),
    "gzip twice": Deed(packed_twice(), asked=1),
    "gzip, cut off": Deed(packed("gzip", cut_bytes=500), asked=ATTEMPTS),
    "gzip that is none": Deed(not_packed(), asked=ATTEMPTS),
    "unknown packing": Deed(packed("zstd"), asked=ATTEMPTS),
    "gzip bomb": Deed(bomb(1_000_000_000), asked=1),
}

# In these, only the server's second address counts as public, and nothing may reach it at another.
GUARDED = {
    "public address": Deed(rows=at(FACE), asked=1),
    "private address": Deed(
        rows=at("http://10.0.0.1/1.jpg", "http://172.16.0.1/1.jpg", "http://192.168.1.1/1.jpg"),
        asked=0,
    ),
    "this machine": Deed(
        rows=at("http://127.0.0.1:{port}/{slug}/1.jpg", "http://localhost:{port}/{slug}/1.jpg",
                "http://0.0.0.0:{port}/{slug}/1.jpg", "http://[::1]:{port}/{slug}/1.jpg"),
        asked=0,
    ),
    "link-local address": Deed(rows=at("http://169.254.169.254/latest/meta-data/"), asked=0),
    "odd numbers": Deed(
        rows=at("http://0x7f.1:{port}/{slug}/1.jpg", "http://2130706433:{port}/{slug}/1.jpg",
                "http://0177.0.0.1:{port}/{slug}/1.jpg", "http://127.1:{port}/{slug}/1.jpg"),
        asked=0,
    ),
    "IPv4 inside IPv6": Deed(
        rows=at("http://[::ffff:127.0.0.1]:{port}/{slug}/1.jpg", "http://[64:ff9b::7f00:1]/1.jpg",
                "http://[2002:7f00:1::]/1.jpg", "http://mapped.test:{port}/{slug}/1.jpg"),
        asked=0,
    ),
    "private IPv6 address": Deed(rows=at("http://[fc00::1]/1.jpg", "http://[fe80::1]/1.jpg"), asked=0),
    "multicast address": Deed(rows=at("http://224.0.0.1/1.jpg", "http://[ff02::1]/1.jpg"), asked=0),
    "name of a private address": Deed(
        rows=at("http://inside.test:{port}/{slug}/1.jpg", "http://cloud.test/latest/meta-data/"),
        asked=0,
    ),
    "name of both": Deed(rows=at("http://both.test:{port}/{slug}/1.jpg"), asked=1),
    "DNS rebinding": Deed(rows=at("http://rebinding.test:{port}/{slug}/1.jpg"), asked=1),
    "redirect to a private address": Deed(
        moved(302, "http://127.0.0.1:{port}/{slug}/good.jpg"), rows=(Row(FACE),), asked=1
    ),
    "redirect to a private name": Deed(moved(302, INSIDE), rows=(Row(FACE),), asked=1),
    "redirect to link-local": Deed(
        moved(302, "http://169.254.169.254/latest/meta-data/"), rows=(Row(FACE),), asked=1
    ),
    "redirect to an odd number": Deed(
        moved(302, "http://2130706433:{port}/{slug}/good.jpg"), rows=(Row(FACE),), asked=1
    ),
    "second redirect leads inside": Deed(
        first(moved(302, "/{slug}/on.jpg"), then=moved(302, INSIDE)), rows=(Row(FACE),), asked=2
    ),
}  # fmt: skip
