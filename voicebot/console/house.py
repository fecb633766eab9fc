"""What every page and route of the console needs: settings, database, keys, line workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from voicebot import bootstrap
from voicebot.console.live import Live
from voicebot.console.push.sender import Push
from voicebot.console.rehearsals import Rehearsals
from voicebot.console.trials import Trials
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.service.lines import Lines
from voicebot.settings import Settings
from voicebot.store.crypto import NumberVault
from voicebot.store.recordings import Recordings
from voicebot.store.session import Database, Transaction

T = TypeVar("T")


class House:
    """The console's parts. One a process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Take the settings and an opened, migrated database."""
        self.settings = settings
        self.database = database
        self.lines = Lines()

    @cached_property
    def live(self) -> Live:
        """All calls that run now; `start` it in the event loop."""
        return Live(self)

    @cached_property
    def push(self) -> Push:
        """What tells agents' devices of calls."""
        return Push(self)

    @cached_property
    def trials(self) -> Trials:
        """Who tries the bot by the browser."""
        return Trials(self)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        """Rehearsals that were started here."""
        return Rehearsals(self)

    @cached_property
    def vault(self) -> NumberVault:
        """What opens phone numbers."""
        return bootstrap.vault(self.settings)

    @cached_property
    def recordings(self) -> Recordings:
        """The recordings of calls."""
        return bootstrap.recordings(self.settings)

    @cached_property
    def playbooks(self) -> PlaybookDirectories:
        """The installed playbooks."""
        return bootstrap.playbooks(self.settings)

    async def query(self, work: Callable[[Transaction], T]) -> T:
        """Run work in one transaction, in a thread. Raises StoreError, DataError and what work raises."""
        return await asyncio.to_thread(self.query_here, work)

    def query_here(self, work: Callable[[Transaction], T]) -> T:
        """Run work in one transaction, in this thread."""
        with self.database.transaction() as session:
            return work(session)

    async def close(self) -> None:
        """End what was begun here, and let go of the line workers."""
        await self.trials.close()
        await self.rehearsals.close()
        await self.live.close()
        await self.push.close()
        await self.lines.close()
