"""Turn-taking: delay against false cut-offs, barge-in, and what they cost.

--data: a folder of utterances (wav or flac) with transcripts.tsv. One half of them, by a hash of the name, is
fitted to and chosen on; figures are read on the other half, which nothing has seen.
--set whisper=DIR (needed): whisper-base in CTranslate2 form, as under <home>/models/whisper-base.
--set smart_turn=FILE: the Smart Turn 3.2 onnx file of pipecat-ai, to be judged beside ours.
--set words=DIR: short recorded words (对.wav, 好.wav …) said over a prompt.
--set unseen=DIR: recordings of other voices; without it the rendered customers of the demo.
--set pipecat=PYTHON, --set livekit=PYTHON: of environments that hold these frameworks, to talk with them.
--set played=20: ends and as many pauses that are played to them and to ours, in real time.
--set decode_s=SECONDS: take this for a decision's CPU time in the median, as measured on quiet cores; on a
  busy machine the clock of a thread runs on while others use the core's other half.
--set parts=curve,sets,over,memory,sip,peers: only some of it. curve: every system's policy, chosen and read.
  sets: the shipped settings on natural and spliced pauses and on unseen voices. over: sounds over a prompt.
  memory, sip: ours played in memory and over SIP. peers: the frameworks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import (
    barge_in,
    endpoint_clips,
    endpoint_report,
    endpoint_sets,
    peer_talk,
    sip_turns,
    telephone,
    turn_memory,
    turn_peers,
    turn_sample,
)
from voicebot.bench.barge_in import Trial
from voicebot.bench.frame import Options, Result
from voicebot.domain.audio import FRAME_BYTES, LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.speech.endpointing import cases, head, hearing
from voicebot.speech.endpointing.cases import Case, Clip
from voicebot.speech.endpointing.hearing import Heard
from voicebot.speech.endpointing.scorer import HeadScorer
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.whisper import WINDOW_S, WhisperRecognizer

PARTS = ("curve", "sets", "over", "memory", "sip", "peers")
BACKCHANNELS = ("对", "好", "是", "喂", "行")
PLAYED = 20  # ends, and as many pauses
_OVER = 6  # sounds of a kind that are said over a framework's answers

NOTES = (
    "delay: last speech (band-limited energy) to the bot's first sample; median and mean over real ends",
    "a false cut-off: an answer that starts before the detector notices speech come back, at pauses of "
    "300/500/800 ms in shares of 50/30/20 %",
    "every system of the curve answers with the same recogniser: not before its speculative text is there",
    "policies are chosen for the least mean delay on the fitted half and read on the other; what they "
    "realise there is cut_offs",
    "scores on the fitted half come from heads that did not see the utterance",
    "frameworks: oracle transcript, cached reply, their own settings; delay in real time from recorded audio",
)


def run(options: Options) -> Result:
    """Run the bench. See `voicebot bench turns --help`."""
    clips = endpoint_clips.read(options.need_data("a folder with transcripts.tsv"), options.limit)
    weights = Path(options.extra.get("whisper", ""))
    if not weights.name:
        raise DataError("no recogniser", hint="--set whisper=DIR, such as <home>/models/whisper-base")
    parts = _parts(options)
    found = cases.build(clips, options.seed)
    judged = [case for case in found if case.judged]
    played = turn_sample.draw(judged, int(options.extra.get("played", PLAYED)), options.seed)
    quiet_s = float(options.extra["decode_s"]) if "decode_s" in options.extra else None
    results: list[tuple[Sequence[Mapping[str, Any]], Mapping[str, float]]] = []
    if "curve" in parts:
        heard = list(hearing.hear(found, Decoder(weights, WINDOW_S)))
        if quiet_s is not None:
            heard = _quiet(heard, quiet_s)
        smart_turn = options.extra.get("smart_turn", "")
        results.append(endpoint_report.judge_endpoints(heard, smart_turn, options.seed))
    if "sets" in parts:
        results.append((endpoint_sets.judge(_sets(clips, options), weights, options.seed), {}))
    if "over" in parts:
        results.append(_barge_in(_trials(clips, options), weights))
    if "memory" in parts:
        results.append(turn_memory.judge(played, weights, quiet_s))
    if "sip" in parts:
        results.append(sip_turns.judge(played, weights))
    notes = list(NOTES)
    if "peers" in parts:
        pythons = {name: Path(options.extra[name]) for name in peer_talk.MODES if name in options.extra}
        results.append((turn_peers.judge(pythons, played, _few(_trials(clips, options))), {}))
        absent = (name for name in peer_talk.MODES if name not in pythons)
        notes += [f"not asked: --set {name}=PYTHON ({peer_talk.INSTALL[name]})" for name in absent]
    rows = [row for part, _ in results for row in part]
    figures = {key: value for _, told in results for key, value in told.items()}
    return Result(figures, rows, (options.seed,), tuple(notes))


def _quiet(heard: Sequence[Heard], decode_s: float) -> list[Heard]:
    """Return cases as heard by cores on which a decision takes so long in the median."""
    factor = decode_s / float(np.median([one.cpu_s for one in heard]))
    return [
        replace(
            one,
            encode_ms=one.encode_ms * factor,
            decode_ms=one.decode_ms * factor,
            cpu_s=one.cpu_s * factor,
        )
        for one in heard
    ]


def _parts(options: Options) -> frozenset[str]:
    parts = frozenset(options.extra.get("parts", ",".join(PARTS)).split(","))
    if odd := parts - set(PARTS):
        raise DataError(f"no such part: {', '.join(sorted(odd))}", hint=f"choose of {', '.join(PARTS)}")
    return parts


def _sets(clips: Sequence[Clip], options: Options) -> dict[str, list[Case]]:
    """Return what the shipped settings are judged on: natural and spliced pauses, other voices, words."""
    mine = [clip for clip in clips if cases.is_judged(clip.name)]
    most = endpoint_sets.MOST
    found = {
        "natural pauses": turn_sample.draw(cases.build(mine, options.seed), most, options.seed),
        "spliced pauses": turn_sample.draw(cases.splice(mine, options.seed), most, options.seed),
    }
    if "unseen" in options.extra:
        other = endpoint_clips.read_any(Path(options.extra["unseen"]))
        found["unseen voices"] = turn_sample.draw(cases.build(other, options.seed), most, options.seed)
    rendered = endpoint_clips.demo_customers()
    found["unseen: the demo's rendered customers"] = cases.build(rendered, options.seed)
    if "words" in options.extra:
        words = endpoint_clips.read_any(Path(options.extra["words"]))
        found["unseen: isolated words"] = cases.build(words, options.seed)
    return found


def _trials(clips: Sequence[Clip], options: Options) -> list[Trial]:
    talk = [barge_in.levelled(_audio(clip.samples)) for clip in clips[:: max(1, len(clips) // 20)]]
    folder = Path(options.extra["words"]) if "words" in options.extra else None
    files = [path for word in BACKCHANNELS if folder for path in sorted(folder.glob(f"{word}.*"))]
    words = [barge_in.levelled(telephone.read(path)) for path in files]
    return barge_in.trials(talk, words, options.seed)


def _few(kinds: Sequence[Trial]) -> list[Trial]:
    """Return what is said over the answers of frameworks: they take real time."""
    asked = (barge_in.INTERRUPTIONS, barge_in.BACKCHANNELS, barge_in.BURSTS)
    return [
        replace(kind, sounds=kind.sounds[:: max(1, len(kind.sounds) // _OVER)][:_OVER])
        for kind in kinds
        if kind.name in asked
    ]


def _barge_in(kinds: Sequence[Trial], weights: Path) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Talk over the shipped prompts."""
    recogniser = WhisperRecognizer(weights, 1)
    scorer = HeadScorer(head.load((resources.models_dir(),)))

    def hear(pcm: bytes) -> tuple[str, bool, float]:
        stream = recogniser.open(LINE_RATE_HZ)
        stream.feed(pcm)
        transcript = stream.result(final=True)
        return transcript.text, scorer.backchannel(transcript.text, Audio(pcm)), transcript.compute_s * 1000

    try:
        return barge_in.judge(_prompts(), kinds, hear)
    finally:
        recogniser.close()


def _audio(samples: cases.F32) -> Audio:
    return Audio(np.round(samples * 32767).astype("<i2").tobytes())


def _prompts() -> list[bytes]:
    """Return some shipped prompts of 4 to 9 seconds."""
    found = []
    for path in sorted((resources.demo_dir() / "prompts").glob("*/*.flac")):
        line = telephone.clean(telephone.read(path))
        if 4 < line.duration_s < 9:
            found.append(line.pcm[: len(line.pcm) // FRAME_BYTES * FRAME_BYTES])
        if len(found) == 4:
            break
    return found
