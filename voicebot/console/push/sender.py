"""Sends notices to agents' browsers through the push services that the browsers name."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from voicebot.console.push.sealing import CURVE, SALT_BYTES, authorization, identity, plain, point, seal
from voicebot.console.words import said
from voicebot.domain.errors import VoicebotError
from voicebot.domain.people import PushTarget
from voicebot.service.webhook_target import networks, target
from voicebot.store.push_targets import PushTargetRepository

if TYPE_CHECKING:
    from voicebot.console.house import House

TIMEOUT_S = 5.0
TTL_S = 20  # a call that rang for longer is missed: the notice is not shown any more
GONE = frozenset((404, 410))  # the browser wants no more (RFC 8030, 7.3)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a push service said."""

    status: int  # HTTP; 0 = nothing came
    error: str = ""  # "" = it took the notice


class Push:
    """The sender. One a console; belongs to its event loop."""

    def __init__(self, house: House) -> None:
        """Take the console."""
        self._house = house
        self._going: set[asyncio.Task[list[Sent]]] = set()

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return identity(self._house.vault.push_seed)

    @property
    def public_key(self) -> str:
        """What browsers must know of us before they let us send."""
        return plain(point(self._key))

    def ring(self, agent_id: str, call_id: str, reason: str) -> None:
        """Tell an agent's devices of a call that comes. Returns at once; what fails is logged."""
        task = asyncio.create_task(self.tell(agent_id, "push.call", call_id, reason))
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def tell(self, agent_id: str, words: str, tag: str, reason: str = "") -> list[Sent]:
        """Send a notice to every device of an agent; return how each went. Devices that are gone are dropped.

        Args:
            agent_id: login.
            words: key of the title in words.yaml.
            tag: a notice of the same tag takes the place of the one before.
            reason: a domain.people.TakeoverReason, said below the title; "" = none.
        """
        try:
            targets = await self._house.query(lambda session: PushTargetRepository(session).of(agent_id))
        except VoicebotError as error:
            log.warning("nobody is notified", error=str(error))
            return []
        sent = await asyncio.gather(*(self._send(one, _notice(one, words, tag, reason)) for one in targets))
        for one, answer in zip(targets, sent, strict=True):
            if answer.error:
                log.warning("a device was not notified", agent=agent_id, error=answer.error)
            if answer.status in GONE:
                await self._drop(one.endpoint)
        return list(sent)

    async def _drop(self, endpoint: str) -> None:
        await self._house.query(lambda session: PushTargetRepository(session).drop(endpoint))

    async def close(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._going, return_exceptions=True)

    async def _send(self, to: PushTarget, notice: Mapping[str, str]) -> Sent:
        settings, now = self._house.settings, datetime.now(UTC)
        try:
            allowed = networks(settings.webhook_networks)
            where = await asyncio.to_thread(target, to.endpoint, allowed)
        except VoicebotError as error:
            return Sent(0, error.detail)
        body = seal(
            json.dumps(notice, ensure_ascii=False).encode(),
            to,
            ec.generate_private_key(CURVE),
            os.urandom(SALT_BYTES),
        )
        url = httpx.URL(to.endpoint)
        subject = settings.console_url if settings.console_url.startswith("https://") else ""
        headers = {
            "host": url.netloc.decode(),
            "authorization": authorization(self._key, to.endpoint, now, subject),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(TTL_S),
            "urgency": "high",
        }
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(
                    url.copy_with(host=where.address),
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": where.host},
                )
        except httpx.HTTPError as error:
            return Sent(0, f"no answer ({type(error).__name__})")
        return Sent(answer.status_code, "" if answer.is_success else f"HTTP {answer.status_code}")


def _notice(to: PushTarget, words: str, tag: str, reason: str) -> dict[str, str]:
    body = said(f"takeover_reason.{reason}", to.language) if reason else ""
    return {"title": said(words, to.language), "body": body, "tag": tag, "lang": to.language}
