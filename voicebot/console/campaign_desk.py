"""What managers do with campaigns, for pages and API alike: make, fill, start, pause, drain, stop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from voicebot import bootstrap
from voicebot.campaign import importer, management
from voicebot.console.house import House
from voicebot.console.problems import in_words
from voicebot.domain.campaign import Campaign, CampaignStatus, Mode
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import TakeoverKind

POLICIES = ("CN", "US", "SIMULATION")
LARGEST_UPLOAD = 200 << 20  # bytes
SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx")
CHANGES: Mapping[str, tuple[CampaignStatus, ...]] = {
    "start": management.STARTABLE,
    "pause": (CampaignStatus.RUNNING,),
    "drain": (CampaignStatus.RUNNING, CampaignStatus.PAUSED),
    "stop": (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.DRAINING),
}
LONGEST_NAME = 200
LONGEST_FILE_NAME = 60
_ODD = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Wish:
    """A campaign that somebody wants. The fields are those of Campaign."""

    name: str
    playbook_id: str
    policy_pack: str
    trunk: str
    scope: str = "marketing"
    caller_id: str = ""
    transfer_uri: str = ""
    takeover: TakeoverKind = TakeoverKind.AUTO
    max_calls: int = 3
    max_attempts: int = 3
    ring_timeout_s: float = 40.0
    mode: Mode = Mode.BOT
    priority: int = 0
    calls_per_s: float = 0.0
    max_talks: int = 0
    hours: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    retry: Mapping[str, int] = field(default_factory=dict)
    leave_message: bool = False


def made(house: House, wish: Wish, actor: str) -> Campaign:
    """Make a campaign as a draft. Raises CampaignError, PlaybookError."""
    _check(house, wish)
    campaign = Campaign(id=str(uuid7()), status=CampaignStatus.DRAFT, **_fields(wish))
    return management.create(house.database, house.vault, campaign, actor)


def edited(house: House, campaign_id: str, wish: Wish, actor: str) -> Campaign:
    """Give a campaign other settings; running calls keep theirs. Raises CampaignError, PlaybookError."""
    _check(house, wish)
    return management.edit(house.database, house.vault, campaign_id, _fields(wish), actor)


def wish_of(campaign: Campaign) -> Wish:
    """Return the settings of a campaign."""
    return Wish(**{one.name: getattr(campaign, one.name) for one in fields(Wish)})


def _check(house: House, wish: Wish) -> None:
    if not wish.name.strip() or len(wish.name) > LONGEST_NAME:
        raise CampaignError("a campaign needs a name", hint="such as 春季回访")
    house.playbooks.get(wish.playbook_id)


def _fields(wish: Wish) -> dict[str, Any]:
    given = {one.name: getattr(wish, one.name) for one in fields(Wish)}
    return given | {"name": wish.name.strip()}


def changed(house: House, campaign: Campaign, change: str, actor: str) -> tuple[Campaign, int]:
    """Start, pause, drain or stop a campaign; return it, and how many of its prompts are robotic.

    Raises:
        CampaignError: it does not stand so, has no contacts, or a prompt has no sound.
        ComplianceError: the law stands against it.
    """
    now = datetime.now(UTC)
    if change == "pause":
        return management.pause(house.database, campaign.id, actor, now), 0
    if change == "drain":
        return management.drain(house.database, campaign.id, actor, now), 0
    if change == "stop":
        return management.stop(house.database, campaign.id, actor, now), 0
    playbook = house.playbooks.get(campaign.playbook_id)
    voice = bootstrap.prompts(house.settings)
    started, found = management.start(house.database, house.vault, campaign.id, playbook, voice, actor, now)
    return started, found.robotic


def check_upload(name: str, path: Path) -> None:
    """Refuse what is no list of contacts. Raises DataError."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            "{kind} is no list of contacts" if suffix else "a file without a kind is no list of contacts",
            hint="upload {kinds}",
            kind=suffix,
            kinds=SUFFIXES,
        )
    if path.stat().st_size > LARGEST_UPLOAD:
        raise DataError(
            "the file is too large", hint="at most {megabytes} MiB; split it", megabytes=LARGEST_UPLOAD >> 20
        )
    with path.open("rb") as file:
        head = file.read(4096)
    zipped = head.startswith(b"PK\x03\x04")
    if not head or zipped != (suffix == ".xlsx") or (b"\0" in head and not zipped):
        raise DataError("the file is not what its name says", hint="save it as CSV (UTF-8 or GB18030) again")


def filled(house: House, campaign: Campaign, path: Path, actor: str, language: str) -> importer.Imported:
    """Add the contacts of an uploaded file; unusable rows go beside it, with reasons. Raises DataError."""
    return importer.import_contacts(
        house.database,
        house.vault,
        campaign,
        path,
        errors_file=path.with_suffix(".errors.csv"),
        actor=actor,
        words=partial(in_words, language=language),
    )


def upload_place(house: House, name: str) -> Path:
    """Return where an upload lies while it is read: a folder of its own, readable by us alone.

    Messages name the file, so it keeps its name as far as that does no harm.
    """
    folder = house.settings.home / "uploads" / str(uuid7())
    folder.mkdir(mode=0o700, parents=True)
    return folder / (_ODD.sub("_", name)[-LONGEST_FILE_NAME:].lstrip(".") or "list")
