"""Measures drift for the server, in a process of its own: numpy and seconds of work stay out of the one that answers.

Started as `python -m autoretrain.serving.drift_child`. Reads a request from standard input, writes its answer to
standard output, and ends with its input, that is, with the server. A frame is eight bytes of length and the bytes; a
request is three frames (JSON, model, reference; the last two empty where the digest was sent before), an answer one.
"""

import os
import signal
import struct
import sys
from datetime import datetime
from typing import Any, BinaryIO, Final

import orjson

from autoretrain.adapters.records import dump_record
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.linear import LinearModel

NICENESS: Final = 19
LENGTH: Final = struct.Struct(">Q")


def read_frame(stream: BinaryIO) -> bytes:
    """The next frame; raises EOFError where the stream ends."""
    (length,) = LENGTH.unpack(_read_exactly(stream, LENGTH.size))
    return _read_exactly(stream, length)


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def evaluate(detector: DriftDetector, request: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(request["at"])
    report = detector.evaluate(
        request["messages"],
        window_id=request["window_id"],
        model_version=request["model_version"],
        started_at=at,
        ended_at=at,
    )
    return {"report": dump_record(report)}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end. Only the newest detector is kept."""
    digest, detector = "", None
    while True:
        request = orjson.loads(read_frame(requests))
        model, reference = read_frame(requests), read_frame(requests)
        try:
            if request["digest"] != digest or detector is None:
                digest, detector = "", DriftDetector.load(reference, LinearModel.load(model))
                digest = request["digest"]
            answer = evaluate(detector, request)
        except AutoRetrainError as error:
            answer = {"error": str(error)}
        except Exception as error:  # its text may hold a message
            answer = {"error": f"drift could not be measured ({type(error).__name__})"}
        frame = orjson.dumps(answer)
        answers.write(LENGTH.pack(len(frame)) + frame)
        answers.flush()


def yield_to_everybody() -> None:
    """Take only the processor time that nobody else wants: a drift report can wait, an answer can't."""
    os.nice(NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    # Ctrl-C reaches the whole group; this process ends when the server closes its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield_to_everybody()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not look like an answer
    try:
        serve(sys.stdin.buffer, answers)
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
