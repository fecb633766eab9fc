"""The tables. Times are UTC with zone; ids are UUIDv7, made in the app."""

from __future__ import annotations

from voicebot.store.tables.agents import AgentRow, FeedbackRow, PushTargetRow, TakeoverRow
from voicebot.store.tables.base import Base
from voicebot.store.tables.calls import CallRow, CorrectionRow, OutcomeRow, TurnRow
from voicebot.store.tables.campaigns import AttemptRow, CampaignRow, ContactCountRow, ContactRow, DoNotCallRow
from voicebot.store.tables.compliance import DoNotCallListRow, DoNotCallNumberRow, ImportRow, RefusalRow
from voicebot.store.tables.console import ApiAnswerRow, ApiTokenRow, SavedViewRow
from voicebot.store.tables.learning import DriftReportRow, ModelVersionRow, TrainingRow
from voicebot.store.tables.rollups import (
    EmotionRollupRow,
    LatencyRollupRow,
    OutcomeRollupRow,
    ReasonRollupRow,
    RollupStateRow,
    ScriptRollupRow,
)
from voicebot.store.tables.samples import ModelSampleRow, SampleRow
from voicebot.store.tables.service import PlaybookVersionRow, PromptRow, WorkerRow
from voicebot.store.tables.trunks import RegistrationRow, TrunkRow
from voicebot.store.tables.users import AuditRow, SignInFailureRow, SignInLinkRow, UserRow, UserSessionRow
from voicebot.store.tables.webhooks import WebhookDeliveryRow, WebhookRow

__all__ = [
    "AgentRow",
    "ApiAnswerRow",
    "ApiTokenRow",
    "AttemptRow",
    "AuditRow",
    "Base",
    "CallRow",
    "CampaignRow",
    "ContactCountRow",
    "ContactRow",
    "CorrectionRow",
    "DoNotCallListRow",
    "DoNotCallNumberRow",
    "DoNotCallRow",
    "DriftReportRow",
    "EmotionRollupRow",
    "FeedbackRow",
    "ImportRow",
    "LatencyRollupRow",
    "ModelSampleRow",
    "ModelVersionRow",
    "OutcomeRollupRow",
    "OutcomeRow",
    "PlaybookVersionRow",
    "PromptRow",
    "PushTargetRow",
    "ReasonRollupRow",
    "RefusalRow",
    "RegistrationRow",
    "RollupStateRow",
    "SampleRow",
    "SavedViewRow",
    "ScriptRollupRow",
    "SignInFailureRow",
    "SignInLinkRow",
    "TakeoverRow",
    "TrainingRow",
    "TrunkRow",
    "TurnRow",
    "UserRow",
    "UserSessionRow",
    "WebhookDeliveryRow",
    "WebhookRow",
    "WorkerRow",
]
