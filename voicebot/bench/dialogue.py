"""Next script on held-out dialogues: acceptable share, relation, violations of the rules, ablations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from voicebot import bootstrap
from voicebot.bench.frame import Options, Result
from voicebot.bench.spoken import Speakers
from voicebot.bench.spoken import hear as listen
from voicebot.dialogue import playbook as playbooks
from voicebot.dialogue.phrases import refuses
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.progress import CONSENT_CONFIDENCE
from voicebot.dialogue.relation_model import RelationModel
from voicebot.dialogue.situation import WordSituationReader
from voicebot.dialogue.state import Reply, advance
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Relation
from voicebot.domain.emotion import Distribution, Emotion, EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.ports import Ranker
from voicebot.domain.script import Action, Playbook
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Situation, Understanding
from voicebot.ranker.encoder import open_encoder
from voicebot.ranker.examples import RIDGE_WEIGHT, ExampleRanker
from voicebot.ranker.trained import TrainedRanker, open_ranker
from voicebot.registry.resources import models_dir, playbooks_dir
from voicebot.settings import Settings
from voicebot.speech.answering.wording import WordingModel
from voicebot.text.pinyin import bare, syllables

_CLEAR = 0.9  # confidence of words that are read, not heard
SLIP_RATE = 0.1  # share of hanzi that the simulated recogniser hears as a homophone
TELEPHONE = "telephone audio, recognised"
SAME, NONE = "same", "none"  # the last script again; hang up without a word


class GoldTurn(BaseModel):
    """One customer turn with its judgement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str = ""
    silence: bool = False
    relation: Relation = Relation.ANSWERS
    scripts: tuple[str, ...]  # acceptable; the first is the gold history
    emotion: EmotionLabel = EmotionLabel.CALM
    situation: Situation | None = None


class GoldDialogue(BaseModel):
    """One held-out dialogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str = ""
    turns: tuple[GoldTurn, ...]


# what is heard of a line: of which conversation, and where it stands
Hear = Callable[[str, str, DialogueState], Transcript]
Ablation = Literal["", "emotion", "state", "relation", "policy", "members"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What is judged: which words are heard and what is left out."""

    name: str
    hear: Hear
    without: Ablation = ""
    voice: Callable[[str], str] | None = None  # of a conversation, where it is spoken


def plainly(text: str, _: str = "", __: DialogueState | None = None) -> Transcript:
    """Return a line as it is written, clearly heard."""
    return Transcript(text, confidence=_CLEAR)


_ABLATED: tuple[Condition, ...] = (
    *(Condition(f"clean, no {left}", plainly, left) for left in ("emotion", "state", "relation")),
    Condition("clean, ranker alone", plainly, "policy"),
    Condition("clean, nearest examples alone", plainly, "members"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One judged turn."""

    acceptable: bool
    relation_right: bool
    violations: tuple[str, ...]
    row: str


def run(options: Options) -> Result:
    """Judge every turn after its gold history. Data: a YAML file of dialogues; --set playbook=FILE.

    --set relations=rules reads relations without the model.
    --set ranker=served (the shipped model), examples, encoder (examples with the sentence encoder),
    knn, or the directory of a trained one. --set voices=DIR (Kokoro's weights) has every line rendered,
    sent through the telephone condition and heard by the recogniser; the clips are kept in the data home.
    --set ablations=no leaves out what shows how much each part adds.
    """
    path = options.need_data("a YAML file of held-out dialogues (tests/data/dialogues/consumer_loan.yaml)")
    book = playbooks.load(Path(options.extra.get("playbook", str(playbooks_dir() / f"{path.stem}.yaml"))))
    dialogues = read(path, book)[: options.limit or None]
    ranker = _ranker(options.extra.get("ranker", "served"))
    slips = partial(_slip, _homophones(book), random.Random(options.seed))  # noqa: S311 - not for secrets
    conditions = [
        Condition("clean text", plainly),
        Condition(f"homophone slips {SLIP_RATE:.0%}", lambda text, _, __: plainly(slips(text))),
        *_audio(options, book),
        *(_ABLATED if options.extra.get("ablations", "yes") != "no" else ()),
    ]
    policy = _policy(options.extra.get("relations", "served"))
    rows: list[Mapping[str, Any]] = []
    found: dict[str, list[Judged]] = {}
    for condition in conditions:
        members = _ranker("knn") if condition.without == "members" else ranker
        each = {one.id: list(judge(one, book, members, condition, policy)) for one in dialogues}
        found[condition.name] = judged = [turn for turns in each.values() for turn in turns]
        rows.append(_row(condition.name, judged, ablated=bool(condition.without)))
        rows += _by_voice(condition, each)
    clean, heard, phoned = (found.get(name, []) for name in ("clean text", conditions[1].name, TELEPHONE))
    wrong = [turn.row for turn in clean if not turn.acceptable]
    return Result(
        {
            "acceptable_text": _share(turn.acceptable for turn in clean),
            "acceptable_slips": _share(turn.acceptable for turn in heard),
            **({"acceptable_audio": _share(turn.acceptable for turn in phoned)} if phoned else {}),
            "relation_accuracy": _share(turn.relation_right for turn in clean),
            "violations": float(sum(len(turn.violations) for turn in clean + heard + phoned)),
            "overlap_3gram": overlap(dialogues, book),
        },
        rows,
        notes=(
            f"{len(dialogues)} dialogues, {len(clean)} turns, ranker {ranker.version}, "
            f"playbook {book.id} {book.version}",
            *((f"not acceptable: {row}" for row in wrong) if "misses" in options.extra else ()),
            *(violation for turn in clean + heard + phoned for violation in turn.violations),
            *(() if phoned else ("no telephone audio: --set voices=DIR names Kokoro's weights",)),
        ),
    )


def _policy(relations: str) -> RulePolicy:
    known = None if relations == "rules" else RelationModel.load([models_dir()])
    return RulePolicy(known, tells=WordingModel.load([models_dir()]).told)


def _audio(options: Options, book: Playbook) -> list[Condition]:
    """Return the condition of telephone audio, if there are voices to speak it."""
    if "voices" not in options.extra:
        return []
    settings = Settings()
    speakers = Speakers(Path(options.extra["voices"]), settings.home / "bench" / book.id, dict(book.readings))
    recognizer = bootstrap.recognizer(settings)

    def hear(text: str, conversation: str, state: DialogueState) -> Transcript:
        if not text:
            return plainly("")
        last = book.scripts.get(state.used[-1]) if state.used else None
        answers = [answer.phrases for answer in last.answers] if last else []
        return listen(recognizer, speakers.say(text, conversation), answers, book)

    return [Condition(TELEPHONE, hear, voice=speakers.voice)]


def _by_voice(condition: Condition, each: Mapping[str, Sequence[Judged]]) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each voice, if the lines are spoken: some are heard far worse than others."""
    if condition.voice is None:
        return
    spoken: dict[str, list[Judged]] = {}
    for conversation, turns in each.items():
        spoken.setdefault(condition.voice(conversation), []).extend(turns)
    for voice, turns in sorted(spoken.items()):
        yield _row(f"… {voice}", turns, ablated=False)


def _ranker(name: str) -> Ranker:
    if name == "served":
        return open_ranker([models_dir()], Settings().home / "cache" / "vectors.npz")[0]
    if name in ("examples", "knn"):
        return ExampleRanker(ridge=RIDGE_WEIGHT if name == "examples" else 0.0)
    kept = Settings().home / "cache" / "vectors.npz"
    if name == "encoder":
        return ExampleRanker(open_encoder(kept=kept))
    return TrainedRanker.load(Path(name), kept)


def read(path: Path, book: Playbook) -> tuple[GoldDialogue, ...]:
    """Read dialogues. Raises DataError for a wrong shape or a script that the playbook lacks."""
    try:
        raw: Any = yaml.safe_load(path.read_text("utf-8"))
        dialogues = TypeAdapter(tuple[GoldDialogue, ...]).validate_python(raw)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path}: {error}", hint="see tests/data/dialogues for the format") from error
    for one in dialogues:
        unknown = {key for turn in one.turns for key in turn.scripts} - {*book.scripts, SAME, NONE}
        if unknown:
            raise DataError(
                f"{path}: {one.id} names {', '.join(sorted(unknown))}", hint="use script ids of the playbook"
            )
    return dialogues


def judge(
    one: GoldDialogue, book: Playbook, ranker: Ranker, condition: Condition, policy: RulePolicy
) -> Iterator[Judged]:
    """Decide each turn after the gold history before it."""
    state = begin(policy, book)
    for turn in one.turns:
        words = condition.hear(turn.say, one.id, state)
        text = words.text
        emotion = EmotionLabel.CALM if condition.without == "emotion" else turn.emotion
        situation = WordSituationReader().read(words, None, state.situation)
        heard = understand(words, emotion, situation)
        seen = policy.begin(book, {}) if condition.without == "state" else state
        kind = UtteranceKind.SILENCE if turn.silence else UtteranceKind.SPEECH
        candidates = ranker.rank(heard, seen, book, policy.allowed(seen, book)) if text else ()
        relation = policy.relate(heard, seen, book, candidates)
        utterance = Utterance(kind, 0, 1)
        used = Relation.ANSWERS if condition.without == "relation" else relation
        decision, after = policy.choose(utterance, heard, used, candidates, seen, book, seed=1)
        said = _top(candidates) if condition.without == "policy" else decision.script_id
        last = state.history[-1].script_id
        broken = violations(one.id, turn, decision, state, book, words.confidence)
        yield Judged(
            acceptable=_acceptable(said, turn, last),
            relation_right=turn.silence or relation is turn.relation,
            violations=() if condition.without else tuple(broken),
            row=f"{one.id} {text} {relation.value}/{turn.relation.value} {said} not {'/'.join(turn.scripts)}",
        )
        gold = turn.model_copy(update={"scripts": turn.scripts[:1]})
        if seen is state and _acceptable(decision.script_id, gold, last):
            state = after
        else:
            state = follow(turn, state, book, utterance, heard)


def begin(policy: RulePolicy, book: Playbook) -> DialogueState:
    """Return the state after the opening."""
    opening = book.scripts[book.opening]
    calm = understand(plainly(""), EmotionLabel.CALM, Situation.FREE)
    answered = Utterance(UtteranceKind.ANSWERED, 0, 0)
    return advance(policy.begin(book, {}), answered, calm, Reply(opening, ()), opening.text)


def understand(words: Transcript, emotion: EmotionLabel, situation: Situation) -> Understanding:
    """Return an utterance as it is understood where its emotion is known."""
    feeling = Emotion(emotion, Distribution(**{emotion.value: 1.0}))
    return Understanding(words, (), None, feeling, situation)


def _acceptable(said: str, turn: GoldTurn, last: str) -> bool:
    return (
        said in turn.scripts or (SAME in turn.scripts and said == last) or (NONE in turn.scripts and not said)
    )


def _top(candidates: Sequence[Candidate]) -> str:
    return candidates[0].script_id if candidates else ""


def follow(
    turn: GoldTurn,
    state: DialogueState,
    book: Playbook,
    utterance: Utterance | None = None,
    heard: Understanding | None = None,
) -> DialogueState:
    """Return the state after the gold script was said."""
    kind = UtteranceKind.SILENCE if turn.silence else UtteranceKind.SPEECH
    utterance = utterance or Utterance(kind, 0, 1)
    heard = heard or understand(plainly(turn.say), turn.emotion, turn.situation or Situation.FREE)
    gold = turn.scripts[0]
    last = book.scripts.get(state.history[-1].script_id)
    script = last if gold == SAME else book.scripts.get(gold)
    refused = refuses(turn.say, own=book.refusals) or bool(
        script and script.act in ("retain", "accept_refusal")
    )
    led = next((one.name for one in last.answers if one.then == gold), "") if last else ""
    facts = {last.records: led} if last and last.records and led else {}
    # 'say it again' adds nothing to what was used
    text = script.text if script else ""
    reply = Reply(script, (), text=text if gold == SAME else "", refused=refused, facts=facts)
    return advance(state, utterance, heard, reply, text)


def violations(
    dialogue: str,
    turn: GoldTurn,
    decision: Decision,
    state: DialogueState,
    book: Playbook,
    confidence: float = _CLEAR,
) -> Iterator[str]:
    """Yield the rules that a decision breaks, judged by the gold labels and the state.

    `confidence`: of the words as they were heard. A yes that was not heard well is asked for again (V13).
    """
    script = book.scripts.get(decision.script_id)
    act = script.act if script else ""
    stop = turn.scripts == (book.do_not_call,)
    repeated = decision.script_id in state.used and not (script and script.repeatable)
    asked_again = (
        SAME in turn.scripts or decision.relation is Relation.REPEATS or turn.relation is Relation.REPEATS
    )
    unheard = act == "confirm" and confidence < CONSENT_CONFIDENCE
    last = book.scripts.get(state.history[-1].script_id)
    broken: Mapping[str, bool] = {
        "V2": stop and not decision.do_not_call,
        "V3": state.closed and decision.action is Action.SAY,
        "V4": state.refusals >= 1 and act == "retain",
        "V5": turn.scripts == (book.handover,) and decision.action is not Action.TRANSFER,
        "V7": repeated
        and not (asked_again or unheard)
        and act not in ("answer", "company", "robot", "ask_back", "reprompt"),
        "V8": turn.scripts == (NONE,) and bool(decision.script_text),
        "V9": turn.situation in (Situation.BUSY, Situation.DRIVING, Situation.MEETING)
        and turn.emotion is EmotionLabel.CALM
        and act in ("pitch", "objection", "qualify", "apologise", "apologise_close"),
        "V13": act == "registered" and not (last and last.act == "confirm"),
        "V15": "{" in decision.script_text,
        "V17": turn.emotion is EmotionLabel.ANGRY and not decision.do_not_call,
    }
    for rule, holds in broken.items():
        if holds:
            yield f"{rule} broken in {dialogue}: {turn.say} → {decision.script_id}"


def overlap(dialogues: Sequence[GoldDialogue], book: Playbook) -> float:
    """Return the mean share of a line's character 3-grams that occur in any example of the playbook."""
    known = {gram for script in book.scripts.values() for line in script.examples for gram in _grams(line)}
    lines = [_grams(turn.say) for one in dialogues for turn in one.turns]
    shares = [len(grams & known) / len(grams) for grams in lines if grams]
    return sum(shares) / len(shares) if shares else 0.0


def _grams(text: str) -> frozenset[str]:
    plain = bare(text)
    return frozenset(plain[start : start + 3] for start in range(len(plain) - 2))


def _homophones(book: Playbook) -> dict[str, list[str]]:
    """Return for each hanzi of the playbook the others that sound the same without tones."""
    hanzi = {
        char
        for script in book.scripts.values()
        for line in (script.text, *script.examples)
        for char in bare(line)
    }
    by_sound: dict[tuple[str, ...], list[str]] = {}
    for char in sorted(hanzi):
        by_sound.setdefault(syllables(char), []).append(char)
    return {char: [other for other in by_sound[syllables(char)] if other != char] for char in hanzi}


def _slip(homophones: Mapping[str, Sequence[str]], chance: random.Random, text: str) -> str:
    return "".join(
        chance.choice(homophones[char]) if homophones.get(char) and chance.random() < SLIP_RATE else char
        for char in text
    )


def _share(values: Iterator[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _row(name: str, judged: Sequence[Judged], *, ablated: bool) -> dict[str, Any]:
    acceptable = _share(turn.acceptable for turn in judged)
    return {
        "condition": name,
        "turns": len(judged),
        "acceptable": acceptable,
        "se": (acceptable * (1 - acceptable) / max(len(judged), 1)) ** 0.5,
        "relation": _share(turn.relation_right for turn in judged),
        "violations": None if ablated else sum(len(turn.violations) for turn in judged),
    }
