"""Keys on the telephone: an answer to the last script, or what the playbook says everywhere."""

from __future__ import annotations

from voicebot.domain.script import Playbook, Script

HUMAN = "0"  # asks for a person, where the playbook gives no key a meaning


def script(digit: str, last: Script | None, playbook: Playbook) -> Script | None:
    """Return the script that a key leads to; None if it means nothing here."""
    named = last.keys.get(digit) if last else None
    answer = next((answer for answer in last.answers if answer.name == named), None) if last else None
    if answer is not None and answer.then in playbook.scripts:
        return playbook.scripts[answer.then]
    if digit in playbook.keys:
        return playbook.scripts[playbook.keys[digit]]
    return playbook.scripts[playbook.handover] if digit == HUMAN and not playbook.keys else None
