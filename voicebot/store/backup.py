"""Backup and restore of what can not be made again: database, key, playbooks, models, clips, recordings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url, text

from voicebot.domain.errors import StoreError
from voicebot.store.binaries import Binaries, installed
from voicebot.store.session import Database, normalised

DUMP, MANIFEST, KEY = "voicebot.dump", "backup.json", "number.key"
FOLDERS = ("playbooks", "models", "clips", "lexicon")  # of the data home; what is absent is left out
RECORDINGS = "recordings"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    at: str
    postgres: int  # major version that wrote it
    folders: tuple[str, ...]
    key: bool


def backup(url: str, home: Path, out: Path, at: datetime, *, key: bool, recordings: bool) -> Backup:
    """Write a backup into a new directory, readable by its owner alone. Raises StoreError.

    Args:
        url: of the database.
        home: the data home.
        out: directory, which must not exist.
        at: now.
        key: whether the key file goes with it; without it a thief of the backup has no number.
        recordings: whether recordings go with it.
    """
    try:
        out.mkdir(parents=True, mode=0o700)
    except FileExistsError as error:
        raise StoreError(f"{out} exists already", hint="name a new directory") from error
    except OSError as error:
        raise StoreError(f"{out} can not be made: {error.strerror}") from error
    programs = _programs(url)
    _run(programs.bin / "pg_dump", "--format=custom", "--no-owner", f"--file={out / DUMP}", url=url)
    wanted = [name for name in (*FOLDERS, *([RECORDINGS] if recordings else [])) if (home / name).is_dir()]
    try:
        for name in wanted:
            shutil.copytree(home / name, out / name, symlinks=True)
        has_key = key and (home / KEY).is_file()
        if has_key:
            shutil.copy2(home / KEY, out / KEY)
        made = Backup(at.isoformat(timespec="seconds"), programs.major, tuple(wanted), has_key)
        facts = {"at": made.at, "postgres": made.postgres, "folders": list(made.folders), "key": made.key}
        (out / MANIFEST).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise StoreError(f"{out} can not be written: {error.strerror}") from error
    return made


def restore(url: str, home: Path, source: Path) -> Backup:
    """Put a backup in the place of what a database holds; files that the data home has are kept. Raises
    StoreError.

    The database must be empty or one of ours: its tables are dropped and made anew from the dump.
    """
    try:
        facts = json.loads((source / MANIFEST).read_text("utf-8"))
        made = Backup(facts["at"], facts["postgres"], tuple(facts["folders"]), facts["key"])
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{source} is no backup of voicebot", hint="name the directory of voicebot backup"
        ) from error
    program = _programs(url).bin / "pg_restore"
    _run(
        program, "--list", "--file=/dev/null", str(source / DUMP)
    )  # it can be read, before anything is dropped
    database = Database(url, pool_size=1)
    try:
        with database.transaction() as session:
            # pg_restore --clean stumbles over partitions
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    finally:
        database.dispose()
    _run(program, "--no-owner", "--exit-on-error", "--single-transaction", str(source / DUMP), url=url)
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name in made.folders:
            _fill(source / name, home / name)
        if made.key and not (home / KEY).exists():
            shutil.copy2(source / KEY, home / KEY)
            (home / KEY).chmod(0o600)
    except OSError as error:
        raise StoreError(f"{home} can not be written: {error.strerror}") from error
    return made


def _fill(source: Path, target: Path) -> None:
    """Copy what is not there yet."""
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        elif not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)


def _run(program: Path, *words: str, url: str = "") -> None:
    environment, target = dict(os.environ), []
    if url:
        # A password stands in the environment of the child and not in its arguments, which everybody sees.
        place = make_url(normalised(url))
        environment |= {"PGPASSWORD": place.password} if place.password else {}
        target = [f"--dbname={place.set(drivername='postgresql', password=None).render_as_string()}"]
    try:
        done = subprocess.run(  # noqa: S603  # PostgreSQL's own programs
            [str(program), *words, *target],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    except OSError as error:
        raise StoreError(f"{program} can not be run: {error.strerror}") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise StoreError(
            f"{program.name} ended with status {done.returncode}: {last[0]}",
            hint=f"its version must be the server's or newer: {program}",
        )


def _programs(url: str) -> Binaries:
    """Return the programs of the server's own version, or else the newest. Raises StoreError."""
    database = Database(url, pool_size=1)
    try:
        major = int(database.check().split(".")[0])
    finally:
        database.dispose()
    found = [one for one in installed() if (one.bin / "pg_dump").exists()]
    if not found:
        raise StoreError("pg_dump is not installed", hint="apt-get install postgresql-client")
    return min(found, key=lambda one: (one.major < major, abs(one.major - major)))
