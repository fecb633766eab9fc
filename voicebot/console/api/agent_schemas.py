"""What the API takes and gives about agents, their calls, and customers they look at first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from voicebot.console.api.schemas import Given, Id, Line
from voicebot.domain.people import AgentState, SuggestionUse

SipUri = Annotated[Line, Field(max_length=200, pattern=r"^sips?:", description="SIP URI of a phone")]


class AgentOut(BaseModel):
    """An agent."""

    id: str = Field(description="the name that is typed to sign in")
    name: str
    phone: str = Field(description="SIP URI; empty = no call reaches the agent")
    state: AgentState = Field(description="away, ready, reserved (a call is on its way), busy")
    call_id: str = Field(description="of the call that is on its way or talked; empty = none")
    missed: int = Field(description="calls not answered since the last one taken")


class AgentsOut(BaseModel):
    """All agents, by name."""

    items: list[AgentOut]


class Presence(Given):
    """Whether an agent takes calls. It holds for 45 seconds, like an open page: send it again until then."""

    ready: bool


class NextCustomer(Given):
    """Of which campaign the next customer is wanted."""

    campaign: Line = Field(min_length=1, max_length=200, description="id or name of a preview campaign")


class EarlierCall(BaseModel):
    """A call to the customer before."""

    at: datetime
    cause: str
    disposition: str


class CustomerOut(BaseModel):
    """A customer as an agent sees one before the call. The number is masked."""

    contact_id: str
    campaign_id: str
    campaign: str
    number: str
    zone: str
    slots: dict[str, str]
    attempts: int = Field(description="calls by this campaign so far")
    calls: list[EarlierCall] = Field(description="by all campaigns, oldest first")
    until: datetime = Field(description="nobody else is shown the customer before")


class Offered(BaseModel):
    """The customer who is kept for an agent."""

    customer: CustomerOut | None = Field(description="null = nobody is due now")


class Skip(Given):
    """Why a customer is passed by."""

    why: Line = Field("", max_length=500)


class Answered(BaseModel):
    """What became of an offered customer."""

    contact_id: str
    done: str = Field(description="dial: the agent's phone rings first; skip: offered again later")


class SuggestedOut(BaseModel):
    """A script that the agent may say."""

    script_id: str
    text: str
    probability: float
    reason: str


class SuggestionOut(BaseModel):
    """What is suggested after the customer's last words."""

    seq: int = Field(description="of the turn")
    at: datetime
    customer_text: str
    emotion: str
    situation: str
    scripts: list[SuggestedOut]
    after_ms: int = Field(description="from the customer's last sound")


class BriefingOut(BaseModel):
    """What is known of the customer before the call comes."""

    reason: str
    summary: str
    emotion: str
    facts: dict[str, str]
    lines: Sequence[tuple[str, str]] = Field(description="who (customer, bot, agent) and what, oldest first")


class AgentCallOut(BaseModel):
    """The call that is on its way to an agent, or conducted by one."""

    call_id: str
    stage: str = Field(description="ringing, briefing, connected")
    delivery: str = Field(description="suggest: the agent talks; speak: the bot does")
    briefing: BriefingOut | None
    lines: list[tuple[str, str]] = Field(description="who and what, the newest last")
    suggestion: SuggestionOut | None


class Screen(BaseModel):
    """What stands on an agent's screen."""

    call: AgentCallOut | None = Field(description="null = none")


class SuggestionUsed(Given):
    """What an agent did with a suggestion."""

    call_id: Id
    seq: int = Field(ge=0, le=10_000, description="of the turn")
    script: Line = Field(min_length=1, max_length=200)
    use: SuggestionUse
    text: Line = Field("", max_length=2000, description="the edited wording")


class Whisper(Given):
    """Whose phone joins a call, heard by the agent alone."""

    phone: SipUri
