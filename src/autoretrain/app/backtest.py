"""What would a policy have done with a recorded history? Its messages are answered, labelled and decided on once more.

Real training, real drift scores, real decisions; only the clock is the history's. A run ends in the moment in which it
starts, and so does a rollout: what training and rolling out take is not in a history.
"""

import heapq
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, Protocol

from autoretrain.adapters.histories import HistoryFile, RecordedMessage
from autoretrain.adapters.store import Store
from autoretrain.app.backtest_score import ScoredWindow, WindowScorer
from autoretrain.app.monitoring import WindowMonitor
from autoretrain.app.passes import PassResult, run_pass
from autoretrain.app.replay_traffic import Incoming, Truth, answer, deliver
from autoretrain.app.replay_world import FirstModels, ReplayWorld
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.plan import Decision, StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Approval, SpamModel
from autoretrain.ml.linear import LinearModel

MOST_STEP_MESSAGES: Final = 250
LONGEST_STEP: Final = timedelta(hours=1)
"""A pass is made after half a window, after so many messages, or so much time, whichever comes first."""

MOST_PASSES: Final = 20
TICK: Final = timedelta(microseconds=1)
TIDY_EVERY: Final = timedelta(days=1)
NEVER_POLLED: Final = 366 * 24 * 3600
"""The interval of monitoring in a replay, in seconds: what is left of `next_check_at` are deadlines."""

_FAILURES: Final = {Reason.TRAINING_FAILED, Reason.TRAINING_BAD_INPUT, Reason.TRAINING_DEADLINE_EXCEEDED}
_TOLD: Final = {Decision.PROMOTE, Decision.HOLD, Decision.REJECT, Decision.ROLLBACK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a history does not say. `reports` is the share of labelled messages that users report.

    `label_delay` is how long after a message its label arrives where the history does not say when it did. `window`
    is how many messages one figure of F1 is of.
    """

    seed: int = 0
    reports: float = 0.3
    label_delay: timedelta = timedelta(hours=1)
    window: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A pass that started a run, judged a candidate or went back; `message` counts the messages before it."""

    message: int
    at: datetime
    decision: Decision
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a history under one policy; `fixed` is what its first model alone would have done."""

    policy: str
    windows: tuple[ScoredWindow, ...]
    fixed: tuple[ScoredWindow, ...]
    events: tuple[Event, ...]
    labels: int

    def count(self, decision: Decision) -> int:
        return sum(event.decision is decision for event in self.events)

    @property
    def failed(self) -> int:
        return self.count(Decision.ALERT)


class Watcher(Protocol):
    """Whoever watches a replay."""

    def advance(self, messages: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One history, to be played under one policy after another; a first model that they share is trained once."""

    history: HistoryFile
    base: tuple[LabelledMessage, ...]
    conditions: Conditions
    firsts: FirstModels = field(default_factory=FirstModels)

    def play(self, policy: str, model: SpamModel, *, directory: Path, watcher: Watcher) -> Played:
        """Let the history pass under `model`. The store in `directory` grows with the history, memory does not.

        Raises AutoRetrainError where no first model can be made of the base data.
        """
        with Store(f"sqlite:///{(directory / 'store.db').as_posix()}", model="default.backtest") as store:
            store.migrate()
            world = ReplayWorld(_prepared(model), store, self.base, firsts=self.firsts)
            replay = _Replay(world, conditions=self.conditions, audited=self.history.audited)
            replay.make_first_model(before=self.history.first_at)
            for row in self.history.read():
                replay.take(row)
                watcher.advance(1)
            replay.finish()
            return Played(
                policy=policy,
                windows=replay.scored.windows(),
                fixed=replay.fixed_scored.windows(),
                events=tuple(replay.events),
                labels=replay.labels,
            )


def _prepared(model: SpamModel) -> SpamModel:
    """Return the model under a name that is the same in each policy, so that run names and seeds are, too."""
    monitoring = replace(model.spec.monitoring, interval_seconds=NEVER_POLLED)
    spec = replace(model.spec, monitoring=monitoring)
    return replace(model, name="backtest", namespace="default", uid="backtest", generation=1, spec=spec)


@dataclass(slots=True, order=True)
class _Waiting:
    due: datetime
    number: int
    truth: Truth = field(compare=False)
    predicted_at: datetime = field(compare=False)


class _Replay:
    def __init__(self, world: ReplayWorld, *, conditions: Conditions, audited: bool) -> None:
        self.world = world
        self.events: list[Event] = []
        self.labels = 0
        self.scored = WindowScorer(conditions.window)
        self.fixed_scored = WindowScorer(conditions.window)
        self._conditions, self._audited = conditions, audited
        self._monitor = WindowMonitor(world.store)
        self._reports = Random(conditions.seed)
        self._step = max(1, min(MOST_STEP_MESSAGES, world.model.spec.monitoring.window_size // 2))
        self._chunk: list[RecordedMessage] = []
        self._waiting: list[_Waiting] = []
        self._clock = datetime.min.replace(tzinfo=UTC)
        self._deadline = datetime.max.replace(tzinfo=UTC)
        self._tidied = self._clock
        self._taken = 0
        self._first: tuple[str, LinearModel] | None = None

    def make_first_model(self, *, before: datetime) -> None:
        """Train and promote it early enough that its guard is over and its run no longer counts as one of the day."""
        model, guard = self.world.model, self.world.model.spec.guard
        lead = timedelta(days=1, seconds=max(guard.max_duration_seconds, guard.duration_seconds))
        automatic = replace(model.spec.promotion, approval=Approval.AUTOMATIC)  # nobody is there to approve it
        self.world.model = replace(model, spec=replace(model.spec, promotion=automatic))
        results = self._pass(before - lead)
        self.world.model = model
        self._pass(before - timedelta(hours=1))
        self._first = self.world.serving.deployed()
        if self._first is None:
            plan = next((r.plan for r in reversed(results) if r.plan.decision in {*_TOLD, Decision.ALERT}), None)
            why = f"{plan.reason}: {plan.message}" if plan else "nothing was trained"
            raise AutoRetrainError(f"no first model could be made of the base data: {why}")
        self.events.clear()

    def take(self, row: RecordedMessage) -> None:
        """Let one message come; passes are made in between where something is due."""
        full = len(self._chunk) == self._step
        if self._chunk and (full or row.at >= self._deadline or row.at - self._chunk[0].at > LONGEST_STEP):
            self._flush()
        while row.at >= self._deadline:
            self._pass(max(self._deadline, self._clock + TICK))
        self._chunk.append(row)

    def finish(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._chunk:
            self._answer(self._chunk)
            self._pass(self._clock + TICK)
            self._chunk = []

    def _answer(self, rows: list[RecordedMessage]) -> None:
        served, first = self.world.serving.deployed(), self._first
        if served is None or first is None:
            raise RuntimeError("nothing is deployed")
        incoming = []
        for number, row in enumerate(rows, start=self._taken):
            self._clock = max(row.at, self._clock + TICK)
            incoming.append(Incoming(prediction_id=f"m{number}", text=row.text, at=self._clock))
        answered = answer(
            self.world.store,
            incoming,
            served=served,
            audit_rate=self.world.model.spec.monitoring.audit_rate,
            seed=self._conditions.seed,
            audited=[row.audit_probability for row in rows] if self._audited else None,
        )
        same = served[0] == first[0]
        for number, (row, prediction) in enumerate(zip(rows, answered, strict=True), start=self._taken):
            weight = 1.0
            if self._audited:
                # Only the sample measures: what users chose to report says little of the traffic.
                weight = 1 / row.audit_probability if row.audit_probability else 0.0
            before = prediction.label if same else first[1].predict(row.text)[0]
            self.scored.add(row.at, row.label, prediction.label, weight=weight)
            self.fixed_scored.add(row.at, row.label, before, weight=weight)
            self._expect(row, number=number, audited=prediction.audit_probability is not None, at=prediction.at)
        self._taken += len(rows)

    def _expect(self, row: RecordedMessage, *, number: int, audited: bool, at: datetime) -> None:
        reported = self._reports.random() < self._conditions.reports
        if self._audited:
            reported = not audited
        if row.label is None or not (audited or reported):
            return
        truth = Truth(prediction_id=f"m{number}", label=row.label, audited=audited, reported=reported, number=number)
        due = row.labelled_at or row.at + self._conditions.label_delay
        heapq.heappush(self._waiting, _Waiting(max(due, at), number, truth, at))

    def _pass(self, now: datetime) -> list[PassResult]:
        """Deliver labels, measure windows, and make passes as they follow each other until nothing is under way."""
        store, spec = self.world.store, self.world.model.spec
        self._deliver(now)
        self._monitor.measure(spec.monitoring, deployed=store.deployment(), now=now)
        results = []
        for number in range(MOST_PASSES):
            before = self.world.status.history
            result = run_pass(self.world, now + number * TICK)
            results.append(result)
            new = result.status.history != before
            if new and (event := self._event(result)):
                self.events.append(event)
            if not result.plan.actions and not new:
                break
        else:
            raise RuntimeError(f"{MOST_PASSES} passes and still not quiet: {results[-1].plan.message}")
        self._clock, self._deadline = result.plan.at, result.plan.next_check_at
        if now - self._tidied >= TIDY_EVERY:
            store.purge(now=now, retention_seconds=spec.feedback.retention_seconds)
            self._tidied = now
        return results

    def _deliver(self, now: datetime) -> None:
        gone = now - timedelta(seconds=self.world.model.spec.feedback.retention_seconds)
        due: list[Truth] = []
        while self._waiting and self._waiting[0].due <= now:
            waited = heapq.heappop(self._waiting)
            if waited.predicted_at >= gone:
                due.append(waited.truth)
        self.labels += deliver(self.world.store, due, received_at=now)

    def _event(self, result: PassResult) -> Event | None:
        plan = result.plan
        starts = plan.decision is Decision.RETRAIN and any(isinstance(a, StartTraining) for a in plan.actions)
        failed = plan.decision is Decision.ALERT and plan.reason in _FAILURES
        if not (starts or failed or plan.decision in _TOLD):
            return None
        return Event(message=self._taken, at=plan.at, decision=plan.decision, reason=plan.reason, text=plan.message)
