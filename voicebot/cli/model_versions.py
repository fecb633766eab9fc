"""`voicebot models`, the versions of trained models: show, diff, candidates, promote, rollback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot import bootstrap
from voicebot.cli.actor import actor
from voicebot.cli.models import models_app
from voicebot.cli.stored import stored
from voicebot.registry import models, promotion
from voicebot.registry.models import Manifest
from voicebot.service import model_registry
from voicebot.settings import Settings
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.samples import SampleRepository

versions_app = models_app  # `voicebot models`, with what stands here
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the model: ranker.")]
Why = Annotated[str, typer.Option(help="For the audit log.")]


@versions_app.command()
def show(
    name: Name, version: Annotated[str, typer.Argument(help="Of the model; none = the live one.")] = ""
) -> None:
    """Show one version: figures, what it learnt from, who made it live, and samples of erased persons.

    Examples:
      voicebot models show ranker
      voicebot models show ranker 3
    """
    settings = Settings()
    manifest = _manifest(settings, name, version)
    with stored(settings) as store, store.transaction() as session:
        marked = SampleRepository(session).marked().get(manifest.label, 0)
        known = ModelVersionRepository(session).find(name, manifest.version)
    console = Console(highlight=False)
    console.print(f"{manifest.label}  {manifest.notes}")
    for key, text in manifest.data.items():
        console.print(f"{key:32} {text}")
    for figure, value in manifest.metrics.items():
        console.print(f"{figure:32} {value:.3f}")
    if known is not None:
        console.print(
            f"{known.state.value} since {known.changed_at:%Y-%m-%d %H:%M} UTC  {known.actor}  {known.why}"
        )
    if marked:
        console.print(f"[yellow]learnt from {marked} samples of erased persons: train it anew[/yellow]")


@versions_app.command()
def diff(
    name: Name,
    old: Annotated[str, typer.Argument(help="A version: live, waiting or taken back.")],
    new: Annotated[str, typer.Argument(help="Another one; none = the live one.")] = "",
) -> None:
    """Show two versions of a model side by side: figures, and what each learnt from.

    Example:
      voicebot models diff ranker 2 3
    """
    settings = Settings()
    pair = [_manifest(settings, name, version) for version in (old, new)]
    table = Table(
        "", *(one.label for one in pair), "change", title=f"{name} {pair[0].version} → {pair[1].version}"
    )
    for key in sorted({*pair[0].data, *pair[1].data}):
        table.add_row(key, *(one.data.get(key, "–") for one in pair), "")
    for key in sorted({*pair[0].metrics, *pair[1].metrics}):
        values = [one.metrics.get(key) for one in pair]
        cells = ["–" if value is None else f"{value:.3f}" for value in values]
        change = "" if None in values else f"{values[1] - values[0]:+.3f}"  # type: ignore[operator]  # both there
        table.add_row(key, *cells, change)
    same = sorted(file for file, digest in pair[0].files.items() if pair[1].files.get(file) == digest)
    Console().print(table)
    print(f"files alike: {', '.join(same) or 'none'}")


@versions_app.command("candidates")
def candidates_() -> None:
    """List the models that wait to be promoted."""
    found = promotion.candidates(Settings().home)
    for directory in found:
        print(f"{directory.parent.name} {directory.name}")
    if not found:
        print("no candidates; voicebot learn retrain makes one")


@versions_app.command("promote")
def promote_(
    name: Name,
    version: Annotated[str, typer.Argument(help="Of the candidate, or of one that was taken back.")],
    why: Why = "",
) -> None:
    """Make a candidate the live model. Running servers take it up between turns; no call is dropped.

    Example:
      voicebot models promote ranker 3 --why "read the card, tried it"
    """
    settings = Settings()
    with stored(settings) as store:
        live = model_registry.promote(settings, store, name, version, datetime.now(UTC), actor(), why)
    print(f"live: {live}")


@versions_app.command()
def rollback(
    name: Name,
    version: Annotated[str, typer.Argument(help="To take back; none = the newest trained one.")] = "",
    why: Why = "",
) -> None:
    """Take a trained version out of use: the one before it, at last the shipped one, is live again.

    Example:
      voicebot models rollback ranker
    """
    settings = Settings()
    with stored(settings) as store:
        moved = model_registry.roll_back(
            settings, store, name, datetime.now(UTC), actor(), why, version=version
        )
    live = models.find(bootstrap.model_roots(settings), name)
    print(f"retired: {moved.name}; live: {name} {live.name}")


def _manifest(settings: Settings, name: str, version: str) -> Manifest:
    """Return the manifest of a version, wherever it lies, its files verified. Raises ModelError."""
    home = settings.home
    places = (home / promotion.CANDIDATES, home / promotion.RETIRED) if version else ()
    return models.load(models.find((*bootstrap.model_roots(settings), *places), name, version))
