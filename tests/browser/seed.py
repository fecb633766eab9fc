"""A campaign with calls of every kind, written through the repositories, for pages that show them."""

from __future__ import annotations

import math
import wave
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tests.conftest import make_request, make_turn
from voicebot.domain.call import CallRecord, Disposition, EndCause, IntentLevel, Outcome
from voicebot.domain.campaign import AttemptStatus, Campaign, CampaignStatus, Consent, Contact
from voicebot.domain.ids import uuid7
from voicebot.store.calls import CallRepository, row_id
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.session import Database
from voicebot.store.tables import AttemptRow

KINDS = (
    (Disposition.INTERESTED, IntentLevel.A),
    (Disposition.NO_ANSWER, IntentLevel.F),
    (Disposition.CALLBACK, IntentLevel.C),
    (Disposition.REFUSED, IntentLevel.E),
    (Disposition.DO_NOT_CALL, IntentLevel.F),
    (Disposition.BUSY, IntentLevel.F),
    (Disposition.INTERESTED, IntentLevel.B),
)
ANSWERED = {Disposition.INTERESTED, Disposition.CALLBACK, Disposition.REFUSED, Disposition.DO_NOT_CALL}


def seed(database: Database, home: Path, *, calls: int = 14, sure: float = 0.7) -> str:
    """Write a running campaign with so many ended calls; return its id. The first call has a recording.

    The bot was so sure of its scripts: 0-1.
    """
    vault = NumberVault(load_or_create_key(home / "number.key"))
    now = datetime.now(UTC)
    campaign = Campaign(
        str(uuid7()), "春季回访", "consumer_loan", CampaignStatus.DRAFT, "SIMULATION",
        trunk="sip:{number}@127.0.0.1:5099",
    )  # fmt: skip
    consent = Consent("marketing", "form-1", now - timedelta(days=3))
    contacts = [
        Contact(str(uuid7()), campaign.id, f"+9991234{index:04d}", "Asia/Shanghai", {}, consent)
        for index in range(calls + 6)
    ]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, vault).add(contacts, now)
        CampaignRepository(session).change(campaign.id, [CampaignStatus.DRAFT], CampaignStatus.PAUSED, now)
    for index, contact in enumerate(contacts[:calls]):
        _call(database, home, vault, campaign, contact, index, now - timedelta(minutes=index), sure)
    return campaign.id


def _call(
    database: Database, home: Path, vault: NumberVault, campaign: Campaign, contact: Contact, index: int,
    at: datetime, sure: float,
) -> None:  # fmt: skip
    disposition, level = KINDS[index % len(KINDS)]
    request = replace(make_request(str(uuid7()), campaign.id, contact.id), playbook_id="consumer_loan")
    answered = at if disposition in ANSWERED else None
    recording = f"{request.call_id}.wav" if index == 0 else ""
    outcome = Outcome(disposition, level, ("客户说明了原因",), {}, disposition is Disposition.DO_NOT_CALL)
    record = CallRecord(
        request, EndCause.BOT_HUNG_UP, outcome, at, answered, at + timedelta(seconds=42), 200,
        recording=recording, worker="line-0", turns=2 if answered else 0,
    )  # fmt: skip
    with database.transaction() as session:
        session.add(
            AttemptRow(
                id=row_id(request.attempt_id),
                campaign_id=row_id(campaign.id),
                contact_id=row_id(contact.id),
                call_id=row_id(request.call_id),
                number_lookup=vault.lookup(contact.number),
                direction="outbound",
                status=AttemptStatus.OPEN.value,
                created_at=at,
            )
        )
        session.flush()
        calls = CallRepository(session)
        if answered:
            calls.answered(request, "line-0", at)
            for seq in (1, 2):
                turn = make_turn(request.call_id, seq)
                first, *others = turn.decision.candidates
                decision = replace(turn.decision, candidates=(replace(first, probability=sure), *others))
                calls.turn(replace(turn, start_s=seq * 2.0, end_s=seq * 2.0 + 1.6, decision=decision))
        calls.ended(record)
        ContactRepository(session, vault).settle(contact.id, None)
    if recording:
        tone_file(home / "recordings" / recording)


def tone_file(path: Path, seconds: float = 8.0) -> None:
    """Write a stereo recording in which customer and bot take turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * 8000)) / 8000
    tone = np.sin(2 * math.pi * 220 * time) * 6000
    speaking = (time % 4) < 2
    both = np.stack([tone * speaking, tone * ~speaking], axis=1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(both.tobytes())
