"""One call to a SIP URI on this machine, to try the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from voicebot import bootstrap
from voicebot.campaign.trunk import is_loopback
from voicebot.domain.call import CallEvent, CallRequest, Direction
from voicebot.domain.errors import ComplianceError
from voicebot.domain.ids import uuid7
from voicebot.service.lines import Lines
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings


async def run(
    settings: Settings,
    uri: str,
    playbook_id: str,
    slots: Mapping[str, str],
    show: Callable[[CallEvent], None],
) -> str:
    """Start what a call needs, place it, and return its id when it has ended.

    Raises:
        ComplianceError: the URI leads away from this machine.
        VoicebotError: something does not start.
    """
    if not is_loopback(uri.replace(uri.partition(":")[2].partition("@")[0], "{number}", 1)):
        raise ComplianceError(
            f"{uri} is not on this machine",
            hint="calls to people go through a campaign, which checks consent, do-not-call and hours",
        )
    settings = settings.model_copy(
        update={"calls": 1, "sip_port": 0, "rtp_port": 0, "inference_port": 0, "line_port": 0}
    )
    request = CallRequest(
        call_id=str(uuid7()),
        attempt_id="",
        campaign_id="",
        contact_id="",
        playbook_id=playbook_id,
        direction=Direction.OUTBOUND,
        to_uri=uri,
        slots=slots,
    )
    bootstrap.playbooks(settings).get(playbook_id)
    with bootstrap.store(settings) as store:
        url = store.engine.url.render_as_string(hide_password=False)
        async with Supervisor(settings, url, settings.home / "logs" / "call") as supervisor:
            await _call(supervisor, settings, request, show)
    return request.call_id


async def _call(
    supervisor: Supervisor, settings: Settings, request: CallRequest, show: Callable[[CallEvent], None]
) -> None:
    lines = Lines()
    line = lines.at(f"{settings.bind}:{supervisor.lines[0].facts['port']}")
    ended = asyncio.Event()

    async def follow() -> None:
        async for event in line.watch():
            show(event)
            if event.kind == "ended":
                ended.set()

    watcher = asyncio.create_task(follow())
    try:
        await line.originate(request)
        await ended.wait()
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await lines.close()
