"""The bridge port of one leg: 20 ms frames between pjsua2's conference bridge and Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pjsua2 as pj
import structlog

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ, SILENT_FRAME

log = structlog.get_logger()
_address_of_data = ctypes.c_void_p.from_address  # std::vector begins with the pointer to its data


class BridgePort(pj.AudioMediaPort):  # type: ignore[misc]  # pjsua2 ships no types
    """Both directions of one leg's audio. Made once, lent to one call after another.

    Its callbacks run in pjsua2's media thread under the GIL, every 20 ms: they must never raise
    and never take long, or the next frame of every call in this process is late.
    """

    def __init__(self, name: str) -> None:
        """Make the port and hang it on the bridge. SIP thread only."""
        super().__init__()
        self.sink: Callable[[bytes], None] | None = None
        self.source: Callable[[], bytes] | None = None
        self._out = pj.ByteVector()
        self._out.resize(FRAME_BYTES)
        self._out_address = _address_of_data(int(self._out.this)).value
        layout = pj.MediaFormatAudio()
        layout.init(pj.PJMEDIA_FORMAT_PCM, LINE_RATE_HZ, 1, FRAME_MS * 1000, 16)
        self.createPort(name, layout)

    def attach(self, sink: Callable[[bytes], None], source: Callable[[], bytes]) -> None:
        """Lend the port to a call: `sink` takes what the far end says, `source` gives what it hears."""
        self.sink, self.source = sink, source

    def detach(self) -> None:
        """Take the port back."""
        self.sink = self.source = None

    def onFrameReceived(self, frame: pj.MediaFrame) -> None:  # noqa: N802  # pjsua2's name
        """Pass on one frame of the far end; silence when it sends nothing."""
        sink = self.sink
        if sink is None:
            return
        try:
            # Through ctypes: bytes(frame.buf) would cost 300 us, this costs 1.
            if frame.size == FRAME_BYTES:
                pcm = ctypes.string_at(_address_of_data(int(frame.buf.this)).value, FRAME_BYTES)  # type: ignore[arg-type]  # not None: the vector is not empty
            else:
                pcm = SILENT_FRAME
            sink(pcm)
        except Exception:
            self.sink = None  # once is enough: the next frame is 20 ms away
            log.exception("audio sink failed")

    def onFrameRequested(self, frame: pj.MediaFrame) -> None:  # noqa: N802  # pjsua2's name
        """Give the bridge the next frame for the far end."""
        source = self.source
        if source is None:
            frame.type = pj.PJMEDIA_FRAME_TYPE_NONE
            return
        try:
            pcm = source()
            ctypes.memmove(self._out_address, pcm, FRAME_BYTES)  # type: ignore[arg-type]  # an address, as above
            frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
            frame.buf = self._out
            frame.size = FRAME_BYTES
        except Exception:
            self.source = None
            log.exception("audio source failed")
