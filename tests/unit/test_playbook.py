"""Playbook files: the shipped one is sound, and every mistake is shown with its line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.conversation import consumer_loan
from voicebot.dialogue import playbook
from voicebot.dialogue.schema import BY_RULE
from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import Action, Playbook
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.registry.resources import playbooks_dir

pytestmark = pytest.mark.unit

SOUND = """\
id: survey
title: 回访
company: 示例公司
product: 回访
roles:
  opening: hello
  announcement: hello
  unclear: [pardon]
  silence: [there]
  give_up: bye
  apology: sorry
  do_not_call: never
  handover: person
  farewell: bye
scenes:
  opening:
    title: 开场
    default: hello
    scripts:
      hello:
        act: announce
        text: 您好，我是示例公司的机器人，本次通话会录音。
        protected: true
anywhere:
  pardon: {act: ask_back, text: "请再说一遍。"}
  there: {act: reprompt, text: "您在吗？"}
  sorry: {act: apologise, text: 不好意思。}
  never: {act: do_not_call, text: 以后不再打了。, do_not_call: true, action: hang_up}
  person: {act: handover, text: 请稍等。, action: transfer}
  bye: {act: close, text: 再见。, action: hang_up}
"""


def mistakes(text: str) -> str:
    """Return what the reader says about a broken file."""
    with pytest.raises(PlaybookError) as raised:
        playbook.parse(text, "x.yaml")
    assert raised.value.hint
    return str(raised.value)


def test_the_smallest_sound_playbook_is_read() -> None:
    survey = playbook.parse(SOUND, "x.yaml")
    assert survey.scripts["hello"].scene == "opening"
    assert survey.scripts["bye"].scene == "*"
    assert len(survey.version) == 12


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("请再说一遍。", "请再说1遍。", 25, "1 can not be spoken"),
        ("请再说一遍。", "请再说OK遍。", 25, "K O can not be spoken"),
        ("请再说一遍。", "请再说一遍，{name}。", 25, "{name} is not declared"),
        ("请再说一遍。", "请再说一遍}。", 25, "brace"),
        ("请再说一遍。", "请再说一遍，" + "好" * 90, 25, "shorten"),
        ("default: hello", "default: hullo", 18, "no script hullo"),
        ("title: 开场", "title: 开场\n    next: [nowhere]", 18, "no scene nowhere"),
        ("announcement: hello", "announcement: hullo", 7, "no script hullo"),
        ("  announcement: hello\n", "", 5, "announcement is missing"),
        ("示例公司的机器人，本次通话会录音", "示例公司的机器人", 22, "recorded"),
        ("示例公司的机器人", "示例公司的客服", 22, "robot"),
        ("我是示例公司的", "我是", 22, "示例公司"),
        ("        protected: true\n", "", 22, "interrupted"),
        ("action: transfer", "action: say", 13, "action: transfer"),
        (", do_not_call: true", "", 12, "records no refusal"),
        ("请稍等。, action", "请稍等。, colour: red, action", 29, "colour is not a key"),
        ("act: handover", "act: fly", 29, "Input should be"),
        ("  bye: {", "  pardon: {", 30, "twice"),
        ("  sorry: {", "  hello: {", 27, "used twice"),
        ("请稍等。", "请稍等。, answers: {yes: {then: gone}}", 29, "no script gone"),
        ("请稍等。", "请稍等。, next_scene: gone", 29, "no scene gone"),
        ("请稍等。", "请稍等。, needs: [gold]", 29, "no script reaches the goal gold"),
        ("anywhere:\n", "anywhere:\n  lost: {act: inform, text: 没人来。}\n", 25, "nothing leads here"),
        ("id: survey", "id: Über", 1, "pattern"),
        ("id: survey", "id: survey: x", 1, "not YAML"),
    ],
)
def test_a_mistake_is_shown_with_its_line_and_what_to_do(old: str, new: str, line: int, words: str) -> None:
    told = mistakes(SOUND.replace(old, new, 1))
    at = [row for row in told.splitlines() if row.startswith("x.yaml:") or "x.yaml:" in row]
    assert any(f"x.yaml:{line}:" in row and words in row for row in at), told


def test_all_mistakes_of_a_file_come_at_once() -> None:
    told = mistakes(
        SOUND.replace("请再说一遍。", "请再说2遍。")
        .replace("您在吗？", "在吗?")
        .replace("default: hello", "default: x")
    )
    assert told.count("x.yaml:") == 3


def test_a_sentence_that_needs_a_slot_needs_a_variant_without_it() -> None:
    slotted = SOUND.replace("请再说一遍。", "{customer}，请再说一遍。") + "slots: {customer: name}\n"
    assert "slot that may be missing" in mistakes(slotted)
    playbook.parse(
        slotted.replace('"{customer}，请再说一遍。"', '"{customer}，请。", variants: [请。]'), "x.yaml"
    )
    playbook.parse(slotted + "defaults: {customer: 先生}\n", "x.yaml")


def test_an_unreadable_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match="can not be read"):
        playbook.load(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(PlaybookError, match="can not be read"):
        playbook.load(tmp_path / "latin.yaml")


def test_the_loan_playbook_is_complete() -> None:
    loan = consumer_loan()
    spoken = [script for script in loan.scripts.values() if script.act not in BY_RULE]
    acts = {script.act for script in loan.scripts.values()}
    assert len(spoken) >= 80
    assert all(len(script.examples) >= 6 for script in spoken)
    assert sum(script.act == "objection" for script in spoken) >= 8
    assert {"robot", "number_source", "driving", "meeting", "offer_callback", "wrong_person"} <= acts
    assert max(len(script.text) for script in spoken) <= 60


def test_whoever_is_asked_to_be_called_by_a_person_confirms_it_first() -> None:
    loan = consumer_loan()
    binding = {script.id for script in loan.scripts.values() if script.act == "registered"}
    leads = {
        script.act for script in loan.scripts.values() for answer in script.answers if answer.then in binding
    }
    assert leads == {"confirm"}


def test_a_changed_file_is_a_new_version_and_the_old_one_stays_for_running_calls(tmp_path: Path) -> None:
    (tmp_path / "survey.yaml").write_text(SOUND)
    source = PlaybookDirectories([tmp_path, playbooks_dir()], playbook.load)
    old = source.get("survey")
    (tmp_path / "survey.yaml").write_text(SOUND.replace("您在吗？", "喂，您在吗？"))
    new = source.get("survey")
    assert new.version != old.version
    assert source.get("survey", old.version) == old
    assert source.ids() == ("after_sales", "consumer_loan", "survey")


def test_an_id_from_outside_reaches_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(SOUND)
    (tmp_path / "books").mkdir()
    source = PlaybookDirectories([tmp_path / "books"], playbook.load)
    for wrong in ("../secret", "secret", "", str(tmp_path / "secret")):
        with pytest.raises(PlaybookError, match="there is no playbook"):
            source.get(wrong)


def test_a_version_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "survey.yaml").write_text(SOUND)
    with pytest.raises(PlaybookError, match="is gone"):
        PlaybookDirectories([tmp_path], playbook.load).get("survey", "000000000000")


def ending(book: Playbook, key: str) -> Action:
    """Return what a script does."""
    return book.scripts[key].action


def test_every_closing_script_ends_the_call() -> None:
    loan = consumer_loan()
    for script in loan.scripts.values():
        if script.scene == "closing":
            assert ending(loan, script.id) is Action.HANG_UP, script.id


def test_keys_and_protected_words_are_read() -> None:
    told = SOUND.replace("protected: true", "protected: 您好，我是示例公司的机器人，本次通话会录音。")
    book = playbook.parse(told + 'keys: {"9": never}\n', "x.yaml")
    assert book.keys == {"9": "never"}
    assert book.scripts["hello"].protected
    assert book.scripts["hello"].protected_text.endswith("录音。")


def test_protected_words_must_hold_the_announcement_and_begin_the_text() -> None:
    told = mistakes(SOUND.replace("protected: true", "protected: 我是"))
    assert "company, robot and recording" in told
    assert "does not begin" in told


def test_a_key_must_lead_somewhere() -> None:
    told = mistakes(
        SOUND.replace("protected: true", 'protected: true\n        keys: {"1": maybe}')
        + 'keys: {"9": nobody}\n'
    )
    assert "there is no answer maybe" in told
    assert "there is no script nobody" in told


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{two}: &{two} [{', '.join(f'*{one}' for _ in range(10))}]\n"
            for one, two in pairwise("abcdefghi")
        ),
        "[" * 5000,
        "a: " + "{a: " * 2000,
    ],
    ids=["aliases that multiply", "nested without end", "mappings without end"],
)
def test_a_text_that_grows_without_measure_is_refused(bomb: str) -> None:
    with pytest.raises(PlaybookError, match="not YAML"):
        playbook.parse(bomb, "bomb.yaml")
