"""Models are fetched whole: resumed, verified, unpacked, and refused if they are not what was promised."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stamina
from typer.testing import CliRunner

from voicebot.cli.main import app
from voicebot.domain.errors import ModelError
from voicebot.registry import catalogue, fetched, fetching
from voicebot.registry.catalogue import Entry, Source

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BODY = bytes(range(256)) * 4000


class Site(ThreadingHTTPServer):
    """A model site on loopback: ranges, entity tags, and a connection that can break."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.break_after = 0  # bytes of an answer, once
        self.ranges: list[str] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        asked, tag, start = self.headers.get("Range", ""), f'"{hashlib.md5(body).hexdigest()}"', 0
        if asked and self.headers.get("If-Range") == tag:
            self.server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", tag)
        self.end_headers()
        part = body[start:]
        if self.server.break_after:
            part, self.server.break_after = part[: self.server.break_after], 0
        self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stamina.set_testing(True, attempts=3)
    yield server
    stamina.set_testing(False)
    server.shutdown()
    server.server_close()


def source(site: Site, name: str, body: bytes, path: str = "") -> Source:
    site.files[name] = body
    return Source(site.url(name), path, hashlib.sha256(body).hexdigest(), len(body))


def entry(*sources: Source, needs: tuple[str, ...] = ("model.bin",), skip: tuple[str, ...] = ()) -> Entry:
    return Entry("small", "recogniser", "vosk", "a model", "MIT", "models/small", sources, needs, skip=skip)


def test_a_broken_download_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    wanted = source(site, "model.bin", BODY)
    site.break_after = 300_000
    told: list[tuple[int, int]] = []
    fetching.fetch(wanted, tmp_path / "model.bin", lambda done, of: told.append((done, of)))
    assert (tmp_path / "model.bin").read_bytes() == BODY
    assert [asked.startswith("bytes=") and asked != "bytes=0-" for asked in site.ranges] == [True]
    assert told[-1] == (len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def test_a_file_that_changed_on_the_site_is_fetched_from_its_beginning(site: Site, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(BODY[:1000])
    (tmp_path / "model.bin.part.tag").write_text('"of another file"')
    fetching.fetch(source(site, "model.bin", BODY[::-1]), tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == BODY[::-1]


def test_another_file_than_promised_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.files["model.bin"] = b"something else"
    promised = Source(site.url("model.bin"), "model.bin", hashlib.sha256(BODY).hexdigest())
    with pytest.raises(ModelError, match="not " + promised.sha256[:16]) as refused:
        fetched.pull(entry(promised), tmp_path / "models" / "small", NOW)
    assert "fetch it again" in refused.value.hint
    assert not (tmp_path / "models" / "small").exists()


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    stamina.set_testing(True, attempts=2)
    try:
        with pytest.raises(ModelError, match="can not be fetched") as offline:
            fetching.fetch(Source("http://127.0.0.1:9/model.bin"), tmp_path / "model.bin")
    finally:
        stamina.set_testing(False)
    assert "--from" in offline.value.hint
    assert "VOICEBOT_MODELS_MIRROR" in offline.value.hint


def test_a_page_that_is_gone_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="404"):
        fetching.fetch(Source(site.url("gone.zip")), tmp_path / "gone.zip")


def packed(kind: str) -> bytes:
    files = {"top/model.bin": BODY, "top/conf/a.conf": b"a", "top/test_wavs/0.wav": b"wav"}
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=out, mode="w:bz2") as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.bz2"])
def test_an_archive_is_unpacked_recorded_and_checked(site: Site, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "models" / "small"
    folder.mkdir(parents=True)
    (folder / "left over").write_text("from before")
    wanted = entry(source(site, f"top.{kind}", packed(kind)), skip=("test_wavs",))
    fetched.pull(wanted, folder, NOW)
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert there == ["conf/a.conf", "fetched.json", "model.bin"]
    assert fetched.damaged(wanted, folder) == []
    (folder / "conf" / "a.conf").write_text("b")
    (folder / "model.bin").unlink()
    assert sorted(fetched.damaged(wanted, folder)) == [
        "conf/a.conf is damaged or was changed",
        "model.bin is missing",
    ]
    assert [path.name for path in folder.parent.iterdir() if path.name != ".incoming"] == ["small"]


def test_an_archive_can_not_write_outside_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../evil", "x")
    with pytest.raises(ModelError, match="outside"):
        fetched.unpack(tmp_path / "evil.zip", tmp_path)


def test_files_are_taken_from_a_folder_and_verified(site: Site, tmp_path: Path) -> None:
    wanted = entry(source(site, "model.bin", BODY, "model.bin"))
    site.files.clear()
    stick = tmp_path / "stick"
    stick.mkdir()
    with pytest.raises(ModelError, match=r"holds no model\.bin"):
        fetched.pull(wanted, tmp_path / "small", NOW, origin=str(stick))
    (stick / "model.bin").write_bytes(BODY)
    fetched.pull(wanted, tmp_path / "small", NOW, origin=str(stick))
    assert json.loads((tmp_path / "small" / fetched.RECORD).read_text())["from"] == str(stick)
    assert (stick / "model.bin").read_bytes() == BODY


def test_the_shipped_catalogue_is_sound() -> None:
    entries = catalogue.load()
    names = [one.name for one in entries]
    assert len(set(names)) == len(names)
    assert {"sense-voice", "paraformer-zh", "zipformer-zh", "kokoro", "vosk-model-cn-0.22"} <= set(names)
    for one in entries:
        assert one.needs
        assert one.licence
        for file in one.sources:
            assert file.url.startswith("https://")
            assert len(file.sha256) in (0, 64)
    with pytest.raises(ModelError, match="no model is called 'nonsense'") as unknown:
        catalogue.find("nonsense", entries)
    assert "kokoro" in unknown.value.hint


def test_the_commands_list_pull_and_check(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["vosk-model-small-cn-0.22.zip"] = packed_vosk()
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    monkeypatch.setenv("VOICEBOT_MODELS_MIRROR", site.url("").rstrip("/"))
    monkeypatch.setenv("COLUMNS", "200")
    run = CliRunner()
    pulled = run.invoke(app, ["models", "pull", "vosk-model-small-cn-0.22"], catch_exceptions=False)
    assert pulled.exit_code == 0
    assert "Apache-2.0" in pulled.output
    again = run.invoke(app, ["models", "pull", "vosk-model-small-cn-0.22"], catch_exceptions=False)
    assert "already in" in again.output
    listed = run.invoke(app, ["models", "list"], catch_exceptions=False).output
    assert "lexicon" in listed
    assert "kokoro" in listed
    assert "recogniser in use: whisper" in listed  # the small one is less accurate
    assert run.invoke(app, ["models", "check"]).exit_code == 0
    (tmp_path / "models" / "vosk-model-small-cn-0.22" / "am" / "final.mdl").write_bytes(b"")
    bad = run.invoke(app, ["models", "check", "vosk-model-small-cn-0.22"])
    assert bad.exit_code == 1
    assert "damaged" in bad.output


def packed_vosk() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("am/final.mdl", "conf/mfcc.conf"):
            archive.writestr(f"vosk-model-small-cn-0.22/{name}", "x")
    return out.getvalue()
