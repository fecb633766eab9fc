"""Recordings in a store that speaks S3, over HTTP, also while it is away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicebot import bootstrap
from voicebot.domain.errors import SettingsError, StoreError
from voicebot.service import shipper
from voicebot.settings import Settings
from voicebot.store.s3 import S3Blobs
from voicebot.telephony import Recording

pytestmark = pytest.mark.integration

server_module = pytest.importorskip("moto.server", reason="moto is not installed")
boto3 = pytest.importorskip("boto3", reason="the S3 client is not installed")
BUCKET = "calls"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with an empty bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


def test_blobs_are_put_listed_read_and_deleted_below_their_prefix(endpoint: str) -> None:
    blobs = S3Blobs(f"s3://{BUCKET}/site-1", endpoint)
    blobs.put("recordings/a.wav", b"sound")
    blobs.put("recordings/a.wav", b"newer sound")
    S3Blobs(f"s3://{BUCKET}/site-2", endpoint).put("recordings/b.wav", b"of another site")
    assert blobs.get("recordings/a.wav") == b"newer sound"
    assert list(blobs.keys()) == ["recordings/a.wav"]
    blobs.delete("recordings/a.wav")
    blobs.delete("recordings/a.wav")
    with pytest.raises(StoreError, match="missing"):
        blobs.get("recordings/a.wav")


def test_a_wrong_bucket_and_a_server_that_is_away_are_named(endpoint: str) -> None:
    with pytest.raises(StoreError, match="NoSuchBucket"):
        S3Blobs("s3://other", endpoint).get("x")
    with pytest.raises(SettingsError, match="bucket"):
        S3Blobs("s3://", endpoint)


async def test_a_recording_is_shipped_sealed_heard_from_there_and_deleted_there(
    endpoint: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, blobs=f"s3://{BUCKET}/site", blobs_endpoint=endpoint)
    place = bootstrap.recordings(settings)
    recording = Recording(tmp_path / "recordings" / "2026" / "a.wav", place.sealer)
    recording.write(b"\1\2" * 160, bytes(320))
    recording.close()
    os.utime(recording.path, (1_700_000_000, 1_700_000_000))  # the call ended long ago
    stop = asyncio.Event()
    shipping = asyncio.create_task(shipper.run(settings, stop))
    async with asyncio.timeout(20):
        while recording.path.exists():  # noqa: ASYNC110  # a thread moves it
            await asyncio.sleep(0.05)
    stop.set()
    await shipping
    raw = S3Blobs(f"s3://{BUCKET}/site", endpoint).get("recordings/2026/a.wav")
    assert b"RIFF" not in raw, "it is sealed there"
    assert place.wav("2026/a.wav").startswith(b"RIFF")
    place.delete("2026/a.wav")
    assert not place.has("2026/a.wav")


async def test_while_the_store_is_away_recordings_wait_on_the_disk(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text("a file where the shared folder should be")
    settings = Settings(home=tmp_path, blobs=str(away))
    recording = Recording(tmp_path / "recordings" / "a.wav", bootstrap.recordings(settings).sealer)
    recording.close()
    os.utime(recording.path, (1_700_000_000, 1_700_000_000))
    stop = asyncio.Event()
    shipping = asyncio.create_task(shipper.run(settings, stop))
    await asyncio.sleep(0.3)
    stop.set()
    await shipping
    assert recording.path.exists()
    assert bootstrap.recordings(settings).wav("a.wav").startswith(b"RIFF")
