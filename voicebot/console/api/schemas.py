"""What the API takes and gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from voicebot.domain.call import Disposition
from voicebot.domain.campaign import Mode
from voicebot.domain.people import Grade, TakeoverKind
from voicebot.store.feedback import Feedback


def utc(at: datetime | None) -> datetime | None:
    """Return a time with a zone: what comes without one is UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _plain(text: str) -> str:
    if "\0" in text or not text.isprintable():
        raise ValueError("no control characters")
    return text


Line = Annotated[str, AfterValidator(_plain)]  # one line of printable text
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]


class Given(BaseModel):
    """What is sent to us: nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What was wrong, and what to do."""

    detail: str
    hint: str = ""


Pauses = dict[Disposition, Annotated[int, Field(ge=-1, le=100_000)]]


class CampaignSettings(Given):
    """What of a campaign can be chosen and changed."""

    scope: Line = Field("marketing", max_length=100, description="consent that is needed")
    caller_id: Line = Field("", max_length=200)
    transfer_uri: Line = Field("", max_length=300)
    takeover: TakeoverKind = TakeoverKind.AUTO
    max_calls: int = Field(3, ge=1, le=1000)
    max_attempts: int = Field(3, ge=1, le=20)
    ring_timeout_s: float = Field(40.0, ge=5, le=120)
    mode: Mode = Field(Mode.BOT, description="who talks: the bot, or people (progressive, preview)")
    priority: int = Field(0, ge=-1000, le=1000, description="higher gets free lines first")
    calls_per_s: float = Field(0.0, ge=0, le=1000, description="new calls a second; 0 = no limit")
    max_talks: int = Field(0, ge=0, le=1000, description="conversations at the same time; 0 = max_calls")
    hours: Line = Field("", max_length=300, description="mon-fri 09:00-18:00; empty = the policy's")
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    retry: Pauses = Field({}, description="disposition: minutes before another attempt, -1 = never")
    leave_message: bool = False


class NewCampaign(CampaignSettings):
    """A campaign to be made."""

    name: Line = Field(min_length=1, max_length=200)
    playbook: Line = Field(max_length=100, description="id of an installed playbook")
    policy: str = Field(pattern="^(CN|US|SIMULATION)$", description="rules that hold")
    trunk: Line = Field(max_length=300, description="name of a trunk, or SIP URI with {number}")


class CampaignChange(CampaignSettings):
    """What is to be changed; what is left out stays."""

    name: Line = Field("", min_length=1, max_length=200)
    playbook: Line = Field("", max_length=100)
    trunk: Line = Field("", max_length=300)


class CampaignOut(CampaignSettings):
    """A campaign, with how far it is."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    playbook: str
    status: str
    policy: str
    trunk: str
    held: str = Field("", description="why it calls nobody although it was started")
    contacts: int = 0
    pending: int = 0
    calling: int = 0
    done: int = 0
    attempts: int = 0
    dispositions: dict[str, int] = {}
    refusals: dict[str, int] = {}


class CampaignsOut(BaseModel):
    """A page of campaigns, the newest first."""

    items: list[CampaignOut]
    next: str = Field(description="cursor of the next page; empty = this was the last")


class ConsentIn(Given):
    """That somebody agreed, with the proof."""

    scope: Line = Field(min_length=1, max_length=100)
    evidence: Line = Field(min_length=1, max_length=500)
    given_at: datetime
    expires_at: datetime | None = None


class NewContact(Given):
    """Somebody to call."""

    number: Line = Field(max_length=40, description="E.164, or national with `region`")
    zone: Line = Field("", max_length=60, description="IANA time zone; empty = from the number")
    slots: dict[str, str] = Field({}, max_length=50)
    consent: ConsentIn | None = None


class NewContacts(Given):
    """Contacts for a campaign's list."""

    contacts: list[NewContact] = Field(min_length=1, max_length=1000)
    region: str = Field("CN", pattern="^[A-Z]{2}$")


class Refused(BaseModel):
    """A contact that was not taken."""

    index: int
    reason: str


class ContactOut(BaseModel):
    """A contact as it stands on its list. The number is masked."""

    id: str
    number: str
    status: str
    attempts: int
    next_at: datetime
    callback_at: datetime | None
    refusal: str = Field(description="why it is not called; empty = nothing against it")
    refusal_words: str


class ContactsOut(BaseModel):
    """A page of contacts, in the order of import."""

    items: list[ContactOut]
    next: str = Field(description="cursor of the next page; empty = this was the last")


class Numbers(Given):
    """Telephone numbers."""

    numbers: list[Annotated[Line, Field(max_length=40)]] = Field(min_length=1, max_length=1000)
    region: str = Field("CN", pattern="^[A-Z]{2}$", description="country of numbers without country code")


class ConsentFound(BaseModel):
    """The consent of a number on one campaign's list."""

    contact_id: str
    campaign: str
    scope: str
    evidence: str
    given_at: datetime | None
    expires_at: datetime | None
    refusal_words: str = Field(description="why it was not called of late; empty = nothing")


class ConsentsOut(BaseModel):
    """On which lists a number stands, the newest first, and with what consent."""

    items: list[ConsentFound]


class OneNumber(Given):
    """A telephone number."""

    number: Line = Field(max_length=40)
    region: str = Field("CN", pattern="^[A-Z]{2}$", description="country of a number without country code")


class Forbidden(BaseModel):
    """What became of numbers that must not be called."""

    added: int
    refused: list[Refused]


class NumberChecked(BaseModel):
    """Whether a number may be called at all."""

    index: int
    forbidden: bool
    why: list[str]


class NumbersChecked(BaseModel):
    """Answers in the order of the numbers; those that are none are left out."""

    items: list[NumberChecked]
    refused: list[Refused]


class ContactsAdded(BaseModel):
    """What became of them."""

    added: list[str]
    duplicates: int
    refused: list[Refused]


class OutcomeOut(BaseModel):
    """How a call ended. The number is masked."""

    call_id: str
    at: datetime
    campaign: str
    number: str
    disposition: str
    intent_level: str
    reasons: list[str]
    facts: dict[str, str]
    opted_out: bool
    cause: str
    duration_s: float
    turns: int


class OutcomesOut(BaseModel):
    """A page of outcomes."""

    items: list[OutcomeOut]
    next: str = Field(description="cursor of the next page; empty = this was the last")


class CallOut(BaseModel):
    """One call with all its turns."""

    call_id: str
    started_at: datetime
    answered_at: datetime | None
    worker: str
    playbook: str
    campaign_id: str
    contact_id: str
    outcome: OutcomeOut | None
    turns: list[dict[str, Any]]


class DoubtfulOut(BaseModel):
    """A turn worth a grade."""

    call_id: str
    seq: int
    at: datetime
    playbook: str
    customer_text: str
    emotion: str
    scene: str
    script_id: str
    script_text: str
    candidates: dict[str, float] = Field(description="script -> probability, as they were ranked")
    why: list[str] = Field(description="unsure (of the script), misheard (the words)")
    probability: float = Field(description="of the first candidate")
    confidence: float = Field(description="of the words")


class GradingOut(BaseModel):
    """Turns worth a grade, the least sure first."""

    items: list[DoubtfulOut]


class Reason(Given):
    """Why something that is protected is asked for."""

    reason: Line = Field(min_length=4, max_length=500)


class Revealed(BaseModel):
    """A number in clear."""

    number: str


class NewFeedback(Given):
    """A judgement on a turn."""

    call_id: Id
    seq: int = Field(ge=0, le=10_000, description="of the turn")
    grade: Grade | Annotated[float, Field(ge=0, le=100)] = Field(
        description="优 80, 良 70, 中 50, 差 20, or 0-100"
    )
    better_script: Line = Field("", max_length=200, description="script that would have been better")
    text: Line = Field("", max_length=2000)


class FeedbackOut(BaseModel):
    """A judgement as it is kept."""

    call_id: str
    seq: int
    at: datetime
    actor: str
    action: str
    score: float | None
    script_id: str
    better_script: str

    @classmethod
    def of(cls, kept: Feedback) -> FeedbackOut:
        """Return a judgement as the API gives it."""
        return cls(
            call_id=kept.call_id,
            seq=kept.seq,
            at=kept.at,
            actor=kept.actor,
            action=kept.action,
            score=kept.score,
            script_id=kept.script_id,
            better_script=kept.better_script_id,
        )


class FeedbacksOut(BaseModel):
    """Judgements on one call."""

    items: list[FeedbackOut]


class PlaybookOut(BaseModel):
    """A playbook."""

    id: str
    version: str
    title: str
    company: str
    product: str
    scenes: int
    scripts: int


class PlaybooksOut(BaseModel):
    """The installed playbooks."""

    items: list[PlaybookOut]


class VersionOut(BaseModel):
    """A version of a playbook."""

    version: str
    at: datetime = Field(description="since when it is known")


class VersionsOut(BaseModel):
    """The versions that a playbook had, the newest first."""

    items: list[VersionOut]


class PlaybookText(Given):
    """A playbook as YAML."""

    yaml: str = Field(max_length=2_000_000)


class Checked(BaseModel):
    """What a check found."""

    ok: bool
    detail: str = ""
    hint: str = ""
