"""What holds a chat model's server to account: time, bytes and tokens; and what each of its failures is called."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from autoretrain.domain.advice import AdviceOutcome

CALLS: Final = 6
TOOL_CALLS: Final = 24
"""For one question. A model that wants more is going round in circles."""

ANSWER_BYTES: Final = 262_144
CHARACTERS_PER_TOKEN: Final = 4
MOST_TOKENS: Final = 10_000_000
"""What a server may say of one call; more is a lie that would only spoil the sums."""

# By name, so that this module needs no library of an agent: each provider's client has classes of its own, of httpx or
# of a copy of it.
_LIMITS: Final = frozenset({"ModelCallLimitExceededError", "ToolCallLimitExceededError", "GraphRecursionError"})
_TIMEOUTS: Final = frozenset({"TimeoutError", "TimeoutException"})
_CONNECTIONS: Final = frozenset({"TransportError", "APIConnectionError", "ConnectionError"})

T = TypeVar("T")


class NoAnswer(Exception):  # noqa: N818 - it becomes an outcome
    """The model ended without the answer that it was asked for; `refused` where its provider says so."""

    def __init__(self, *, refused: bool) -> None:
        self.refused = refused


class TooLarge(Exception):  # noqa: N818 - as above
    """A server sent more than an answer can be."""


@dataclass(slots=True)
class Used:
    """What one question has used so far.

    Tokens are what the server says, or what the text is by its length where that is more: a server that says too little
    must not stretch a budget.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    _asked: int = 0

    def ask(self, content: Any) -> None:
        """Count a call with this content, before it is made."""
        self.calls += 1
        self._asked = _estimate(content)
        self.input_tokens += self._asked

    def answer(self, content: Any, *, said_read: Any, said_written: Any) -> None:
        """Count its answer, and what its server says that it has read and written."""
        self.input_tokens += max(_tokens(said_read) - self._asked, 0)
        self.output_tokens += max(_tokens(said_written), _estimate(content))


def _tokens(said: Any) -> int:
    return min(said, MOST_TOKENS) if isinstance(said, int) else 0


def _estimate(content: Any) -> int:
    return len(json.dumps(content, default=str)) // CHARACTERS_PER_TOKEN


def run_within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` for at most `seconds`, also against a server that sends a byte a second. Raises TimeoutError."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(work, seconds))
    finally:
        # A signal leaves tasks behind. asyncio.run would also wait for a name that is still being looked up.
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_tasks() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def bound_response(response: Any) -> None:
    """Let no more than ANSWER_BYTES of a response through, of httpx or a copy of it, and nothing that could unfold."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TooLarge("the answer is compressed")
    # A client takes a stream of its own library alone.
    kind = next((each for each in type(response.stream).__mro__ if each.__name__ == "AsyncByteStream"), None)
    if kind is not None:
        response.stream = type("Bounded", (_Bounded, kind), {})(response.stream)


class _Bounded:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ANSWER_BYTES
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise TooLarge(f"the answer has more than {ANSWER_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def classify(error: Exception) -> tuple[AdviceOutcome, str]:
    """Return what an error means to us, and a sentence that has no word of the server's in it."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    for each in chain:
        if (found := _classified(each)) is not None:
            return found
    if any(_is(each, _CONNECTIONS) for each in chain):
        return AdviceOutcome.UNREACHABLE, "no connection, or it broke off"
    return AdviceOutcome.MALFORMED, f"not an answer that can be read ({type(error).__name__})"


def _classified(error: BaseException) -> tuple[AdviceOutcome, str] | None:
    if isinstance(error, TooLarge):
        return AdviceOutcome.MALFORMED, str(error)
    if _is(error, _TIMEOUTS):
        return AdviceOutcome.TOO_SLOW, "no answer within its time"
    if isinstance(error, NoAnswer):
        refused = (AdviceOutcome.REFUSED, "it refused")
        return refused if error.refused else (AdviceOutcome.MALFORMED, "it did not answer in the form that was asked")
    if _is(error, _LIMITS):
        return AdviceOutcome.OVER_BUDGET, f"more than {CALLS} calls, or {TOOL_CALLS} of tools, for one question"
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status < 300:
        return None
    return AdviceOutcome.REFUSED if 400 <= status < 500 else AdviceOutcome.UNREACHABLE, f"HTTP {status}"


def _is(error: BaseException, names: frozenset[str]) -> bool:
    return any(base.__name__ in names for base in type(error).__mro__)
