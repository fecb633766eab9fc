"""Numbers that must not be called."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import phonenumbers
from fastapi import APIRouter, Depends

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.contacts import read_number
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.store.consents import ConsentRepository
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Transaction
from voicebot.text.redaction import mask_number

router = APIRouter(tags=["do-not-call"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_CONSENT))]
Edits = Annotated[Caller, Depends(needs(Right.EDIT_CONSENT))]


@router.post("/do-not-call", status_code=201)
async def forbid_numbers(caller: Edits, given: schemas.Numbers) -> schemas.Forbidden:
    """Let numbers never be called again, by any campaign. Doing it again changes nothing."""
    numbers, refused = _read(given)
    now = datetime.now(UTC)

    def work(session: Transaction) -> int:
        listed = DoNotCallRepository(session, caller.house.vault)
        return listed.add([number for _, number in numbers], "person", caller.name, now)

    added = await caller.act("forbid_number", "numbers", work, numbers=len(numbers))
    return schemas.Forbidden(added=added, refused=refused)


@router.post("/do-not-call/check")
async def check_numbers(caller: Sees, given: schemas.Numbers) -> schemas.NumbersChecked:
    """Say of numbers whether they must not be called, and why. The audit log keeps how many were asked."""
    numbers, refused = _read(given)

    def work(session: Transaction) -> list[schemas.NumberChecked]:
        listed = DoNotCallRepository(session, caller.house.vault)
        found = ((index, listed.found(number)) for index, number in numbers)
        return [
            schemas.NumberChecked(index=index, forbidden=bool(why), why=list(why)) for index, why in found
        ]

    items = await caller.act("look_up_number", "numbers", work, numbers=len(numbers))
    return schemas.NumbersChecked(items=items, refused=refused)


@router.post("/consents/check")
async def check_consent(caller: Sees, given: schemas.OneNumber) -> schemas.ConsentsOut:
    """Say on which lists a number stands, with what consent. The audit log keeps it masked."""
    form = phonenumbers.PhoneNumberFormat.E164
    number = phonenumbers.format_number(read_number(given.number, given.region), form)
    lookup = caller.house.vault.lookup(number)
    found = await caller.act(
        "look_up_number",
        f"number:{mask_number(number)}",
        lambda session: ConsentRepository(session).of_number(lookup),
    )
    return schemas.ConsentsOut(items=[schemas.ConsentFound(**asdict(one)) for one in found.consents])


def _read(given: schemas.Numbers) -> tuple[list[tuple[int, str]], list[schemas.Refused]]:
    numbers, refused = [], []
    for index, text in enumerate(given.numbers):
        try:
            number = read_number(text, given.region)
        except DataError as error:
            refused.append(schemas.Refused(index=index, reason=error.detail))
        else:
            form = phonenumbers.PhoneNumberFormat.E164
            numbers.append((index, phonenumbers.format_number(number, form)))
    return numbers, refused
