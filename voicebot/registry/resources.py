"""Where the data that comes with the product lies: in the wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _data(in_wheel: str, in_checkout: str) -> Path:
    packed = _PACKAGE / "_data" / in_wheel
    return packed if packed.is_dir() else _PACKAGE.parent / in_checkout


def models_dir() -> Path:
    """Return the directory of shipped models: <name>/<version>/manifest.json."""
    return _data("models", "models")


def migrations_dir() -> Path:
    """Return the directory of alembic migrations."""
    return _data("migrations", "db/migrations")


def playbooks_dir() -> Path:
    """Return the directory of shipped playbooks."""
    return _PACKAGE / "playbooks"


def demo_dir() -> Path:
    """Return the directory of the demo's clips and personas."""
    return _PACKAGE / "demo"
