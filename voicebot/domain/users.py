"""People who use the product, and the one table of what each role may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here for."""

    AGENT = "agent"  # 坐席: takes transfers, talks with suggestions on screen
    SUPERVISOR = "supervisor"  # 班长: listens live, takes over, grades turns
    MANAGER = "manager"  # 经理: campaigns, outcomes, playbooks
    AUDITOR = "auditor"  # 审计: reads outcomes and the audit log, changes nothing
    ADMIN = "admin"  # 管理员: people, tokens, everything


class Right(StrEnum):
    """One thing that may be done."""

    TAKE_CALLS = "take_calls"  # the agent's screen
    SEE_LIVE = "see_live"  # the wall of running calls
    CONTROL_CALLS = "control_calls"  # listen in, take over, hang up, switch delivery
    GRADE = "grade"  # score turns
    SEE_CALLS = "see_calls"  # outcomes, transcripts
    HEAR_CALLS = "hear_calls"  # recordings
    SEE_REPORTS = "see_reports"  # dashboard, statistics
    SEE_CAMPAIGNS = "see_campaigns"
    RUN_CAMPAIGNS = "run_campaigns"  # create, upload, start, pause
    SEE_PLAYBOOKS = "see_playbooks"
    EDIT_PLAYBOOKS = "edit_playbooks"
    SEE_CONSENT = "see_consent"  # do-not-call and consent
    EDIT_CONSENT = "edit_consent"
    REVEAL_NUMBERS = "reveal_numbers"  # with a reason, logged
    EXPORT = "export"  # files of outcomes
    TRAIN = "train"  # retrain, promote, roll back
    TRY_BOT = "try_bot"  # talk to the bot by the browser, rehearse
    SEE_AUDIT = "see_audit"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_TOKENS = "manage_tokens"  # API tokens and webhooks


_SUPERVISOR = {
    Right.SEE_LIVE,
    Right.CONTROL_CALLS,
    Right.GRADE,
    Right.SEE_CALLS,
    Right.HEAR_CALLS,
    Right.SEE_REPORTS,
    Right.SEE_CAMPAIGNS,
    Right.SEE_PLAYBOOKS,
    Right.TRY_BOT,
}

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.AGENT: frozenset({Right.TAKE_CALLS}),
    Role.SUPERVISOR: frozenset(_SUPERVISOR | {Right.TAKE_CALLS}),
    Role.MANAGER: frozenset(
        _SUPERVISOR
        | {
            Right.RUN_CAMPAIGNS,
            Right.EDIT_PLAYBOOKS,
            Right.SEE_CONSENT,
            Right.EDIT_CONSENT,
            Right.REVEAL_NUMBERS,
            Right.EXPORT,
            Right.TRAIN,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            Right.SEE_CALLS,
            Right.HEAR_CALLS,
            Right.SEE_REPORTS,
            Right.SEE_CAMPAIGNS,
            Right.SEE_PLAYBOOKS,
            Right.SEE_CONSENT,
            Right.SEE_AUDIT,
        }
    ),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    id: str
    name: str  # what is typed to sign in
    role: Role
    display_name: str = ""
    language: str = "zh"  # zh, en
    dark: bool | None = None  # None: as the browser says
    disabled: bool = False
    must_change: bool = False  # the password was made by somebody else
    oidc_subject: str = ""  # issuer and subject, if an identity provider signs in
    extension: str = ""  # SIP URI of an agent's phone

    @property
    def title(self) -> str:
        """What others see."""
        return self.display_name or self.name

    def may(self, right: Right) -> bool:
        """Return whether the user may do this now."""
        return not self.disabled and right in RIGHTS[self.role]


@dataclass(frozen=True, slots=True)
class UserSession:
    """One browser of a user, signed in."""

    user: User
    id: str
    csrf: str  # what a form must send back
    created_at: datetime
    expires_at: datetime
