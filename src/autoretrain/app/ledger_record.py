"""Which passes belong into the record, and what is kept of them? The same on one machine and on a cluster."""

from typing import Any

from autoretrain.adapters import records
from autoretrain.app.passes import PassResult


def decision_record(result: PassResult) -> dict[str, Any]:
    """Return what the ledger keeps of a pass: enough to explain it, and to decide it again."""
    return {
        "at": result.plan.at.isoformat(),
        "decision": result.plan.decision.value,
        "reason": result.plan.reason.value,
        "message": result.plan.message,
        "observation": records.dump_record(result.observation),
        "plan": records.dump_record(result.plan),
        "outcomes": [{"succeeded": o.succeeded, "message": o.message} for o in result.outcomes],
    }


def matters(result: PassResult) -> bool:
    """Say whether a pass belongs into the record: it decided something, failed at it, or judged another window."""
    before, after = result.observation.status, result.status
    window_before, window = (status.drift.window_id if status.drift else "" for status in (before, after))
    failed = not all(outcome.succeeded for outcome in result.outcomes)
    return before.history != after.history or window_before != window or failed
