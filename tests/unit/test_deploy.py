"""What is shipped for servers: manifests against their schemas, units and files against the product."""

from __future__ import annotations

import re
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
    assert "USER voicebot" in steps


def test_the_compose_file_keeps_data_and_drains() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert services["voicebot"]["stop_grace_period"] == "90s"
    assert services["postgres"]["volumes"]
    assert services["voicebot"]["volumes"]
