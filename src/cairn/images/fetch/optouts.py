"""Whether a host asks programs such as ours to leave a photo: the header X-Robots-Tag."""

import re
from collections.abc import Iterable

AGENT = "cairn"
# `none` is the header's short form of noindex and nofollow.
OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
# Directives that have a colon inside, which is not that of an agent.
_WITH_A_VALUE = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)
# The rest of a date with a comma, up to the colon in its time: `Friday, 25-Jun-10 15:00:00 GMT`.
_DATE = re.compile(r"\d+(-\S+)?(\s.*)?")


def opt_out(headers: Iterable[str]) -> str | None:
    """The first directive by which the X-Robots-Tag headers of an answer ask to leave the photo, if any does.

    headers: each header's value: directives for all agents, `noindex, noai`, or for one, `cairn: noai`. An agent holds for
    all directives that follow it in the same header.
    Source: Google's documentation of X-Robots-Tag; noai and noimageai are DeviantArt's.
    """
    for header in headers:
        is_for_us = True
        for words in header.lower().split(","):
            name, colon, directive = words.partition(":")
            agent = name.strip()
            if colon and agent not in _WITH_A_VALUE and not _DATE.fullmatch(agent):
                is_for_us = agent in (AGENT, "*")
                words = directive
            if is_for_us and words.strip() in OPT_OUTS:
                return words.strip()
    return None
