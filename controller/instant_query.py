"""What does one Prometheus answer to one query? All of its samples, or a sentence that says why there are none.

An answer that is late, too long, partial, no JSON or no instant vector is none: nothing is concluded from a part.
"""

import asyncio
from typing import Any, Final

import aiohttp
from pydantic_core import from_json

from autoretrain.adapters.evidence_metrics import Sample

MAX_BODY_BYTES: Final = 16 * 2**20
"""Room for twice as many models as one query is about, each with all the series that it can have."""

_ONCE: Final = {"Connection": "close"}
"""A connection that lives on would keep to whoever answered first, when the address has long been another's."""


class NoAnswer(Exception):  # noqa: N818 - named for what it reports; no pass ever meets it
    """Prometheus gave nothing to go by; the message says why."""


async def ask(http: aiohttp.ClientSession, url: str, query: str, *, timeout_seconds: float) -> list[Sample] | str:
    """Return the samples, or why there are none."""
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    form = {"query": query, "timeout": f"{timeout_seconds:.0f}s"}
    try:
        async with http.post(
            f"{url}/api/v1/query", data=form, headers=_ONCE, timeout=timeout, allow_redirects=False
        ) as got:
            body = bytearray()
            async for chunk in got.content.iter_chunked(2**16):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise NoAnswer(f"Prometheus answers more than {MAX_BODY_BYTES} bytes")
        return await asyncio.to_thread(_parse_answer, body, got.status)
    except NoAnswer as reason:
        return str(reason)
    except TimeoutError:
        return f"Prometheus did not answer within {timeout_seconds:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"Prometheus can't be reached ({type(error).__name__})"


def _parse_answer(body: bytes | bytearray, status: int) -> list[Sample]:
    """Return the samples of an instant query's answer. Raises NoAnswer for everything that is not a whole one."""
    try:
        # Most strings are labels that many series share; each is kept once.
        answer: Any = from_json(body, cache_strings="all")
    except (ValueError, RecursionError):
        raise NoAnswer(f"Prometheus answers {status} with something that is not JSON") from None
    if not isinstance(answer, dict):
        raise NoAnswer("Prometheus' answer can't be understood")
    if status != 200 or answer.get("status") != "success":
        raise NoAnswer(f"Prometheus answers {status} ({str(answer.get('errorType', 'no error named'))[:50]})")
    if answer.get("warnings"):
        raise NoAnswer("Prometheus' answer is partial: it carries warnings")
    try:
        if answer["data"]["resultType"] != "vector":
            raise NoAnswer("Prometheus' answer is no instant vector")
        return [_sample(row) for row in answer["data"]["result"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NoAnswer("Prometheus' answer can't be understood") from None


def _sample(row: Any) -> Sample:
    labels = {str(name): str(value) for name, value in row["metric"].items()}
    _, value = row["value"]
    if not isinstance(value, str):
        raise TypeError
    return Sample(labels.get("__name__", ""), labels, float(value))
