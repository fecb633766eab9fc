"""Learning from calls, beside them."""

from __future__ import annotations

from datetime import timedelta

import structlog

from voicebot.learning.gather import gather
from voicebot.service.jobs.task import Work

LOOK_BACK = timedelta(
    hours=6
)  # a grade or a replayed call may come late; later ones: voicebot feedback gather
log = structlog.get_logger()


def gather_samples(work: Work) -> None:
    """Make samples of what was judged since a while; doing it again changes nothing."""
    log.info("samples gathered", samples=gather(work.database, work.now - LOOK_BACK, work.now))
