import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.images.fetch.optouts import OPT_OUTS, opt_out


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([], None),
        (["all"], None),
        (["NoAI"], "noai"),
        (["nofollow, noimageai"], "noimageai"),
        (["nofollow", "noindex"], "noindex"),
        (["noimageindex"], "noimageindex"),
        (["none"], "none"),
        (["cairn: noai"], "noai"),
        (["otherbot: noai"], None),
        (["otherbot: nofollow, noai"], None),
        (["otherbot: noai, cairn: nofollow, noindex"], "noindex"),
        (["*: noai"], "noai"),
        (["max-image-preview: none, unavailable_after: 25 Jun 2010 15:00:00 PST"], None),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noindex"], "noindex"),
        (["unavailable_after: Friday, 25-Jun-10 15:00:00 GMT, noai"], "noai"),
        (["unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noai"], "noai"),
        (["unavailable_after: Jun 25, 2010 15:00:00 PST, otherbot: noai"], None),
        (["360spider: noai"], None),
        (["noindexing"], None),
    ],
)
def test_only_what_is_meant_for_us_counts(headers: list[str], said: str | None) -> None:
    assert opt_out(headers) == said


@given(st.lists(st.text("aino:, *dexmg", max_size=30), max_size=3))
def test_wild_headers_say_something_known_or_nothing(headers: list[str]) -> None:
    assert opt_out(headers) in {None, *OPT_OUTS}
