"""`voicebot chat`."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from voicebot import bootstrap, codec
from voicebot.call.pipeline import Pipeline
from voicebot.cli.demo import EMOTIONS
from voicebot.cli.playbook import find
from voicebot.domain.audio import Audio
from voicebot.domain.call import CallRequest, Direction, EndCause, PromptRef, Turn, TurnResult
from voicebot.domain.dialogue import DialogueState, Snapshot
from voicebot.domain.errors import DataError, RecognitionError, SynthesisError
from voicebot.domain.ports import RecognitionStream
from voicebot.domain.script import Action, Playbook, Style
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, Utterance, UtteranceKind
from voicebot.service import logs
from voicebot.settings import Settings

HELP = "客户说的话直接输入；/silence 客户没有说话，/dtmf 1 客户按键，/quit 客户挂断"
_ENDS = {Action.HANG_UP: EndCause.BOT_HUNG_UP, Action.TRANSFER: EndCause.TRANSFERRED}
_KEYS = frozenset("0123456789*#ABCD")


def chat(
    playbook: Annotated[str, typer.Argument(help="Id of an installed playbook, or a YAML file.")],
    slot: Annotated[list[str] | None, typer.Option(help="What is known of the customer: name=value.")] = None,
) -> None:
    """Type as the customer; see state, candidates with probabilities, relation, emotion and reasons.

    The whole way of an utterance, but for recognition and voice: the emotion is of the words alone.
    A line is an utterance; /silence, /dtmf 1 and /quit stand for what is not said.

    Examples:
      voicebot chat consumer_loan
      voicebot chat my_product.yaml --slot customer=王先生
    """
    slots = {}
    for pair in slot or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise DataError(f"--slot {pair}: no '='", hint="write --slot customer=王先生")
        slots[name] = value
    settings = Settings()
    logs.configure("chat", "warning")
    book = find(playbook)
    Conversation(typed_pipeline(settings, book), book, slots, Console(highlight=False, soft_wrap=True)).run(
        _lines()
    )


def typed_pipeline(settings: Settings, book: Playbook) -> Pipeline:
    """Return the way of an utterance without ears and voice."""
    return Pipeline(
        Typed(),
        bootstrap.analyzer(settings),
        bootstrap.situations(),
        bootstrap.ranker(settings),
        bootstrap.policy(settings),
        Unspoken(),
        OnePlaybook(book),
    )


class Typed:
    """Stands where the recogniser is: the words are typed."""

    name = "typed"
    load = 0.0

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> RecognitionStream:
        """Refuse: nothing is spoken here."""
        raise RecognitionError("words are typed", hint="voicebot call, to speak")


class Unspoken:
    """Stands where the voice is: scripts are shown."""

    def prepare(self, text: str, style: Style, *, protected: bool = False) -> PromptRef:
        """Return a prompt without sound."""
        return PromptRef("", text, 0, "", protected)

    def audio(self, key: str) -> Audio:
        """Refuse: there is no sound."""
        raise SynthesisError("scripts are shown, not spoken", hint="voicebot say, to hear one")


@dataclass(frozen=True, slots=True)
class OnePlaybook:
    """The playbook that is talked with."""

    playbook: Playbook

    def get(self, playbook_id: str, version: str = "") -> Playbook:
        """Return it."""
        return self.playbook


class Conversation:
    """One typed call, shown turn by turn."""

    def __init__(self, pipeline: Pipeline, book: Playbook, slots: dict[str, str], console: Console) -> None:
        """Begin a call."""
        self._pipeline = pipeline
        self._book = book
        self._console = console
        call = uuid.uuid4().hex
        self._snapshot = pipeline.begin(
            CallRequest(call, call, "", "", book.id, Direction.INBOUND, slots=slots)
        )

    def run(self, lines: Iterator[str]) -> None:
        """Open the call, answer every line, and show the outcome."""
        self._console.print(f"[dim]{escape(self._book.title)} · {self._book.id} · {HELP}[/dim]")
        cause = self._turn(Utterance(UtteranceKind.ANSWERED, 0, 0), "")
        while cause is None:
            line = next(lines, "/quit").strip()
            if line == "/quit":
                cause = EndCause.CUSTOMER_HUNG_UP
            elif (utterance := _utterance(line)) is None:
                self._console.print(f"[dim]{HELP}[/dim]")
            else:
                cause = self._turn(utterance, line if utterance.kind is UtteranceKind.SPEECH else "")
        outcome = self._pipeline.conclude(self._snapshot, cause)
        self._console.print(
            f"[bold]■ {outcome.disposition.value} · {outcome.intent_level.value}[/bold] "
            + escape("；".join(outcome.reasons))
        )

    def _turn(self, utterance: Utterance, text: str) -> EndCause | None:
        said = Transcript(text, confidence=1.0, engine=Typed.name, method=Typed.name)
        result = self._pipeline.decide(self._snapshot, utterance, said, 0, at=datetime.now(UTC))
        self._snapshot = codec.decode(Snapshot, result.snapshot)
        self._show(result)
        return _ENDS.get(result.action)

    def _show(self, result: TurnResult) -> None:
        turn, decision = result.turn, result.turn.decision
        if turn.kind is UtteranceKind.SPEECH:
            self._console.print(f"[dim]{escape(_understood(turn))}[/dim]")
        # nothing was said: no candidate means anything
        shown = decision.candidates if turn.kind is UtteranceKind.SPEECH else ()
        for candidate in shown:
            script = self._book.scripts[candidate.script_id]
            chosen = "▶" if script.id == decision.script_id else " "
            line = f"  {chosen} {candidate.probability:.2f} {script.id:<22} {script.text[:24]}"
            self._console.print(f"[dim]{escape(line)}[/dim]")
        self._console.print(f"[dim]  {escape(_stands(self._snapshot.state, self._book))}[/dim]")
        self._console.print(f"[dim]  理由 {escape('；'.join(decision.reasons))}[/dim]")
        action = "" if decision.action is Action.SAY else f" [bold]({decision.action.value})[/bold]"
        text = decision.script_text or "(不说话)"
        self._console.print(f"[cyan]机器人[/cyan] {escape(text)} [dim]{decision.script_id}[/dim]{action}")


def _lines() -> Iterator[str]:
    """Yield what is typed, or the lines of a pipe."""
    while True:
        try:
            yield input("客户 > " if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            return


def _utterance(line: str) -> Utterance | None:
    """Return what a line stands for; None if it is no command that is known."""
    if not line.startswith("/"):
        return Utterance(UtteranceKind.SPEECH if line else UtteranceKind.SILENCE, 0, 1)
    command, _, key = line.partition(" ")
    if command == "/silence":
        return Utterance(UtteranceKind.SILENCE, 0, 1)
    if command == "/dtmf" and len(key.strip()) == 1 and key.strip().upper() in _KEYS:
        return Utterance(UtteranceKind.DTMF, 0, 1, dtmf=key.strip().upper())
    return None


def _understood(turn: Turn) -> str:
    heard = turn.understanding
    shares = heard.emotion.distribution
    feelings = " ".join(
        f"{EMOTIONS[label]} {share:.2f}"
        for label in EMOTIONS
        if (share := float(getattr(shares, label))) >= 0.05
    )
    words = " ".join(heard.keywords) or "无"
    return (
        f"  关系 {turn.decision.relation.value} · 情绪 {EMOTIONS[heard.emotion.label.value]}（{feelings}）"
        f" · 处境 {heard.situation.value} · 关键词 {words}"
    )


def _stands(state: DialogueState, book: Playbook) -> str:
    scene = book.scenes.get(state.scene)
    parts = [f"场景 {scene.title if scene else state.scene}", f"第{state.turn}轮"]
    parts += [f"已达成 {' '.join(state.goals)}"] if state.goals else []
    parts += (
        [f"得知 {' '.join(f'{name}={value}' for name, value in state.facts.items())}"] if state.facts else []
    )
    counts = (("拒绝", state.refusals), ("没听清", state.unclear), ("沉默", state.silences))
    parts += [f"{name}{count}次" for name, count in counts if count]
    return " · ".join(parts)
