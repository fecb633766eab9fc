"""Simulated customers react to what they hear, on virtual time."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from pydantic import ValidationError

from voicebot.domain.audio import FRAME_SAMPLES, SILENT_FRAME
from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.simulate import personas
from voicebot.simulate.hearing import Hearing
from voicebot.simulate.mind import HangUp, Mind, Press, Say
from voicebot.simulate.personas import Line, Persona

pytestmark = pytest.mark.unit

VOICE = array("h", [1500, -1500] * (FRAME_SAMPLES // 2)).tobytes()


def persona(*turns: Line, **facts: object) -> Persona:
    return Persona.model_validate(
        {"id": "p", "title": "p", "number": "1", "voice": "zm_x", "turns": turns, **facts}
    )


def hear(mind: Mind, *stretches: tuple[float, bytes]) -> list[tuple[float, Say | Press | HangUp]]:
    """Let a mind hear (seconds, frame) stretches; return what it does and when."""
    acts: list[tuple[float, Say | Press | HangUp]] = []
    now = 0.0
    for seconds, frame in stretches:
        for _ in range(round(seconds * 50)):
            now = round(now + 0.02, 2)
            act = mind.frame(frame, speaking=False)
            if act is not None:
                acts.append((now, act))
    return acts


def test_a_customer_answers_after_the_bot_has_fallen_silent() -> None:
    mind = Mind(persona(Line(say="可以。"), Line(say="再见。"), reply_after_s=0.8))

    acts = hear(
        mind, (2, VOICE), (0.5, SILENT_FRAME), (1, VOICE), (1, SILENT_FRAME), (1, VOICE), (1, SILENT_FRAME)
    )

    assert acts == [(4.3, Say("可以。", 800)), (6.3, Say("再见。", 800))]


def test_a_customer_without_lines_keeps_silent_and_leaves_when_nobody_speaks() -> None:
    acts = hear(Mind(persona(patience_s=5)), (1, VOICE), (6, SILENT_FRAME), (6, SILENT_FRAME))

    assert acts == [(6.0, HangUp("nobody speaks"))]


def test_the_last_line_is_repeated() -> None:
    mind = Mind(persona(Line(say="不要。"), last="说了不要。", reply_after_s=0.5))
    turn = ((1, VOICE), (1, SILENT_FRAME))

    acts = hear(mind, *turn, *turn, *turn)

    assert [act.text for _, act in acts if isinstance(act, Say)] == ["不要。", "说了不要。", "说了不要。"]


def test_a_long_prompt_can_change_the_answer() -> None:
    line = Line(say="好。", else_say="太长了。", longer_s=3)

    assert [act for _, act in hear(Mind(persona(line)), (2, VOICE), (1, SILENT_FRAME))] == [Say("好。", 900)]
    assert [act for _, act in hear(Mind(persona(line)), (4, VOICE), (1, SILENT_FRAME))] == [
        Say("太长了。", 900)
    ]


def test_a_customer_answers_by_a_key() -> None:
    mind = Mind(persona(Line(key="1"), last="再见。", reply_after_s=0.5))
    turn = ((1, VOICE), (1, SILENT_FRAME))

    assert [act for _, act in hear(mind, *turn, *turn)] == [Press("1"), Say("再见。", 500)]
    with pytest.raises(ValidationError, match="says something or presses a key"):
        Line(say="好。", key="1")


def test_an_announcement_speaks_at_once_and_hangs_up() -> None:
    mind = Mind(persona(Line(now=True, say="已关机。", hang_up_s=1)))

    acts = hear(mind, (3, SILENT_FRAME))

    assert acts[0] == (0.02, Say("已关机。", 0))
    assert acts[1][1] == HangUp("as the persona does")
    assert len(acts) == 2


def test_a_customer_does_not_talk_over_its_own_line() -> None:
    mind = Mind(persona(Line(say="一。"), Line(say="二。"), reply_after_s=0.1))
    for _ in range(50):
        mind.frame(VOICE, speaking=False)
    while not mind.frame(SILENT_FRAME, speaking=False):
        pass

    assert all(mind.frame(VOICE, speaking=True) is None for _ in range(50))
    assert all(mind.frame(SILENT_FRAME, speaking=True) is None for _ in range(50))


def test_a_click_is_not_speech() -> None:
    ear = Hearing(0.3)
    assert all(ear.frame(frame) is None for frame in [VOICE] * 3 + [SILENT_FRAME] * 50)


def test_the_shipped_personas_cover_what_the_demo_promises() -> None:
    people = personas.load(resources.demo_dir() / "personas.yaml")
    ids = {person.id for person in people}

    assert ids >= {
        *("interested", "busy_calm", "price", "annoyed", "wants_human", "silent", "hangs_up"),
        *("announcement", "busy", "no_answer"),
    }
    voices = {person.voice for person in people if person.role == "customer" and person.voice}
    assert len(voices) >= 2
    assert "zf_xiaoxiao" not in voices, "the bot's voice is no customer's"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {id: a, title: t, number: '1', turns: [{say: 好}]}", "needs a voice"),
        ("- {id: a, title: t, number: x1}", "number"),
        ("- {id: a, title: t, number: '1', colour: red}", "colour"),
        ("- {id: a, title: t, number: '1'}\n- {id: a, title: t, number: '2'}", "used twice"),
        ("- [", "not YAML"),
        ("- {id: a, title: t, number: '1', answer: {status: 999}}", "status"),
    ],
)
def test_a_wrong_persona_file_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "personas.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=complaint):
        personas.load(path)


def test_an_unknown_persona_is_named() -> None:
    with pytest.raises(DataError, match="nobody"):
        personas.choose((persona(),), ["nobody"])
