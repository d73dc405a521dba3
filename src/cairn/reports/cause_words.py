"""What each status and cause of the catalog means to people, and what they can do about it."""

from cairn.records.catalog import DUPLICATE, EXCLUDED, KEPT, PENDING

OF_STATUS = {
    KEPT: "fetched, decoded to the last row, upright, and written to the work folder",
    PENDING: "not fetched yet: the run was ended before; the same command goes on with them",
    DUPLICATE: "the same photo as another row, its twin, which is kept",
    EXCLUDED: "left out on purpose",
}
OF_CAUSE = {
    # rows
    "malformed row": "not the number of fields that the head of the list has, or not text; --dry-run names the lines",
    "blank line": "an empty line between rows",
    "no address": "the address is empty, or the word None",
    "bad address": "not an http or https address that can be asked",
    "not chosen": "left out by --landmarks, --per-landmark or --sample",
    # twins
    "duplicate id": "an earlier row has this id",
    "same address": "an earlier row has this address: fetched once, the image shows the landmarks of all its rows",
    "duplicate bytes": "another address brought the same bytes",
    "placeholder": "the same bytes at many addresses of several landmarks, or of rows that name none: what a host shows where a photo is gone",
    # for good
    "private address": "the address, or one that it leads to, lies inside a private network; see --allow-private",
    "unknown host": "no such host exists any more",
    "not found": "the host no longer has it (404)",
    "gone": "the host has removed it for good (410)",
    "unavailable for legal reasons": "the host may not show it (451)",
    "refused by the host": "the host does not give it to us (401, 403 and others)",
    "too many redirects": "the address led on and on",
    "opted out": "its host asks that it is not used for such work; --no-opt-out would pass over that",
    "certificate not trusted": "the host could not show that it is what it says; see --certificates",
    "not in its tar": "every tar of the part was read, and the photo is in none",
    "decompression bomb": "a small answer that unpacks to a huge one",
    # may pass
    "name not resolved": "the name server did not answer in time",
    "no connection": "the host took no connection",
    "no connection in time": "the host did not take a connection in time",
    "no answer in time": "connected, but no answer began in time",
    "went silent": "the answer began and then stopped",
    "too slow": "it came more slowly than --least-kb-per-s",
    "took too long": "not whole within --photo-s",
    "connection broken": "the connection broke, or what came was no HTTP",
    "cut off": "fewer bytes came than the host had announced",
    "host too busy": "the host asked for patience to the end (429, 503)",
    "host error": "the host failed (500 and others)",
    "host given up": "its host failed so often in a row that the rest of it was left for another run",
    "host wants a contact": "its host answers only those who can be reached: add --contact",
    "tar failed": "the tar that may hold it could not be had or read to its end: it is fetched again",
    # the photo itself
    "empty file": "no bytes came",
    "not an image": "what came is a page or something else, but no photo",
    "truncated": "the photo ends too early",
    "unreadable": "its bytes make no image",
    "too many bytes": "more than --max-bytes",
    "too many pixels": "more than --max-pixels, seen before decoding",
    "too many frames": "an animation with too many frames",
    "decoder crashed": "decoding it ended its process",
    "decoder out of memory": "decoding it wanted more than --decode-memory-mb",
    "decoding took too long": "decoding it took longer than --decode-s",
    "cannot be opened": "the system does not let it be read",
}  # fmt: skip


def words_of(status: str, cause: str | None) -> str:
    """What a status and cause mean, in a sentence without its full stop; empty where nothing is to be said."""
    return OF_CAUSE.get(cause or "", OF_STATUS.get(status, ""))
