"""`voicebot keys`: the keys that numbers, passwords and recordings are sealed with."""

from __future__ import annotations

import typer
from rich.console import Console

from voicebot import bootstrap
from voicebot.cli.actor import actor
from voicebot.cli.stored import stored
from voicebot.domain.errors import SettingsError
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.crypto import KeyRing, NumberVault, write_ring
from voicebot.store.recordings import Recordings
from voicebot.store.rotation import Rotated, rotate
from voicebot.store.sealing import RecordingSeal

keys_app = typer.Typer(
    help="""Change the key that seals numbers, passwords and recordings, without a pause.

    1. voicebot keys add     a new key, which only opens; restart every process of every machine
    2. voicebot keys rotate  the new key seals, and everything is sealed anew; restart every process
    3. voicebot keys retire  what was sealed meanwhile is sealed anew, and the old keys are dropped
    """,
    no_args_is_help=True,
)


@keys_app.command()
def show() -> None:
    """Show how many keys there are and where they come from; never the keys."""
    settings = Settings()
    ring = bootstrap.key_ring(settings)
    place = "VOICEBOT_NUMBER_KEY" if settings.number_key is not None else str(settings.home / "number.key")
    print(f"{len(ring.openers)} in {place}; the first seals, all open")


@keys_app.command()
def add() -> None:
    """Make a new key at random, which only opens for now."""
    settings = Settings()
    ring = bootstrap.key_ring(settings)
    if ring.coming:
        raise SettingsError("there is a new key already", hint="go on with voicebot keys rotate")
    _keep(settings, ring.with_new())
    print("next: restart every process of every machine, then voicebot keys rotate")


@keys_app.command(name="rotate")
def rotate_() -> None:
    """Let the newest key seal, and seal everything anew with it. May be repeated."""
    settings = Settings()
    ring = bootstrap.key_ring(settings).promoted()
    _seal_anew(settings, ring, "keys_rotate")
    _keep(settings, ring)
    print("next: restart every process of every machine, then voicebot keys retire")


@keys_app.command()
def retire() -> None:
    """Seal anew what was sealed by an older key since, and drop the older keys."""
    settings = Settings()
    ring = bootstrap.key_ring(settings)
    _seal_anew(settings, ring, "keys_retire")
    _keep(settings, ring.newest_only())
    print("old keys are needed for old backups only: keep them there, or nowhere")


def _seal_anew(settings: Settings, ring: KeyRing, action: str) -> None:
    sound = Recordings(settings.home / "recordings", bootstrap.blobs(settings), RecordingSeal(ring))
    last: dict[str, Rotated] = {}
    with stored(settings) as store:
        with Console(stderr=True).status("sealing anew") as status:
            for state in rotate(store, NumberVault(ring), sound):
                last[state.what] = state
                status.update(f"{state.what}: {state.looked_at:,}")
        with store.transaction() as session:
            changed = {what.replace(" ", "_"): state.changed for what, state in last.items()}
            AuditRepository(session).add(actor(), action, "keys", **changed)
    for state in last.values():
        print(f"{state.what}: {state.changed:,} of {state.looked_at:,} sealed anew")


def _keep(settings: Settings, ring: KeyRing) -> None:
    """Put the keys where they come from; those of the environment can only be told to the operator."""
    if settings.number_key is None:
        write_ring(settings.home / "number.key", ring)
        return
    print("put this into VOICEBOT_NUMBER_KEY, on every machine:")
    print(ring.text(","))
