"""The phone behind a browser's microphone: `python -m voicebot.service.browser_phone --socket FILE`.

It takes one call from the bot by SIP, as any phone does, and hands its sound to the console: 16-bit 8 kHz
mono both ways over a local socket. It rings until the console connects; whoever closes ends the call.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
from pathlib import Path

from voicebot.domain.audio import FRAME_BYTES, SILENT_FRAME
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.telephony import Answered, Ended, Leg, LegEvent, UserAgent, UserAgentConfig

START_FRAMES = 3  # kept before sound goes out, so that a browser's uneven packets leave no holes
MOST_FRAMES = 20  # 400 ms: what comes later than that is skipped, not piled up
LONGEST_WAIT_S = 60.0  # for the console, and for the bot


class Microphone:
    """What a browser sent, evenly paced for the line. Filled and emptied by different threads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._pcm = b""
        self._flowing = False

    def take(self, pcm: bytes) -> None:
        """Add sound; the oldest is dropped if the line does not keep up."""
        with self._lock:
            self._pcm = (self._pcm + pcm)[-MOST_FRAMES * FRAME_BYTES :]
            self._flowing = self._flowing or len(self._pcm) >= START_FRAMES * FRAME_BYTES

    def next_frame(self) -> bytes:
        """Return the next 320 bytes; silence while there is not enough."""
        with self._lock:
            if len(self._pcm) < FRAME_BYTES:
                self._flowing = False
            if not self._flowing:
                return SILENT_FRAME
            frame, self._pcm = self._pcm[:FRAME_BYTES], self._pcm[FRAME_BYTES:]
        return frame


class BrowserPhone:
    """One call, between a SIP leg and the console's socket. Lives in one event loop."""

    def __init__(self) -> None:
        """Begin without a call."""
        self.over = asyncio.Event()
        self.met = False  # the console has connected
        self._loop = asyncio.get_running_loop()
        self._microphone = Microphone()
        self._leg: Leg | None = None
        self._writer: asyncio.StreamWriter | None = None

    def invited(self, leg: Leg) -> None:
        """Take an INVITE, in the SIP thread."""
        self._loop.call_soon_threadsafe(self._ring, leg)

    def _ring(self, leg: Leg) -> None:
        if self._leg is not None:
            leg.refuse(486, "this phone takes one call")
            return
        self._leg = leg
        leg.next_frame = self._microphone.next_frame
        leg.listen(self._on_event)
        leg.ring()
        self._answer()

    def _on_event(self, event: LegEvent) -> None:
        """Take an event, in the SIP thread."""
        self._loop.call_soon_threadsafe(self._happened, event)

    def _on_frame(self, pcm: bytes) -> None:
        """Take a frame of the bot, in the media thread."""
        self._loop.call_soon_threadsafe(self._heard, pcm)

    def _answer(self) -> None:
        if self._leg is not None and self._writer is not None:
            self._leg.answer()

    def _happened(self, event: LegEvent) -> None:
        if isinstance(event, Answered) and self._leg is not None:
            self._leg.on_frame = self._on_frame
        elif isinstance(event, Ended):
            self.over.set()

    def _heard(self, pcm: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(pcm)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the console's sound until either side ends."""
        if self._writer is not None:
            writer.close()
            return
        self._writer, self.met = writer, True
        self._answer()
        while pcm := await reader.read(FRAME_BYTES * 8):
            self._microphone.take(pcm)
        if self._leg is None:
            self.over.set()
        else:
            self._leg.hang_up()

    def close(self) -> None:
        """Tell the console that the call is over."""
        if self._writer is not None:
            self._writer.close()


async def run(settings: Settings, socket: Path, stop: asyncio.Event) -> None:
    """Take one call, until it ends or we are told to stop."""
    phone = BrowserPhone()
    config = UserAgentConfig(
        bind=settings.bind,
        sip_port=0,
        rtp_port=0,
        user="browser",
        no_media_s=3600.0,  # a silent bot is the bot's matter
    )
    agent = UserAgent(config, phone.invited)
    await asyncio.to_thread(agent.start)
    server = await asyncio.start_unix_server(phone.serve, socket)
    announce(sip_uri=agent.sip_uri)
    ends = [asyncio.create_task(stop.wait()), asyncio.create_task(phone.over.wait())]
    await asyncio.wait(ends, timeout=LONGEST_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    if phone.met and not phone.over.is_set():
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    phone.close()
    server.close()
    await asyncio.to_thread(agent.stop)


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where the console connects")
    socket = parser.parse_args().socket
    settings = Settings()
    entry.run("browser-phone", settings, lambda stop: run(settings, socket, stop))


if __name__ == "__main__":
    main()
