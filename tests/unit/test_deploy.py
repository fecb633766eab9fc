"""What is shipped for servers: manifests against their schemas, units and files against the product."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from voicebot.service.supervisor import ROLES
from voicebot.settings import Settings

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.30"
MANIFESTS = [
    pytest.param(document, id=f"{path.stem}-{document['kind']}-{document['metadata']['name']}")
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text("utf-8"))
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_kubernetes_takes_the_manifest(manifest: dict[str, Any]) -> None:
    assert kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_schema_would_see_a_mistake() -> None:
    broken = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"ports": [{"port": "x"}]},
    }
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_every_setting_and_role_that_is_named_exists() -> None:
    known = {f"VOICEBOT_{name.upper()}" for name in Settings.model_fields} | {"VOICEBOT_TRUNK"}
    roles: set[str] = set()
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert set(re.findall(r"VOICEBOT_[A-Z_]+", text)) - {"VOICEBOT_"} <= known, path.name
            roles |= set(re.findall(r'"--role", "(\w+)"', text))
    assert roles == set(ROLES), "every role has its place in the cluster"


def test_the_container_installs_from_the_lock() -> None:
    steps = (DEPLOY / "Containerfile").read_text("utf-8")
    assert "--require-hashes -r requirements.lock.txt" in steps


def test_the_container_can_write_where_its_data_is() -> None:
    steps = (DEPLOY / "Containerfile").read_text("utf-8")
    made = steps.index("install -d -o voicebot -g voicebot /var/lib/voicebot")
    assert made < steps.index("USER 10001") < steps.index("VOLUME /var/lib/voicebot")
    assert "--uid 10001" in steps


WORKLOADS = [one for one in MANIFESTS if one.values[0]["kind"] in ("Deployment", "DaemonSet")]  # type: ignore[index]


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_a_pod_can_write_its_data_and_has_time_to_start(manifest: dict[str, Any]) -> None:
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 10001
    (volume,) = pod["volumes"]
    if "hostPath" in volume:  # fsGroup changes nothing there
        (owner,) = pod["initContainers"]
        assert owner["command"][:2] == ["chown", "10001:10001"]
        assert owner["securityContext"] == {"runAsNonRoot": False, "runAsUser": 0}
    else:
        assert pod["securityContext"]["fsGroup"] == 10001
    (container,) = pod["containers"]
    start = container["startupProbe"]
    # health is served once models are loaded; until then the liveness probe must not count
    assert start["periodSeconds"] * start["failureThreshold"] >= 300
    assert start["httpGet"] == container["livenessProbe"]["httpGet"]


def test_who_stops_it_waits_longer_than_calls_get_to_end() -> None:
    line = next(one.values[0] for one in WORKLOADS if one.values[0]["metadata"]["name"] == "line")  # type: ignore[index]
    pod = line["spec"]["template"]["spec"]  # type: ignore[index]
    (drain,) = [int(one["value"]) for one in pod["containers"][0]["env"] if one["name"] == "VOICEBOT_DRAIN_S"]
    assert pod["terminationGracePeriodSeconds"] > drain
    unit = (DEPLOY / "systemd" / "voicebot.service").read_text("utf-8")
    drain, stop = (
        int(re.findall(rf"{name}=(\d+)", unit)[0]) for name in ("VOICEBOT_DRAIN_S", "TimeoutStopSec")
    )
    assert stop > drain
    voicebot = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["voicebot"]
    assert int(voicebot["stop_grace_period"][:-1]) > int(voicebot["environment"]["VOICEBOT_DRAIN_S"])


UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_a_unit_starts_is_there(unit: Path) -> None:
    """The units stand for a checkout at /opt/voicebot whose environment `./run` made."""
    (command,) = re.findall(r"^ExecStart=(.+)$", unit.read_text("utf-8"), re.MULTILINE)
    program, *words = shlex.split(command)
    assert program == "/opt/voicebot/.venv/bin/python"
    assert words[:2] == ["-m", "voicebot.cli.main"]
    known = subprocess.run(
        [sys.executable, *words, "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert known.returncode == 0, known.stderr
    for option in re.findall(r"--[a-z]+", " ".join(words)):
        assert option in known.stdout


def test_the_list_of_workers_is_written_where_its_writer_may_write() -> None:
    unit = (DEPLOY / "systemd" / "voicebot-dispatcher.service").read_text("utf-8")
    folders = {f"/var/lib/{name}" for name in re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)}
    (output,) = re.findall(r"--output (\S+)", unit)
    (home,) = re.findall(r"VOICEBOT_HOME=(\S+)", unit)
    assert folders == {str(Path(output).parent), home}
    assert output in (ROOT / "dialplans" / "kamailio" / "README.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        # kamcmd and the account come with other packages
        text = unit.read_text("utf-8").replace("/opt/voicebot/.venv/bin/python", sys.executable)
        text = re.sub(r"^(ExecStartPost|Documentation)=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *sorted(tmp_path.iterdir())],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_keeps_data() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert services["postgres"]["volumes"]
    assert services["voicebot"]["volumes"]
