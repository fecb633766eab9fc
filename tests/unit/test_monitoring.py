"""The shipped dashboard and alerts: they ask for metrics, labels and values that there are, and each alert
has an entry for whoever is woken by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from voicebot.domain.call import EndCause
from voicebot.service.metrics import ENGINE_ERRORS, Metrics
from voicebot.speech.synthesis.espeak import EspeakSynthesizer
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer
from voicebot.speech.synthesis.prompts import MISS
from voicebot.speech.synthesis.pyttsx3_engine import Pyttsx3Synthesizer
from voicebot.store.jobs import QUEUES

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = [
    pytest.param(rule, id=rule["alert"])
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "voicebot").rglob("*.py")))
OURS = re.compile(r"(voicebot_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|ignoring|on)\s*\(([^)]*)\)")


def dashboard() -> Iterator[tuple[str, str]]:
    for panel in json.loads((MONITORING / "grafana.json").read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


QUERIES = [*dashboard(), *((rule.values[0]["alert"], rule.values[0]["expr"]) for rule in ALERTS)]  # type: ignore[index]


def series() -> dict[str, set[str]]:
    """Return the names under which Prometheus keeps what we tell, with their labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(Metrics(CollectorRegistry())).values():
        labels = set(getattr(metric, "_labelnames", ())) | {"instance", "job"}
        if isinstance(metric, Counter):
            found[f"{metric._name}_total"] = labels
        elif isinstance(metric, Histogram):
            found |= {f"{metric._name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric._name}_bucket"] = labels | {"le"}
        elif isinstance(metric, Gauge):
            found[metric._name] = labels
    return found


def values(label: str) -> set[str]:
    """Return what a label of ours may say, as far as queries name it."""
    match label:
        case "stage":
            call = "\n".join(path.read_text("utf-8") for path in (ROOT / "voicebot" / "call").glob("*.py"))
            return {
                *re.findall(r'step\("(\w+)"\)', call),
                *re.findall(r'"(\w+)_ms":', call),
                *ENGINE_ERRORS.values(),
            }
        case "event":
            return set(re.findall(r'log\.(?:warning|error|exception)\(\s*"([^"]+)"', SOURCE))
        case "cause":
            return {cause.value for cause in EndCause}
        case "result":
            return {"hit", "miss"}
        case "queue":
            return {"contacts", *(f"jobs_{queue}" for queue in QUEUES)}
        case "engine":
            robots = [Pyttsx3Synthesizer.name, EspeakSynthesizer.name]
            return {shape for robot in robots for shape in (robot, f"{MISS}{robot}", f"clip:{robot}")}
        case "le":
            return {str(float(bound)) for bound in Metrics(CollectorRegistry()).mos._upper_bounds}
    return set()


def test_there_is_something_to_look_at() -> None:
    assert len(list(dashboard())) > 15
    assert len(ALERTS) > 10


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_query_asks_for_what_there_is(title: str, query: str) -> None:
    known = series()
    asked = OURS.findall(query)
    assert asked or "up{" in query, title
    labels = {"le"}
    for name, matchers in asked:
        assert name in known, f"{title}: there is no {name}"
        labels |= known[name]
        for label, how, value in MATCHER.findall(matchers):
            assert label in known[name], f"{title}: {name} has no {label}"
            wanted = [value] if how == "=" else [None]
            if how == "=~":
                # every alternative must hit something, else a part of the query is for nothing
                whole = [one for one in values(label) if re.fullmatch(value, one)]
                assert whole, f"{title}: no {label} is like {value}"
                wanted = [part for part in value.split("|") if "(" not in value and "*" not in value]
            assert set(wanted) <= values(label), f"{title}: {label} is never {value}"
    grouped = {one.strip() for part in GROUPED.findall(query) for one in part.split(",")}
    assert grouped <= labels, title
    assert query.count("(") == query.count(")"), title


@pytest.mark.parametrize("rule", ALERTS)
def test_whoever_is_woken_finds_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (.+)\n(.+)", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    entries = {title.lower().replace(" ", "-"): body for title, body in headings}
    assert entries.get(anchor), f"{page} has no {anchor}"
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]


def test_a_robots_alert_hears_every_robot_and_no_other_voice() -> None:
    (query,) = [query for title, query in QUERIES if title == "VoicebotRoboticVoice"]
    (pattern,) = re.findall(r'engine=~"([^"]+)"', query)
    assert all(re.fullmatch(pattern, shape) for shape in values("engine"))
    assert not re.fullmatch(pattern, f"{MISS}{KokoroSynthesizer(Path('absent')).name}")


def test_the_words_that_count_as_failures_of_engines_are_logged() -> None:
    assert set(ENGINE_ERRORS) <= values("event")
