"""Everything the console says is there in both languages, and everything pages ask for is said."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import voicebot
import voicebot.console
from voicebot.campaign.compliance import Reason
from voicebot.campaign.report_page import STAGES
from voicebot.console.words import LANGUAGES, known, said, words
from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.dialogue import Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.people import TakeoverReason
from voicebot.domain.understanding import Situation
from voicebot.domain.users import Role

pytestmark = pytest.mark.unit
_ASKED = re.compile(r"""\bt\(\s*"([a-z_]+\.[a-zA-Z_]+)\"""")


def test_both_languages_fill_in_the_same_values() -> None:
    for key, (chinese, english) in words().items():
        assert chinese, key
        assert english, key
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (chinese, english)]
        assert fields[0] == fields[1], key


def test_every_key_that_pages_name_is_there() -> None:
    folder = Path(voicebot.console.__file__).parent
    asked = {key for file in folder.rglob("*.py") for key in _ASKED.findall(file.read_text("utf-8"))}
    assert len(asked) > 50
    assert asked <= set(words())


def test_pages_and_reports_name_a_refusal_alike() -> None:
    assert {reason: words()[f"refusal.{reason}"][0] for reason in Reason} == {
        reason: reason.chinese for reason in Reason
    }


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("disposition", Disposition),
        ("emotion", EmotionLabel),
        ("relation", Relation),
        ("situation", Situation),
        ("role", Role),
        ("campaign_status", CampaignStatus),
        ("cause", EndCause),
        ("stage", list(STAGES)),
        ("refusal", Reason),
        ("takeover_reason", TakeoverReason),
    ],
)
def test_every_value_of_the_domain_has_its_words(section: str, values: list[str]) -> None:
    for language in LANGUAGES:
        for value in values:
            assert known(section, str(value), language) == said(f"{section}.{value}", language)


# Deeds that are not written as a word where they are logged, and what they may be.
_WRITTEN_ELSEWHERE = {
    "f'campaign_{wanted.value}'": {f"campaign_{status.value}" for status in CampaignStatus},
    "deed.replace('-', '_')": {"hang_up", "take_over"},
}
_PASSED_ON = {  # the callers of these are looked at instead: file -> the deeds' variable
    "cli/keys.py": {"keys_rotate", "keys_retire"},
    "console/api/caller.py": set[str](),
    "console/visitor.py": set[str](),
}


def _logged() -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """Yield file, deed and subject of every place that writes to the audit log."""
    root = Path(voicebot.__file__).parent
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = ast.unparse(node.func.value)
            adds = node.func.attr == "add" and ("AuditRepository" in owner or owner == "audit")
            acts = node.func.attr == "act" and len(node.args) >= 3
            if adds or acts:
                first = 0 if acts and owner == "caller" else 1
                yield str(file.relative_to(root)), node.args[first], node.args[first + 1]


def _deeds(file: str, deed: ast.expr) -> set[str]:
    match deed:
        case ast.Constant(value=str(word)):
            return {word}
        case ast.IfExp(body=one, orelse=other):
            return _deeds(file, one) | _deeds(file, other)
        case ast.Name(id="action"):
            return _PASSED_ON[file]
    return _WRITTEN_ELSEWHERE[ast.unparse(deed)]


def test_the_audit_log_has_words_for_every_deed_and_for_no_other() -> None:
    logged = list(_logged())
    assert len(logged) > 60
    deeds = set().union(*(_deeds(file, deed) for file, deed, _ in logged))
    assert deeds == {key.removeprefix("deed.") for key in words() if key.startswith("deed.")}


def test_the_audit_log_has_words_for_whatever_a_deed_is_done_to() -> None:
    kinds = set()
    for _, _, subject in _logged():
        match subject:
            case ast.Constant(value=str(word)):
                kinds.add(word)
            case ast.JoinedStr(values=[ast.Constant(value=str(word)), *_]):
                kinds.add(word.removesuffix(":"))
    assert {"user", "campaign", "call"} <= kinds
    for kind in kinds:
        assert f"deed_subject.{kind}" in words(), kind
