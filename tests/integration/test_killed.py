"""What a `kill -9` of the console and of the shipper costs: nothing that anybody had."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import wave
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.integration.sipp import free_port
from voicebot import bootstrap
from voicebot.domain.users import Role, User
from voicebot.service.child import Child
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository
from voicebot.telephony import Recording

pytestmark = pytest.mark.integration
RECORDINGS, FRAMES = 120, 500
LONG_AGO = (1_700_000_000, 1_700_000_000)


def kill(child: Child | None) -> int:
    assert child is not None
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    return child.process.pid


def customer(recording: bytes) -> bytes:
    """Return the customer's side of a recording."""
    with wave.open(io.BytesIO(recording)) as file:
        frames = file.readframes(file.getnframes())
    return np.frombuffer(frames, np.int16)[::2].tobytes()


async def test_who_was_signed_in_to_a_killed_console_still_is(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with database.transaction() as session:
        manager = UserRepository(session).add(User("", "wang", Role.MANAGER))
        token = UserSessionRepository(session).link(manager, datetime.now(UTC))
    settings = Settings(home=tmp_path, console_port=free_port(), metrics_port=0)
    async with Supervisor(settings, database_url, tmp_path, roles=("console",)) as supervisor:
        assert supervisor.console is not None
        url = str(supervisor.console.facts["url"])
        async with httpx.AsyncClient(base_url=url, follow_redirects=True, timeout=20) as browser:
            form = re.search(r'name="form" value="([^"]+)"', (await browser.get(f"/login/once/{token}")).text)
            assert form is not None
            await browser.post(f"/login/once/{token}", data={"form": form[1]})
            assert (await browser.get("/outcomes")).status_code == 200
            killed = kill(supervisor.console)
            async with asyncio.timeout(60):
                while True:
                    try:
                        page = await browser.get("/outcomes")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.1)
            assert supervisor.console.process is not None
            assert supervisor.console.process.pid != killed
            assert (page.status_code, page.url.path) == (200, "/outcomes"), "it asks for a password again"


async def test_a_killed_shipper_loses_no_recording_and_leaves_no_half_of_one(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", blobs=str(tmp_path / "shared"))
    place = bootstrap.recordings(settings)
    sound = {f"{index}.wav": os.urandom(320) * FRAMES for index in range(RECORDINGS)}
    for key, pcm in sound.items():
        recording = Recording(settings.home / "recordings" / key, place.sealer)
        recording.write(pcm, pcm)
        recording.close()
        os.utime(recording.path, LONG_AGO)

    def waiting() -> int:
        return len(list((settings.home / "recordings").glob("*.wav")))

    env = settings.as_environment()
    first = Child("shipper", "voicebot.service.shipper", env=env, log_file=tmp_path / "first.log")
    await first.start()
    async with asyncio.timeout(30):
        while waiting() == RECORDINGS:  # noqa: ASYNC110  # by another process
            await asyncio.sleep(0.001)
    kill(first)
    await first.stop()
    assert 0 < waiting() < RECORDINGS, "it was not killed in the middle"
    assert {key: customer(place.wav(key)) for key in sound} == sound

    second = Child("shipper", "voicebot.service.shipper", env=env, log_file=tmp_path / "second.log")
    await second.start()
    async with asyncio.timeout(30):
        while waiting():  # noqa: ASYNC110  # by another process
            await asyncio.sleep(0.05)
    await second.stop()
    assert {key: customer(place.wav(key)) for key in sound} == sound
