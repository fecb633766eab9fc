"""What managers do with campaigns, for pages and API alike: make, fill, start, pause, stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from voicebot import bootstrap
from voicebot.campaign import importer
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.readiness import Coverage, coverage, require
from voicebot.campaign.trunk import check_trunk, is_loopback
from voicebot.console.house import House
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.ids import uuid7
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import Transaction

POLICIES = ("CN", "US", "SIMULATION")
LARGEST_UPLOAD = 200 << 20  # bytes
SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx")
CHANGES: Mapping[str, tuple[tuple[CampaignStatus, ...], CampaignStatus]] = {
    "start": (
        (CampaignStatus.DRAFT, CampaignStatus.PAUSED, CampaignStatus.FINISHED),
        CampaignStatus.RUNNING,
    ),
    "pause": ((CampaignStatus.RUNNING,), CampaignStatus.PAUSED),
    "stop": ((CampaignStatus.RUNNING, CampaignStatus.PAUSED), CampaignStatus.DRAINING),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A campaign that somebody wants."""

    name: str
    playbook_id: str
    policy_pack: str
    trunk: str
    scope: str = "marketing"
    caller_id: str = ""
    transfer_uri: str = ""
    max_calls: int = 3
    max_attempts: int = 3
    ring_timeout_s: float = 40.0


def planned(house: House, wish: Wish) -> Campaign:
    """Return the campaign, checked. Raises CampaignError, PlaybookError."""
    if not wish.name.strip() or len(wish.name) > 200:
        raise CampaignError("a campaign needs a name", hint="such as 春季回访")
    check_trunk(wish.trunk)
    if policy_pack(wish.policy_pack).loopback_only and not is_loopback(wish.trunk):
        raise CampaignError(
            f"{wish.policy_pack} calls stay on this machine, but {wish.trunk} does not",
            hint="use a trunk at 127.0.0.1, or the policy of the country you call",
        )
    house.playbooks.get(wish.playbook_id)
    return Campaign(
        id=str(uuid7()),
        name=wish.name.strip(),
        playbook_id=wish.playbook_id,
        status=CampaignStatus.DRAFT,
        policy_pack=wish.policy_pack,
        scope=wish.scope,
        trunk=wish.trunk,
        caller_id=wish.caller_id,
        transfer_uri=wish.transfer_uri,
        max_calls=wish.max_calls,
        max_attempts=wish.max_attempts,
        ring_timeout_s=wish.ring_timeout_s,
    )


def changed(session: Transaction, campaign_id: str, change: str) -> Campaign:
    """Start, pause or stop a campaign and return it. Raises CampaignError if it does not stand so."""
    expected, wanted = CHANGES[change]
    campaigns = CampaignRepository(session)
    campaign = campaigns.find(campaign_id)
    if not campaigns.change(campaign.id, expected, wanted, datetime.now(UTC)):
        raise CampaignError(
            f"{campaign.name!r} is {campaign.status.value}",
            hint=f"this works on campaigns that are {', '.join(expected)}",
        )
    return campaigns.find(campaign_id)


def audible(house: House, playbook_id: str, *, must: bool) -> Coverage:
    """Return who would say the prompts of a playbook. Raises CampaignError if one is missing and must be."""
    look = require if must else coverage
    return look(house.playbooks.get(playbook_id), bootstrap.prompts(house.settings))


def check_upload(name: str, path: Path) -> None:
    """Refuse what is no list of contacts. Raises DataError."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{suffix or 'this'} is no list of contacts", hint=f"upload {', '.join(SUFFIXES)}")
    if path.stat().st_size > LARGEST_UPLOAD:
        raise DataError("the file is too large", hint=f"at most {LARGEST_UPLOAD >> 20} MiB; split it")
    with path.open("rb") as file:
        head = file.read(4096)
    zipped = head.startswith(b"PK\x03\x04")
    if not head or zipped != (suffix == ".xlsx") or (b"\0" in head and not zipped):
        raise DataError("the file is not what its name says", hint="save it as CSV (UTF-8 or GB18030) again")


def filled(house: House, campaign: Campaign, path: Path) -> importer.Imported:
    """Add the contacts of an uploaded file; unusable rows go beside it. Raises DataError."""
    return importer.import_contacts(
        house.database, house.vault, campaign, path, errors_file=path.with_suffix(".errors.csv")
    )


def upload_folder(house: House) -> Path:
    """Return where uploads lie while they are read, readable by us alone."""
    folder = house.settings.home / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
