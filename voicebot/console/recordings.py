"""Recordings for who may hear them: a guarded route with byte ranges, so that players can jump."""

from __future__ import annotations

import asyncio
import io
import wave

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from voicebot.console.house import House
from voicebot.console.ranges import ranged
from voicebot.domain.errors import DataError, StoreError
from voicebot.domain.users import Right
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.session import Transaction


def recordings(house: House) -> APIRouter:
    """Return the route of recordings."""
    router = APIRouter(include_in_schema=False)

    @router.get("/recordings/{call_id}.wav")
    async def recording(request: Request, call_id: str) -> Response:
        """Send a call's stereo recording: customer left, bot right. Each hearing is logged once."""
        user = request.state.session.user
        if not user.may(Right.HEAR_CALLS):
            raise HTTPException(403, "not allowed")
        first = request.headers.get("range", "bytes=0-").startswith("bytes=0-")

        def find(session: Transaction) -> str:
            key = OutcomeRepository(session).recording(call_id)
            if key and first:
                AuditRepository(session).add(user.name, "hear_recording", f"call:{call_id}")
            return key

        try:
            sound = await sound_of(house, await house.query(find))
        except DataError as error:
            raise HTTPException(404, str(error)) from None
        return ranged(sound, "audio/wav", request.headers.get("range", ""))

    @router.get("/recordings/{call_id}/peaks")
    async def waveform(request: Request, call_id: str) -> Waveform:
        """Return the waveform of a recording."""
        if not request.state.session.user.may(Right.HEAR_CALLS):
            raise HTTPException(403, "not allowed")
        try:
            key = await house.query(lambda session: OutcomeRepository(session).recording(call_id))
            return await asyncio.to_thread(peaks, await sound_of(house, key))
        except DataError as error:
            raise HTTPException(404, str(error)) from None

    return router


class Waveform(BaseModel):
    """How loud both sides are over time: 0-1 for each of a few hundred slices."""

    duration_s: float
    customer: list[float]
    bot: list[float]


def peaks(sound_file: bytes, slices: int = 600) -> Waveform:
    """Return the waveform of a 16-bit WAV. Raises DataError if it is another file."""
    try:
        with wave.open(io.BytesIO(sound_file)) as file:
            frames, channels, rate = file.getnframes(), file.getnchannels(), file.getframerate()
            sound = np.frombuffer(file.readframes(frames), "<i2").reshape(-1, channels)
    except (wave.Error, EOFError, ValueError) as error:
        raise DataError("the recording is damaged") from error
    if not len(sound):
        return Waveform(duration_s=0.0, customer=[0.0], bot=[0.0])
    size = max(1, -(-len(sound) // slices))
    padded = np.pad(np.abs(sound.astype(np.int32)), ((0, -len(sound) % size), (0, 0)))
    loud = padded.reshape(-1, size, channels).max(axis=1) / 32768
    # Speech on the line is quiet against full scale: what is seen is relative to the loudest.
    top = max(float(loud.max()), 0.01)
    lanes = [[round(float(value), 3) for value in lane / top] for lane in loud.T]
    return Waveform(duration_s=frames / rate, customer=lanes[0], bot=lanes[-1])


async def sound_of(house: House, key: str) -> bytes:
    """Return a recording as a WAV file. Raises DataError if there is none."""
    try:
        return await asyncio.to_thread(house.recordings.wav, key)
    except StoreError as error:
        raise DataError(
            "this call has no recording that can be heard ({why})",
            hint="it was not recorded, or its time to be kept is over",
            why=error.what,
        ) from error
