"""`voicebot train`: models and lexicons from data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot.bootstrap import model_roots, playbooks
from voicebot.cli.playbook import find
from voicebot.cli.stored import stored
from voicebot.domain.errors import DataError, ModelError
from voicebot.registry import models, resources
from voicebot.settings import Settings

train_app = typer.Typer(help="Train models, publish lexicons.", no_args_is_help=True)


@train_app.command()
def emotion(
    data: Annotated[Path, typer.Option(help="folder of read Mandarin speech, .flac or .wav")],
    out: Annotated[Path, typer.Option(help="folder to write: <models>/emotion/<version>")],
    lexicon: Annotated[str, typer.Option(help="version of the lexicon; empty = the newest")] = "",
    speakers: Annotated[int, typer.Option(min=10, help="how many speakers to invent")] = 300,
    seed: Annotated[int, typer.Option(help="of every random choice")] = 1,
    samples: Annotated[Path | None, typer.Option(help="JSONL file of judged turns, which join")] = None,
    from_database: Annotated[
        bool,
        typer.Option("--from-database", help="turns labelled by: voicebot feedback emotion"),
    ] = False,
) -> None:
    """Train the model of the second emotion. Takes some minutes of CPU and the extra `train`.

    Of the database only calls count whose customer agreed to be called and did not opt out. What a model has
    learnt from is kept, and erasing a person marks it.

    A judged turn is a line of JSON: turn, text, label (one of the five, or shares of them), vector, baseline,
    feature_version.

    Examples:
      voicebot train emotion --data speech/aishell --out models/emotion/2
      voicebot train emotion --data speech/aishell --out models/emotion/2 --samples judged.jsonl
      voicebot train emotion --data speech/aishell --out models/emotion/2 --from-database
    """
    from voicebot.emotion import lexicon as lexicons
    from voicebot.emotion import training
    from voicebot.emotion.samples import SampleFile
    from voicebot.learning.emotions import DatabaseEmotions

    _version(out)
    judged = list(SampleFile(samples).samples()) if samples else []
    words = lexicons.load(models.find((resources.models_dir(),), lexicons.NAME, lexicon))
    if not from_database:
        _show(training.train(data, words, out, speakers=speakers, seed=seed, judged=judged), out)
        return
    with stored(Settings()) as database:
        source = DatabaseEmotions(database)
        labelled = list(source.samples())
        print(f"{len(labelled)} labelled turns from the database")
        manifest = training.train(data, words, out, speakers=speakers, seed=seed, judged=[*judged, *labelled])
        source.learnt(manifest.label, labelled)
    _show(manifest, out)


@train_app.command()
def lexicon(
    source: Annotated[Path, typer.Argument(help="CSV file, UTF-8")],
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/lexicon/<version>")] = None,
) -> None:
    """Check a lexicon line by line and, with --out, publish it as a version."""
    from voicebot.emotion import lexicon as lexicons

    if out is None:
        entries = lexicons.Lexicon.load(source, "unpublished").entries
        Console().print(f"{source}: {len(entries)} rows, all good")
        return
    _version(out)
    _show(lexicons.publish(source, out), out)


@train_app.command()
def ranker(
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/ranker/<version>")] = None,
    playbook: Annotated[
        str, typer.Option(help="id of an installed playbook, or a YAML file")
    ] = "consumer_loan",
    samples: Annotated[Path | None, typer.Option(help="JSONL file of historical samples")] = None,
    threshold: Annotated[float, typer.Option(help="score, 0-100, above which a sample counts")] = 60.0,
    encoder: Annotated[bool, typer.Option(help="use the sentence encoder, where it runs")] = True,
    duals: Annotated[int, typer.Option(min=0, max=8, help="dual encoders (extra `train`)")] = 0,
    seed: Annotated[int, typer.Option(help="of every random choice")] = 1,
) -> None:
    """Train the ranker from a playbook's examples and historical samples.

    Nothing is written unless the model beats the ranker by examples in cross-validation.

    Examples:
      voicebot train ranker
      voicebot train ranker --samples graded.jsonl --playbook my_product.yaml --out models/ranker/2
    """
    from voicebot.ranker import playbook_training as training
    from voicebot.ranker.encoder import E5, open_encoder
    from voicebot.ranker.history import SampleFile, pairs
    from voicebot.ranker.training import Recipe

    settings = Settings()
    target = out or models.next_version(model_roots(settings), "ranker")
    _version(target)
    console = Console(highlight=False)
    book = find(playbook)
    past, gone = pairs(SampleFile(samples, threshold).samples(book.id) if samples else (), book)
    if gone:
        console.print(f"{gone} samples are left out: their scripts are not in {book.id} {book.version}")
    recipe = Recipe(seed=seed, duals=duals)
    try:
        tool = open_encoder(E5 if encoder else "", settings.home / "cache" / "vectors.npz")
    except ModelError as absent:
        console.print(f"{absent.detail}: n-grams alone")
        tool = open_encoder("")
    books = [book, *(find(key) for key in playbooks(settings).ids() if key != book.id)]
    manifest, verdict = training.train(book, past, tool, target, recipe, console.print, books)
    if manifest is not None:
        _show(manifest, target)
        return
    for name, value in verdict.figures.items():
        console.print(f"{name:32} {value:.3f}")
    console.print("nothing written: the examples alone rank as well; more samples may change that")


@train_app.command()
def vectors(
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/vectors/<version>")] = None,
) -> None:
    """Encode the lines of every playbook, so that no start of the inference server need do it.

    Example: voicebot train vectors --out models/vectors/2
    """
    from voicebot.ranker import trained
    from voicebot.ranker.encoder import E5Encoder

    settings = Settings()
    target = out or models.next_version(model_roots(settings), trained.ENCODED)
    _version(target)
    tool = E5Encoder(settings.home / "cache" / "vectors.npz")
    source = playbooks(settings)
    scripts = [script for key in source.ids() for script in source.get(key).scripts.values()]
    lines = [line for script in scripts for line in (*script.examples, script.text)]
    tool.write(target / trained.VECTORS, lines)
    figures = {"lines": float(len(lines)), "dimensions": float(tool.size)}
    manifest = models.Manifest(
        trained.ENCODED,
        target.name,
        {trained.VECTORS: ""},
        metrics=figures,
        notes=f"Vectors of the playbooks' lines by {tool.name} (MIT), half precision.",
    )
    _show(models.save(target, manifest), target)


@train_app.command()
def relation(
    dialogues: Annotated[Path, typer.Argument(help="folder of judged dialogues, <playbook>.yaml")],
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/relation/<version>")] = None,
    trust: Annotated[float, typer.Option(min=0, max=1, help="weight of an example line")] = 0.3,
    seed: Annotated[int, typer.Option(help="of every random choice")] = 1,
) -> None:
    """Train the relation classifier from judged dialogues and the playbooks' example lines.

    Example: voicebot train relation tests/data/dialogues/development
    """
    from voicebot.bench.dialogue import read
    from voicebot.bench.lessons import halves, judged, lines
    from voicebot.dialogue import relation_training
    from voicebot.dialogue.relation_training import Lesson
    from voicebot.ranker.encoder import open_encoder
    from voicebot.ranker.examples import ExampleRanker

    settings = Settings()
    target = out or models.next_version(model_roots(settings), "relation")
    _version(target)
    tool = open_encoder(kept=settings.home / "cache" / "vectors.npz")
    lessons: list[Lesson] = []
    for file in sorted(dialogues.glob("*.yaml")):
        book = find(file.stem)
        lessons += judged(read(file, book), book, ExampleRanker(tool))
    for key in playbooks(settings).ids():
        for half in (0, 1):
            # a ranker that knew the lines would be surer than in life
            known, asked = halves(find(key), half)
            lessons += lines(asked, ExampleRanker(tool), seed, known)
    _show(relation_training.train(lessons, target, trust=trust, seed=seed), target)


@train_app.command()
def answering(
    talk: Annotated[
        Path, typer.Argument(help="JSON of dialogues in CrossWOZ's shape, or a line of text each")
    ],
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/answering/<version>")] = None,
    wordings: Annotated[Path | None, typer.Option(help="YAML of wordings; default: the shipped file")] = None,
    seed: Annotated[int, typer.Option(help="of every random choice")] = 1,
) -> None:
    """Train what knows by its words that a machine answered a call. Takes some minutes.

    The wordings of machines, and of people who pick up, come from a grammar; what people say otherwise from
    the talk and the playbooks' example lines.

    Examples:
      voicebot train answering dialogue/crosswoz-dev.json
      voicebot train answering talk.txt --wordings my_networks.yaml
    """
    from voicebot.speech.answering import grammar, training

    settings = Settings()
    target = out or models.next_version(model_roots(settings), "answering")
    _version(target)
    source = playbooks(settings)
    scripts = [script for key in source.ids() for script in source.get(key).scripts.values()]
    examples = [line for script in scripts for line in script.examples]
    said = [*training.read_talk(talk), *examples]
    words = grammar.load(wordings or grammar.SHIPPED)
    told = f"{talk.name} and the playbooks' example lines"
    _show(training.train(words, said, target, seed=seed, data=told), target)


def _version(out: Path) -> None:
    if not models.is_version(out.name):
        raise DataError(f"{out.name!r} is no version", hint="end --out with a number such as 2 or 1.3")


def _show(manifest: models.Manifest, out: Path) -> None:
    table = Table("figure", "value", title=manifest.label)
    for name, value in manifest.metrics.items():
        table.add_row(name, f"{value:.3f}")
    Console().print(table)
    Console().print(f"written: {out}")
