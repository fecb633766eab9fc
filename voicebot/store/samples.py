"""Samples in the database: what feedback judged, redacted, with where it came from and went to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.people import FeedbackOrigin
from voicebot.domain.sample import Sample
from voicebot.store.calls import row_id
from voicebot.store.session import Database
from voicebot.store.tables import (
    CallRow,
    CampaignRow,
    ContactRow,
    FeedbackRow,
    ModelSampleRow,
    OutcomeRow,
    SampleRow,
    TurnRow,
)

SIMULATION = "SIMULATION"  # policy of campaigns that call nobody real


@dataclass(frozen=True, slots=True)
class JudgedSound:
    """How a turn sounded, as the models of emotion read it."""

    vector: tuple[float, ...]
    baseline: tuple[float, ...]  # the speaker's calm voice before it; () = not known yet
    feature_version: str


@dataclass(frozen=True, slots=True)
class JudgedTurn:
    """A turn as learning needs it."""

    seq: int
    at: datetime
    script_id: str
    script_text: str
    action: str
    customer_text: str
    kind: str
    emotion: str
    scene: str
    keywords: tuple[str, ...]
    distribution: Mapping[str, float]
    sound: JudgedSound | None = None  # None: too little was said
    delivered_script_id: str = ""  # of what a person said instead of the bot; "" = own words
    delivered_text: str | None = None  # None: the bot spoke

    @property
    def said_script_id(self) -> str:
        """What the customer heard: the bot's script, or the one that a person's words match; "" = none."""
        return self.script_id if self.delivered_text is None else self.delivered_script_id

    @property
    def said_text(self) -> str:
        """The words that the customer heard."""
        return self.script_text if self.delivered_text is None else self.delivered_text


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A call that is over, with its turns in order."""

    call_id: str
    playbook_id: str
    cause: str
    disposition: str
    opted_out: bool
    consented: bool  # to be called, with evidence; or nobody real was called
    slots: Mapping[str, str]  # of the contact: to be hidden in what was said
    facts: Mapping[str, str]  # learnt in the call
    turns: tuple[JudgedTurn, ...]


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample with its key and its judgement."""

    call_id: str
    seq: int
    script_id: str
    at: datetime
    playbook_id: str
    said: str
    before: str
    agent: str
    scene: str
    keywords: tuple[str, ...]
    emotion: Mapping[str, float]
    score: float
    weight: float
    origin: str


class SampleRepository:
    """Samples (第一/第二样本数据)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ended_between(self, since: datetime, until: datetime) -> list[str]:
        """Return the ids of calls that ended in a stretch of time, oldest first."""
        query = select(OutcomeRow.call_id).where(OutcomeRow.at >= since, OutcomeRow.at < until)
        return [
            str(call) for call in self._session.scalars(query.order_by(OutcomeRow.at, OutcomeRow.call_id))
        ]

    def judged_since(self, since: datetime) -> list[str]:
        """Return the ids of calls about which something was said since a moment."""
        query = select(FeedbackRow.call_id).where(FeedbackRow.at >= since).distinct()
        return sorted(str(call) for call in self._session.scalars(query))

    def call(self, call_id: str) -> FinishedCall | None:
        """Return a call with its turns; None if it is not over."""
        query = (
            select(CallRow, OutcomeRow, ContactRow, CampaignRow.policy_pack)
            .join(OutcomeRow, OutcomeRow.call_id == CallRow.id)
            .outerjoin(ContactRow, ContactRow.id == CallRow.contact_id)
            .outerjoin(CampaignRow, CampaignRow.id == CallRow.campaign_id)
            .where(CallRow.id == row_id(call_id))
        )
        row = self._session.execute(query).first()
        if row is None:
            return None
        call, outcome, contact, policy = row
        turns = self._session.scalars(select(TurnRow).where(TurnRow.call_id == call.id).order_by(TurnRow.seq))
        nobody = call.contact_id is None or policy == SIMULATION
        return FinishedCall(
            call_id=str(call.id),
            playbook_id=call.playbook_id,
            cause=call.cause or "",
            disposition=outcome.disposition,
            opted_out=outcome.opted_out,
            consented=nobody or bool(contact and contact.consent_evidence),
            slots={name: str(value) for name, value in (contact.slots if contact else {}).items()},
            facts={name: str(value) for name, value in outcome.facts.items()},
            turns=tuple(_turn(turn) for turn in turns),
        )

    def noticed(
        self,
        call_id: str,
        seq: int,
        script_id: str,
        name: str,
        score: float,
        weight: float,
        at: datetime,
        origin: FeedbackOrigin = FeedbackOrigin.IMPLICIT,
    ) -> None:
        """Write an implicit signal, or what a turn gets of the customer's rating, once."""
        self._session.execute(
            insert(FeedbackRow)
            .values(
                id=uuid5(NAMESPACE_OID, f"{call_id}/{seq}/{origin}"),
                call_id=row_id(call_id),
                seq=seq,
                at=at,
                origin=origin.value,
                actor="",
                action=name,
                script_id=script_id,
                score=score,
                weight=weight,
            )
            .on_conflict_do_nothing()
        )

    def replace(self, call_id: str, samples: Sequence[StoredSample], now: datetime) -> None:
        """Set the samples of a call to these."""
        self._session.execute(delete(SampleRow).where(SampleRow.call_id == row_id(call_id)))
        for sample in samples:
            values = asdict(sample) | {
                "call_id": row_id(sample.call_id),
                "keywords": list(sample.keywords),
                "emotion": dict(sample.emotion),
                "gathered_at": now,
            }
            self._session.execute(insert(SampleRow).values(values).on_conflict_do_nothing())

    def of_playbook(self, playbook_id: str) -> list[StoredSample]:
        """Return the samples of a playbook, in the order of their turns."""
        query = select(SampleRow).where(SampleRow.playbook_id == playbook_id)
        order = (SampleRow.at, SampleRow.call_id, SampleRow.seq, SampleRow.script_id)
        rows = self._session.scalars(query.order_by(*order))
        return [_stored(row) for row in rows]

    def counts(self) -> list[tuple[str, str, int, int, int]]:
        """Return (playbook, origin, samples, above the threshold, below) in order."""
        above = func.count().filter(SampleRow.weight > 0)
        below = func.count().filter(SampleRow.weight < 0)
        query = select(SampleRow.playbook_id, SampleRow.origin, func.count(), above, below)
        query = query.group_by(SampleRow.playbook_id, SampleRow.origin)
        rows = self._session.execute(query.order_by(SampleRow.playbook_id, SampleRow.origin))
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    def learnt(self, model: str, samples: Sequence[StoredSample]) -> None:
        """Write which samples a model learnt from."""
        self._learnt(model, [(one.call_id, one.seq, one.script_id) for one in samples])

    def heard(self, model: str, turns: Sequence[tuple[str, int]]) -> None:
        """Write from which turns' sound, (call, number) each, a model of emotion learnt."""
        self._learnt(model, [(call_id, seq, "") for call_id, seq in turns])

    def _learnt(self, model: str, parts: Sequence[tuple[str, int, str]]) -> None:
        keys = [
            {"model": model, "call_id": row_id(call_id), "seq": seq, "script_id": script_id}
            for call_id, seq, script_id in parts
        ]
        if keys:
            self._session.execute(insert(ModelSampleRow).on_conflict_do_nothing(), keys)

    def erase(self, call_ids: Sequence[str], now: datetime) -> tuple[str, ...]:
        """Take away the samples of an erased person's calls; mark, and return, the models that knew them."""
        calls: list[UUID] = [row_id(call) for call in call_ids]
        self._session.execute(delete(SampleRow).where(SampleRow.call_id.in_(calls)))
        self._session.execute(update(FeedbackRow).where(FeedbackRow.call_id.in_(calls)).values(text=""))
        marked = self._session.execute(
            update(ModelSampleRow)
            .where(ModelSampleRow.call_id.in_(calls), ModelSampleRow.erased_at.is_(None))
            .values(erased_at=now)
            .returning(ModelSampleRow.model)
        )
        return tuple(sorted({model for (model,) in marked}))

    def marked(self) -> dict[str, int]:
        """Return how many samples of erased persons each model has learnt from."""
        query = select(ModelSampleRow.model, func.count()).where(ModelSampleRow.erased_at.is_not(None))
        rows = self._session.execute(query.group_by(ModelSampleRow.model))
        return {row[0]: row[1] for row in rows}


class DatabaseSamples:
    """SampleSource over the database: what people and customers judged."""

    def __init__(self, database: Database) -> None:
        """Name the database."""
        self._database = database

    def samples(self, playbook_id: str) -> list[Sample]:
        """Return the samples of a playbook, positive and negative, in a fixed order."""
        with self._database.transaction() as session:
            return [as_sample(one) for one in SampleRepository(session).of_playbook(playbook_id)]


def as_sample(stored: StoredSample) -> Sample:
    """Return a stored sample as the ranker learns it."""
    return Sample(
        said=stored.said,
        script_id=stored.script_id,
        agent=stored.agent,
        before=stored.before,
        scene=stored.scene,
        keywords=stored.keywords,
        emotion=stored.emotion,
        conversation=stored.call_id,
        weight=stored.weight,
    )


def _turn(row: TurnRow) -> JudgedTurn:
    understood: Any = row.understanding
    distribution = (understood.get("emotion") or {}).get("distribution") or {}
    return JudgedTurn(
        seq=row.seq,
        at=row.at,
        script_id=row.script_id,
        script_text=row.script_text,
        action=row.action,
        customer_text=row.customer_text,
        kind=row.kind,
        emotion=row.emotion,
        scene=row.scene,
        keywords=tuple(understood.get("keywords") or ()),
        distribution={name: float(value) for name, value in distribution.items()},
        sound=_sound(understood),
        delivered_script_id=row.delivered_script_id or "",
        delivered_text=row.delivered_text,
    )


def _sound(understood: Mapping[str, Any]) -> JudgedSound | None:
    measured = understood.get("prosody") or {}
    if not measured.get("vector"):
        return None
    baseline = (understood.get("emotion") or {}).get("baseline") or ()
    return JudgedSound(tuple(measured["vector"]), tuple(baseline), measured["feature_version"])


def _stored(row: SampleRow) -> StoredSample:
    return StoredSample(
        str(row.call_id),
        row.seq,
        row.script_id,
        row.at,
        row.playbook_id,
        row.said,
        row.before,
        row.agent,
        row.scene,
        tuple(row.keywords),
        row.emotion,
        row.score,
        row.weight,
        row.origin,
    )
