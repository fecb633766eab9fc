"""`voicebot prompts`: render or record clips ahead, and see what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from voicebot import bootstrap
from voicebot.campaign.readiness import coverage, robotic_warning
from voicebot.dialogue import playbook as playbooks
from voicebot.domain.errors import ModelError, SettingsError
from voicebot.domain.ports import Synthesizer
from voicebot.domain.script import Playbook
from voicebot.registry import resources
from voicebot.settings import Settings
from voicebot.speech.synthesis.espeak import EspeakSynthesizer
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer
from voicebot.speech.synthesis.prompt_files import PromptFiles
from voicebot.speech.synthesis.prompts import MISS
from voicebot.speech.synthesis.pyttsx3_engine import Pyttsx3Synthesizer
from voicebot.speech.synthesis.recordings import import_recordings
from voicebot.speech.synthesis.rendering import ClipOrder, RenderReport, playbook_orders, render_clips
from voicebot.speech.synthesis.spoken import slot_parts
from voicebot.store.prompts import PostgresPromptIndex, PromptRepository

prompts_app = typer.Typer(help="Prompts: what the bot says, as sound.", no_args_is_help=True)

ESPEAK_LICENCE = "speech made by espeak-ng: free to use"
KOKORO_LICENCE = "Apache-2.0 (rendered with Kokoro-82M v1.0, Apache-2.0)"
USAGE_DAYS = 30
SYSTEM = (ClipOrder("不好意思，系统出了点问题，稍后再联系您，再见。"),)
ROBOTIC: Mapping[str, Callable[[], Synthesizer]] = {
    "pyttsx3": Pyttsx3Synthesizer,
    "espeak": EspeakSynthesizer,
}
Playbooks = Annotated[str, typer.Option(help="Id of a playbook, or a file.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="Folder with Kokoro's model_quantized.onnx and voices/.", envvar="VOICEBOT_KOKORO"),
]


def find_playbook(name: str, settings: Settings) -> Playbook:
    """Return a playbook by file, or by id. Raises PlaybookError."""
    path = Path(name)
    return playbooks.load(path) if path.suffix else bootstrap.playbooks(settings).get(name)


def ready(engine: Synthesizer) -> None:
    """Raise ModelError if an engine cannot speak here."""
    missing = engine.available()
    if missing:
        raise ModelError(
            missing, hint="Name Kokoro's weights with --weights, or take --engine espeak (robotic)."
        )


def warn_robotic(what: str) -> None:
    """Say that customers would hear a robot."""
    Console(stderr=True).print(
        f"[bold yellow]warning[/bold yellow] {escape(what)}: a robotic voice, not fit for customers; "
        "render with Kokoro or import recordings",
        highlight=False,
    )


def all_orders(book: Playbook) -> list[ClipOrder]:
    """Return every text of a playbook, and the parts of those with slots."""
    return [*playbook_orders(book), *(ClipOrder(text, kind="part") for text in slot_parts(book))]


def missing_orders(book: Playbook, settings: Settings, directory: Path) -> list[ClipOrder]:
    """Return what no other library of clips has; parts are kept together, so that one voice says all."""
    others = [lib for lib in bootstrap.clip_libraries(settings) if lib.directory != directory]
    prompts = [o for o in playbook_orders(book) if not any(lib.find(o.text, o.style) for lib in others)]
    parts = [ClipOrder(text, kind="part") for text in slot_parts(book)]
    joined = any(all(lib.find(part.text, part.style) for part in parts) for lib in others)
    return prompts if joined else [*prompts, *parts]


def _weights(weights: Path | None, settings: Settings) -> Path:
    return weights or settings.kokoro or settings.home / "kokoro"


def _engine(name: str, weights: Path, voice: str, book: Playbook, threads: int) -> Synthesizer:
    if name == "kokoro":
        return KokoroSynthesizer(weights, voice, book.readings, threads)
    if name in ROBOTIC:
        return ROBOTIC[name]()
    raise SettingsError(f"no engine is called {name!r}", hint="--engine: kokoro, pyttsx3 or espeak")


def _render(
    orders: Sequence[ClipOrder],
    speaker: Synthesizer,
    directory: Path,
    voice: str,
    readings: Mapping[str, str],
    title: str,
) -> None:
    if not orders and not directory.exists():
        Console().print(f"{title}: every text has a sound already")
        return
    with bar(title) as progress:
        report = render_clips(
            orders,
            speaker,
            directory,
            voice=speaker.name if speaker.robotic else voice,
            licence=ESPEAK_LICENCE if speaker.robotic else KOKORO_LICENCE,
            readings=readings,
            progress=progress,
        )
    show(report, directory)


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar and give the function that moves it."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(title)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show(report: RenderReport, directory: Path) -> None:
    """Print what a rendering did."""
    seconds = sum(clip.duration_ms for clip in report.rendered) / 1000
    Console().print(
        f"{directory}: {len(report.rendered)} rendered ({seconds:.0f} s of speech), "
        f"{report.kept} kept, {report.dropped} dropped"
    )


@prompts_app.command()
def render(
    playbook: Playbooks = "consumer_loan",
    weights: Weights = None,
    engine: Annotated[str, typer.Option(help="kokoro, pyttsx3 or espeak")] = "kokoro",
    voice: Annotated[str, typer.Option(help="Kokoro's voice of the bot")] = "zf_xiaoxiao",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the clips; default: under the data home.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    shipped: Annotated[
        bool, typer.Option(help="Render all of it into the package, for its next version.")
    ] = False,
) -> None:
    """Render what a playbook can say and has no sound yet: its texts, and the parts of its slots.

    Examples:
      voicebot prompts render --playbook consumer_loan --weights ~/kokoro
      voicebot prompts render --playbook my_product --engine espeak
    """
    settings = Settings()
    book = find_playbook(playbook, settings)
    speaker = _engine(engine, _weights(weights, settings), voice, book, threads)
    ready(speaker)
    if speaker.robotic:
        warn_robotic(speaker.name)
    if shipped:
        directory = resources.demo_dir() / "prompts" / book.id
        orders = all_orders(book)
        _render(SYSTEM, speaker, resources.demo_dir() / "prompts" / "system", voice, {}, "system")
    else:
        directory = out or settings.home / "clips" / book.id
        orders = missing_orders(book, settings, directory)
    _render(orders, speaker, directory, voice, book.readings, book.title)


@prompts_app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Of WAV, FLAC, OGG or MP3 files.")],
    voice: Annotated[str, typer.Option(help="Who speaks.")],
    licence: Annotated[str, typer.Option(help="What the recordings may be used for.")],
    playbook: Playbooks = "consumer_loan",
) -> None:
    """Take recordings of a human voice. A file is named by its script id, id.style, or its words.

    Example:
      voicebot prompts import recordings/ --voice 小林 --licence "own recording" --playbook consumer_loan
    """
    settings = Settings()
    book = find_playbook(playbook, settings)
    directory = settings.home / "clips" / f"{book.id}-recorded"
    done = import_recordings(folder, book, directory, voice=voice, licence=licence)
    console = Console()
    console.print(f"{directory}: {len(done.clips)} taken, {len(done.missing)} texts without a recording")
    for file, reason in done.refused.items():
        console.print(f"[red]{escape(file)}[/red] {escape(reason)}", highlight=False)
    if done.refused:
        raise typer.Exit(1)


@prompts_app.command()
def customers(
    personas: Annotated[Path | None, typer.Option(help="file of personas; default: the shipped one")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the clips; default: the package's own")] = None,
    weights: Weights = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Render the lines of the simulated customers."""
    from voicebot.simulate import personas as people
    from voicebot.simulate.lines import render_lines

    directory = out or resources.demo_dir() / "customers"
    for person in people.load(personas or resources.demo_dir() / "personas.yaml"):
        if not person.lines:
            continue
        speaker = KokoroSynthesizer(_weights(weights, Settings()), person.voice, {}, threads, person.speed)
        ready(speaker)
        with bar(person.title) as progress:
            show(
                render_lines(person, speaker, directory, KOKORO_LICENCE, progress),
                directory / person.id,
            )


@prompts_app.command()
def announcements(
    out: Annotated[Path | None, typer.Option(help="folder of the clips; default: the package's own")] = None,
    weights: Weights = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    name: Annotated[
        str, typer.Option(help="of the file: announcements_apart for the second set")
    ] = "announcements",
) -> None:
    """Render the networks' announcements by which `voicebot bench tones` judges."""
    from voicebot.simulate import announcements as told

    directory = out or resources.demo_dir() / name
    for voice, texts in told.orders(told.load(resources.demo_dir() / f"{name}.yaml")).items():
        speaker = KokoroSynthesizer(_weights(weights, Settings()), voice, {}, threads)
        ready(speaker)
        orders = [ClipOrder(text) for text in texts]
        _render(orders, speaker, directory / voice, voice, {}, voice)


@prompts_app.command()
def status(
    playbook: Playbooks = "consumer_loan",
    usage: Annotated[
        bool, typer.Option(help="Say what was used in calls, and what was not ready, from the database.")
    ] = False,
) -> None:
    """Say who speaks the texts of a playbook, and which have no sound yet."""
    settings = Settings()
    book = find_playbook(playbook, settings)
    cache = bootstrap.prompts(settings)
    found = coverage(book, cache)
    console = Console()
    table = Table(
        "voice", "texts", title=f"{found.texts - len(found.missing)} of {found.texts} texts have a sound"
    )
    for source, count in sorted(found.sources.items()):
        table.add_row(source + (" (robotic)" if cache.robotic(source) else ""), str(count))
    console.print(table)
    for text in found.missing:
        console.print(f"[red]missing[/red] {escape(text)}", highlight=False)
    if found.robotic:
        told = " · ".join(robotic_warning(found))
        Console(stderr=True).print(f"[bold yellow]warning[/bold yellow] {told}", highlight=False)
    entries = PromptFiles(settings.home / "prompts").entries()
    console.print(f"cache: {len(entries)} prompts, {sum(size for _, size, _ in entries) / 1e6:.1f} MB")
    if usage:
        for one in _usage(settings):
            console.print(one)
    if found.missing:
        console.print(f"render them: voicebot prompts render --playbook {book.id}")
        raise typer.Exit(1)


@prompts_app.command()
def clean(
    max_mb: Annotated[float, typer.Option(min=0, help="Drop what is unused for longest down to this.")] = 0,
) -> None:
    """Drop cached prompts; clips stay. What a call needs again is made again. Mends the index."""
    settings = Settings()
    with bootstrap.store(settings) as store:
        index = PostgresPromptIndex(store)
        files = PromptFiles(settings.home / "prompts", index)
        before = len(files.entries())
        dropped = files.shrink(int(max_mb * 1e6), time.time(), in_use_s=0)
        with store.transaction() as session:
            known = PromptRepository(session).keys()
        index.dropped(sorted(known - {key for key, _, _ in files.entries()}))
        index.close()
    Console().print(f"{dropped} of {before} prompts dropped")


def _usage(settings: Settings) -> Iterator[Table]:
    since = datetime.now(UTC) - timedelta(days=USAGE_DAYS)
    with bootstrap.store(settings) as store, store.transaction() as session:
        totals = PromptRepository(session).totals()
        spoken = PromptRepository(session).spoken(since)
    table = Table("voice", "prompts", "uses", "seconds", "MB", title="the cache, by voice")
    for total in totals:
        table.add_row(
            total.engine,
            str(total.prompts),
            str(total.uses),
            f"{total.duration_ms / 1000:.0f}",
            f"{total.size_bytes / 1e6:.1f}",
        )
    yield table
    misses = sum(count for engine, count in spoken.items() if engine.startswith(MISS))
    title = (
        f"said in calls of the last {USAGE_DAYS} days: {misses} of {sum(spoken.values())} not ready in time"
    )
    said = Table("voice", "turns", title=title)
    for engine, count in spoken.items():
        said.add_row(engine, str(count))
    yield said
