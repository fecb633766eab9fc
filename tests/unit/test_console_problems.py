"""Every error that somebody can meet in the console is said in the page's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import grpc
import pytest

import voicebot
from voicebot.console.problems import sentences, worded
from voicebot.dialogue.playbook import parse
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.errors import (
    CampaignError,
    CapacityError,
    DataError,
    ModelError,
    PlaybookError,
    VoicebotError,
)
from voicebot.registry import resources
from voicebot.rpc.errors import error_metadata, remote_error

pytestmark = pytest.mark.unit

ROOT = Path(voicebot.__file__).parent
# What raises errors that a page shows: the pages themselves, and what their buttons do.
RAISING = (
    "call/session.py", "call/worker.py", "campaign/aside.py", "campaign/importer.py",
    "campaign/management.py",
    "campaign/policy_pack.py", "campaign/preview.py", "campaign/readiness.py", "campaign/sheets.py",
    "campaign/trunk.py", "campaign/windows.py", "console", "dialogue/lint.py", "dialogue/playbook.py",
    "registry/playbooks.py", "registry/promotion.py", "rpc/line_client.py", "service/grading.py",
    "service/model_registry.py", "service/rehearsal.py", "store/agents.py", "store/api_tokens.py",
    "store/callers.py", "store/calls.py", "store/campaigns.py", "store/contacts.py",
    "store/outcome_pages.py",
    "store/outcomes.py", "store/session.py", "store/trainings.py", "store/trunks.py",
    "store/users.py", "store/views.py", "store/webhooks.py", "telephony/headers.py",
)  # fmt: skip
# … but what programs that call the API are told, and whoever starts the console.
ENGLISH = ("console/api/", "console/__main__.py", "console/auth/oidc.py")
PARTS = {"mistake", "Told"}  # make sentences too, beside the classes of errors


@dataclass(frozen=True)
class Sentence:
    """A sentence as it stands in the source, and the names of the values beside it."""

    where: str
    text: str
    names: frozenset[str]


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every file of the product."""
    for file in sorted(ROOT.rglob("*.py")):
        yield file.relative_to(ROOT), ast.parse(file.read_text("utf-8"))


def heads() -> dict[str, str]:
    """Return class -> head of its messages, for every error of the product."""
    known = {"VoicebotError": VoicebotError.head()}
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and {ast.unparse(one) for one in node.bases} & set(known):
                known[node.name] = (ast.get_docstring(node) or "").splitlines()[0].rstrip(".")
    return known


def texts(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """Yield every sentence that an argument may be. Fails for one that the source does not tell."""
    match node:
        case ast.Constant(value=str(text)):
            yield from filter(None, (text,))
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one, constants)
            yield from texts(other, constants)
        case ast.Name(id=name) if name in constants:
            yield from texts(constants[name], constants)
        case ast.Subscript(value=ast.Name(id=name)):
            table = constants[name]
            assert isinstance(table, ast.Dict)
            for value in table.values:
                yield from texts(value, constants)
        case _:
            raise AssertionError(f"write it as a sentence with its values apart: {ast.unparse(node)}")


def made(call: ast.Call) -> tuple[list[ast.expr], set[str]]:
    """Return the sentences of a call that makes an error or a part of one, and the names of its values."""
    names = {str(one.arg) for one in call.keywords if one.arg != "hint"}
    hints = [one.value for one in call.keywords if one.arg == "hint"]
    assert isinstance(call.func, ast.Name)
    match call.func.id, call.args:
        case "mistake", [_, *sentences]:
            return sentences, names
        case "Told", [sentence, ast.Dict(keys=keys)]:
            return [sentence], {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        case "Told", _:
            return [], names  # passes on what was given elsewhere
        case _, sentences:
            return [*sentences, *hints], names


def raised() -> list[Sentence]:
    """Return every sentence that a page may have to show."""
    makers = set(heads()) | PARTS
    found = []
    for file, tree in trees():
        if not str(file).startswith(RAISING) or str(file).startswith(ENGLISH):
            continue
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                if file.name == "lint.py" and any(isinstance(one, ast.Name) for one in node.args[1:2]):
                    continue  # `mistake` itself
                sentences, names = made(node)
                where = f"{file}:{node.lineno}"
                said = (text for one in sentences for text in texts(one, constants))
                found += [Sentence(where, text, frozenset(names)) for text in said]
    return found


def fields(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_error_that_a_page_may_show_is_there_in_chinese() -> None:
    found = raised()
    assert len(found) > 200
    assert [f"{one.where}: {one.text}" for one in found if one.text not in sentences()] == []
    for one in found:
        if one.names:  # else it is said as it stands
            assert fields(one.text) | fields(sentences()[one.text]) <= one.names, one.where


def test_every_kind_of_error_has_a_chinese_head() -> None:
    assert set(heads().values()) <= set(sentences())


def test_nothing_is_translated_that_nobody_says() -> None:
    assert set(sentences()) - set(heads().values()) - {one.text for one in raised()} == set()


def test_a_page_says_what_was_wrong_and_what_to_do_in_its_language() -> None:
    error = CampaignError(
        "{campaign!r} is {status}",
        hint="this works on campaigns that are {expected}",
        campaign="春季回访",
        status=CampaignStatus.RUNNING,
        expected=(CampaignStatus.DRAFT, CampaignStatus.PAUSED),
    )
    assert worded(error, "zh") == ("任务“春季回访”现在是“进行中”", "只有“草稿、已暂停”的任务可以这样做")
    assert worded(error, "en") == (
        "The campaign is not usable: '春季回访' is running",
        "this works on campaigns that are draft, paused",
    )


def test_what_has_no_chinese_sentence_tells_its_kind_in_chinese() -> None:
    error = ModelError("/models/ranker/1 is missing", hint="install the model again")
    assert worded(error, "zh") == (
        "模型文件缺失、损坏或版本不符（/models/ranker/1 is missing）",
        "install the model again",
    )


def test_values_are_never_taken_for_a_sentence_with_names() -> None:
    error = CampaignError(
        "{campaign!r} exists already", hint="choose another name", campaign="{campaign} {x}"
    )
    assert worded(error, "zh") == ("已经有名为“{campaign} {x}”的任务", "请换一个名称")
    assert error.detail == "'{campaign} {x}' exists already"
    assert DataError("what {stands} here stays").detail == "what {stands} here stays"


def test_mistakes_of_a_playbook_are_told_line_by_line_in_chinese() -> None:
    text = (resources.playbooks_dir() / "consumer_loan.yaml").read_text("utf-8")
    with pytest.raises(PlaybookError) as broken:
        parse(text.replace("opening: opening_greet", "opening: nowhere", 1), "playbook.yaml")
    what, mend = worded(broken.value, "zh")
    lines = what.splitlines()
    assert any("（roles.opening）：没有话术 nowhere → 请写一条已有的话术" in line for line in lines), what
    assert all("处错误" in line or line.startswith("第 ") for line in lines), what
    assert mend == "请修改这些行，再点“检查”"


def test_an_error_of_a_line_worker_arrives_with_its_values() -> None:
    sent = CapacityError("{worker} carries {calls} of {capacity} calls", worker="line-1", calls=3, capacity=3)
    failed = grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(*error_metadata(sent)),
        sent.detail,
        "",
    )
    got = remote_error(CapacityError, failed)
    assert (str(got), worded(got, "zh")[0]) == (str(sent), "线路已满（3 / 3）")
