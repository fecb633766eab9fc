"""The Chinese README says what the English one says: same parts, same commands; links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")
GUIDES = ("README.md", "README.zh-CN.md", "docs/guide-manager.zh-CN.md", "docs/guide-agent.zh-CN.md")
_CODE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")


def _headings(text: str) -> list[int]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [len(line.split(" ")[0]) for line in prose.splitlines() if re.match(r"#+ ", line)]


def _commands(text: str) -> list[str]:
    return [
        " ".join(line.split("#")[0].split())
        for block in _CODE.findall(text)
        for line in block.splitlines()
        if line.startswith("./run")
    ]


def _settings(text: str) -> list[str]:
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `VOICEBOT_")]


def test_both_have_the_same_parts() -> None:
    assert len(_headings(ENGLISH)) > 5
    assert _headings(ENGLISH) == _headings(CHINESE)


def test_both_name_the_same_commands() -> None:
    assert len(_commands(ENGLISH)) > 15
    assert _commands(ENGLISH) == _commands(CHINESE)


def test_both_name_the_same_settings() -> None:
    assert len(_settings(ENGLISH)) > 5
    assert _settings(ENGLISH) == _settings(CHINESE)


@pytest.mark.parametrize("page", GUIDES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    file = ROOT / page
    targets = _LINK.findall(file.read_text("utf-8"))
    assert targets
    assert [target for target in targets if not (file.parent / target).exists()] == []
