"""Line workers as Kamailio's dispatcher wants them listed, from their heartbeats."""

from __future__ import annotations

from collections.abc import Sequence

from voicebot.domain.errors import SettingsError
from voicebot.store.workers import Worker
from voicebot.telephony.headers import check_uri

WORKERS, TRUNKS = 1, 2  # sets of destinations, as in dialplans/kamailio/kamailio.cfg


def dispatcher_list(workers: Sequence[Worker], trunks: Sequence[str]) -> str:
    """Return the text of dispatcher.list: one line a destination.

    A worker that drains is left out: its running calls find it by their Record-Route. `maxload` is always
    set, since Kamailio passes over destinations without it.

    Args:
        workers: alive, of any kind; only line workers are listed.
        trunks: SIP URIs of the far side, best first.

    Raises:
        TelephonyError: a trunk is no SIP URI.
        SettingsError: no trunk is named; Kamailio would refuse every call.
    """
    if not trunks:
        raise SettingsError("no trunk is named", hint="add --trunk sip:HOST:PORT, once for each")
    lines = ["# set  destination  flags  priority  attributes; made from the workers' heartbeats"]
    for worker in workers:
        if worker.sip_uri and worker.capacity and not worker.draining:
            host = worker.sip_uri.removeprefix("sip:").rpartition("@")[2]
            lines.append(f"{WORKERS} sip:{host} 0 0 duid={worker.id};maxload={worker.capacity}")
    for place, trunk in enumerate(trunks):
        lines.append(f"{TRUNKS} {check_uri(trunk)} 0 {len(trunks) - place}")
    return "\n".join(lines) + "\n"
