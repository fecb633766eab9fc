"""The generated gRPC code belongs to the .proto files beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
GENERATED = Path("voicebot/rpc/generated")


@pytest.mark.parametrize("name", ["inference", "line"])
def test_generated_code_is_that_of_its_proto(name: str, tmp_path: Path) -> None:
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{GENERATED}=voicebot/rpc", *out,
            str(GENERATED / f"{name}.proto"),
        ],
        cwd=ROOT,
        check=True,
    )  # fmt: skip  # a command in a line
    for file in (tmp_path / GENERATED).iterdir():
        if file.name.startswith(name):
            ours = (ROOT / GENERATED / file.name).read_text()
            assert ours == file.read_text(), f"{file.name}: run the command at the top of {name}.proto"
