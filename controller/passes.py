"""One pass over one SpamModel: gather, decide, apply, fold, one write of the status, and only then the telling.

Killing the process between any two lines and making the next pass leads to the same end: actions may be repeated, the
status is written once and only over the state that was read, and a decision has the same name each time that it ends
alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from autoretrain.adapters import spammodel
from autoretrain.app.ledger_record import matters
from autoretrain.app.passes import PassResult
from autoretrain.decide.conditions import find_condition, invalid_spec, set_condition
from autoretrain.decide.transition import decide, fold
from autoretrain.domain.errors import AutoRetrainError, InvalidSpec
from autoretrain.domain.plan import Action, Alert, Deploy, Outcome, SetAliases
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Condition, Status
from controller.apply import Applier, NameTaken, NotKept
from controller.cache import Key, WatchCache
from controller.cluster import SPAM_MODEL, AlreadyExists, ClusterError, ClusterPort, Conflict, Object
from controller.conditions import overlay
from controller.gather import Gatherer, Seen
from controller.metrics import ControllerMetrics
from controller.story import build_alerts, build_decision, build_events
from controller.upgrades import RETRY, UpgradeWaits

MOST_CONFLICTS: Final = 3

log = structlog.get_logger("autoretrain.controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEnd:
    """When to look again, None for "when something changes"; `failed` where something could not be carried out."""

    next_at: datetime | None
    failed: bool = False


@dataclass(slots=True)
class Passes:
    """Makes passes. `now` is the clock; everything else is behind ports."""

    cluster: ClusterPort
    cache: WatchCache
    gatherer: Gatherer
    applier: Applier
    metrics: ControllerMetrics
    now: Callable[[], datetime]
    identity: str = "controller"
    hand_over: Callable[[Key, Sequence[Alert]], None] = lambda _key, _alerts: None
    consult: Callable[[Seen, PassResult, Object | None], None] = lambda _seen, _result, _decision: None
    dashboard_url: str = ""
    _told: set[Key] = field(default_factory=set)

    async def make(self, key: Key) -> PassEnd:
        """Make one pass; it gathers again where the status was changed meanwhile. Raises AutoRetrainError."""
        document = self.cache.get(SPAM_MODEL, *key)
        for _ in range(MOST_CONFLICTS):
            if document is None or document["metadata"].get("deletionTimestamp"):
                self._told.discard(key)
                self.gatherer.forget(key)
                self.applier.forget(key)
                return PassEnd(next_at=None)
            try:
                return await self._make(document)
            except Conflict:
                self.metrics.count_call("get")
                document = await self.cluster.get(SPAM_MODEL, *key)
                self.cache.put(document)
        raise Conflict(f"the status of {'/'.join(key)} was changed {MOST_CONFLICTS} times during a pass")

    async def _make(self, document: Object) -> PassEnd:
        now = self.now()
        try:
            seen = await self.gatherer.gather(document, now=now)
        except InvalidSpec as invalid:
            await self._stall(document, invalid, now=now)
            return PassEnd(next_at=None)
        observation = seen.observation
        plan = decide(observation)
        intent = plan.intent if plan.intent is not None else observation.status
        troubles: list[AutoRetrainError] = []
        outcomes = tuple([await self._act(action, seen, intent, troubles) for action in plan.actions])
        undone = [each for each in outcomes if not each.succeeded and not isinstance(each.action, SetAliases)]
        status = fold(observation, plan, outcomes)
        if not any(isinstance(each.action, Deploy) for each in undone):
            # Else the status would put back what it knows to be served, and the next pass deploy again: a failed call
            # may have had its effect, and two versions would take turns.
            troubles += (await self.applier.keep_children(seen, status)).values()
        status = overlay(seen, status, troubles)
        result = PassResult(observation=observation, plan=plan, outcomes=outcomes, status=status)
        await self._save(seen, result)
        failure = "; ".join(str(trouble) for trouble in troubles if isinstance(trouble, NotKept))
        self._say(result, failure)
        next_at = plan.next_check_at
        if any(isinstance(trouble, UpgradeWaits) for trouble in troubles):
            next_at = min(next_at or now + RETRY, now + RETRY)
        return PassEnd(next_at=next_at, failed=bool(undone or failure))

    async def _act(self, action: Action, seen: Seen, intent: Status, troubles: list[AutoRetrainError]) -> Outcome:
        """Carry out one action; a name that somebody else has is added to `troubles`."""
        name = type(action).__name__
        try:
            await self.applier.act(action, seen, intent)
        except (AutoRetrainError, TimeoutError) as error:
            self.metrics.actions.labels(name, "failed").inc()
            if isinstance(error, NameTaken):
                troubles.append(error)
            message = str(error) or "it took too long"
            return Outcome(action=action, succeeded=False, message=message)
        self.metrics.actions.labels(name, "succeeded").inc()
        return Outcome(action=action, succeeded=True)

    async def _save(self, seen: Seen, result: PassResult) -> None:
        """Write the decision, then the status, if it changed; only after that tell anybody."""
        decision = build_decision(seen, result) if matters(result) else None
        if decision is not None:
            await self._record(decision)
        self.consult(seen, result, decision)
        first = seen.key not in self._told
        if not result.changed and not first:
            return
        if result.changed:
            await self._write(seen.document, result.status)
            self.metrics.decisions.labels(result.plan.decision.value).inc()
        # Handed over before the events, which are calls that may take their time or fail.
        alerts = build_alerts(seen, result, first=first, dashboard_url=self.dashboard_url)
        self._told.add(seen.key)
        self.hand_over(seen.key, alerts)
        for event in build_events(seen, result.observation.status, result.status, identity=self.identity):
            await self._tell(event)

    async def _record(self, decision: Object) -> None:
        self.metrics.count_call("create")
        try:
            await self.cluster.create(decision)
        except AlreadyExists:
            return  # An earlier pass over the same state was killed after this line.

    async def _write(self, document: Object, status: Status) -> None:
        self.metrics.count_call("update")
        written = await self.cluster.update_status({**document, "status": spammodel.render_status(status)})
        self.cache.put(written)

    async def _tell(self, event: Object) -> None:
        """Events are for people and may get lost; the decision says the same and stays."""
        self.metrics.count_call("create")
        try:
            await self.cluster.create(event)
        except AlreadyExists:
            return
        except ClusterError as error:
            log.warning("an event was not accepted", error=str(error))

    async def _stall(self, document: Object, invalid: InvalidSpec, *, now: datetime) -> None:
        """Say what is wrong with a document that can't be followed and has no good one before it."""
        status = spammodel.parse_status(document.get("status") or {})
        generation = document["metadata"].get("generation", 1)
        said = invalid_spec(invalid.problems, holds="nothing is done until the document is corrected")

        def condition(kind: str, answer: tuple[bool | None, Reason | str, str]) -> Condition:
            return set_condition(status, kind, answer=answer, generation=generation, now=now)

        changed = [condition("Stalled", said)]
        if find_condition(status, "Ready") is None:
            changed.append(condition("Ready", (False, Reason.INVALID_SPEC, "the document can't be followed")))
        kinds = {each.type for each in changed}
        kept = tuple(each for each in status.conditions if each.type not in kinds)
        after = replace(status, observed_generation=generation, conditions=(*kept, *changed))
        if (after.observed_generation, set(after.conditions)) != (status.observed_generation, set(status.conditions)):
            await self._write(document, after)

    def _say(self, result: PassResult, failure: str) -> None:
        plan, model = result.plan, result.observation.model
        notable = result.changed or failure or any(not outcome.succeeded for outcome in result.outcomes)
        say = log.info if notable else log.debug
        run = result.status.active_run
        say(
            "pass",
            model=model.key,
            decision=plan.decision.value,
            reason=plan.reason.value,
            message=plan.message,
            run=run.name if run else None,
            failure=failure or next((each.message for each in result.outcomes if not each.succeeded), None),
        )
