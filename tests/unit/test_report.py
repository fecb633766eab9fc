"""Reports: intervals, pictures, rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.pixels import pixels, size
from voicebot.call import picture
from voicebot.campaign import report_page
from voicebot.cli.campaign_report import charts
from voicebot.cli.files import write_rows
from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.intervals import Share
from voicebot.domain.report import (
    Counted,
    EmotionMove,
    Funnel,
    HourCount,
    Report,
    ScriptConversion,
    StageLatency,
)

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)
REPORT = Report(
    title="春季 <贷款>",
    made_at=AT,
    until=AT,
    funnel=Funnel(120, 100, 60, 50, 9, 4, 2, 3600.0),
    dispositions=(Counted("no_answer", 40), Counted("refused", 30), Counted("interested", 9)),
    intents=(Counted("A", 9), Counted("E", 30)),
    hours=(HourCount(9, Disposition.INTERESTED, 9), HourCount(10, Disposition.REFUSED, 30)),
    reasons=(Counted("客户拒绝", 30),),
    not_dialled=(Counted("no_consent", 3),),
    scripts=(ScriptConversion("pitch", "b", Share(9, 50), 52, Share(5, 50)),),
    latencies=(
        StageLatency("decide_ms", 200, 310.0, 400.0, 450.0, 600.0),
        StageLatency("endpoint_score", 9, 1.0, 1.0, 1.0, 1.0),
    ),
    emotions=(
        EmotionMove(1, EmotionLabel.CALM, EmotionLabel.ANNOYED, 7),
        EmotionMove(2, EmotionLabel.ANNOYED, None, 7),
    ),
)
EMPTY = Report("无", AT, None, Funnel(0, 0, 0, 0, 0, 0, 0, 0.0), (), (), (), (), (), (), (), ())


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_wilson_interval_holds_its_share(hits: int, misses: int) -> None:
    share = Share(hits, hits + misses)
    assert 0 <= share.low <= share.rate + 1e-9
    assert share.rate <= share.high + 1e-9 <= 1 + 2e-9


def test_a_wilson_interval_is_the_known_one() -> None:
    # 8 of 10: Wilson's interval is 0.490 to 0.943
    assert Share(8, 10).low == pytest.approx(0.490, abs=1e-3)
    assert Share(8, 10).high == pytest.approx(0.943, abs=1e-3)
    assert (Share(0, 0).low, Share(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize("report", [REPORT, EMPTY])
def test_the_page_needs_nothing_else(report: Report) -> None:
    page = report_page.html(report)
    ET.fromstring(report_page.svg(report))
    assert "<script" not in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg")


def test_the_picture_tells_the_figures() -> None:
    drawn = report_page.svg(REPORT)
    assert "春季 &lt;贷款&gt;" in drawn
    assert "18.0% · 9/50" in drawn
    assert "310 / 450 / 600" in drawn
    assert "没有有效的同意" in drawn, "why contacts are not called, in words"
    assert "no_consent" not in drawn
    assert "endpoint_score" not in drawn, "a chance is no time"


def test_the_terminal_tells_the_figures() -> None:
    console = Console(width=140, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(charts(REPORT))
    for words in ("有意向", "9.0%", "18.0% (9/50)", "450", "第几句"):
        assert words in shown.get()


def test_rows_sum_to_what_the_report_says(tmp_path: Path) -> None:
    for name in ("report.csv", "report.json", "report.parquet"):
        write_rows(tmp_path / name, report_page.rows(REPORT))
    rows = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert sum(row["value"] for row in rows if row["section"] == "disposition") == 79
    table = pyarrow.parquet.read_table(tmp_path / "report.parquet").to_pylist()
    assert table == rows
    assert len((tmp_path / "report.csv").read_text("utf-8").splitlines()) == len(rows) + 1


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no kind of table"):
        write_rows(tmp_path / "report.doc", [])


TITLE = (slice(28, 84), slice(40, 400))  # where it stands, in pixels


def drawn(title: str, rows: int = 90) -> np.ndarray:
    """Return the upper pixels of a report with a title."""
    return pixels(picture.png(report_page.svg(replace(REPORT, title=title))), rows)


def test_a_png_of_a_report_is_whole_coloured_and_in_hanzi() -> None:
    svg = ET.fromstring(report_page.svg(REPORT)).attrib
    assert size(picture.png(report_page.svg(REPORT))) == (2 * int(svg["width"]), 2 * int(svg["height"]))
    image = drawn("春季贷款", rows=400)
    colours, counts = np.unique(image.reshape(-1, 4), axis=0, return_counts=True)
    assert len(colours) > 20, "bars, texts and their edges"
    assert counts.max() < 0.97 * counts.sum(), "not an empty sheet"
    assert [59, 120, 184, 255] in colours.tolist(), "a bar's blue"
    title = image[TITLE]
    assert (title != 255).any(axis=2).sum() > 500, "the title has ink"
    assert (title != drawn("夏季房产")[TITLE]).any(), "and other hanzi have other ink"
    boxes = drawn("\ue000\ue001\ue002\ue003")[TITLE]  # that no font has
    assert (boxes == drawn("\ue004\ue005\ue006\ue007")[TITLE]).all(), "what is missing all looks the same"
    assert (title != boxes).any()


def test_a_png_without_a_font_for_hanzi_is_refused_and_not_drawn_in_boxes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import justmytype_intl_cjk

    monkeypatch.setattr(justmytype_intl_cjk, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DataError, match="font with hanzi") as refused:
        picture.save(tmp_path / "report.png", report_page.svg(REPORT))
    assert ".svg" in refused.value.hint
    assert not (tmp_path / "report.png").exists()
