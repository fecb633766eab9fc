"""The embedded PostgreSQL: starts, is shared, survives crashes, says what is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from voicebot.domain.errors import StoreError
from voicebot.store.binaries import Binaries, choose, copied, installed
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


@pytest.fixture
def place(postgres_directory: Path) -> Iterator[Path]:
    directory = postgres_directory / uuid4().hex[:8]
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def answer(url: str, query: str = "SELECT 42") -> object:
    database = Database(url)
    try:
        with database.transaction() as session:
            return session.execute(text(query)).scalar()
    finally:
        database.dispose()


def execute(url: str, *statements: str) -> None:
    database = Database(url)
    for statement in statements:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
    database.dispose()


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().splitlines()[0])


@pytest.mark.parametrize("programs", installed(), ids=lambda found: f"{found.origin}{found.major}")
def test_starts_with_every_installed_server(place: Path, programs: Binaries) -> None:
    with EmbeddedPostgres(place, binaries=programs, durable=False) as url:
        assert str(answer(url, "SHOW server_version")).startswith(str(programs.major))
        assert answer(url, "SHOW listen_addresses") == ""


def test_keeps_its_rows_over_a_restart_and_stays_private(place: Path) -> None:
    server = EmbeddedPostgres(place, durable=False)
    with server as url:
        execute(url, "CREATE TABLE kept AS SELECT 7 AS n")
    with server as url:
        assert answer(url, "SELECT n FROM kept") == 7
        assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700


def test_the_last_user_shuts_it_down(place: Path) -> None:
    first, second = EmbeddedPostgres(place, durable=False), EmbeddedPostgres(place, durable=False)
    url = first.start()
    assert second.start() == url
    first.stop()
    assert answer(url) == 42
    second.stop()
    with pytest.raises(StoreError):
        answer(url)


def test_starters_that_race_share_one_server(place: Path) -> None:
    servers = [EmbeddedPostgres(place, durable=False) for _ in range(4)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answer(servers[0].url) == 42
    for server in servers:
        server.stop()
    assert not (servers[0].cluster / "postmaster.pid").exists()


def test_comes_back_after_kill_9_of_the_server(place: Path) -> None:
    server = EmbeddedPostgres(place, durable=False)
    url = server.start()
    execute(url, "CREATE TABLE kept AS SELECT 7 AS n", "CHECKPOINT")
    os.kill(postmaster(server), signal.SIGKILL)
    again = EmbeddedPostgres(place, durable=False)
    assert answer(again.start(), "SELECT n FROM kept") == 7
    again.stop()
    server.stop()


def test_a_pid_file_that_names_another_process_does_not_stop_the_start(place: Path) -> None:
    server = EmbeddedPostgres(place, durable=False)
    server.start()
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (server.cluster / "postmaster.pid").write_text(f"{other.pid}\n{server.cluster}\n1\n5432\n\n\n")
        with server as url:
            assert answer(url) == 42
        other.communicate(b"\n")


def test_a_user_that_was_killed_does_not_keep_it_running(place: Path) -> None:
    code = (
        "import sys,time;from pathlib import Path;from voicebot.store.embedded import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1]),durable=False).start();print('up',flush=True);time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        while b"up" not in user.stdout.readline():
            pass
        user.kill()
    server = EmbeddedPostgres(place, durable=False)
    assert answer(server.start()) == 42
    server.stop()
    assert not (server.cluster / "postmaster.pid").exists()


def test_a_long_path_gets_a_short_socket(place: Path) -> None:
    with EmbeddedPostgres(place / ("long" * 25), durable=False) as url:
        assert answer(url) == 42


def test_a_server_that_can_not_start_says_why_and_what_to_do(place: Path) -> None:
    server = EmbeddedPostgres(place, durable=False)
    server.start()
    server.stop()
    (server.cluster / "postgresql.conf").write_text("nonsense_setting = 1\n")
    with pytest.raises(StoreError, match="nonsense_setting") as caught:
        server.start()
    assert "VOICEBOT_DATABASE_URL" in caught.value.hint


def test_a_cluster_keeps_to_the_version_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("14\n")
    candidates = (Binaries(tmp_path, 17, "system"), Binaries(tmp_path, 14, "wheel"))
    assert choose(candidates, tmp_path).major == 14
    with pytest.raises(StoreError, match="PostgreSQL 14"):
        choose(candidates[:1], tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_root_uses_programs_and_homes_that_are_closed_to_others(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0o700)
    wheel = next(found for found in installed() if found.origin == "wheel")
    shutil.copytree(wheel.bin.parent, closed / "pginstall", symlinks=True, copy_function=os.link)
    hidden = Binaries(closed / "pginstall" / "bin", wheel.major, "wheel")
    assert copied(hidden, place).bin.is_relative_to(place)
    with EmbeddedPostgres(closed / "home", binaries=hidden, durable=False, state=place / "state") as url:
        assert answer(url) == 42
