"""What can be wrong in a playbook beyond its shape. Every check yields all of its mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from voicebot.dialogue.located import Path
from voicebot.dialogue.schema import BY_RULE, PlaybookModel, ScriptModel
from voicebot.domain.errors import Told
from voicebot.domain.script import ANY_SCENE, Action

MAX_HANZI = 80  # longer is no telephone talk: about 18 s of speech
_SLOT = re.compile(r"\{(\w*)\}")
_SPEAKABLE = re.compile(r"[\u4e00-\u9fff，。？！、：；“”…《》]")
_BRACE = re.compile(r"[{}]")
_ROBOT = ("机器人", "人工智能", "智能语音", "智能客服")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a playbook."""

    path: Path
    what: Told
    mend: Told


def mistake(path: Path, what: str, mend: str, **values: object) -> Mistake:
    """Return a mistake: where, what is wrong and what to do, with {names} of values."""
    return Mistake(path, Told(what, values), Told(mend, values))


def lint(model: PlaybookModel) -> Iterator[Mistake]:
    """Yield every mistake of a playbook that has the right shape."""
    scripts = list(_scripts(model))
    yield from _duplicates(scripts)
    known = {path[-1]: script for path, script in scripts}
    yield from _scenes(model, known)
    yield from _roles(model, known)
    yield from _announcement(model, known, {path[-1]: path for path, _ in scripts})
    reached = _reached_without_examples(model, known)
    goals = {script.goal for script in known.values() if script.goal}
    for path, script in scripts:
        yield from _texts(path, script, model)
        yield from _links(path, script, model, known)
        for index, need in enumerate(script.needs):
            if need not in goals:
                yield mistake(
                    (*path, "needs", index),
                    "no script reaches the goal {goal}",
                    "name it as a script's goal",
                    goal=need,
                )
        if not script.examples and script.act not in BY_RULE and path[-1] not in reached:
            yield mistake(
                path, "nothing leads here: no examples, no answer, no role", "add customer lines as examples"
            )
        yield from _turns(path, script)
    yield from _agenda(model, known, goals)
    yield from _rating(model, known)
    for slot in model.defaults:
        if slot not in model.slots:
            yield mistake(("defaults", slot), "{slot} is not declared", "declare it under slots", slot=slot)
    for key, target in model.keys.items():
        if target not in known:
            yield mistake(
                ("keys", key), "there is no script {script}", "name an existing script", script=target
            )


def _scripts(model: PlaybookModel) -> Iterator[tuple[Path, ScriptModel]]:
    for scene_id, scene in model.scenes.items():
        for key, script in scene.scripts.items():
            yield ("scenes", scene_id, "scripts", key), script
    for key, script in model.anywhere.items():
        yield ("anywhere", key), script


def _duplicates(scripts: list[tuple[Path, ScriptModel]]) -> Iterator[Mistake]:
    seen: set[str | int] = set()
    examples: dict[str, str | int] = {}
    for path, script in scripts:
        if path[-1] in seen:
            yield mistake(path, "the script id {script} is used twice", "rename one of them", script=path[-1])
        seen.add(path[-1])
        for index, line in enumerate(script.examples):
            other = examples.setdefault(line, path[-1])
            if other != path[-1]:
                yield mistake(
                    (*path, "examples", index),
                    "{line} is an example of {other} too",
                    "keep it where it fits",
                    line=line,
                    other=other,
                )


def _agenda(model: PlaybookModel, known: dict[str | int, ScriptModel], goals: set[str]) -> Iterator[Mistake]:
    for index, key in enumerate(model.agenda):
        if key not in known:
            yield mistake(
                ("agenda", index), "there is no script {script}", "name an existing script", script=key
            )
    for index, outcome in enumerate(model.outcomes):
        if outcome.goal not in goals:
            yield mistake(
                ("outcomes", index),
                "no script reaches the goal {goal}",
                "name it as a script's goal",
                goal=outcome.goal,
            )


def _rating(model: PlaybookModel, known: dict[str | int, ScriptModel]) -> Iterator[Mistake]:
    if model.rating is None:
        return
    script = known.get(model.rating.script)
    if script is None or script.act != "rate" or script.action is not Action.SAY:
        yield mistake(
            ("rating", "script"),
            "{script} is no question for a rating",
            "name a script with act: rate that does not end the call",
            script=model.rating.script,
        )
        return
    for name in model.rating.scores:
        if name not in script.answers:
            yield mistake(
                ("rating", "scores", name),
                "there is no answer {name}",
                "use one of {names}",
                name=name,
                names=tuple(script.answers),
            )
    for name in script.answers:
        if name not in model.rating.scores:
            yield mistake(
                ("rating", "scores"), "the answer {name} has no score", "say what it counts, 0-100", name=name
            )


def _scenes(model: PlaybookModel, known: dict[str | int, ScriptModel]) -> Iterator[Mistake]:
    for scene_id, scene in model.scenes.items():
        if scene_id == ANY_SCENE:
            yield mistake(("scenes", scene_id), "* is no scene", "put its scripts under anywhere")
        for index, following in enumerate(scene.next):
            if following not in model.scenes:
                yield mistake(
                    ("scenes", scene_id, "next", index),
                    "there is no scene {scene}",
                    "use one of {names}",
                    scene=following,
                    names=tuple(model.scenes),
                )
        if scene.default and scene.default not in known:
            yield mistake(
                ("scenes", scene_id, "default"),
                "there is no script {script}",
                "name an existing script",
                script=scene.default,
            )


def _roles(model: PlaybookModel, known: dict[str | int, ScriptModel]) -> Iterator[Mistake]:
    for role, value in model.roles:
        for key in (value,) if isinstance(value, str) else value:
            if key not in known and (key or role not in ("voicemail", "do_not_call_withheld")):
                yield mistake(
                    ("roles", role), "there is no script {script}", "name an existing script", script=key
                )
    for role, action in (
        ("give_up", Action.HANG_UP),
        ("farewell", Action.HANG_UP),
        ("do_not_call", Action.HANG_UP),
        ("do_not_call_withheld", Action.HANG_UP),
        ("handover", Action.TRANSFER),
        ("voicemail", Action.HANG_UP),
    ):
        script = known.get(getattr(model.roles, role))
        if script and script.action != action:
            yield mistake(
                ("roles", role),
                "its script must have action: {action}",
                "add that to the script",
                action=action,
            )
    no_more = known.get(model.roles.do_not_call)
    if no_more and not no_more.do_not_call:
        yield mistake(
            ("roles", "do_not_call"), "its script records no refusal", "add do_not_call: true to the script"
        )


def _announcement(
    model: PlaybookModel, known: dict[str | int, ScriptModel], paths: dict[str | int, Path]
) -> Iterator[Mistake]:
    script = known.get(model.roles.announcement)
    if script is None:
        return
    path = (*paths[model.roles.announcement], "text")
    for wording_path, text in _wordings(paths[model.roles.announcement], script):
        if wording_path[-2:-1] == ("reprompt",) or _announces(text, model):
            continue
        if model.company not in text:
            yield mistake(
                wording_path,
                "the announcement must name {company}",
                "say the company's name",
                company=model.company,
            )
        if not any(word in text for word in _ROBOT):
            yield mistake(
                wording_path, "the announcement must say that a robot speaks", "say {names}", names=_ROBOT
            )
        if "录音" not in text:
            yield mistake(wording_path, "the announcement must say that the call is recorded", "say 录音")
    yield from _protected(path, script, model)
    if model.roles.opening != model.roles.announcement:
        opening = known.get(model.roles.opening)
        follows = {answer.then for answer in opening.answers.values()} if opening else set()
        if opening and follows != {model.roles.announcement}:
            yield mistake(
                ("roles", "announcement"),
                "the announcement must be the opening, or follow every answer to it",
                "use one script for both",
            )


def _protected(path: Path, script: ScriptModel, model: PlaybookModel) -> Iterator[Mistake]:
    """Check that nobody can talk the announcement short."""
    if not script.protected:
        yield mistake(path, "the announcement may not be interrupted", "add protected: true")
    elif isinstance(script.protected, str) and not _announces(script.protected, model):
        yield mistake(
            (*path[:-1], "protected"),
            "company, robot and recording may not be interrupted",
            "protect the words that say them, or write protected: true",
        )


def _announces(text: str, model: PlaybookModel) -> bool:
    """Return whether a text names company, robot and recording."""
    return model.company in text and "录音" in text and any(word in text for word in _ROBOT)


def _wordings(path: Path, script: ScriptModel) -> Iterator[tuple[Path, str]]:
    yield (*path, "text"), script.text
    for style, text in script.styles.items():
        yield (*path, "styles", style.value), text
    for index, text in enumerate(script.variants):
        yield (*path, "variants", index), text
    for index, text in enumerate(script.reprompt):
        yield (*path, "reprompt", index), text


def _texts(path: Path, script: ScriptModel, model: PlaybookModel) -> Iterator[Mistake]:
    for where, text in _wordings(path, script):
        spoken = _SLOT.sub("", text)
        for slot in _SLOT.findall(text):
            if slot not in model.slots:
                yield mistake(
                    where, "the slot {{{slot}}} is not declared", "declare it under slots", slot=slot
                )
        if _BRACE.search(spoken):
            yield mistake(where, "a brace without its partner", "write slots as {name}")
            continue
        odd = sorted(set(_SPEAKABLE.sub("", spoken)))
        if odd:
            yield mistake(
                where,
                "{odd} can not be spoken",
                "write numbers, letters and symbols as they are said, in hanzi, with Chinese punctuation",
                odd=" ".join(odd),
            )
        if len(spoken) > MAX_HANZI:
            yield mistake(
                where,
                "{count} characters",
                "shorten it to {most}: it is heard, not read",
                count=len(spoken),
                most=MAX_HANZI,
            )
    wordings = [script.text, *script.variants]
    usable = [text for text in wordings if not set(_SLOT.findall(text)) - set(model.defaults)]
    if not usable:
        yield mistake(
            (*path, "text"),
            "every wording needs a slot that may be missing",
            "add a variant without it, or a default",
        )


def _links(
    path: Path, script: ScriptModel, model: PlaybookModel, known: dict[str | int, ScriptModel]
) -> Iterator[Mistake]:
    if script.next_scene and script.next_scene not in model.scenes:
        yield mistake(
            (*path, "next_scene"),
            "there is no scene {scene}",
            "use one of {names}",
            scene=script.next_scene,
            names=tuple(model.scenes),
        )
    for name, answer in script.answers.items():
        if answer.then and answer.then not in known:
            yield mistake(
                (*path, "answers", name),
                "there is no script {script}",
                "name an existing script",
                script=answer.then,
            )


def _turns(path: Path, script: ScriptModel) -> Iterator[Mistake]:
    """Check what a script says about keys and about being interrupted."""
    for key, name in script.keys.items():
        if name not in script.answers:
            yield mistake(
                (*path, "keys", key),
                "there is no answer {name}",
                "use one of {names}",
                name=name,
                names=tuple(script.answers),
            )
    if isinstance(script.protected, str) and not script.text.startswith(script.protected):
        yield mistake(
            (*path, "protected"), "the text does not begin with these words", "copy its first sentences"
        )


def _reached_without_examples(model: PlaybookModel, known: dict[str | int, ScriptModel]) -> set[str | int]:
    reached: set[str | int] = {scene.default for scene in model.scenes.values()}
    reached |= set(model.agenda)
    for _, value in model.roles:
        reached |= {value} if isinstance(value, str) else set(value)
    reached |= set(model.keys.values())
    for script in known.values():
        reached |= {answer.then for answer in script.answers.values()}
    return reached
