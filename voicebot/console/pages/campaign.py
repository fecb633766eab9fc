"""One campaign: upload contacts, start, pause, drain, stop, watch it live."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import events, ui

from voicebot.console.campaign_desk import (
    CHANGES,
    LARGEST_UPLOAD,
    SUFFIXES,
    changed,
    check_upload,
    filled,
    upload_place,
)
from voicebot.console.frame import Pages
from voicebot.console.pages import rehearsal
from voicebot.console.pages.outcomes import row
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import (
    badge,
    badged,
    chosen_by_button,
    heading,
    linked,
    percent,
    quiet,
    table,
    tile,
    when,
)
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.outcome_pages import OutcomePages
from voicebot.store.outcomes import CallOutcome, OutcomeFilter
from voicebot.store.overview import NOT_REACHED
from voicebot.store.session import Transaction

EVERY_S = 3.0
NEWEST = 12
Again = Callable[[], Awaitable[None]]
_ICONS = {"start": "play_arrow", "pause": "pause", "drain": "hourglass_bottom", "stop": "stop"}


@dataclass(frozen=True, slots=True)
class _State:
    campaign: Campaign
    progress: Progress
    newest: tuple[CallOutcome, ...]
    rehearsals: rehearsal.Shown


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/campaigns/{campaign_id}", "campaign", right=Right.SEE_CAMPAIGNS)
    async def campaign(visitor: Visitor, campaign_id: str) -> None:
        state = await visitor.query(lambda session: _state(session, campaign_id))
        card: rehearsal.Card | None = None
        sure = _sure(visitor)  # outside of what is drawn anew while calls run

        @ui.refreshable
        def body() -> None:
            _draw(visitor, state, again, sure)

        async def again() -> None:
            nonlocal state
            fresh = await visitor.query(lambda session: _state(session, campaign_id))
            if card is not None:
                card.update(fresh.rehearsals)
            if fresh != state:
                state = fresh
                body.refresh()

        body()
        if visitor.may(Right.RUN_CAMPAIGNS) and not state.campaign.rehearses:
            _upload(visitor, state.campaign, again)
        if not state.campaign.rehearses:
            card = rehearsal.Card(visitor, state.campaign, state.rehearsals)
        _facts(visitor, state.campaign)
        ui.timer(EVERY_S, again)


def _state(session: Transaction, campaign_id: str) -> _State:
    campaigns = CampaignRepository(session)
    campaign = campaigns.find(campaign_id)
    newest = OutcomePages(session).page(OutcomeFilter(campaign_id=campaign.id), size=NEWEST)
    tried = rehearsal.shown(session, campaign)
    return _State(campaign, campaigns.progress(campaign.id), newest.outcomes, tried)


def _draw(visitor: Visitor, state: _State, again: Again, sure: ui.dialog) -> None:
    t, campaign, progress = visitor.t, state.campaign, state.progress
    with ui.element("div").classes("vb-row"):
        heading(campaign.name)
        badge(visitor, "campaign_status", campaign.status.value)
        ui.space()
        if visitor.may(Right.RUN_CAMPAIGNS):
            _changes(visitor, campaign, again, sure)
    if campaign.held:
        ui.label(t("campaigns.held", why=campaign.held)).classes("vb-warn").props("role=status")
    if campaign.status is CampaignStatus.DRAFT:
        _next_steps(visitor, progress)
    share = progress.done / progress.contacts if progress.contacts else 0.0
    bar = ui.linear_progress(round(share, 3), show_value=False, size="14px").classes("vb-progress")
    bar.props(f'aria-label="{share:.0%}"')
    reached = sum(count for key, count in progress.dispositions.items() if key not in NOT_REACHED)
    ended = sum(progress.dispositions.values())
    with ui.element("div").classes("vb-tiles"):
        tile(t("campaigns.contacts"), progress.contacts)
        tile(t("campaigns.pending"), progress.pending)
        tile(t("campaigns.calling"), progress.calling)
        tile(t("campaigns.done"), progress.done, f"{share:.0%}")
        tile(t("campaigns.attempts"), progress.attempts)
        tile(t("home.reached"), percent(reached, ended))
        tile(t("home.interested"), progress.dispositions.get("interested", 0), "", "good")
    if progress.unknown:
        ui.label(t("campaigns.unknown", count=progress.unknown)).classes("vb-bad")
    with ui.element("div").classes("vb-two"):
        _newest(visitor, state)
        _counts(visitor, progress, campaign)


def _next_steps(visitor: Visitor, progress: Progress) -> None:
    step = "next_start" if progress.contacts else "next_upload"
    ui.label(visitor.t(f"campaigns.{step}")).classes("vb-note").props("role=status")


def _sure(visitor: Visitor) -> ui.dialog:
    """Return the question that is asked before customers are cut off; None = no."""
    with ui.dialog() as dialog, ui.card().classes("vb-card"):
        ui.label(visitor.t("campaigns.stop_sure"))
        with ui.element("div").classes("vb-row"):
            button = ui.button(visitor.t("campaigns.stop"), on_click=lambda: dialog.submit(True))
            button.props("color=negative")
            ui.button(visitor.t("frame.cancel"), on_click=dialog.close).props("flat")
    return dialog


def _changes(visitor: Visitor, campaign: Campaign, again: Again, sure: ui.dialog) -> None:
    for change, expected in CHANGES.items():
        if campaign.status not in expected:
            continue

        async def do(change: str = change) -> None:
            if change == "stop" and not await sure:
                return
            await visitor.require(Right.RUN_CAMPAIGNS)
            _, robotic = await asyncio.to_thread(changed, visitor.house, campaign, change, visitor.user.name)
            if robotic:
                ui.notify(visitor.t("campaigns.robotic", count=robotic), type="warning")
            await again()

        button = ui.button(
            visitor.t(f"campaigns.{change}"), icon=_ICONS[change], on_click=visitor.guarded(do)
        )
        button.props("" if change == "start" else "outline")


def _newest(visitor: Visitor, state: _State) -> None:
    with ui.element("div"):
        heading(visitor.t("campaigns.newest"), 2)
        if not state.newest:
            quiet(visitor.t("campaigns.no_calls"))
            return
        columns = ("at", "number", "disposition", "intent", "reasons")
        drawn = table(
            [(key, visitor.t(f"outcomes.{key}")) for key in columns],
            [
                row(visitor, outcome) | {"at": when(visitor, outcome.at, year=False)}
                for outcome in state.newest
            ],
        )
        linked(drawn, "at", "/calls/:key")
        badged(drawn, "disposition", "tone")
        badged(drawn, "intent", "intent_tone")
        ui.link(visitor.t("campaigns.all_calls"), f"/outcomes?campaign={state.campaign.id}")


def _counts(visitor: Visitor, progress: Progress, campaign: Campaign) -> None:
    with ui.card().classes("vb-card"):
        heading(visitor.t("home.results"), 2)
        ended = sum(progress.dispositions.values())
        with ui.element("div").classes("vb-bars"):
            for value, count in sorted(progress.dispositions.items(), key=lambda pair: -pair[1]):
                badge(visitor, "disposition", value)
                with ui.element("div").classes("vb-bar"):
                    ui.element("div").style(f"width: {100 * count / ended:.1f}%")
                ui.link(str(count), f"/outcomes?campaign={campaign.id}&disposition={value}")
        if progress.refusals:
            heading(visitor.t("campaigns.refused"), 2)
            for code, count in sorted(progress.refusals.items(), key=lambda pair: -pair[1]):
                quiet(f"{visitor.known('refusal', code)}: {count}")


def _upload(visitor: Visitor, campaign: Campaign, again: Again) -> None:
    t, client = visitor.t, ui.context.client
    refused = t("campaigns.rejected", kinds=" ".join(SUFFIXES), megabytes=LARGEST_UPLOAD >> 20)

    async def take(event: events.UploadEventArguments) -> None:
        await visitor.require(Right.RUN_CAMPAIGNS)
        path = upload_place(visitor.house, event.file.name)
        # rows that are not usable can be fetched as long as the page is open: they hold numbers
        client.on_delete(lambda: shutil.rmtree(path.parent, ignore_errors=True))
        try:
            await event.file.save(path)
            await asyncio.to_thread(check_upload, event.file.name, path)
            note = ui.notification(t("campaigns.reading"), spinner=True, timeout=None)
            try:
                done = await asyncio.to_thread(
                    filled, visitor.house, campaign, path, visitor.user.name, visitor.user.language
                )
            finally:
                note.dismiss()
        finally:
            path.unlink(missing_ok=True)
        await visitor.act(
            Right.RUN_CAMPAIGNS,
            "import_contacts",
            f"campaign:{campaign.id}",
            lambda session: None,
            added=done.added,
            duplicates=done.duplicates,
            errors=done.errors,
        )
        with result:
            ui.label(
                t("campaigns.imported", added=done.added, duplicates=done.duplicates, errors=done.errors)
            ).classes("vb-bad" if done.errors else "vb-good").props("role=status")
            if done.errors_file:
                ui.button(
                    t("campaigns.errors_file"),
                    icon="download",
                    on_click=lambda: ui.download.file(done.errors_file, "errors.csv"),
                ).props("flat")
        await again()

    with ui.card().classes("vb-card"):
        heading(t("campaigns.upload"), 2)
        quiet(t("campaigns.upload_note"))
        field = ui.upload(
            on_upload=visitor.guarded(take),
            on_rejected=lambda: ui.notify(refused, type="negative", multi_line=True, timeout=8000),
            max_file_size=LARGEST_UPLOAD,
            auto_upload=True,
        )
        field.props(f'accept="{",".join(SUFFIXES)}" flat bordered').classes("full-width")
        chosen_by_button(field, t("campaigns.choose"))
        result = ui.element("div").classes("vb-row")


def _facts(visitor: Visitor, campaign: Campaign) -> None:
    t = visitor.t
    pauses = "，".join(
        f"{visitor.known('disposition', kind)} {t('campaigns.never') if minutes < 0 else minutes}"
        for kind, minutes in campaign.retry.items()
    )
    facts = (
        ("mode", t(f"campaigns.mode_{campaign.mode.value}")),
        ("playbook", campaign.playbook_id),
        ("policy", t(f"campaigns.policy_{campaign.policy_pack}")),
        ("scope", campaign.scope),
        ("trunk", campaign.trunk),
        ("caller", campaign.caller_id),
        ("transfer", campaign.transfer_uri),
        ("takeover", t(f"campaigns.takeover_{campaign.takeover.value}")),
        ("max_calls", campaign.max_calls),
        ("max_attempts", campaign.max_attempts),
        ("ring", f"{campaign.ring_timeout_s:.0f}"),
        ("hours", campaign.hours or t("campaigns.hours_policy")),
        ("starts", when(visitor, campaign.starts_at)),
        ("ends", when(visitor, campaign.ends_at)),
        ("retry", pauses or t("campaigns.retry_default")),
        ("priority", campaign.priority),
        ("leave_message", t("frame.yes" if campaign.leave_message else "frame.no")),
    )
    with ui.card().classes("vb-card"):
        with ui.element("div").classes("vb-row"):
            heading(t("campaigns.facts"), 2)
            ui.space()
            if visitor.may(Right.RUN_CAMPAIGNS):
                address = f"/campaigns/{campaign.id}/edit"
                ui.button(t("campaigns.edit"), icon="edit", on_click=lambda: ui.navigate.to(address)).props(
                    "flat"
                )
        with ui.element("dl").classes("vb-facts"):
            for key, value in facts:
                with ui.element("div"):
                    with ui.element("dt"):
                        quiet(t(f"campaigns.{key}"))
                    with ui.element("dd"):
                        ui.label(str(value) or "–")
