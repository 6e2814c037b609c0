"""What is told of a pass? A decision object that stays, events for `kubectl describe`, and alerts."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from autoretrain.app.ledger_record import decision_record, matters
from autoretrain.app.passes import PassResult
from autoretrain.decide.alerts import TOLD_AGAIN, Pointer, alerts_between, as_of
from autoretrain.decide.conditions import find_condition
from autoretrain.domain.plan import Alert, Decision
from autoretrain.domain.status import Status
from controller.cluster import DECISION, EVENT, GROUP, MODEL_LABEL, Object
from controller.decisions import ORDINAL_ANNOTATION
from controller.gather import Seen

MOST_RECORD_BYTES: Final = 64 * 2**10
LONGEST_EVENT: Final = 1000
COMPONENT: Final = "autoretrain-controller"

_WARNINGS: Final = frozenset({Decision.ALERT, Decision.ROLLBACK, Decision.REJECT})


def build_decision(seen: Seen, result: PassResult) -> Object:
    """Return the decision object of a pass. Its name is that of the state it was decided on and of how that ended.

    Repeated alike it is the same; an attempt that succeeds over the state that one before it failed on is another.

    The sequence is the resource version that the pass read, which rises with every status that is written.
    """
    document, plan, model = seen.document, result.plan, result.observation.model
    uid, sequence = document["metadata"]["uid"], int(document["metadata"]["resourceVersion"])
    ends = ["ok" if outcome.succeeded else "failed" for outcome in result.outcomes]
    spec: dict[str, Any] = {
        "spamModel": model.name,
        "sequence": sequence,
        "at": plan.at.isoformat(),
        "decision": plan.decision.value,
        "reason": plan.reason.value,
        "message": plan.message,
        "record": _bounded_record(result),
    }
    if model.requests.actor:
        spec["actor"] = model.requests.actor
    return {
        "apiVersion": DECISION.api_version,
        "kind": DECISION.name,
        "metadata": {
            "name": f"{model.name}-{_digest(uid, sequence, plan.decision, plan.reason, *ends)}",
            "namespace": model.namespace,
            "labels": {
                "app.kubernetes.io/name": "autoretrain",
                "app.kubernetes.io/instance": model.name,
                "app.kubernetes.io/managed-by": "autoretrain",
                MODEL_LABEL: model.name,
            },
            "annotations": {ORDINAL_ANNOTATION: str(result.status.run_ordinal)},
            "ownerReferences": [owner_reference(document)],
        },
        "spec": spec,
    }


def owner_reference(document: Object) -> dict[str, Any]:
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "name": document["metadata"]["name"],
        "uid": document["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def build_events(seen: Seen, before: Status, after: Status, *, identity: str) -> list[Object]:
    """Return an event for each transition from `before` to `after`."""
    told = [
        (entry.reason, f"{entry.decision}: {entry.message}", Decision(entry.decision) in _WARNINGS)
        for entry in after.history
        if entry not in before.history
    ]
    for kind in ("Stalled", "Degraded", "Retraining", "ServingAvailable", "MetricsAvailable"):
        was, now = find_condition(before, kind), find_condition(after, kind)
        bad = now is not None and now.status is (kind in {"Stalled", "Degraded"})
        if kind == "Retraining":
            bad = now is not None and now.status is True and was is not None and was.status is True
        if kind.endswith("Available") and (was is None or after.champion is None):
            continue  # Before the first champion there is nothing to be missed.
        if now is not None and bad and (was is None or (was.status, was.message) != (now.status, now.message)):
            told.append((now.reason, f"{kind}: {now.message}", True))
    return [
        _event(seen.document, reason, message, warning=warning, now=seen.observation.now, identity=identity)
        for reason, message, warning in told
    ]


def build_alerts(seen: Seen, result: PassResult, *, first: bool, dashboard_url: str) -> tuple[Alert, ...]:
    """Return the alerts of a pass; none where the document names no addresses.

    The `first` pass of a process over a model tells what came about lately once more: the leader before it may have
    been killed after it wrote the status. The monitor knows what it was told.
    """
    if not seen.in_force["spec"].get("alerts", {}).get("secretRef"):
        return ()
    model, before = result.observation.model, result.observation.status
    sequence = int(seen.document["metadata"]["resourceVersion"]) if matters(result) else None
    return alerts_between(
        as_of(before, result.plan.at - TOLD_AGAIN) if first else before,
        result.status,
        model_key=model.key,
        on=model.spec.alerts.on,
        findings=result.plan.findings,
        pointer=Pointer(dashboard_url=dashboard_url, options=f"--namespace {model.namespace}", sequence=sequence),
    )


def _event(document: Object, reason: str, message: str, *, warning: bool, now: datetime, identity: str) -> Object:
    metadata, at = document["metadata"], now.strftime("%Y-%m-%dT%H:%M:%SZ")
    mark = _digest(metadata["uid"], metadata["resourceVersion"], reason, message)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{metadata['name']}.{mark}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "SpamModel",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message[:LONGEST_EVENT],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": identity,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def _bounded_record(result: PassResult) -> str:
    """Return the whole record as JSON, or what was decided alone where that is too long for an object."""
    record = decision_record(result)
    text = json.dumps(record, separators=(",", ":"))
    if len(text.encode()) <= MOST_RECORD_BYTES:
        return text
    return json.dumps({name: record[name] for name in ("at", "decision", "reason", "message", "outcomes")})


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:10]
