"""The only wiring: which part stands behind which port.

Imports stand inside the functions, because each process needs another part of the house: a line worker must
not load numpy, nor the console pjsua2.
"""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voicebot.domain.audio import Audio
from voicebot.domain.errors import SettingsError
from voicebot.domain.ports import (
    BlobStore,
    Conversation,
    DialoguePolicy,
    EmotionAnalyzer,
    EndpointScorer,
    PromptIndex,
    Ranker,
    Recognizer,
    SituationReader,
    Synthesizer,
)
from voicebot.registry import resources
from voicebot.settings import Settings

if TYPE_CHECKING:
    from voicebot.call.journal import PostgresJournal
    from voicebot.call.pipeline import Pipeline
    from voicebot.call.worker import LineWorker
    from voicebot.domain.answering import Teller
    from voicebot.domain.trunk import Trunk
    from voicebot.registry.playbooks import PlaybookDirectories
    from voicebot.speech.recognition.engines import Choice
    from voicebot.speech.synthesis.clips import ClipLibrary
    from voicebot.speech.synthesis.prompts import PromptCache
    from voicebot.store.crypto import KeyRing, NumberVault
    from voicebot.store.recordings import Recordings
    from voicebot.store.session import Database


# -- store --


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Yield the URL of a running, migrated database: the configured one, or our own while the block runs."""
    from voicebot.store.embedded import EmbeddedPostgres

    if settings.database_url:
        _migrate(settings.database_url)
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.home / "postgres") as url:
        _migrate(url)
        yield url


def _migrate(url: str) -> None:
    from voicebot.store import migrate
    from voicebot.store.session import Database

    store = Database(url, pool_size=1)
    try:
        migrate.migrate(store, datetime.now(UTC))
    finally:
        store.dispose()


@contextmanager
def store(settings: Settings) -> Iterator[Database]:
    """Yield the database, opened, for the time of a command."""
    from voicebot.store.session import Database

    with database(settings) as url:
        opened = Database(url)
        try:
            yield opened
        finally:
            opened.dispose()


def vault(settings: Settings) -> NumberVault:
    """Return what encrypts phone numbers, with the configured keys or those under the data home."""
    from voicebot.store.crypto import NumberVault

    return NumberVault(key_ring(settings))


def key_ring(settings: Settings) -> KeyRing:
    """Return the keys of this installation. Raises SettingsError."""
    from voicebot.store.crypto import load_or_create_key, parse_ring

    if settings.number_key is not None:
        return parse_ring(settings.number_key.get_secret_value())
    return load_or_create_key(settings.home / "number.key")


def recordings(settings: Settings) -> Recordings:
    """Return the recordings of calls: under the data home, and in the store that is configured.

    Raises SettingsError.
    """
    from voicebot.store.recordings import Recordings
    from voicebot.store.sealing import RecordingSeal

    return Recordings(
        settings.home / "recordings",
        blobs(settings),
        RecordingSeal(key_ring(settings)),
        settings.seal_recordings,
    )


def blobs(settings: Settings) -> BlobStore | None:
    """Return the store of large files that all machines share; None = each keeps its own under its data home.

    Raises SettingsError.
    """
    from voicebot.store.blobs import DirectoryBlobs

    if not settings.blobs:
        return None
    if settings.blobs.startswith("s3://"):
        from voicebot.store.s3 import S3Blobs

        return S3Blobs(settings.blobs, settings.blobs_endpoint)
    return DirectoryBlobs(Path(settings.blobs))


# -- understanding and deciding --


def model_roots(settings: Settings) -> tuple[Path, ...]:
    """Return where models lie: trained here first, then the shipped ones."""
    return (settings.home / "models", resources.models_dir())


def playbooks(settings: Settings) -> PlaybookDirectories:
    """Return the playbooks: the user's own first, then the shipped ones.

    Where a database is configured it keeps every version, so that a running call keeps its own.
    """
    from voicebot.dialogue.playbook import load, parse
    from voicebot.registry.playbooks import PlaybookDirectories

    archive = None
    if settings.database_url:
        from voicebot.store.playbooks import PostgresPlaybookArchive
        from voicebot.store.session import Database

        archive = PostgresPlaybookArchive(Database(settings.database_url, pool_size=1))
    return PlaybookDirectories((settings.home / "playbooks", resources.playbooks_dir()), load, parse, archive)


def recognizer_choice(settings: Settings) -> Choice:
    """Return which recogniser is used here, and why. Raises SettingsError."""
    from voicebot.registry import catalogue
    from voicebot.speech.recognition.engines import choose

    named = {"vosk": settings.vosk_model, "sherpa": settings.sherpa_model}
    return choose(settings.asr_engine, named, settings.home, catalogue.load())


def recognizer(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Recognizer:
    """Return the recogniser. Raises ModelError, SettingsError.

    Args:
        settings: asr_engine `auto` takes a model that is named, else the best that is here.
        progress: told (bytes done, bytes in all) while the weights are assembled at the first start.
    """
    return open_recognizer(recognizer_choice(settings), settings, progress)


def open_recognizer(
    choice: Choice, settings: Settings, progress: Callable[[int, int], None] | None = None
) -> Recognizer:
    """Return one recogniser with its model loaded. Raises ModelError."""
    if choice.engine == "vosk" and choice.directory is not None:
        from voicebot.speech.recognition.vosk import VoskRecognizer

        return VoskRecognizer(choice.directory, settings.asr_threads, timeout_s=settings.asr_timeout_s)
    if choice.engine == "sherpa" and choice.directory is not None:
        from voicebot.speech.recognition.sherpa import SherpaRecognizer

        return SherpaRecognizer(choice.directory, settings.asr_threads, timeout_s=settings.asr_timeout_s)
    from voicebot.speech.recognition.weights import assemble
    from voicebot.speech.recognition.whisper import WhisperRecognizer

    directory = choice.directory or assemble(settings.home / "models" / "whisper-base", progress)
    return WhisperRecognizer(directory, settings.asr_threads, timeout_s=settings.asr_timeout_s)


def analyzer(settings: Settings) -> EmotionAnalyzer:
    """Return the emotion analyser. Raises ModelError."""
    from voicebot.emotion.analyzer import Analyzer

    return Analyzer.load(model_roots(settings))


def endpoints(settings: Settings) -> EndpointScorer:
    """Return what tells ends of turns from pauses. Raises ModelError."""
    from voicebot.speech.endpointing import head
    from voicebot.speech.endpointing.scorer import HeadScorer

    return HeadScorer(head.load(model_roots(settings)))


def situations() -> SituationReader:
    """Return what reads the customer's situation from words and background sound."""
    from voicebot.dialogue.background import BackgroundSituationReader
    from voicebot.dialogue.situation import WordSituationReader

    return BackgroundSituationReader(WordSituationReader())


def ranker(settings: Settings) -> Ranker:
    """Return the target model: the newest trained one, else the playbooks' examples alone.

    A version that is promoted or taken back later is taken up between turns.
    """
    import structlog

    from voicebot.ranker.fresh import FreshRanker
    from voicebot.ranker.trained import open_ranker
    from voicebot.ranker.versions import versions

    log = structlog.get_logger()
    roots = model_roots(settings)

    def load() -> Ranker:
        found, missing = open_ranker(roots, settings.home / "cache" / "vectors.npz")
        if missing:
            log.warning("no trained ranker: ranking by examples alone", why=missing, version=found.version)
        else:
            log.info("ranker", version=found.version)
        return found

    return FreshRanker(lambda: " ".join(map(str, versions(roots))), load)


def policy(settings: Settings, tells: Teller | None = None) -> DialoguePolicy:
    """Return the dialogue policy, with the trained relation classifier or, without it, by rules alone.

    `tells` knows a machine by its words, where that is open already.
    """
    import structlog

    from voicebot.dialogue.policy import RulePolicy
    from voicebot.dialogue.relation_model import RelationModel
    from voicebot.domain.errors import ModelError
    from voicebot.ranker.explorer import BanditExplorer
    from voicebot.ranker.versions import newest

    roots = model_roots(settings)
    explorer = BanditExplorer(settings.explore, lambda: newest(roots)) if settings.explore else None
    relations = None
    try:
        relations = RelationModel.load(roots)
    except ModelError as absent:
        structlog.get_logger().warning("no relation model: relations are read by rules", why=str(absent))
    return RulePolicy(relations, explorer, tells or machines(settings))


def pipeline(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Pipeline:
    """Return the whole way of an utterance, ready to use. Raises ModelError, PlaybookError."""
    from voicebot.call.pipeline import Pipeline

    tells = machines(settings)
    return Pipeline(
        recognizer(settings, progress),
        analyzer(settings),
        situations(),
        ranker(settings),
        policy(settings, tells),
        prompts(settings),
        playbooks(settings),
        endpoints(settings),
        tells,
    )


def machines(settings: Settings) -> Teller:
    """Return what knows by its words that a machine answers: the trained model, or the table alone."""
    import structlog

    from voicebot.domain.errors import ModelError
    from voicebot.speech.answering.wording import WordingModel
    from voicebot.text.announcements import by_table

    try:
        return WordingModel.load(model_roots(settings)).told
    except ModelError as absent:
        structlog.get_logger().warning("no answering model: known announcements alone", why=str(absent))
        return by_table


# -- voice --


def voices(settings: Settings) -> tuple[Synthesizer, ...]:
    """Return the engines, best first."""
    from voicebot.speech.synthesis.espeak import EspeakSynthesizer
    from voicebot.speech.synthesis.kokoro import KokoroSynthesizer
    from voicebot.speech.synthesis.pyttsx3_engine import Pyttsx3Synthesizer

    return (
        KokoroSynthesizer(settings.kokoro or settings.home / "kokoro", readings=readings(settings)),
        Pyttsx3Synthesizer(),
        EspeakSynthesizer(),
    )


def clip_libraries(settings: Settings) -> list[ClipLibrary]:
    """Return the clips: the user's own first, then the shipped ones. Raises DataError."""
    from voicebot.speech.synthesis.clips import ClipLibrary

    return [
        ClipLibrary(folder)
        for place in (settings.home / "clips", resources.demo_dir() / "prompts")
        for folder in sorted(place.glob("*"))
        if (folder / "manifest.json").is_file()
    ]


def prompts(
    settings: Settings, directory: Path | None = None, index: PromptIndex | None = None
) -> PromptCache:
    """Return the prompt cache over the clips and the engines.

    Args:
        settings: names the data home and the weights.
        directory: of the cache, if not under the data home.
        index: of the cache; without it, the one in the configured database, if there is one.
    """
    from voicebot.speech.synthesis.prompts import PromptCache

    if index is None and directory is None and settings.database_url:
        from voicebot.store.prompts import PostgresPromptIndex
        from voicebot.store.session import Database

        index = PostgresPromptIndex(Database(settings.database_url, pool_size=1))
    return PromptCache(
        directory or settings.home / "prompts",
        clip_libraries(settings),
        voices(settings),
        readings(settings),
        index=index,
        max_bytes=settings.prompts_mb * 1_000_000,
    )


def readings(settings: Settings) -> dict[str, str]:
    """Return how polyphones are read, from all playbooks."""
    source = playbooks(settings)
    return {word: said for name in source.ids() for word, said in source.get(name).readings.items()}


# -- line --


def apology() -> Audio:
    """Return what is said when inference fails in a call. Read without numpy, which lines do not load."""
    with wave.open(str(resources.demo_dir() / "apology.wav")) as file:
        return Audio(file.readframes(file.getnframes()), file.getframerate())


def journal(settings: Settings, opened: Database, worker_id: str) -> PostgresJournal:
    """Return the call journal of a worker, with its spool under the data home."""
    from voicebot.call.journal import PostgresJournal

    return PostgresJournal(opened, settings.home / "spool", worker_id)


def conversations(settings: Settings) -> Callable[[], Conversation]:
    """Return what opens a conversation on an inference server, here or elsewhere."""
    from voicebot.rpc.inference_client import InferenceClient

    target = settings.inference or f"{settings.bind}:{settings.inference_port}"
    return InferenceClient(target).conversation


def trunk_accounts(settings: Settings, opened: Database) -> Callable[[], tuple[Trunk, ...]]:
    """Return what reads the trunks with their passwords. Raises StoreError, when called."""
    from voicebot.store.trunks import TrunkRepository

    opener = vault(settings)

    def read() -> tuple[Trunk, ...]:
        with opened.transaction() as session:
            return TrunkRepository(session, opener).all()

    return read


def registrations(opened: Database, worker_id: str) -> Callable[[str, int, str], None]:
    """Return what writes how a line worker's registration at a trunk ended: name, SIP status, reason."""
    from voicebot.store.trunks import RegistrationRepository

    def write(trunk: str, status: int, reason: str) -> None:
        with opened.transaction() as session:
            RegistrationRepository(session).write(trunk, worker_id, status, reason)

    return write


def sip_sources(settings: Settings) -> tuple[str, ...]:
    """Return the networks whose calls are answered. Raises SettingsError."""
    from voicebot.telephony.floods import networks

    named = tuple(part.strip() for part in settings.sip_sources.split(",") if part.strip())
    try:
        networks(named)
    except ValueError as error:
        raise SettingsError(f"VOICEBOT_SIP_SOURCES: {error}", hint="write 10.0.0.5,192.0.2.0/24") from error
    return named


def line_worker(
    settings: Settings, index: int, worker_id: str, opened: Database, calls: PostgresJournal
) -> LineWorker:
    """Return a line worker that is not started: its own SIP and RTP ports by its index."""
    from voicebot.call.desk import PostgresDesk
    from voicebot.call.events import SessionConfig
    from voicebot.call.prompts import PromptMemory
    from voicebot.call.worker import LineWorker
    from voicebot.campaign.inbound import Inbound
    from voicebot.telephony import UserAgentConfig

    agent = UserAgentConfig(
        bind=settings.bind,
        sip_port=settings.sip_port and settings.sip_port + index,
        rtp_port=settings.rtp_port and settings.rtp_port + 100 * index,
        sources=sip_sources(settings),
    )
    session = SessionConfig(
        worker=worker_id,
        conversation=conversations(settings),
        journal=calls,
        prompts=PromptMemory(),
        recordings=settings.home / "recordings" if settings.recordings else None,
        seal=recordings(settings).sealer,
        apology=apology(),
        desk=PostgresDesk(opened, worker_id),
    )
    inbound = Inbound(
        opened,
        vault(settings),
        worker_id,
        open_playbook=settings.open_playbook,
        trusted_peers=[peer.strip() for peer in settings.trusted_peers.split(",") if peer.strip()],
    )
    return LineWorker(agent, session, inbound.resolve)
