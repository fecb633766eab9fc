"""The dialplans for Asterisk and FreeSWITCH, read by linters that know these exchanges."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicebot.telephony.headers import CALLER, CAMPAIGN, CONTACT

pytestmark = pytest.mark.unit
DIALPLANS = Path(__file__).resolve().parents[2] / "dialplans"
ASTERISK = DIALPLANS / "asterisk" / "extensions.conf"
FREESWITCH = DIALPLANS / "freeswitch"


def tool(name: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    path = Path(sys.executable).with_name(name)
    return subprocess.run([path, *args], capture_output=True, text=True, timeout=60, check=False)


def asterisk_complaints(path: Path) -> str:
    done = tool("asterisklint", "dialplan-check", "--asterisk-version", "20", path)
    return done.stdout + done.stderr


def freeswitch_issues(folder: Path) -> list[dict[str, str]]:
    done = tool("frslint", "analyze", "-f", "json", folder / "freeswitch.xml")
    return list(json.loads(done.stdout)["issues"])


def test_asterisk_finds_nothing_to_complain_about() -> None:
    assert asterisk_complaints(ASTERISK) == ""


def test_the_asterisk_linter_would_see_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "extensions.conf"
    broken.write_text(ASTERISK.read_text().replace("Goto(to-voicebot,again,1)", "Goto(to-nowhere,again,1)"))
    assert "to-nowhere" in asterisk_complaints(broken)


def test_freeswitch_finds_nothing_to_complain_about() -> None:
    assert freeswitch_issues(FREESWITCH) == []


def test_the_freeswitch_linter_would_see_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "freeswitch"
    shutil.copytree(FREESWITCH, broken)
    plan = broken / "dialplan" / "voicebot.xml"
    plan.write_text(plan.read_text().replace(r"(86\d{5,15})", r"(86\d{5,15}"))
    assert [issue["type"] for issue in freeswitch_issues(broken)] == ["invalid-regex"]


@pytest.mark.parametrize(
    ("context", "dialled", "last"),
    [
        ("from-voicebot", "+8613800000000", "bridge: sofia/gateway/carrier/+$1"),
        ("from-voicebot", "+12125550123", "respond: 403 Prefix not allowed"),
        ("from-voicebot", "agents", "transfer: again XML to-voicebot"),
        ("to-voicebot", "s", "bridge: sofia/gateway/voicebot/campaign"),
        ("from-carrier", "4000000000", "bridge: sofia/gateway/voicebot/campaign"),
    ],
)
def test_freeswitch_sends_a_call_where_it_belongs(context: str, dialled: str, last: str) -> None:
    done = tool("frslint", "debug", "-c", context, FREESWITCH / "freeswitch.xml", dialled)
    assert done.stdout.strip().splitlines()[-1].strip() == last


@pytest.mark.parametrize("file", [ASTERISK, FREESWITCH / "dialplan" / "voicebot.xml"])
def test_the_header_contract_is_kept(file: Path) -> None:
    for name in (CAMPAIGN, CONTACT, CALLER):
        assert name in file.read_text()
