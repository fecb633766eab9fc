"""Playbooks in directories. A version is the hash of a file's content; seen versions stay available."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from voicebot.domain.errors import PlaybookError
from voicebot.domain.ports import PlaybookArchive
from voicebot.domain.script import Playbook


class PlaybookDirectories:
    """PlaybookSource over directories of <id>.yaml files; an earlier directory wins. Thread-safe.

    A changed file is read again at the next `get`, so a new call gets the new version while a
    running call goes on asking for its own.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        load: Callable[[Path], Playbook],
        parse: Callable[[str, str], Playbook] | None = None,
        archive: PlaybookArchive | None = None,
    ) -> None:
        """Take where to look.

        Args:
            directories: in which files lie.
            load: reads one file (`dialogue.playbook.load`).
            parse: reads a playbook from text and the name to show in messages.
            archive: keeps every version that was seen; with `parse`, gives older ones back.
        """
        self._parse = parse
        self._archive = archive
        self._directories = tuple(directories)
        self._load = load
        self._lock = Lock()
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._newest: dict[Path, Playbook] = {}
        self._versions: dict[tuple[str, str], Playbook] = {}

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all playbooks, sorted."""
        files = (path for directory in self._directories for path in directory.glob("*.yaml"))
        return tuple(sorted({path.stem for path in files}))

    def get(self, playbook_id: str, version: str = "") -> Playbook:
        """Return a playbook, the newest if no version is named. Raises PlaybookError."""
        with self._lock:
            if version and (playbook_id, version) in self._versions:
                return self._versions[playbook_id, version]
            playbook = self._read(playbook_id)
            if version and playbook.version != version:
                if kept := self._kept(playbook_id, version):
                    return kept
                raise PlaybookError(
                    "{playbook_id} {version} is gone, the file now holds {other}",
                    hint="put the old file back, or begin the call again",
                    playbook_id=playbook_id,
                    version=version,
                    other=playbook.version,
                )
            return playbook

    def _kept(self, playbook_id: str, version: str) -> Playbook | None:
        """Return an older version from the archive: a call that began with it goes on with it."""
        if self._archive is None or self._parse is None:
            return None
        text = self._archive.text(playbook_id, version)
        if not text:
            return None
        playbook = self._parse(text, f"{playbook_id} {version}")
        self._versions[playbook.id, playbook.version] = playbook
        return playbook

    def _read(self, playbook_id: str) -> Playbook:
        path = self._find(playbook_id)
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if self._stamps.get(path) != stamp:
            playbook = self._load(path)
            if playbook.id != playbook_id:
                raise PlaybookError(
                    "{path} calls itself {playbook}",
                    hint="name the file {playbook}.yaml",
                    path=path,
                    playbook=playbook.id,
                )
            self._stamps[path], self._newest[path] = stamp, playbook
            self._versions[playbook.id, playbook.version] = playbook
            if self._archive is not None:
                self._archive.keep(playbook.id, playbook.version, path.read_text("utf-8"))
        return self._newest[path]

    def _find(self, playbook_id: str) -> Path:
        for directory in self._directories:
            path = directory / f"{playbook_id}.yaml"
            # An id comes from a SIP header: it must stay a plain name inside the directory.
            if path.parent == directory and path.is_file():
                return path
        raise PlaybookError(
            "there is no playbook {playbook_id}",
            hint="known playbooks: {known}",
            playbook_id=playbook_id,
            known=tuple(self.ids()) or "none",
        )
