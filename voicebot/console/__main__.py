"""The entry of the console: `python -m voicebot.console`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from voicebot.console.app import build
from voicebot.console.auth.first import first_admin
from voicebot.console.house import House
from voicebot.domain.errors import SettingsError
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.store.session import Database

GRACE_S = 2  # for open pages when it ends

log = structlog.get_logger()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the entry of the process."""
        yield


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve pages and API until told to stop."""
    database = Database(settings.database_url)
    house = House(settings, database)
    password = await house.query(first_admin)
    door = _listen(settings.console_bind, settings.console_port)
    address = f"http://{settings.console_bind}:{door.getsockname()[1]}"
    server = _Server(
        uvicorn.Config(
            build(house),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.console_url),
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn offers no event
        await asyncio.sleep(0.05)
    house.live.start()  # calls are watched, and agents told of them, though no page is open
    announce(port=door.getsockname()[1], url=settings.console_url or address, first_password=password)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((stopped, serving), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    server.should_exit = True
    await serving
    await house.close()
    database.dispose()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        raise SettingsError(
            f"the console can not listen at {host}:{port}: {error.strerror}",
            hint="set VOICEBOT_CONSOLE_PORT to another one, or to 0 for any free one",
        ) from error


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("console", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
