"""The agent's screen: ready or not, the call that comes, what the customer says, what to say."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from nicegui import ui

from voicebot import codec
from voicebot.console.frame import Pages
from voicebot.console.live import LiveCall
from voicebot.console.pages.agent_notices import Notices
from voicebot.console.pages.agent_preview import Preview
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, heading, quiet
from voicebot.domain.call import Delivery
from voicebot.domain.errors import TelephonyError
from voicebot.domain.people import Agent, Briefing, SuggestedScript, Suggestion, SuggestionUse, TakeoverStage
from voicebot.domain.users import Right
from voicebot.store.agents import AgentRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.session import Transaction, time_of

LOOK_S = 0.1  # suggestions must be seen while they are fresh
BEAT_S = 15.0

_RINGS = (TakeoverStage.RINGING, TakeoverStage.BRIEFING)


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/agent", "agent", right=Right.TAKE_CALLS, icon="headset_mic")
    async def agent(visitor: Visitor) -> None:
        ui.add_head_html('<script src="/static/live.js"></script>')
        await Screen(visitor).draw()


class Screen:
    """One agent's open page."""

    def __init__(self, visitor: Visitor) -> None:
        """Show nothing yet."""
        self._visitor = visitor
        self._live = visitor.house.live
        self._seen: object = None  # of the call: what its frame and buttons show
        self._lines = 0  # of the talk that are drawn
        self._suggested: Suggestion | None = None  # and drawn
        self._offered: object = None  # the scripts of it that are drawn
        self._answered: set[tuple[str, int, str]] = set()  # suggestions that were dealt with
        self._ringing = False

    async def draw(self) -> None:
        """Sign the agent in and draw the screen."""
        visitor, user = self._visitor, self._visitor.user
        self._live.start()

        def enter(session: Transaction) -> tuple[Agent | None, Briefing | None]:
            agents = AgentRepository(session)
            agents.save(user.name, user.title, user.extension)
            agents.beat(user.name, time_of(session))
            screen = agents.screen(user.name)
            briefing = codec.decode(Briefing, json.dumps(screen)) if screen else None
            return agents.get(user.name), briefing

        agent, briefing = await visitor.query(enter)
        with ui.element("div").classes("vb-row"):
            heading(visitor.t("nav.agent"))
            ui.space()
            switch = ui.switch(visitor.t("agent.ready"), value=bool(agent and agent.available))
            switch.on_value_change(visitor.guarded(lambda event: self._ready(bool(event.value))))
        if not user.extension:
            with ui.element("div").classes("vb-warn").props("role=alert"):
                ui.label(visitor.t("agent.no_phone"))
                ui.link(visitor.t("frame.account"), "/account")
        Notices(visitor).draw()
        self._switch = switch
        self._briefing = briefing
        self._preview = Preview(visitor, lambda: bool(switch.value))
        await self._preview.look()
        self._body()
        ui.timer(LOOK_S, self._again)
        ui.timer(BEAT_S, self._beat)

    async def _ready(self, ready: bool) -> None:
        name = self._visitor.user.name
        await self._visitor.act(
            Right.TAKE_CALLS,
            "agent_ready" if ready else "agent_away",
            f"agent:{name}",
            lambda session: AgentRepository(session).set_available(name, ready, time_of(session)),
        )

    async def _beat(self) -> None:
        name = self._visitor.user.name

        def work(session: Transaction) -> Agent | None:
            AgentRepository(session).beat(name, time_of(session))
            return AgentRepository(session).get(name)

        agent = await self._visitor.query(work)
        if await self._preview.look() and self._seen is None:
            self._body.refresh()
        if agent is not None and agent.available != self._switch.value:
            self._switch.set_value(agent.available)  # a missed call switches it off
            if not agent.available:
                why = "agent.missed" if agent.missed else "agent.transferred"
                ui.notify(self._visitor.t(why), type="warning", timeout=0, close_button=True)

    def _again(self) -> None:
        call = self._live.of_agent(self._visitor.user.name)
        state = (call.call_id, call.stage, call.delivery, call.briefing) if call else None
        if state == self._seen:
            if call is not None:
                self._talk_goes_on(call)
            return
        self._seen = state
        if call is not None:
            self._preview.called()
        rings = call is not None and call.stage in _RINGS
        if rings != self._ringing:
            self._ringing = rings
            words = self._visitor.t("agent.incoming")
            ui.run_javascript(f"voicebot.ring({words!r})" if rings else "voicebot.quiet()")
        self._body.refresh()

    def _talk_goes_on(self, call: LiveCall) -> None:
        """Draw only what is new: a press of a button that is drawn anew meanwhile would be lost."""
        if len(call.lines) != self._lines:
            self._talk.refresh()
        if _scripts_of(call.suggestion) != self._offered:
            self._suggestions.refresh()
        elif call.suggestion != self._suggested:
            self._heard.refresh()

    @ui.refreshable_method
    def _body(self) -> None:
        visitor = self._visitor
        call = self._live.of_agent(visitor.user.name)
        if call is None:
            self._preview.draw()
            with ui.card().classes("vb-card"):
                ui.label(visitor.t("agent.idle")).classes("vb-subtitle")
                quiet(visitor.t("agent.idle_more"))
            return
        if call.stage in _RINGS:
            ui.label(visitor.t("agent.incoming")).classes("vb-card vb-title vb-good").props("role=alert")
        with ui.element("div").classes("vb-grid"):
            self._context(call)
            self._suggestions()

    def _context(self, call: LiveCall) -> None:
        visitor, briefing = self._visitor, call.briefing
        with ui.card().classes("vb-card"):
            if briefing is not None:
                heading(visitor.t("agent.before"), 2)
                badge(visitor, "emotion", briefing.emotion.value)
                ui.label(briefing.summary).props("data-briefing")
                for name, value in briefing.facts.items():
                    quiet(f"{visitor.known('slot', name)}: {value}")
            heading(visitor.t("agent.talk"), 2)
            self._talk()
            with ui.element("div").classes("vb-row"):
                speaks = call.delivery is Delivery.SPEAK
                ui.button(
                    visitor.t("agent.me" if speaks else "agent.bot_again"),
                    icon="swap_horiz",
                    on_click=visitor.guarded(
                        lambda: self._deliver(call, Delivery.SUGGEST if speaks else Delivery.SPEAK)
                    ),
                ).props("outline")
                ui.button(
                    visitor.t("agent.hang_up"),
                    icon="call_end",
                    color="negative",
                    on_click=visitor.guarded(lambda: self._hang_up(call)),
                )

    @ui.refreshable_method
    def _talk(self) -> None:
        call = self._live.of_agent(self._visitor.user.name)
        if call is None:
            return
        self._lines = len(call.lines)
        lines = call.lines or list(call.briefing.lines if call.briefing else ())
        for who, text in lines[-12:]:
            with ui.element("div").classes(f"vb-bubble vb-{'customer' if who == 'customer' else 'bot'}"):
                quiet(self._visitor.t(f"agent.{who}"))
                ui.label(text)

    @ui.refreshable_method
    def _suggestions(self) -> None:
        visitor, call = self._visitor, self._live.of_agent(self._visitor.user.name)
        if call is None:
            return
        suggestion = self._suggested = call.suggestion
        self._offered = _scripts_of(suggestion)
        with ui.card().classes("vb-card").props("aria-live=polite") as card:
            if suggestion is not None:
                card.classes("vb-first-on-phones")
            heading(visitor.t("agent.suggested"), 2)
            if suggestion is None:
                quiet(visitor.t("agent.none_yet"))
                return
            self._heard()
            for script in suggestion.scripts:
                if (suggestion.call_id, suggestion.seq, script.script_id) not in self._answered:
                    self._one(suggestion, script)

    @ui.refreshable_method
    def _heard(self) -> None:
        """What is suggested for; it changes while the customer speaks, often without another script."""
        visitor, call = self._visitor, self._live.of_agent(self._visitor.user.name)
        if call is None or call.suggestion is None:
            return
        suggestion = self._suggested = call.suggestion
        with ui.element("div").classes("vb-row"):
            ui.label(suggestion.customer_text or "…").classes("vb-said")
            badge(visitor, "emotion", suggestion.emotion.label.value)
            quiet(visitor.known("situation", suggestion.situation.value))
            quiet(visitor.t("agent.after", ms=suggestion.after_ms))

    def _one(self, suggestion: Suggestion, script: SuggestedScript) -> None:
        visitor = self._visitor
        with ui.element("div").classes("vb-turn").props("data-suggestion"):
            ui.label(script.text).classes("vb-said")
            quiet(script.reason)
            with ui.element("div").classes("vb-row"):

                def button(words: str, use: SuggestionUse, icon: str) -> None:
                    ui.button(
                        visitor.t(words),
                        icon=icon,
                        on_click=visitor.guarded(lambda: self._use(suggestion, script, use)),
                    ).props("dense no-caps" if use is SuggestionUse.USED else "dense no-caps flat")

                button("agent.use", SuggestionUse.USED, "check")
                button("agent.edit", SuggestionUse.EDITED, "edit")
                button("agent.dismiss", SuggestionUse.DISMISSED, "close")

    async def _use(self, suggestion: Suggestion, script: SuggestedScript, use: SuggestionUse) -> None:
        text = ""
        if use is SuggestionUse.EDITED:
            edited = await self._edited(script.text)
            if edited is None:
                return
            text = edited
        visitor, now = self._visitor, datetime.now(UTC)
        await visitor.act(
            Right.TAKE_CALLS,
            "use_suggestion",
            f"call:{suggestion.call_id}",
            lambda session: FeedbackRepository(session).clicked(
                suggestion.call_id, suggestion.seq, script.script_id, use, visitor.user.name, now, text=text
            ),
            use=use.value,
        )
        if use is SuggestionUse.DISMISSED:
            self._answered.add((suggestion.call_id, suggestion.seq, script.script_id))
            self._suggestions.refresh()
        ui.notify(visitor.t("agent.noted"), type="positive")

    async def _edited(self, text: str) -> str | None:
        visitor = self._visitor
        with ui.dialog() as dialog, ui.card().classes("vb-card"):
            field = ui.textarea(visitor.t("agent.wording"), value=text).classes("full-width")
            with ui.element("div").classes("vb-row"):
                ui.button(visitor.t("frame.save"), on_click=lambda: dialog.submit(field.value))
                ui.button(visitor.t("frame.cancel"), on_click=dialog.close).props("flat")
        answer = await dialog
        return str(answer) if answer is not None else None

    async def _deliver(self, call: LiveCall, delivery: Delivery) -> None:
        line = self._live.line(call.call_id)
        if line is None:
            raise TelephonyError("this call is over")
        await self._visitor.act(
            Right.TAKE_CALLS, "deliver", f"call:{call.call_id}", lambda session: None, delivery=delivery.value
        )
        await line.deliver(call.call_id, delivery)

    async def _hang_up(self, call: LiveCall) -> None:
        line = self._live.line(call.call_id)
        if line is not None:
            await self._visitor.act(Right.TAKE_CALLS, "hang_up", f"call:{call.call_id}", lambda session: None)
            await line.hang_up(call.call_id)


def _scripts_of(suggestion: Suggestion | None) -> object:
    if suggestion is None:
        return None
    shown = tuple((script.script_id, script.text, script.reason) for script in suggestion.scripts)
    return suggestion.call_id, suggestion.seq, shown
