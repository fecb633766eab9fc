"""A report as a picture, as a page that needs nothing else, and as flat rows."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from voicebot.campaign import charts
from voicebot.campaign.compliance import Reason
from voicebot.domain.call import Disposition
from voicebot.domain.report import Report, ScriptConversion, StageLatency

MOST_SHOWN = 15
SECTIONS = {
    "funnel": "漏斗",
    "disposition": "通话结果",
    "intent": "意向等级",
    "hour": "每小时通话结果",
    "reason": "拒绝原因",
    "not_dialled": "不呼叫的原因",
    "script": "话术转化率（95 % 威尔逊区间）",
    "latency": "处理时延（毫秒）",
    "emotion": "情感变化",
}
FUNNEL = {
    "contacts": "名单",
    "calls": "呼叫",
    "answered": "接通",
    "spoke": "客户开口",
    "positive": "有意向或转人工",
    "callbacks": "约回访",
    "opted_out": "要求勿扰",
}
STAGES = {  # in the order in which an answer comes about
    "endpoint_ms": "静音判停",
    "wait_ms": "判停后等答复",
    "round_trip_ms": "从提问到决策",
    "recognise_ms": "识别",
    "emotion_ms": "情感",
    "situation_ms": "场景声音",
    "relation_ms": "语句关系",
    "rank_ms": "候选排序",
    "choose_ms": "选择话术",
    "prompts_ms": "准备语音",
    "decide_ms": "以上合计",
    "prompt_ms": "取语音",
    "decoding_cpu_ms": "解码占用 CPU",
    "wasted_cpu_ms": "其中白算",
}
_STYLE = """
body{margin:0;background:#f3f5f8;color:#222;font:14px/1.5 "Noto Sans SC","Noto Sans CJK SC",sans-serif}
main{max-width:1040px;margin:24px auto;background:#fff;padding:8px 20px 32px;border-radius:8px}
svg{width:100%;height:auto}table{border-collapse:collapse;width:100%;margin:8px 0 24px}
th,td{padding:4px 10px;border-bottom:1px solid #e3e7ec;text-align:left}td.n{text-align:right}
summary{cursor:pointer;color:#3b78b8}
"""


def svg(report: Report) -> str:
    """Return the report as one SVG."""
    subtitle = f"生成于 {report.made_at:%Y-%m-%d %H:%M %Z}"
    return charts.picture(report.title, subtitle, _charts(report))


def html(report: Report) -> str:
    """Return the report as a page without scripts or anything from elsewhere."""
    tables = ""
    for section, words in SECTIONS.items():
        if found := [row for row in rows(report) if row["section"] == section]:
            tables += f"<h3>{escape(words)}</h3>{_table(found)}"
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{escape(report.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<main>{svg(report)}<details><summary>数据表</summary>{tables}</details></main></html>\n"
    )


def rows(report: Report) -> Iterator[dict[str, Any]]:
    """Yield the report as flat rows: section, name, detail, value and, for shares, of, low, high."""
    for name in (*FUNNEL, "talk_s"):
        yield _row("funnel", name, value=getattr(report.funnel, name))
    for section, counted in (
        ("disposition", report.dispositions),
        ("intent", report.intents),
        ("reason", report.reasons),
        ("not_dialled", report.not_dialled),
    ):
        for one in counted:
            yield _row(section, one.name, value=one.calls)
    for hour in report.hours:
        yield _row("hour", str(hour.hour), hour.disposition.value, hour.calls)
    for script in report.scripts:
        share = script.converted
        yield _row("script", script.script_id, script.variant, share.hits) | {
            "of": share.of,
            "low": round(share.low, 4),
            "high": round(share.high, 4),
        }
    for stage in report.latencies:
        for name in ("p50", "p90", "p95", "p99"):
            yield _row("latency", stage.stage, name, getattr(stage, name)) | {"of": stage.turns}
    for move in report.emotions:
        after = move.after.value if move.after else ""
        yield _row("emotion", f"{move.step} {move.before.value}", after, move.calls)


def _row(section: str, name: str, detail: str = "", value: float = 0) -> dict[str, Any]:
    row = {"section": section, "name": name, "detail": detail, "value": value}
    return row | {"of": None, "low": None, "high": None}


def _table(found: list[dict[str, Any]]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, int | float):
            return (
                f'<td class="n">{value:,.4g}</td>'
                if isinstance(value, float)
                else f'<td class="n">{value:,}</td>'
            )
        return f"<td>{escape(str(value or ''))}</td>"

    columns = [
        name for name in found[0] if name != "section" and any(row[name] not in ("", None) for row in found)
    ]
    body = "".join(f"<tr>{''.join(cell(row[name]) for name in columns)}</tr>" for row in found)
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in columns)}</tr>{body}</table>"


def _charts(report: Report) -> list[charts.Chart]:
    funnel = [(said, float(getattr(report.funnel, name))) for name, said in FUNNEL.items()]
    calls = report.funnel.calls or 1
    names = {kind.value: kind.chinese for kind in Disposition}
    colours = {kind.chinese: colour for kind, colour in charts.DISPOSITIONS.items()}
    return [
        charts.bars(
            SECTIONS["funnel"],
            [
                (
                    said,
                    count,
                    f"{count:,.0f}" + ("" if said == FUNNEL["contacts"] else f" · {count / calls:.1%}"),
                )
                for said, count in funnel
            ],
        ),
        charts.bars(
            SECTIONS["disposition"],
            [
                (names[one.name], one.calls, f"{one.calls:,} · {one.calls / calls:.1%}")
                for one in report.dispositions
            ],
            colours,
        ),
        charts.by_hour(SECTIONS["hour"], report.hours),
        charts.bars(SECTIONS["reason"], [(one.name, one.calls, f"{one.calls:,}") for one in report.reasons]),
        charts.bars(
            SECTIONS["not_dialled"],
            [(why_not(one.name), one.calls, f"{one.calls:,}") for one in report.not_dialled],
        ),
        charts.shares(
            SECTIONS["script"],
            [(script_name(one), one.converted, "") for one in report.scripts[:MOST_SHOWN]],
        ),
        charts.bars(
            f"{SECTIONS['latency']}：p50 / p95 / p99",
            [
                (name, stage.p95, f"{stage.p50:,.0f} / {stage.p95:,.0f} / {stage.p99:,.0f}")
                for name, stage in stages(report)
            ],
        ),
        charts.emotion_flow(SECTIONS["emotion"], report.emotions),
    ]


def why_not(code: str) -> str:
    """Return what a refusal to dial means; the code itself if no rule has it any more."""
    return Reason(code).chinese if code in set(Reason) else code


def stages(report: Report) -> list[tuple[str, StageLatency]]:
    """Return how long each stage took, with its name for people; what is no time is left out."""
    order = list(STAGES)
    found = {stage.stage: stage for stage in report.latencies if stage.stage.endswith("_ms")}
    known = [name for name in order if name in found]
    return [(STAGES.get(name, name), found[name]) for name in (*known, *sorted(found.keys() - set(known)))]


def script_name(script: ScriptConversion) -> str:
    """Return how a script and its wording are named in a list."""
    return f"{script.script_id} · {script.variant}" if script.variant else script.script_id
