"""The simulated customers' phone: a SIP user agent that answers for every persona, and can call the bot."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.call import EndCause
from voicebot.domain.errors import DataError
from voicebot.domain.script import Style
from voicebot.simulate import signals
from voicebot.simulate.mind import HangUp, Mind, Press, Say
from voicebot.simulate.personas import Early, Persona
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.telephony import Answered, Ended, Leg, LegEvent, UserAgent, UserAgentConfig
from voicebot.telephony.headers import ATTEMPT

# the leg names its sides as the bot sees them; here the customer is us
_WHO = {EndCause.BOT_HUNG_UP: "customer", EndCause.CUSTOMER_HUNG_UP: "bot", EndCause.REJECTED: "customer"}

EARLY_S = 60.0  # of early media where nobody ever answers


class EventLog:
    """One JSON object a line: what each persona heard, said and did, and when."""

    def __init__(self, out: TextIO) -> None:
        """Write to a text stream."""
        self._out = out
        self._lock = threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        """Write one event with the time in seconds since the epoch."""
        line = json.dumps({"event": event, "at": round(time.time(), 3), **facts}, ensure_ascii=False)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()


def load_voices(people: Sequence[Persona], directory: Path) -> dict[str, dict[str, Audio]]:
    """Return persona id -> line -> sound. Raises DataError if a line has no clip."""
    voices: dict[str, dict[str, Audio]] = {}
    for person in people:
        library = ClipLibrary(directory / person.id)
        voices[person.id] = {}
        for text in person.lines:
            clip = library.find(text, Style.NEUTRAL)
            if clip is None:
                raise DataError(
                    f"no clip in {library.directory} says “{text}” for persona {person.id}",
                    hint="Render it: voicebot prompts customers --weights DIR",
                )
            voices[person.id][text] = library.audio(clip)
    return voices


@dataclass(slots=True)
class _Conversation:
    """One persona on one leg."""

    leg: Leg
    persona: Persona
    facts: Mapping[str, Any]  # attempt, call, persona: in every line of the log
    voice: Mapping[str, Audio]
    events: EventLog
    mind: Mind = field(init=False)
    answered_at: float = 0.0

    def __post_init__(self) -> None:
        self.mind = Mind(self.persona)

    def on_event(self, event: LegEvent) -> None:
        if isinstance(event, Answered):
            self.answered_at = time.monotonic()
            self.leg.on_frame = self.on_frame
            self.events.write("answered", **self.facts)
        elif isinstance(event, Ended):
            self.leg.on_frame = None
            self.events.write(
                "ended",
                **self.facts,
                by=_WHO.get(event.cause, event.cause.value),
                status=event.status,
                duration_s=self._since_answer() if self.answered_at else 0.0,
            )

    def on_frame(self, pcm: bytes) -> None:
        """Media thread: must be quick and never raise."""
        act = self.mind.frame(pcm, speaking=self.leg.playout.playing)
        if isinstance(act, Say):
            audio = self.voice[act.text]
            self.leg.playout.play(audio.pcm + (signals.cycle(act.tone) if act.tone else b""))
            self.events.write(
                "said",
                **self.facts,
                text=act.text,
                start_s=self._since_answer(),
                duration_s=round(audio.duration_s, 3),
                after_ms=act.after_ms,
            )
        elif isinstance(act, Press):
            self.leg.send_dtmf(act.key)
            self.events.write("pressed", **self.facts, key=act.key)
        elif isinstance(act, HangUp):
            self.events.write("hangs_up", **self.facts, why=act.why)
            self.leg.hang_up()

    def _since_answer(self) -> float:
        return round(time.monotonic() - self.answered_at, 3)


class SimulatedPhone:
    """Answers calls for personas by the number called. One per process; four legs with today's pjsua2."""

    def __init__(
        self, config: UserAgentConfig, people: Sequence[Persona], clips: Path, events: EventLog
    ) -> None:
        """Load the voices; nothing listens before `start`.

        Args:
            config: where to listen; set follow_refer so that transfers work.
            people: who can be called, by number.
            clips: directory with <persona id>/manifest.json.
            events: gets what happens.
        """
        self._people = tuple(people)
        self._voices = load_voices(people, clips)
        self._events = events
        self._agent = UserAgent(config, self._invited)
        self._numbers = itertools.count(1)

    @property
    def sip_uri(self) -> str:
        """Our own URI; known after start."""
        return self._agent.sip_uri

    def start(self) -> None:
        """Begin to listen. Raises TelephonyError."""
        self._agent.start()
        self._events.write(
            "ready",
            sip_uri=self._agent.sip_uri,
            capacity=self._agent.capacity,
            numbers={person.number: person.id for person in self._people},
        )

    def stop(self) -> None:
        """Hang up everything and end."""
        self._agent.stop()

    def call(
        self,
        person: Persona,
        uri: str,
        headers: Mapping[str, str] | None = None,
        also: Callable[[LegEvent], None] = lambda event: None,
    ) -> None:
        """Let a persona call the bot; `also` gets the leg's events too, in the SIP thread."""
        leg = self._agent.call(uri, caller_id=person.number, headers=headers)
        self._talk(leg, person, (headers or {}).get(ATTEMPT, ""), also)

    def _invited(self, leg: Leg) -> None:
        attempt = leg.headers.get(ATTEMPT, "")
        # A campaign dials full numbers; the last digits say whom.
        person = next((one for one in self._people if leg.to_user.endswith(one.number)), None)
        if person is None:
            self._events.write("refused", attempt=attempt, number=leg.to_user, status=404)
            leg.refuse(404, "no persona has this number")
            return
        self._talk(leg, person, attempt)
        if person.early is None:
            leg.ring()
        else:
            leg.playout.play(self._before_answer(person, person.early))
            leg.early_media()
        if person.answer.status == 0:
            return
        timer = threading.Timer(person.answer.after_s, self._pick_up, (leg, person))
        timer.daemon = True
        timer.start()

    def _before_answer(self, person: Persona, early: Early) -> bytes:
        """Return what is heard before the answer, until the persona answers or a caller has waited enough."""
        seconds = person.answer.after_s if person.answer.status else EARLY_S
        if early.tone is not None:
            return signals.lasting(early.tone, seconds)
        once = self._voices[person.id][early.say].pcm + bytes(LINE_RATE_HZ * 2)
        return once * math.ceil(seconds * LINE_RATE_HZ * 2 / len(once))

    def _pick_up(self, leg: Leg, person: Persona) -> None:
        if leg.ended is not None:
            return
        if person.answer.status == 200:
            leg.playout.flush()
            leg.answer()
        else:
            leg.refuse(person.answer.status, f"persona {person.id}")

    def _talk(
        self,
        leg: Leg,
        person: Persona,
        attempt: str,
        also: Callable[[LegEvent], None] = lambda event: None,
    ) -> None:
        facts = {"attempt": attempt, "call": next(self._numbers), "persona": person.id}
        talk = _Conversation(leg, person, facts, self._voices[person.id], self._events)
        self._events.write("call", **facts, direction=leg.direction.value)

        def on_event(event: LegEvent) -> None:
            talk.on_event(event)
            also(event)

        leg.listen(on_event)
