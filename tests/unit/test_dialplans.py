"""The dialplans for Asterisk and FreeSWITCH, read by linters that know these exchanges."""

from __future__ import annotations

import json
import re
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


PJSIP_KINDS = {"transport", "endpoint", "aor", "auth", "identify", "registration"}
REFERENCES = {"transport": "transport", "aors": "aor", "outbound_auth": "auth", "endpoint": "endpoint"}


def pjsip_sections() -> list[tuple[str, dict[str, str]]]:
    """Return the sections of pjsip.conf with their options, without comments and includes."""
    sections: list[tuple[str, dict[str, str]]] = []
    for whole in ASTERISK.with_name("pjsip.conf").read_text().splitlines():
        line = whole.partition(";")[0].strip()
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, whole
            assert name not in sections[-1][1], f"{whole} stands twice"
            sections[-1][1][name] = value
    return sections


def test_the_parts_of_pjsip_conf_find_each_other_and_their_contexts() -> None:
    """asterisklint knows dialplans only; what it can not see is whether names lead somewhere."""
    sections, plan = pjsip_sections(), ASTERISK.read_text()
    named = {(options["type"], name) for name, options in sections}
    assert len(named) == len(sections), "one of a kind and name"
    assert {kind for kind, _ in named} == PJSIP_KINDS
    for name, options in sections:
        for option, kind in REFERENCES.items():
            if option in options:
                assert (kind, options[option]) in named, f"[{name}] {option}={options[option]}"
        assert f"[{options.get('context', 'globals')}]" in plan
        assert "password" not in options, "it stands apart"
    dialled = set(re.findall(r"PJSIP/[^/@\s]*@(\w+)", plan))
    assert dialled == {"carrier", "voicebot"}
    assert {(kind, name) for name in dialled for kind in ("endpoint", "aor")} <= named


def test_asterisk_asks_no_machine_detector_and_gives_customers_back() -> None:
    plan = ASTERISK.read_text()
    assert not any("AMD(" in line.partition(";")[0] for line in plan.splitlines())
    taken_over = plan.partition("exten => agents,1")[2].partition("; ----")[0]
    assert "Goto(to-voicebot,again,1)" in taken_over, "whom no agent took comes back to the bot"


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
