"""What does the agent's port answer on a cluster? Advice on the situation that the controller brings; and metrics.

The controller waits for the answer in a task of its own, no pass does. What is asked was built by the core out of words
of our own and figures; whatever else comes is refused, so that nobody on the cluster's network can write into a prompt.
"""

import argparse
import json
import re
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, make_wsgi_app
from pydantic import ValidationError

from autoretrain.adapters.chat_model import ChatModel
from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.records import dump_record, load_json
from autoretrain.adapters.settings import Settings, settings_problems
from autoretrain.adapters.store import Store
from autoretrain.app.advising import Adviser
from autoretrain.app.http_port import BadBody, listen, read_posted
from autoretrain.app.signals import Stopped, stopping_on_signals
from autoretrain.domain.advice import Advice, AdviceQuestion
from autoretrain.domain.errors import AutoRetrainError, StoreUnavailable

PATH: Final = "/advice"
PORT: Final = 8003
MOST_BYTES: Final = 64 * 2**10
WORD: Final = re.compile(r"[A-Za-z0-9_.:+<>=-]{0,64}|[a-z]{1,16} [a-z]{1,16}")
"""A name, a time, a number, a comparison; or the two words of a check."""
SECONDS_BUCKETS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)

log = structlog.get_logger("autoretrain.agent")


class AdviceMetrics:
    """What the agent's Pod counts since it started."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._model = model
        self._advice = Counter(
            "autoretrain_agent_advice", "Questions by how they ended.", ["spammodel", "outcome"], registry=self.registry
        )
        self._tokens = Counter(
            "autoretrain_agent_tokens", "Tokens by direction.", ["spammodel", "direction"], registry=self.registry
        )
        self._seconds = Histogram(
            "autoretrain_agent_advice_duration_seconds",
            "Time of one question, all calls of it.",
            ["spammodel"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )

    def app(self) -> WSGIApplication:
        """Return the page for Prometheus."""
        page: WSGIApplication = make_wsgi_app(self.registry)
        return page

    def show(self, advice: Advice) -> None:
        self._advice.labels(self._model, advice.outcome.value).inc()
        self._tokens.labels(self._model, "in").inc(advice.input_tokens)
        self._tokens.labels(self._model, "out").inc(advice.output_tokens)
        self._seconds.labels(self._model).observe(advice.seconds)


@dataclass(slots=True)
class AdviceDoor:
    """Answers one question at a time; the same one again gets the answer that was kept."""

    adviser: Adviser
    metrics: AdviceMetrics
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def app(self) -> WSGIApplication:
        metrics = self.metrics.app()

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] != PATH:
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
            status, said, headers = self._answer(environ)
            body = said.encode()
            start_response(status, [*headers, ("Content-Length", str(len(body)))])
            return [body]

        return app

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, str, list[tuple[str, str]]]:
        plain = [("Content-Type", "text/plain; charset=utf-8")]
        try:
            question = read_question(read_posted(environ, most_bytes=MOST_BYTES))
        except BadBody as bad:
            return bad.status, str(bad), plain
        except ValueError as error:
            return "422 Unprocessable Content", str(error), plain
        wait = ("Retry-After", str(self.adviser.settings.agent_interval_seconds))
        if not self._asking.acquire(blocking=False):
            return "429 Too Many Requests", "another question is being answered", [*plain, wait]
        try:
            advice = self.advise(question)
        except StoreUnavailable as error:
            log.warning("no advice", error=str(error))
            return "503 Service Unavailable", "advice can't be kept: the store is away", [*plain, wait]
        finally:
            self._asking.release()
        if advice is None:
            return "429 Too Many Requests", "the last question was a moment ago", [*plain, wait]
        return "200 OK", json.dumps(dump_record(advice)), [("Content-Type", "application/json")]

    def advise(self, question: AdviceQuestion) -> Advice | None:
        """Return advice on the situation, None where it is too early to ask. Raises StoreUnavailable."""
        situation = question.situation
        advice = self.adviser.advise(situation.situation_id, situation.at, lambda: (situation, question.rules.value))
        if advice is not None:
            self.metrics.show(advice)
            log.info("advice", situation=advice.situation_id, outcome=advice.outcome, choice=advice.choice)
        else:
            advice = next(iter(self.adviser.records.advice(limit=1)), None)
        asked = situation.situation_id, situation.at
        return advice if advice is not None and (advice.situation_id, advice.situation_at) == asked else None


def read_question(body: bytes) -> AdviceQuestion:
    """Return the question in `body`. Raises ValueError where it is none, or has a text that is no word of ours."""
    try:
        question = load_json(AdviceQuestion, body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if path := _free_text(dump_record(question)):
        raise ValueError(f"{path}: is no word")
    return question


def _free_text(value: Any, path: str = "") -> str:
    """Return where in JSON a string is that is no word, '' where there is none."""
    if isinstance(value, str):
        return "" if WORD.fullmatch(value) else path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for name, each in below if (found := _free_text(each, f"{path}.{name}".lstrip(".")))), "")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m autoretrain.app.advice_http", description=__doc__)
    parser.add_argument("model", help="chat model, as provider and name with a colon")
    parser.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"{settings_problems(error)}\n")
        return 2
    configure_logging(settings.log_level)
    try:
        chat = ChatModel(asked.model, settings)
    except AutoRetrainError as error:
        log.error("the agent can't work", error=str(error))
        return 2
    with Store(settings.resolved_store_url(), model=settings.model) as store:
        door = AdviceDoor(Adviser(store, chat, settings, lambda: datetime.now(UTC)), AdviceMetrics(settings.model))
        try:
            with stopping_on_signals():
                listen(door.app(), host=settings.host, port=asked.port)
                log.info("the agent answers", chat_model=chat.name, port=asked.port)
                threading.Event().wait()
        except Stopped:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
