"""Do-not-call and consent: look a number up, forbid it, see why it is or is not called."""

from __future__ import annotations

from datetime import UTC, datetime

from nicegui import ui

from voicebot.campaign.do_not_call import parse_number
from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, quiet, table, tile, when
from voicebot.domain.users import Right
from voicebot.store.consents import ConsentRecord, ConsentRepository, NumberRecord
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.text.redaction import mask_number


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/consent", "consent", right=Right.SEE_CONSENT, icon="do_not_disturb_on")
    async def consent(visitor: Visitor) -> None:
        t = visitor.t
        heading(t("nav.consent"))
        counts = await visitor.query(lambda session: ConsentRepository(session).counts())
        with ui.element("div").classes("vb-tiles"):
            tile(t("consent.listed"), sum(counts.values()))
            for origin, count in sorted(counts.items()):
                tile(visitor.known("consent", f"origin_{origin}"), count)
        with ui.card().classes("vb-card"):
            heading(t("consent.look_up"), 2)
            quiet(t("consent.note"))
            number = ui.input(t("outcomes.number"), placeholder="13800138000").classes("full-width")
            result = ui.element("div").props("role=status").style("width: 100%")

            async def look() -> None:
                await _look(visitor, number.value or "", result)

            async def forbid() -> None:
                await _forbid(visitor, number.value or "")
                await look()

            number.on("keydown.enter", visitor.guarded(look))
            with ui.element("div").classes("vb-row"):
                ui.button(t("frame.search"), icon="search", on_click=visitor.guarded(look))
                if visitor.may(Right.EDIT_CONSENT):
                    button = ui.button(t("consent.forbid"), icon="block", on_click=visitor.guarded(forbid))
                    button.props("outline color=negative")


async def _look(visitor: Visitor, text: str, result: ui.element) -> None:
    t, vault = visitor.t, visitor.house.vault
    number = parse_number(text)
    found: NumberRecord = await visitor.act(
        Right.SEE_CONSENT,
        "look_up_number",
        f"number:{mask_number(number)}",
        lambda session: ConsentRepository(session).of_number(vault.lookup(number)),
    )
    result.clear()
    with result:
        for scope, origin, at in found.forbidden:
            words = t("consent.forbidden", scope=scope, at=when(visitor, at))
            ui.label(f"{words} · {visitor.known('consent', f'origin_{origin}')}").classes("vb-bad")
        for name in found.lists:
            ui.label(t("consent.on_list", name=name)).classes("vb-bad")
        if not found.forbidden and not found.lists:
            ui.label(t("consent.not_forbidden")).classes("vb-good")
        if not found.consents:
            quiet(t("consent.no_contacts"))
            return
        columns = ("campaign", "scope", "evidence", "given", "expires", "state")
        table([(key, t(f"consent.{key}")) for key in columns], [_row(visitor, one) for one in found.consents])


def _row(visitor: Visitor, one: ConsentRecord) -> dict[str, object]:
    return {
        "id": one.contact_id,
        "campaign": one.campaign,
        "scope": one.scope or "–",
        "evidence": one.evidence or "–",
        "given": when(visitor, one.given_at),
        "expires": when(visitor, one.expires_at),
        "state": one.refusal_words or visitor.t("consent.no_refusal"),
    }


async def _forbid(visitor: Visitor, text: str) -> None:
    number, now = parse_number(text), datetime.now(UTC)
    await visitor.act(
        Right.EDIT_CONSENT,
        "forbid_number",
        f"number:{mask_number(number)}",
        lambda session: DoNotCallRepository(session, visitor.house.vault).add(
            [number], "person", visitor.user.name, now
        ),
    )
