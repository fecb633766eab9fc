"""The wheel is complete: installed without the checkout, it makes calls."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**env, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment that holds the wheel, and its dependencies by reference."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("voicebot-*.whl")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    # A folder named in a .pth file brings its packages, but not the .pth by which it holds the checkout.
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(purelib) / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    where = run(python, "-c", "import voicebot; print(voicebot.__file__)", cwd=folder).strip()
    assert where.startswith(str(folder))
    return python.parent


def test_the_installed_voicebot_calls_a_customer(
    installed: Path, tmp_path: Path, postgres_directory: Path
) -> None:
    report = tmp_path / "demo.json"
    home = postgres_directory / "wheel"
    run(
        installed / "voicebot", "demo", "--only", "polite_no", "--json", report,
        cwd=tmp_path,
        VOICEBOT_HOME=str(home),
    )  # fmt: skip  # options and their values in a line
    (call,) = json.loads(report.read_text("utf-8"))["calls"]
    assert call["disposition"] == "refused"


def test_the_installed_voicebot_says_what_works(
    installed: Path, tmp_path: Path, postgres_directory: Path
) -> None:
    ports = {f"VOICEBOT_{name}_PORT": "0" for name in ("SIP", "INFERENCE", "LINE")}
    home = str(postgres_directory / "wheel")
    text = run(installed / "voicebot", "playbook", "check", "consumer_loan", cwd=tmp_path, VOICEBOT_HOME=home)
    assert "consumer_loan" in text
    help_text = run(installed / "voicebot", "--help", cwd=tmp_path, VOICEBOT_HOME=home, **ports)
    assert "outcomes" in help_text
