"""`voicebot learn`: retrain, see how trainings and new models do, compare wordings, estimate, drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voicebot import bootstrap
from voicebot.cli.actor import actor
from voicebot.cli.playbook import find
from voicebot.cli.stored import stored
from voicebot.domain.learning import DriftKind, DriftReport, Training, TrainingState
from voicebot.domain.report import ReportFilter
from voicebot.domain.report import wordings as compare_wordings
from voicebot.learning import drift_report
from voicebot.learning.drift import FEWEST
from voicebot.registry import models, promotion
from voicebot.service import training, watching
from voicebot.service.watching import Watched
from voicebot.settings import Settings
from voicebot.store.decisions import DecisionRepository
from voicebot.store.drift import DriftRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.trainings import TrainingRepository

learn_app = typer.Typer(help="Learn from feedback: retrain, compare, watch.", no_args_is_help=True)
DRIFTS = {
    DriftKind.VOCABULARY: "词汇 new words",
    DriftKind.EMOTION: "情绪 emotion (PSI)",
    DriftKind.CONFIDENCE: "识别置信度 confidence",
    DriftKind.OUT_OF_DOMAIN: "领域外 nothing fitted",
}


@learn_app.callback()
def _group() -> None:
    """Learn from feedback."""


@learn_app.command()
def retrain(
    playbook: Annotated[str, typer.Argument(help="Id of an installed playbook.")],
    promote: Annotated[bool, typer.Option(help="Make it live if it is better by the rule.")] = False,
    queue: Annotated[bool, typer.Option(help="Leave it to the jobs process of voicebot serve.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 1,
) -> None:
    """Train a candidate from the samples and compare it with the live model on the newest calls.

    Examples:
      voicebot learn retrain consumer_loan --promote
      voicebot learn retrain consumer_loan --queue
    """
    settings, console = Settings(), Console(highlight=False)
    book = find(playbook)
    with stored(settings) as store:
        asked = training.ask(store, book.id, actor(), datetime.now(UTC), promote=promote, queue=queue)
        if queue:
            console.print(f"asked: {asked}; how far it is: voicebot learn trainings")
            return
        done = training.train(settings, store, asked, console.print, seed)
    console.print(f"{done.samples} samples learnt from")
    if done.state is TrainingState.NOTHING:
        console.print("nothing written: the examples alone rank as well; more samples may change that")
        return
    console.print(_compared(done))
    if done.state is TrainingState.PROMOTED:
        console.print(f"live: {done.model}; running servers take it up between turns")
    else:
        console.print(f"candidate: {done.model}; voicebot models promote {done.model.replace('-', ' ')}")


@learn_app.command()
def trainings(
    playbook: Annotated[str, typer.Argument(help="Id of a playbook; none = of all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """Show the retrainings: asked for by whom, how far, and what came of them.

    Example:
      voicebot learn trainings
    """
    with stored(Settings()) as store, store.transaction() as session:
        repository = TrainingRepository(session)
        found, new = repository.latest(playbook, limit), repository.new_samples()
    table = Table("asked", "playbook", "by", "state", "step / result", "samples", "model")
    for one in found:
        told = one.step or one.error or str(one.comparison.get("why", ""))
        cells = (
            one.playbook_id,
            one.asked_by,
            one.state.value,
            escape(told),
            str(one.samples or ""),
            one.model,
        )
        table.add_row(f"{one.asked_at.astimezone():%m-%d %H:%M}", *cells)
    console = Console(highlight=False)
    console.print(table if found else "no training yet: voicebot learn retrain PLAYBOOK")
    for playbook_id, count in new.items():
        console.print(f"{playbook_id}: {count} new samples since the last training")


@learn_app.command()
def watch() -> None:
    """Show how the models that became live lately do, beside the calls before; a job looks every 10 minutes.

    Example:
      voicebot learn watch
    """
    settings = Settings()
    with stored(settings) as store:
        found = watching.watched(settings, store, datetime.now(UTC))
    console = Console(highlight=False)
    for one in found:
        console.print(_watched(one))
    if not found:
        console.print("no trained model became live in the last 14 days")


@learn_app.command()
def wordings(
    campaign: Annotated[str, typer.Option(help="Id of a campaign; none = all.")] = "",
) -> None:
    """Compare the wordings of scripts (A/B): which one won, or that the test goes on.

    Example:
      voicebot learn wordings
    """
    with stored(Settings()) as store, store.transaction() as session:
        found = compare_wordings(ReportRepository(session).scripts(ReportFilter(campaign_id=campaign)))
    table = Table("话术 script", "wordings: converted / calls", "verdict")
    for one in found:
        counts = "  ".join(
            f"{each.variant} {each.converted.hits}/{each.converted.of}" for each in one.variants
        )
        table.add_row(one.script_id, counts, f"{one.winner} is better" if one.winner else "goes on")
    Console().print(table if found else "no script was said in several wordings yet")


@learn_app.command()
def estimate(
    playbook: Annotated[str, typer.Argument(help="Id of an installed playbook.")],
    version: Annotated[str, typer.Option(help="Of a ranker, live or waiting; none = the live one.")] = "",
) -> None:
    """Estimate what always following a ranker would have earned, from decisions in which the bot explored.

    Scores are 0 to 1. With too few decisions of the same choice nothing is concluded.

    Example:
      voicebot learn estimate consumer_loan --version 3
    """
    from voicebot.learning.offpolicy import estimate as estimated
    from voicebot.learning.retrain import first
    from voicebot.ranker.trained import TrainedRanker

    settings, book = Settings(), find(playbook)
    places = (*bootstrap.model_roots(settings), settings.home / promotion.CANDIDATES)
    ranker = (
        TrainedRanker.load(models.find(places, "ranker", version)) if version else bootstrap.ranker(settings)
    )
    with stored(settings) as store, store.transaction() as session:
        logged = DecisionRepository(session).logged(book.id)
    found = estimated(logged, lambda one: first(ranker, one, book, [shown.script_id for shown in one.shown]))
    title = f"{ranker.version} on {len(logged)} explored decisions"
    table = Table("estimator", "score", "95 %", "effective decisions", "", title=title)
    for one in found:
        verdict = "" if one.conclusive else "too thin: concludes nothing"
        cells = (f"{one.value:.3f}", f"{one.low:.3f} – {one.high:.3f}", f"{one.effective:.0f}", verdict)
        table.add_row(one.name, *cells)
    nothing = "no judged decision in which the bot explored: VOICEBOT_EXPLORE=0.1 lets it"
    Console(highlight=False).print(table if found else nothing)


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


def _compared(done: Training) -> Table:
    found = done.comparison
    table = Table("cases", "gain", "95 %", "promote", title="candidate beside the live model, newest calls")
    span = f"{found['low']:+.3f} – {found['high']:+.3f}"
    verdict = f"{'yes' if found['promote'] else 'no'}: {found['why']}"
    table.add_row(str(found["cases"]), f"{found['difference']:+.3f}", span, verdict)
    for name, change in found["groups"].items():
        table.add_row(name, f"{change:+.3f}", "", "")
    return table


def _watched(one: Watched) -> Table:
    since = f"{one.version.changed_at:%Y-%m-%d %H:%M} UTC"
    title = f"{one.version.name}-{one.version.version} for {one.playbook_id}, live since {since}"
    table = Table("guard", "now", "of", "before", "of", "", title=title)
    for guard in one.guards:
        cells = (
            text
            for hits, of in (guard.now, guard.before)
            for text in (f"{hits / of:.0%}" if of else "–", str(of))
        )
        table.add_row(guard.name, *cells, "[red]worse[/red]" if guard.worse else "good")
    return table
