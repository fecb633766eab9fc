"""`voicebot prompts`: render clips ahead, and see what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from voicebot.dialogue import playbook as playbooks
from voicebot.domain.errors import ModelError, SettingsError
from voicebot.domain.ports import Synthesizer
from voicebot.domain.script import Playbook
from voicebot.registry import resources
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer
from voicebot.speech.synthesis.rendering import ClipOrder, RenderReport, playbook_orders, render_clips
from voicebot.speech.synthesis.spoken import slot_parts

prompts_app = typer.Typer(help="Prompts: what the bot says, as sound.", no_args_is_help=True)

KOKORO_LICENCE = "Apache-2.0 (rendered with Kokoro-82M v1.0, Apache-2.0)"
Weights = Annotated[
    Path, typer.Option(help="folder with Kokoro's model_quantized.onnx and voices/", envvar="VOICEBOT_KOKORO")
]


def find_playbook(name: str) -> Playbook:
    """Return a playbook by file, or by id among the shipped ones."""
    path = Path(name)
    return playbooks.load(path if path.suffix else resources.playbooks_dir() / f"{name}.yaml")


def ready(engine: Synthesizer) -> None:
    """Raise ModelError if an engine cannot speak here."""
    missing = engine.available()
    if missing:
        raise ModelError(missing, hint="Install the extra `kokoro` and name the weights with --weights.")


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
    weights: Weights,
    playbook: Annotated[str, typer.Option(help="id of a shipped playbook, or a file")] = "consumer_loan",
    engine: Annotated[str, typer.Option(help="kokoro")] = "kokoro",
    voice: Annotated[str, typer.Option(help="voice of the bot")] = "zf_xiaoxiao",
    out: Annotated[Path | None, typer.Option(help="folder of the clips; default: the package's own")] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Render everything a playbook can say without knowing the customer, and the parts of its slots."""
    if engine != "kokoro":
        raise SettingsError(f"no engine {engine!r} renders ahead", hint="Use --engine kokoro.")
    book = find_playbook(playbook)
    speaker = KokoroSynthesizer(weights, voice, book.readings, threads)
    ready(speaker)
    directory = out or resources.demo_dir() / "prompts" / book.id
    orders = (*playbook_orders(book), *(ClipOrder(text, kind="part") for text in slot_parts(book)))
    with bar(book.title) as progress:
        report = render_clips(
            orders,
            speaker,
            directory,
            voice=voice,
            licence=KOKORO_LICENCE,
            readings=book.readings,
            progress=progress,
        )
    show(report, directory)


@prompts_app.command()
def customers(
    weights: Weights,
    personas: Annotated[Path | None, typer.Option(help="file of personas; default: the shipped one")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the clips; default: the package's own")] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Render the lines of the simulated customers."""
    from voicebot.simulate import personas as people
    from voicebot.simulate.lines import render_lines

    directory = out or resources.demo_dir() / "customers"
    for person in people.load(personas or resources.demo_dir() / "personas.yaml"):
        if not person.lines:
            continue
        speaker = KokoroSynthesizer(weights, person.voice, {}, threads, person.speed)
        ready(speaker)
        with bar(person.title) as progress:
            show(
                render_lines(person, speaker, directory, KOKORO_LICENCE, progress),
                directory / person.id,
            )


@prompts_app.command()
def status(
    playbook: Annotated[str, typer.Option(help="id of a shipped playbook, or a file")] = "consumer_loan",
    clips: Annotated[
        Path | None, typer.Option(help="folder of the clips; default: the package's own")
    ] = None,
) -> None:
    """List the texts of a playbook that have no clip yet."""
    book = find_playbook(playbook)
    library = ClipLibrary(clips or resources.demo_dir() / "prompts" / book.id)
    orders = playbook_orders(book)
    missing = [order for order in orders if library.find(order.text, order.style) is None]
    table = Table("style", "text", title=f"{len(orders) - len(missing)} of {len(orders)} texts have a clip")
    for order in missing:
        table.add_row(order.style.value, order.text)
    Console().print(table)
    raise typer.Exit(1 if missing else 0)
