"""`voicebot backup` and `voicebot restore`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from voicebot import bootstrap
from voicebot.domain.errors import DataError
from voicebot.settings import Settings
from voicebot.store import backup as backups


def backup(
    out: Annotated[Path, typer.Argument(help="New directory, made readable by its owner alone.")],
    key: Annotated[
        bool, typer.Option("--key/--no-key", help="With the key that opens numbers and recordings.")
    ] = False,
    recordings: Annotated[
        bool, typer.Option("--recordings/--no-recordings", help="With the recordings of this machine.")
    ] = False,
) -> None:
    """Back up what can not be made again: database, playbooks, models, clips. Calls go on meanwhile.

    The key stays out unless you say so: together with it a backup gives away every number. Keep it apart;
    without it a backup can not be dialled from.

    Examples:
      voicebot backup /backup/2026-11-25
      voicebot backup /safe/all --key --recordings
    """
    settings = Settings()
    with bootstrap.store(settings) as store:
        url = store.engine.url.render_as_string(hide_password=False)
        made = backups.backup(url, settings.home, out, datetime.now(UTC), key=key, recordings=recordings)
    print(f"{out}: database of PostgreSQL {made.postgres}" + "".join(f", {name}" for name in made.folders))
    if not made.key:
        print(
            "the key is not in it: keep VOICEBOT_NUMBER_KEY, or number.key of the data home, in a safe place"
        )


def restore(
    source: Annotated[Path, typer.Argument(help="Directory of voicebot backup.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: what the database holds is replaced.")
    ] = False,
) -> None:
    """Put a backup in the place of what the database holds. Nothing else may run meanwhile.

    Files that the data home has already are kept. A backup of an older voicebot is brought up to date.

    Example:
      VOICEBOT_DATABASE_URL=postgresql://… voicebot restore /backup/2026-11-25
    """
    settings = Settings()
    if not yes and not typer.confirm("What the database holds now is replaced. Go on?"):
        raise DataError("nothing was restored")
    with bootstrap.store(settings) as store:
        url = store.engine.url.render_as_string(hide_password=False)
        made = backups.restore(url, settings.home, source)
    with bootstrap.store(settings):
        print(f"restored: {source} of {made.at}")
