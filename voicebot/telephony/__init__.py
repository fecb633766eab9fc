"""Telephony: the SIP user agent and its media. The only place that knows pjsua2.

One process holds one `UserAgent`; it owns a thread in which alone pjsua2 lives, and carries as many
legs as pjsua2 was compiled for (`capacity`, 4 with today's wheel). Each call is a `Leg`:

    agent = UserAgent(UserAgentConfig(bind="127.0.0.1", sip_port=5070), on_invite=take)
    agent.start()                                    # TelephonyError if the port is in use
    leg = agent.call("sip:13800000000@127.0.0.1:5060", headers={"X-Attempt-Id": "7"})
    leg.listen(on_event)                             # Ringing EarlyMedia Answered Dtmf NoMedia
                                                     # TransferEnded Ended; earlier ones first
    leg.on_frame = hear                              # 320 bytes every 20 ms, zeros when nothing comes
    leg.playout.play(pcm); leg.playout.flush()       # 16-bit 8 kHz mono, paced by the bridge
    leg.send_dtmf("1"); leg.transfer("sip:agent@pbx"); leg.hang_up()
    agent.stop()                                     # before the process ends

    def take(leg):                                   # an INVITE: leg.to_user, leg.headers
        leg.listen(on_event)
        leg.ring()                                   # 180; or leg.early_media() for 183 with audio
        leg.answer()                                 # or leg.refuse(486, "why")

Every method of a leg may be called from any thread and returns at once. Events come in the SIP
thread and frames in the media thread: return quickly, hand on with `loop.call_soon_threadsafe`.
"""

from voicebot.telephony.leg import (
    Answered,
    Dtmf,
    EarlyMedia,
    Ended,
    Leg,
    LegEvent,
    NoMedia,
    Ringing,
    Stalled,
    TransferEnded,
)
from voicebot.telephony.library import Registration, UserAgentConfig
from voicebot.telephony.playout import Playout
from voicebot.telephony.recording import Recording, Sealing
from voicebot.telephony.user_agent import UserAgent

__all__ = [
    "Answered",
    "Dtmf",
    "EarlyMedia",
    "Ended",
    "Leg",
    "LegEvent",
    "NoMedia",
    "Playout",
    "Recording",
    "Registration",
    "Ringing",
    "Sealing",
    "Stalled",
    "TransferEnded",
    "UserAgent",
    "UserAgentConfig",
]
