"""`voicebot learn`, and the versions of models: show, candidates, promote, rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voicebot import bootstrap
from voicebot.cli.models import models_app
from voicebot.cli.playbook import find
from voicebot.cli.stored import stored
from voicebot.domain.learning import DriftKind, DriftReport
from voicebot.learning import drift_report
from voicebot.learning.drift import FEWEST
from voicebot.learning.retrain import Retrained
from voicebot.learning.retrain import retrain as train_candidate
from voicebot.registry import models, promotion
from voicebot.settings import Settings
from voicebot.store.drift import DriftRepository
from voicebot.store.samples import SampleRepository

learn_app = typer.Typer(help="Learn from feedback: retrain, compare, promote.", no_args_is_help=True)
DRIFTS = {
    DriftKind.VOCABULARY: "词汇 new words",
    DriftKind.EMOTION: "情绪 emotion (PSI)",
    DriftKind.CONFIDENCE: "识别置信度 confidence",
    DriftKind.OUT_OF_DOMAIN: "领域外 nothing fitted",
}
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the model: ranker.")]


@learn_app.callback()
def _group() -> None:
    """Learn from feedback."""


@learn_app.command()
def retrain(
    playbook: Annotated[str, typer.Argument(help="Id of an installed playbook, or a YAML file.")],
    promote: Annotated[bool, typer.Option(help="Make it live if it is better by the rule.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 1,
) -> None:
    """Train a candidate from the samples and compare it with the live model on the newest calls.

    Example:
      voicebot learn retrain consumer_loan --promote
    """
    from voicebot.ranker.encoder import open_encoder
    from voicebot.ranker.training import Recipe

    settings, console = Settings(), Console(highlight=False)
    book = find(playbook)
    out = promotion.candidate_place(settings.home, bootstrap.model_roots(settings), "ranker")
    with stored(settings) as store:
        found = train_candidate(
            store,
            book,
            bootstrap.ranker(settings),
            open_encoder(),
            out,
            Recipe(seed=seed, duals=0),
            console.print,
        )
    console.print(f"{found.samples} samples, {found.gone} left out: their scripts are gone")
    if not found.written or found.comparison is None:
        console.print("nothing written: the examples alone rank as well; more samples may change that")
        return
    console.print(_compared(found))
    if promote and found.comparison.promote:
        promotion.promote(settings.home, "ranker", out.name)
        console.print(f"live: ranker-{out.name}; running servers take it up between turns")
    else:
        console.print(f"candidate: ranker-{out.name}; voicebot models promote ranker {out.name}")


@learn_app.command()
def drift(
    playbook: Annotated[str, typer.Argument(help="Id of a playbook; none = of all.")] = "",
    days: Annotated[int, typer.Option(min=1, help="Length of the stretches that are compared.")] = 7,
    kept: Annotated[bool, typer.Option(help="Show the weekly reports that were kept, make none.")] = False,
) -> None:
    """Show how customers change: words, emotions, recognition, and what nothing fitted.

    The newest stretch of time is compared with the four before it. A job does so every week and keeps it.

    Examples:
      voicebot learn drift
      voicebot learn drift consumer_loan --days 3
      voicebot learn drift --kept
    """
    settings, now = Settings(), datetime.now(UTC)
    console = Console(highlight=False)
    source = bootstrap.playbooks(settings)
    with stored(settings) as store:
        with store.transaction() as session:
            repository = DriftRepository(session)
            found = repository.reports(playbook) if kept else []
            names = [playbook] if playbook else repository.playbooks(now - timedelta(days=days))
        for name in () if kept else names:
            words = source.get(name).keywords if name in source.ids() else ()
            found.append(drift_report.report(store, name, now, timedelta(days=days), words))
    for one in found:
        console.print(_drifted(one) if one.figures else _too_few(one))
    if not found:
        console.print("no report was kept yet" if kept else f"no calls in the last {days} days")


def _too_few(report: DriftReport) -> str:
    return f"{report.playbook_id}: {report.turns} utterances; {FEWEST} are needed now and before"


def _drifted(report: DriftReport) -> Table:
    title = f"{report.playbook_id}, {report.turns} utterances since {report.since:%Y-%m-%d}"
    table = Table("漂移 drift", "before", "now", "change", "", "detail", title=title)
    for one in report.figures:
        cells = (DRIFTS[one.kind], f"{one.before:.3f}", f"{one.now:.3f}", f"{one.change:+.3f}")
        table.add_row(*cells, "[red]alarm[/red]" if one.alarm else "as usual", escape(", ".join(one.detail)))
    return table


def _compared(found: Retrained) -> Table:
    comparison = found.comparison
    assert comparison is not None
    table = Table("cases", "gain", "95 %", "promote", title="candidate beside the live model, newest calls")
    span = f"{comparison.low:+.3f} – {comparison.high:+.3f}"
    verdict = f"{'yes' if comparison.promote else 'no'}: {comparison.why}"
    table.add_row(str(comparison.cases), f"{comparison.difference:+.3f}", span, verdict)
    for name, change in comparison.groups.items():
        table.add_row(name, f"{change:+.3f}", "", "")
    return table


@models_app.command()
def show(
    name: Name, version: Annotated[str, typer.Argument(help="Of the model; none = the live one.")] = ""
) -> None:
    """Show one version: figures, notes, and samples of erased persons it has learnt from."""
    settings = Settings()
    manifest = models.load(models.find(bootstrap.model_roots(settings), name, version))
    with stored(settings) as store, store.transaction() as session:
        marked = SampleRepository(session).marked().get(manifest.label, 0)
    console = Console(highlight=False)
    console.print(f"{manifest.label}  {manifest.notes}")
    for figure, value in manifest.metrics.items():
        console.print(f"{figure:32} {value:.3f}")
    if marked:
        console.print(f"[yellow]learnt from {marked} samples of erased persons: train it anew[/yellow]")


@models_app.command("candidates")
def candidates_() -> None:
    """List the models that wait to be promoted."""
    found = promotion.candidates(Settings().home)
    for directory in found:
        print(f"{directory.parent.name} {directory.name}")
    if not found:
        print("no candidates; voicebot learn retrain makes one")


@models_app.command("promote")
def promote_(name: Name, version: Annotated[str, typer.Argument(help="Of the candidate.")]) -> None:
    """Make a candidate the live model. Running servers take it up between turns; no call is dropped."""
    print(f"live: {promotion.promote(Settings().home, name, version)}")


@models_app.command()
def rollback(name: Name) -> None:
    """Take the newest trained version out of use: the one before it, at last the shipped one, is live."""
    settings = Settings()
    moved = promotion.roll_back(settings.home, name)
    live = models.find(bootstrap.model_roots(settings), name)
    print(f"retired: {moved.name}; live: {name} {live.name}")
