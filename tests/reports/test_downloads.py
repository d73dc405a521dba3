"""The report of a download shows what the tally holds, adds up, and is one inert file whatever hosts are called."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cairn.images.fetch.causes import FetchCause
from cairn.images.pixels import Cause
from cairn.records.catalog import STATUSES
from cairn.records.tally import NO_HOST, HostTally, Tally
from cairn.reports.cause_words import OF_CAUSE, OF_STATUS, words_of
from cairn.reports.downloads import (
    MOST_HOSTS,
    DownloadContents,
    render_download_report,
    write_download_report,
)
from cairn.stages.download.blocks import RowFault
from cairn.stages.download.rows import ENDS_OF_UNFETCHED, NOT_FETCHED
from cairn.stages.joining import PLACEHOLDER, SAME_ADDRESS, SAME_BYTES, SAME_ID

HOSTILE = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(1)> {{ 7*7 }}"
ENDS = (
    ("kept", None, 700), ("failed", "not found", 200), ("failed", "host too busy", 60),
    ("duplicate", "duplicate bytes", 20), ("pending", NOT_FETCHED, 15), ("excluded", "blank line", 5),
)  # fmt: skip
HOSTS = (
    HostTally("a.test", 600, 500, 90, (("not found", 60), ("host too busy", 30))),
    HostTally("b.test", 395, 200, 170, (("not found", 140), ("host too busy", 30))),
    HostTally(NO_HOST, 5, 0, 0, ()),
)


def tally(
    ends: Sequence[tuple[str, str | None, int]] = ENDS,
    hosts: Sequence[HostTally] = HOSTS,
    name: str = "/lists/photos.csv",
) -> Tally:
    n_rows = sum(n for *_, n in ends)
    n_kept = sum(n for status, _, n in ends if status == "kept")
    return Tally(name, n_rows, tuple(ends), tuple(hosts), n_kept, 1_234_567 * bool(n_kept), 9)


def page(
    of: Tally | None = None, times: Sequence[float] = (0, 1, 5), command: str = "cairn split w"
) -> str:
    return render_download_report(
        DownloadContents(of or tally(), times, (("list", "photos.csv"),), command)
    )


class Page(HTMLParser):
    """The rows of the tables as words, the texts, and every tag and address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._is_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.links += [name for name, _ in attrs if name.startswith("on")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._is_cell:
            self.rows[-1][-1] += data


def numbers(rows: Sequence[list[str]], column: int) -> list[int]:
    return [int(row[column].split()[0].replace(",", "")) for row in rows]


def test_the_table_of_causes_adds_up_to_the_rows() -> None:
    rows = Page(page()).rows
    ends = rows[1 : 1 + len(ENDS)]
    assert [row[0] for row in ends] == [cause or status for status, cause, _ in ENDS]
    assert sum(numbers(ends, 1)) == 1000
    assert "they add up to 1,000" in page()


def test_the_table_of_hosts_adds_up_too() -> None:
    *rows, of_all = Page(page()).rows[-len(HOSTS) - 1 :]
    assert [row[0] for row in rows] == [host.host for host in HOSTS]
    assert [sum(numbers(rows, column)) for column in (2, 3, 4, 5)] == [1000, 700, 260, 40]
    assert numbers([of_all], 2) + numbers([of_all], 5) == [1000, 40]
    assert rows[0][6] == "60 not found, 30 host too busy"
    assert of_all[6] == "200 not found, 60 host too busy"


def test_the_cards_and_the_lead_say_the_same_numbers() -> None:
    words = " ".join(Page(page()).words)
    assert "1,000 rows: 70\N{NO-BREAK SPACE}% became images, of 9 landmarks." in words
    assert "60 rows failed for a cause that may pass" in words
    assert "15 rows still to fetch" in words
    values = re.findall(r'<p class="value">([\d,]+)</p>', page())
    assert values == ["700", "260", "20", "20"]


def test_no_host_is_no_host() -> None:
    assert "2 hosts" in page()


def test_hosts_beyond_the_shown_ones_are_counted() -> None:
    hosts = [HostTally(f"h{i}.test", 9, 5, 3, (("gone", 3),)) for i in range(MOST_HOSTS + 20)]
    text = page(tally([("kept", None, 9 * len(hosts))], hosts))
    assert f"{MOST_HOSTS + 20} hosts; the {MOST_HOSTS} with most rows are shown" in text
    *rows, of_all = Page(text).rows[3:]
    assert (len(rows), rows[-1][0], rows[-1][6]) == (MOST_HOSTS + 1, "20 other hosts", "60 gone")
    for column, n in ((2, 9), (3, 5), (4, 3), (5, 1)):
        assert sum(numbers(rows, column)) == numbers([of_all], column)[0] == n * len(hosts)


def test_a_list_of_which_nothing_was_kept_is_told_as_well() -> None:
    text = page(tally([("failed", "unknown host", 1)], [HostTally("a.test", 1, 0, 1, ())]), ())
    assert "1 row: 0\N{NO-BREAK SPACE}% became images" in text
    assert "Over time" not in text


@pytest.mark.parametrize("times", [(), (0.0,), (0.0, 0.0, 0.0)])
def test_photos_of_one_moment_make_no_chart(times: Sequence[float]) -> None:
    assert "Over time" not in page(times=times)


def test_photos_over_time_make_one() -> None:
    assert "700 images kept over 5.0 seconds" in page(times=(0, 1, 5))
    assert "700 images kept over 2.8 hours" in page(times=(0, 10_000))


def test_the_next_command_and_the_facts_are_there() -> None:
    assert "<code>cairn split w</code>" in page()
    assert "<dt>list</dt><dd><bdi>photos.csv</bdi></dd>" in page()


def test_hostile_names_stay_words_and_nothing_is_asked_of_the_network() -> None:
    hosts = [HostTally(HOSTILE, 1000, 700, 260, ((HOSTILE, 260),))]
    text = page(tally(hosts=hosts, name=f"/x/{HOSTILE}"), command=HOSTILE)
    found = Page(text)
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert not found.links
    assert "{{ 7*7 }}" in "".join(found.words)
    assert "default-src 'none'" in text


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    contents = DownloadContents(tally(), (), (), "cairn split w")
    write_download_report(tmp_path / "r" / "report.html", contents)
    assert (tmp_path / "r/report.html").read_text() == render_download_report(contents)
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["report.html"]


def test_every_status_and_cause_has_words() -> None:
    causes = {*FetchCause, *Cause, *RowFault, SAME_BYTES, SAME_ADDRESS, SAME_ID, PLACEHOLDER}
    causes |= {cause for _, cause in ENDS_OF_UNFETCHED.values()}
    assert {str(cause) for cause in causes} <= OF_CAUSE.keys()
    assert set(STATUSES) - OF_STATUS.keys() == {"failed"}
    assert words_of("pending", NOT_FETCHED)
