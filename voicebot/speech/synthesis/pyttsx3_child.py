"""The process in which pyttsx3 lives: one engine, one request at a time, JSON lines in and out."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from pathlib import Path

VOICE = "sit/cmn"
FINISH_S = 10.0  # a minute of speech takes a second
ESPEAK_RATE = 1  # espeakRATE in speak_lib.h


def main() -> None:
    """Speak each request {text, file, rate} from standard input into its file; answer {done}."""
    import espeakng_loader

    # pyttsx3 prints on standard output: answers keep a descriptor of their own
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # pyttsx3 looks for the system's espeak; the wheel's, loaded first, is found under its name
    os.environ["ESPEAK_DATA_PATH"] = espeakng_loader.get_data_path()
    espeak = ctypes.CDLL(espeakng_loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)
    import pyttsx3

    engine = pyttsx3.init("espeak")
    finished: list[bool] = []
    engine.connect("finished-utterance", lambda name, completed: finished.append(completed))
    engine.setProperty("voice", VOICE)
    for line in sys.stdin:
        request = json.loads(line)
        finished.clear()
        engine.setProperty("rate", request["rate"])
        # pyttsx3 now and then loses the rate for the life of a process: say it to the library as well
        espeak.espeak_SetParameter(ESPEAK_RATE, request["rate"], 0)
        engine.save_to_file(request["text"], request["file"])
        engine.runAndWait()
        # runAndWait may return while espeak's thread still speaks: the file comes with the notification
        deadline = time.monotonic() + FINISH_S
        while True not in finished and time.monotonic() < deadline:
            time.sleep(0.002)
        path = Path(request["file"])
        done = True in finished and path.is_file() and path.stat().st_size > 44
        answers.write(json.dumps({"done": done}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
