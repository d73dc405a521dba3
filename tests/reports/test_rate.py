"""The page of a learning-rate finder: its chart, and that it opens offline."""

import math
from pathlib import Path

from cairn.reports.charts import BOTTOM, LEFT, RIGHT, TOP
from cairn.reports.rate import RateContents, rate_chart, write_rate_report

CONTENTS = RateContents(
    "a <network>", "lead", (1e-4, 1e-3, 1e-2, 1e-1), (4.0, 3.0, 2.0, math.nan), (4.0, 3.5, 3.0, math.nan),
    1e-3, (("suggested", "0.001"),),
)  # fmt: skip


def test_the_rate_goes_across_by_its_logarithm_and_what_is_no_number_is_left_out() -> None:
    chart = rate_chart(CONTENTS)
    assert [tick.label for tick in chart.x_ticks] == ["1e-4", "1e-3", "1e-2", "1e-1"]
    assert [tick.at for tick in chart.x_ticks] == [LEFT, LEFT + (RIGHT - LEFT) / 3, round(LEFT + (RIGHT - LEFT) * 2 / 3, 1), RIGHT]  # fmt: skip
    assert len(chart.points) == 3
    assert chart.path.count("L") == 2
    assert chart.lines[0].x1 == chart.x_ticks[1].at
    assert all(TOP <= point.y <= BOTTOM for point in chart.points)


def test_the_page_is_one_file_that_escapes_names(tmp_path: Path) -> None:
    write_rate_report(tmp_path / "rate.html", CONTENTS)
    page = (tmp_path / "rate.html").read_text()
    assert "a &lt;network&gt;" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
