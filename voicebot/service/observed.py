"""A machine that can be observed: health, readiness and metrics of a supervisor and its processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voicebot.domain.errors import StoreError
from voicebot.service import metrics
from voicebot.service.health import HealthServer
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import LINE, WorkerRepository


def counting(settings: Settings) -> Settings:
    """Return settings whose processes count for Prometheus, if a port is set, beginning at nothing."""
    if not settings.metrics_port:
        return settings
    directory = settings.home / "metrics"
    metrics.prepare(directory)
    return settings.model_copy(update={"metrics_dir": directory})


@contextmanager
def observed(
    settings: Settings, database_url: str, supervisor: Supervisor, draining: Callable[[], bool]
) -> Iterator[str]:
    """Serve /metrics, /health and /ready while the block runs; yield their address, "" if none is wanted.

    Args:
        settings: from `counting`.
        database_url: of the database that everything needs.
        supervisor: whose processes are looked at.
        draining: whether no new calls are taken any more.
    """
    directory = settings.metrics_dir
    if directory is None:
        yield ""
        return
    database = Database(database_url, pool_size=1, connect_timeout_s=2)
    health = HealthServer(
        settings.bind,
        settings.metrics_port,
        lambda: metrics.exposition(directory),
        supervisor.health,
        lambda: {**supervisor.health(), **not_ready(database, draining=draining())},
    )
    try:
        with health:
            yield f"http://{settings.bind}:{health.port}"
    finally:
        database.dispose()


def not_ready(database: Database, *, draining: bool) -> dict[str, str]:
    """Return why no new call should come here."""
    if draining:
        return {"service": "draining: running calls end first"}
    try:
        with database.transaction() as session:
            lines = WorkerRepository(session).alive(LINE)
    except StoreError as error:
        return {"database": str(error)}
    if not any(line.busy < line.capacity and not line.draining for line in lines):
        return {"lines": "none is free" if lines else "none has a fresh heartbeat"}
    return {}
