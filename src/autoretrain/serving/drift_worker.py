"""Who measures drift while we answer? One niced child process: started when first needed, one request at a time.

The serving image has no numpy to measure with: there the monitor does it, and publishes metrics.
"""

import asyncio
import importlib.util
import os
import struct
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson
import structlog

from autoretrain.adapters.records import load_record
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.lineup import ServedModel

log = structlog.get_logger(__name__)

COMMAND: Final = (sys.executable, "-m", "autoretrain.serving.drift_child")
WAITING_REQUESTS: Final = 4
TIMEOUT_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 16 * 2**20
_LENGTH: Final = struct.Struct(">Q")
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class DriftFailed(AutoRetrainError):  # noqa: N818 - named for what happened
    """The worker died or could not measure; the next request starts a new one."""


class DriftNotHere(AutoRetrainError):  # noqa: N818 - as above
    """This installation can't measure drift."""


class DriftBusy(AutoRetrainError):  # noqa: N818 - as above
    """As many requests wait as may."""


class DriftTimeout(AutoRetrainError):  # noqa: N818 - as above
    """The answer did not come within the time limit; the worker was ended."""


class DriftWorker:
    """The child process and the queue before it. Used from one event loop."""

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        waiting_requests: int = WAITING_REQUESTS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._waiting_requests, self._timeout = waiting_requests, timeout_seconds
        self._requests = 0
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._closed = False
        self._sent_digest = ""

    async def evaluate(
        self, model: ServedModel, messages: Sequence[str], *, window_id: str, at: datetime
    ) -> DriftReport:
        """Measure `messages` against the references of `model`.

        Raises DriftNotHere or DriftBusy at once, DriftTimeout after the time limit (waiting for one's turn included),
        DriftFailed.
        """
        if importlib.util.find_spec("numpy") is None:
            raise DriftNotHere("drift is not measured by this server: the monitor does, and publishes metrics")
        if self._requests > self._waiting_requests:
            raise DriftBusy(f"{self._requests} drift calculations are under way; try again later")
        request = {
            "digest": model.digest,
            "model_version": model.version,
            "messages": list(messages),
            "window_id": window_id,
            "at": at.isoformat(),
        }
        self._requests += 1
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                answer = orjson.loads(await self._ask(orjson.dumps(request), model))
        except TimeoutError:
            raise DriftTimeout(f"drift was not measured within {self._timeout:.0f} s") from None
        finally:
            self._requests -= 1
        if "error" in answer:
            raise DriftFailed(answer["error"])
        return load_record(DriftReport, answer["report"])

    async def close(self) -> None:
        """End the child, kindly and then not. There is no other one after it."""
        self._closed = True
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(0.5):
                await process.wait()
        except TimeoutError:
            _kill(process)
            await process.wait()

    async def _ask(self, request: bytes, model: ServedModel) -> bytes:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        known = self._sent_digest == model.digest
        frames = (request, b"", b"") if known else (request, model.artefact, model.reference)
        try:
            for frame in frames:
                process.stdin.write(_LENGTH.pack(len(frame)) + frame)
                await process.stdin.drain()
            (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
            if length > MAX_ANSWER_BYTES:
                raise DriftFailed("the drift worker's answer is too long")
            answer = await process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            log.error("drift worker ended", returncode=process.returncode)
            raise DriftFailed("the drift worker ended while it measured; try again") from None
        except BaseException:
            # Cancelled or out of time in the middle of an exchange: what this process says next is not for us.
            await self._end()
            raise
        self._sent_digest = model.digest
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if not self._closed and (self._process is None or self._process.returncode is not None):
            self._sent_digest = ""
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # One thread: the other core answers requests.
                env={**os.environ, **_ONE_THREAD},
            )
        if self._closed or self._process is None:  # Perhaps only since the child was begun.
            await self._end()
            raise DriftFailed("the server ends")
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        self._sent_digest = ""
        if process is not None:
            _kill(process)
            await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            process.kill()
        except ProcessLookupError:
            return
