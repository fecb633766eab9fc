"""What is installed and usable here, and how to mend what is not."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from voicebot import bootstrap
from voicebot.domain.errors import VoicebotError
from voicebot.settings import Settings

PACKAGES = (
    ("pjsua2", "pjsua2-python", "SIP and RTP"),
    ("webrtcvad", "webrtcvad-wheels", "voice activity"),
    ("faster_whisper", "faster-whisper", "speech recognition"),
    ("vosk", "vosk", "speech recognition, streaming"),
    ("pyttsx3", "pyttsx3", "speech synthesis"),
    ("jieba", "jieba", "Chinese words"),
    ("onnxruntime", "onnxruntime", "models"),
    ("sqlalchemy", "sqlalchemy", "store"),
    ("grpc", "grpcio", "between processes"),
)
LEAST_DISK_GB = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    mend: str = ""  # what to do if it is not ok
    needed: bool = True  # False: voicebot works without it


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything, one check after the other, slow ones last."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", (3, 11) <= sys.version_info[:2] <= (3, 12), version, "use Python 3.11 or 3.12")
    for module, package, purpose in PACKAGES:
        yield _package(module, package, purpose)
    yield _home(settings)
    yield from _ports(settings)
    yield _engine("recogniser", lambda: bootstrap.recognizer(settings).name)
    yield _engine("emotion model", lambda: bootstrap.analyzer(settings).version)
    yield _engine("ranker", lambda: bootstrap.ranker(settings).version)
    yield from _voices(settings)
    yield from _playbooks(settings)
    yield _database(settings)


def _package(module: str, package: str, purpose: str) -> Check:
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Check(f"{package} ({purpose})", False, str(error), f"install it again: pip install {package}")
    return Check(f"{package} ({purpose})", True, importlib.metadata.version(package))


def _home(settings: Settings) -> Check:
    place = settings.home
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    found = f"{settings.home}, {free_gb:.0f} GB free" + ("" if writable else ", not writable")
    return Check(
        "data home",
        writable and free_gb >= LEAST_DISK_GB,
        found,
        "free some space, or name another place with VOICEBOT_HOME",
    )


def _ports(settings: Settings) -> Iterator[Check]:
    wanted = (
        ("SIP port", settings.sip_port, socket.SOCK_DGRAM, "VOICEBOT_SIP_PORT"),
        ("inference port", settings.inference_port, socket.SOCK_STREAM, "VOICEBOT_INFERENCE_PORT"),
        ("line port", settings.line_port, socket.SOCK_STREAM, "VOICEBOT_LINE_PORT"),
    )
    for name, port, kind, variable in wanted:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((settings.bind, port))
            except OSError as error:
                yield Check(
                    name,
                    False,
                    f"{settings.bind}:{port} {error.strerror}",
                    f"end what uses it, or set {variable}",
                )
            else:
                yield Check(name, True, f"{settings.bind}:{port} free")


def _engine(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name, True, probe())
    except VoicebotError as error:
        return Check(name, False, str(error), error.hint)


def _voices(settings: Settings) -> Iterator[Check]:
    for voice in bootstrap.voices(settings):
        why = voice.available()
        found = why or ("speaks, but robotic: not fit for customers" if voice.robotic else "speaks")
        yield Check(f"voice {voice.name}", not why, found, "see README, In production: Voices", needed=False)


def _playbooks(settings: Settings) -> Iterator[Check]:
    source = bootstrap.playbooks(settings)
    for playbook_id in source.ids():
        yield _engine(f"playbook {playbook_id}", lambda name=playbook_id: _describe(settings, name))  # type: ignore[misc]


def _describe(settings: Settings, playbook_id: str) -> str:
    playbook = bootstrap.playbooks(settings).get(playbook_id)
    return f"{playbook.title}: {len(playbook.scripts)} scripts, version {playbook.version}"


def _database(settings: Settings) -> Check:
    def probe() -> str:
        with bootstrap.store(settings) as opened:
            return f"PostgreSQL {opened.check()}"

    return _engine("database", probe)
