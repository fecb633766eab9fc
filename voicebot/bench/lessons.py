"""Lessons for the relation classifier: judged dialogues walked through, and example lines in their places."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from voicebot.bench.dialogue import GoldDialogue, begin, follow, plainly, understand
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.relation import by_rules, features
from voicebot.dialogue.relation_model import moment
from voicebot.dialogue.relation_training import BY_ACT, Lesson
from voicebot.domain.dialogue import Candidate, DialogueState, Exchange
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.ports import Ranker
from voicebot.domain.script import Action, Expect, Playbook
from voicebot.domain.understanding import Situation


def judged(dialogues: Sequence[GoldDialogue], book: Playbook, ranker: Ranker) -> Iterator[Lesson]:
    """Yield the turns of dialogues whose relations a person judged."""
    policy = RulePolicy()
    for one in dialogues:
        state = begin(policy, book)
        for turn in one.turns:
            if not turn.silence:
                heard = understand(plainly(turn.say), turn.emotion, turn.situation or Situation.FREE)
                found = ranker.rank(heard, state, book, policy.allowed(state, book))
                yield Lesson(
                    _seen(turn.say, state, book, found), turn.relation, f"{book.id} {one.id}", judged=True
                )
            state = follow(turn, state, book)


def halves(book: Playbook, half: int) -> tuple[Playbook, Playbook]:
    """Return the playbook with one half of its example lines, and with the other."""

    def part(left: int) -> Playbook:
        scripts = {
            key: replace(script, examples=script.examples[left::2]) for key, script in book.scripts.items()
        }
        return replace(book, scripts=scripts, version=f"{book.version}/{left}")

    return part(half), part(1 - half)


def lines(book: Playbook, ranker: Ranker, seed: int, known: Playbook) -> Iterator[Lesson]:
    """Yield example lines, each said after a script that it could follow.

    `known`: the playbook that the ranker compares with; it must not hold the lines.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    policy = RulePolicy()
    start = begin(policy, book)
    befores = [
        script for script in book.scripts.values() if script.action is Action.SAY and script.act != "ask_back"
    ]
    for script in book.scripts.values():
        relation = BY_ACT.get(script.act)
        if relation is None:
            continue
        leads = [one for one in befores if any(answer.then == script.id for answer in one.answers)]
        for number, line in enumerate(script.examples):
            before = chance.choice(leads if leads and number % 2 else befores)
            state = replace(
                start,
                scene=before.scene if before.scene in book.scenes else start.scene,
                history=(*start.history, Exchange("", before.id, before.text)),
                used=(*start.used, before.id),
                expect=before.expect,
            )
            if state.expect is Expect.TIME and script.act != "confirm_time":
                continue
            heard = understand(plainly(line), EmotionLabel.CALM, Situation.FREE)
            allowed = [key for key, one in known.scripts.items() if one.examples]
            found = ranker.rank(heard, state, known, allowed)
            yield Lesson(
                _seen(line, state, book, found), relation, f"{book.id} {script.id} {number}", judged=False
            )


def _seen(
    text: str, state: DialogueState, book: Playbook, candidates: Sequence[Candidate]
) -> dict[str, float]:
    found = features(text, (), state, book)
    return moment(text, found, by_rules(text, found, state, book), state, book, candidates)
