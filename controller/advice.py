"""How does an adviser's word reach a decision? Its Pod is brought each new situation; what it says is an observation.

No pass waits for it: a task of each model's own asks, keeps the answer in memory and lets a pass be made. Only the
newest situation is asked about. What the rules allow is judged here, whatever an answer says of it, and one that can't
be had is advice too: that nobody answers.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import aiohttp
import structlog
from pydantic import ValidationError

from autoretrain.adapters import records
from autoretrain.app.passes import PassResult
from autoretrain.decide.advice import MAX_AGE
from autoretrain.decide.situation import build_situation
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceQuestion, Situation
from autoretrain.domain.observation import Observation
from autoretrain.domain.spec import TriggerMode
from controller.cache import Key, WatchCache
from controller.children.agent import PORT
from controller.children.parent import Component
from controller.cluster import SPAM_MODEL, ClusterError, ClusterPort, Object
from controller.decisions import newest_decisions
from controller.gather import Seen
from controller.metrics import ControllerMetrics
from controller.pods import running_host, trouble_of

MOST_UNDER_WAY: Final = 50
"""Each holds a connection for as long as a chat model thinks, of 100 that evidence needs too."""
SHOWN_DECISIONS: Final = 10
KEPT_DECISIONS: Final = SHOWN_DECISIONS + 1
"""The last one is what is asked about."""
ANSWER_SECONDS: Final = 600.0
"""As long as an answer may still count; the Pod has a limit of its own, which is much less."""
CONNECT_SECONDS: Final = 5.0
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 30.0
"""A Pod may be made anew, or start for the first time; until then nobody is told that it does not answer."""
MOST_ANSWER_BYTES: Final = 64 * 2**10
LONGEST_REASON: Final = 300
CLOSE_SECONDS: Final = 1.0

log = structlog.get_logger("autoretrain.controller")


class NotAnswered(Exception):  # noqa: N818 - named for what happened; it never leaves this module
    """There is no answer. `wait_seconds` is what was asked for; `refused`: the same question would be refused again."""

    def __init__(self, reason: str, *, wait_seconds: float | None = None, refused: bool = False) -> None:
        self.wait_seconds, self.refused = wait_seconds, refused
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be asked about: the pass that saw `observation`, and the sequence of what it decided."""

    observation: Observation
    sequence: int


@dataclass(slots=True)
class AdviceRelay:
    """Asks the advisers of all models. Used from one event loop. `now` is the clock of passes."""

    http: aiohttp.ClientSession
    cluster: ClusterPort
    cache: WatchCache
    metrics: ControllerMetrics
    now: Callable[[], datetime]
    wake: Callable[[Key], None]
    port: int = PORT
    first_wait_seconds: float = FIRST_WAIT_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    _latest: dict[Key, Advice] = field(default_factory=dict)
    _wanted: dict[Key, _Wanted] = field(default_factory=dict)
    _decided: dict[Key, deque[Object]] = field(default_factory=dict)
    _tasks: dict[Key, "asyncio.Task[None]"] = field(default_factory=dict)

    def advice_of(self, key: Key) -> Advice | None:
        """Return the newest advice on the SpamModel `key`, None where nothing was heard since this process began."""
        return self._latest.get(key)

    def consult(self, seen: Seen, result: PassResult, decision: Object | None) -> None:
        """Let the adviser of a model be asked about what a pass decided, or first saw. Returns at once."""
        key, observation = seen.key, result.observation
        if observation.model.spec.agent.mode is TriggerMode.DISABLED:
            self._forget(key)
            return
        if observation.status.champion is None:
            return  # Its Pod comes with the first champion.
        known = key in self._wanted or key in self._latest
        if decision is not None and key in self._decided:
            self._decided[key].append({**decision["spec"], "record": ""})
        if decision is None and known:
            return
        if key not in self._tasks and len(self._tasks) >= MOST_UNDER_WAY:
            self.metrics.advice.labels("Dropped").inc()
            return
        self._forget_deleted()
        self._wanted[key] = _Wanted(observation, int(seen.document["metadata"]["resourceVersion"]))
        if key not in self._tasks:
            self._tasks[key] = task = asyncio.create_task(self._ask_until_answered(key))
            task.add_done_callback(_say_failure)

    async def close(self) -> None:
        """Give up what is under way: the next controller asks about what it sees."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    def _forget(self, key: Key) -> None:
        for known in (self._latest, self._wanted, self._decided):
            known.pop(key, None)

    def _forget_deleted(self) -> None:
        for key in [key for key in self._latest if self.cache.get(SPAM_MODEL, *key) is None]:
            self._forget(key)

    async def _ask_until_answered(self, key: Key) -> None:
        """Ask about the newest situation, and about the one that has come meanwhile, until there is none."""
        loop, wait = asyncio.get_running_loop(), self.first_wait_seconds
        began = loop.time()
        try:
            while (wanted := self._wanted.get(key)) is not None:
                try:
                    advice = await self._ask(key, wanted)
                except NotAnswered as error:
                    silent = loop.time() - began
                    over = error.refused or abs(self.now() - wanted.observation.now) > MAX_AGE
                    if over or (silent > self.patience_seconds and error.wait_seconds is None):
                        self._keep(key, wanted, self._unanswered(wanted, str(error)))
                    if over:
                        self._done(key, wanted)
                        continue
                    wait = min(error.wait_seconds or wait * 2, LONGEST_WAIT_SECONDS)
                    await asyncio.sleep(wait)
                    continue
                if advice is not None:
                    self._keep(key, wanted, advice)
                self._done(key, wanted)
                began, wait = loop.time(), self.first_wait_seconds
        finally:
            # At once: a situation that comes now needs a task of its own.
            self._wanted.pop(key, None)
            self._tasks.pop(key, None)

    def _keep(self, key: Key, wanted: _Wanted, advice: Advice) -> None:
        if self._wanted.get(key) is None:
            return  # The agent was disabled meanwhile.
        before = self._latest.get(key)
        silent = advice.outcome is not AdviceOutcome.ANSWERED
        if silent and before is not None and replace(before, at=advice.at) == advice:
            return
        self._latest[key] = advice
        self.metrics.advice.labels(advice.outcome.value).inc()
        if silent and (before is None or before.outcome is not advice.outcome):
            log.warning("no advice", model=wanted.observation.model.key, outcome=advice.outcome, error=advice.reason)
        self.wake(key)

    def _done(self, key: Key, wanted: _Wanted) -> None:
        if self._wanted.get(key) is wanted:
            del self._wanted[key]

    async def _ask(self, key: Key, wanted: _Wanted) -> Advice | None:
        """Return the answer; None where there is nothing to advise on. Raises NotAnswered."""
        before = [each for each in await self._decisions(key) if each["sequence"] < wanted.sequence]
        situation, rules = build_situation(
            replace(wanted.observation, advice=None),
            situation_id=f"decision-{wanted.sequence}",
            decisions=before[-SHOWN_DECISIONS:],
        )
        if rules.value not in set(AdviceChoice):
            return None
        question = AdviceQuestion(situation=situation, rules=AdviceChoice(rules.value))
        said = await self._post(key, records.dump_record(question))
        if (said.situation_id, said.situation_at) != (situation.situation_id, situation.at):
            raise NotAnswered("the agent answers another question")
        return _judged(said, question, chat_model=wanted.observation.model.spec.agent.model)

    async def _decisions(self, key: Key) -> list[Object]:
        """Return what was decided lately, oldest first. It is listed once, and told by passes from then on."""
        if key not in self._decided:
            try:
                found = await newest_decisions(self.cluster, key, count=KEPT_DECISIONS)
            except ClusterError as error:
                raise NotAnswered(f"decisions can't be read: {error}") from None
            # A whole record has kilobytes, and what it is about stands in its words too.
            specs = [{**decision["spec"], "record": ""} for decision in found]
            self._decided[key] = deque(specs, maxlen=KEPT_DECISIONS)
        return list(self._decided[key])

    async def _post(self, key: Key, body: Any) -> Advice:
        host = running_host(self.cache, key, Component.AGENT)
        if host is None:
            trouble = trouble_of(self.cache, key, Component.AGENT)
            raise NotAnswered(f"no agent is running{f': {trouble}' if trouble else ''}")
        limits = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with self.http.post(
                f"http://{host}:{self.port}/advice", json=body, timeout=limits, allow_redirects=False
            ) as answer:
                said = bytearray()
                async for piece in answer.content.iter_chunked(2**16):
                    said += piece
                    if len(said) > MOST_ANSWER_BYTES:
                        raise NotAnswered("the agent answers too much", refused=True)
                status, asked = answer.status, answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotAnswered(f"the agent can't be reached ({type(error).__name__})") from None
        if status == 429:
            seconds = float(asked) if asked.isascii() and asked.isdigit() else None
            raise NotAnswered("the agent was asked a moment ago", wait_seconds=seconds)
        if status != 200:
            raise NotAnswered(f"the agent answers {status}", refused=status == 422)
        try:
            return records.load_json(Advice, bytes(said))
        except ValidationError:
            raise NotAnswered("the agent answers what is no advice", refused=True) from None

    def _unanswered(self, wanted: _Wanted, reason: str) -> Advice:
        observation = wanted.observation
        return Advice(
            at=self.now(),
            situation_id=f"decision-{wanted.sequence}",
            situation_at=observation.now,
            outcome=AdviceOutcome.UNREACHABLE,
            choice=None,
            reason=reason,
            rules="",
            allowed=False,
            chat_model=observation.model.spec.agent.model,
            prompt_version="",
        )


def _say_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("asking an agent failed", exc_info=error)


def _judged(said: Advice, question: AdviceQuestion, *, chat_model: str) -> Advice:
    """Return what was said with all that is not for the agent's Pod to say: what is allowed, and what is evidence."""
    situation: Situation = question.situation
    checks = {finding.check for finding in situation.findings}
    sequences = {decision.sequence for decision in situation.decisions}
    return replace(
        said,
        choice=said.choice if said.outcome is AdviceOutcome.ANSWERED else None,
        reason=said.reason[:LONGEST_REASON],
        rules=question.rules.value,
        allowed=said.choice in situation.allowed,
        chat_model=chat_model,
        prompt_version=said.prompt_version[:LONGEST_REASON],
        findings=tuple(check for check in dict.fromkeys(said.findings) if check in checks),
        decisions=tuple(number for number in dict.fromkeys(said.decisions) if number in sequences),
    )
