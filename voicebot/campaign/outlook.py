"""When a contact can be called next, by the rules as they are known now. Pure.

A refusal says until when it holds, but not that a call is allowed then: the hour after a pause may lie at
night, a list may be too old by the next morning. So the rules are asked again at each such time, until they
allow a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from voicebot.campaign.compliance import Reason, Refusal
from voicebot.campaign.policy_pack import PolicyPack
from voicebot.store.do_not_call import NumberList

Rule = Callable[[datetime, Sequence[NumberList]], Refusal | None]  # compliance.refusal for one contact

LISTS = frozenset({Reason.LIST_MISSING, Reason.LIST_STALE})
MOST_STEPS = 100  # the rules alternate between pauses and hours a few times at most


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rules say of the next call."""

    at: datetime | None  # the earliest; None = never
    refusals: tuple[tuple[datetime, Refusal], ...]  # what stands in the way until then, and when it was met
    ended: bool = False  # the campaign ends before a call is allowed
    loads: tuple[str, ...] = ()  # what must be loaded anew before, in words; `at` counts as if it were


def outlook(
    rule: Rule, policy: PolicyPack, lists: Sequence[NumberList], after: datetime, ends_at: datetime | None
) -> Outlook:
    """Return when the rules allow a call first.

    Args:
        rule: why the contact must not be called at a time, with these do-not-call lists.
        policy: whose registries must be there.
        lists: that are loaded.
        after: no call before.
        ends_at: no call from then on; None = no end.
    """
    at, met = after, list[tuple[datetime, Refusal]]()
    loads: dict[str, None] = {}
    for _ in range(MOST_STEPS):
        if ends_at is not None and at >= ends_at:
            return Outlook(None, tuple(met), ended=True, loads=tuple(loads))
        refused = rule(at, lists)
        if refused is None:
            return Outlook(at, tuple(met), loads=tuple(loads))
        if refused.reason in LISTS:
            loads[refused.words] = None
            lists = _loaded_anew(lists, policy, at)
            continue
        met.append((at, refused))
        if refused.until is None:
            return Outlook(None, tuple(met), loads=tuple(loads))
        at = max(refused.until, at + timedelta(seconds=1))
    return Outlook(None, tuple(met), loads=tuple(loads))


def _loaded_anew(lists: Sequence[NumberList], policy: PolicyPack, at: datetime) -> list[NumberList]:
    """Return the lists as they are once somebody has loaded every one of them anew."""
    missing = set(policy.registries) - {found.name for found in lists}
    fresh = [replace(found, as_of=at, loaded_at=at) for found in lists]
    return [*fresh, *(NumberList(name, at, 0, 0, at) for name in sorted(missing))]
