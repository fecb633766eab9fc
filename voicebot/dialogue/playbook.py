"""Reads a playbook file: YAML -> checked -> domain Playbook, or every mistake with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from voicebot.dialogue import located
from voicebot.dialogue.answers import phrases_of
from voicebot.dialogue.lint import Mistake, lint, mistake
from voicebot.dialogue.schema import PlaybookModel, ScriptModel
from voicebot.domain.errors import Lines, PlaybookError, Told
from voicebot.domain.script import ANY_SCENE, Answer, GoalOutcome, Playbook, Rating, Scene, Script

_TOLD = 30  # mistakes shown at once


def load(path: Path) -> Playbook:
    """Read a playbook file.

    Raises:
        PlaybookError: with every mistake of the file: file, line, what is wrong, what to do.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(
            "{path} can not be read ({why})", hint="give a UTF-8 YAML file", path=path, why=error
        ) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Playbook:
    """Read a playbook from text; `name` stands in messages. Raises PlaybookError."""
    try:
        source = located.read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", "") or str(error)
        raise PlaybookError(
            "{name}:{line}: not YAML: {problem}",
            hint="mend the indentation, colon or bracket there",
            name=name,
            line=line,
            problem=problem,
        ) from error
    mistakes = [
        mistake(path, "this key stands here twice", "rename or remove one") for path in source.duplicates
    ]
    try:
        model = PlaybookModel.model_validate(source.data)
    except ValidationError as error:
        mistakes += _shape_mistakes(error)
    else:
        mistakes += lint(model)
    if mistakes:
        raise _error(name, source, mistakes)
    return _build(model, hashlib.sha256(text.encode()).hexdigest()[:12])


def _shape_mistakes(error: ValidationError) -> Iterator[Mistake]:
    for problem in error.errors():
        path = tuple(part for part in problem["loc"] if part != "[key]")
        match problem["type"]:
            case "missing":
                yield mistake(path[:-1], "{key} is missing", "add {key}:", key=path[-1])
            case "extra_forbidden":
                yield mistake(
                    path,
                    "{key} is not a key of this place",
                    "check its spelling and indentation",
                    key=path[-1],
                )
            case _:
                yield mistake(
                    path,
                    "{problem}",
                    "see the comment at the head of consumer_loan.yaml for the format",
                    problem=problem["msg"],
                )


def _error(name: str, source: located.Located, mistakes: list[Mistake]) -> PlaybookError:
    found = {
        (source.line(one.path), str(told)): told for one in mistakes for told in (_line(name, source, one),)
    }
    lines = [found[place] for place in sorted(found)]
    more = (Told("and {count} more", {"count": len(lines) - _TOLD}),) if len(lines) > _TOLD else ()
    return PlaybookError(
        "{count} mistake\n{lines}" if len(lines) == 1 else "{count} mistakes\n{lines}",
        hint="mend these lines, then: voicebot playbook check {name}",
        count=len(lines),
        lines=Lines((*lines[:_TOLD], *more)),
        name=name,
    )


def _line(name: str, source: located.Located, one: Mistake) -> Told:
    return Told(
        "{name}:{line}: {path}: {what} → {mend}",
        {
            "name": name,
            "line": source.line(one.path),
            "path": ".".join(map(str, one.path)),
            "what": one.what,
            "mend": one.mend,
        },
    )


def _build(model: PlaybookModel, version: str) -> Playbook:
    scripts: dict[str, Script] = {}
    for scene_id, scene in model.scenes.items():
        scripts |= {key: _script(key, scene_id, script) for key, script in scene.scripts.items()}
    scripts |= {key: _script(key, ANY_SCENE, script) for key, script in model.anywhere.items()}
    roles = model.roles
    return Playbook(
        id=model.id,
        version=version,
        title=model.title,
        company=model.company,
        product=model.product,
        scenes={
            key: Scene(
                key,
                scene.title,
                scene.next,
                scene.default,
                scene.patience_ms,
                scene.pause_factor,
                scene.protected,
            )
            for key, scene in model.scenes.items()
        },
        scripts=scripts,
        opening=roles.opening,
        announcement=roles.announcement,
        unclear=roles.unclear,
        silence=roles.silence,
        give_up=roles.give_up,
        apology=roles.apology,
        do_not_call=roles.do_not_call,
        do_not_call_withheld=roles.do_not_call_withheld,
        handover=roles.handover,
        farewell=roles.farewell,
        voicemail=roles.voicemail,
        slots=dict(model.slots),
        defaults=dict(model.defaults),
        keywords=model.keywords,
        keys=dict(model.keys),
        readings=dict(model.readings),
        agenda=model.agenda,
        outcomes=tuple(
            GoalOutcome(one.goal, one.disposition.value, one.level.value, one.reason)
            for one in model.outcomes
        ),
        refusals=model.refusals,
        rating=Rating(model.rating.script, dict(model.rating.scores)) if model.rating else None,
        handover_when=model.handover_when,
    )


def _script(key: str, scene: str, model: ScriptModel) -> Script:
    return Script(
        id=key,
        scene=scene,
        text=model.text,
        examples=model.examples,
        act=model.act,
        next_scene=model.next_scene,
        action=model.action,
        expect=model.expect,
        answers=tuple(
            Answer(name, phrases_of(name, answer.say), answer.then) for name, answer in model.answers.items()
        ),
        styles={style.value: text for style, text in model.styles.items()},
        variants=model.variants,
        protected=bool(model.protected),
        protected_text=model.protected if isinstance(model.protected, str) else "",
        do_not_call=model.do_not_call,
        goal=model.goal,
        needs=model.needs,
        repeatable=model.repeatable,
        reprompt=model.reprompt,
        records=model.records,
        patience_ms=model.patience_ms or 0,
        keys=dict(model.keys),
    )
