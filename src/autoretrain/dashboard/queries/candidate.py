"""How was a candidate judged, and on what? Verdict, gates, paired figures and curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from autoretrain.adapters.records import load_json, load_record
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.app.fleet import Seen
from autoretrain.dashboard.queries.decisions import VERDICTS, Head, Record
from autoretrain.decide.chain_words import GATES
from autoretrain.decide.narrate import figures_of
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.plan import Decision, Verdict
from autoretrain.domain.training import PairedComparison, TrainingSummary
from autoretrain.ml.curves import CURVES_FILE, Curve, Curves, RunCurves

CANDIDATE: Final = "candidate"
CHAMPION: Final = "champion"
_STEPS: Final = 20
"""A straight part of a curve is drawn in so many steps, since precision bends where counts do not."""

_FIGURES: Final = (
    *("accuracy", "precision", "recall", "f1", "false_positive_rate", "pr_auc", "brier", "calibration_error"),
)
_JUDGED: Final = (Decision.PROMOTE, Decision.HOLD, Decision.REJECT)
_WORDS: Final = {"triggered": "failed", "ok": "passed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate and its verdict. `sequence` is that of the decision, None where only the status knows of it."""

    summary: TrainingSummary
    decision: str
    reason: str
    message: str
    at: datetime
    sequence: int | None
    gates: tuple[dict[str, Any], ...]


def judged_heads(heads: Sequence[Head]) -> list[Head]:
    """The decisions that judged a candidate or promoted a version, newest first."""
    return [head for head in reversed(heads) if head.entry.decision in _JUDGED]


def judged_of(record: Record) -> Judged | None:
    """The candidate that a decision is about; None where no comparison was recorded with it.

    A promotion that a person asked for is of the candidate that was held before.
    """
    observation, plan = record.get("observation") or {}, record.get("plan") or {}
    summary = (observation.get("run") or {}).get("summary")
    if summary is None:
        held = ((observation.get("status") or {}).get("candidate") or {}).get("summary") or {}
        rollout = (plan.get("intent") or {}).get("rollout") or {}
        summary = held if held and held["digest"] == (rollout.get("to") or {}).get("digest") else None
    if summary is None:
        return None
    try:
        found = load_record(TrainingSummary, summary)
    except ValidationError:
        return None
    return Judged(
        summary=found,
        decision=record["decision"],
        reason=record["reason"],
        message=record["message"],
        at=datetime.fromisoformat(record["at"]),
        sequence=record["sequence"],
        gates=tuple(_gate(each) for each in plan.get("findings", ()) if each["check"] in GATES),
    )


def waiting_candidate(seen: Seen) -> Judged | None:
    """The candidate of the status, for when its decision is no longer kept."""
    held = seen.status.candidate
    if held is None:
        return None
    return Judged(
        summary=held.summary,
        decision=held.decision,
        reason=held.reason,
        message=held.message,
        at=held.decided_at,
        sequence=None,
        gates=(),
    )


def _gate(finding: Mapping[str, Any]) -> dict[str, Any]:
    told = VERDICTS[Verdict(finding["verdict"])]
    return {
        "gate": figures_of(finding),
        "is": _WORDS.get(told, told),
        "reason": finding["reason"],
        "said": finding["message"],
    }


def metric_rows(candidate: ClassificationMetrics, champion: ClassificationMetrics | None) -> list[dict[str, Any]]:
    """One row a figure; what was not measured is None."""
    rows = []
    for name in _FIGURES:
        ours = getattr(candidate, name)
        theirs = getattr(champion, name) if champion else None
        difference = None if ours is None or theirs is None else ours - theirs
        rows.append({"figure": name.replace("_", " "), CHAMPION: theirs, CANDIDATE: ours, "difference": difference})
    return rows


def paired_rows(compared: PairedComparison) -> list[tuple[str, str, str]]:
    """What is known only because both models saw the same rows: a title, the figure, and what it means."""
    return [
        ("Fixed", f"{compared.fixed}", "rows that the champion had wrong and the candidate has right"),
        ("Broken", f"{compared.broken}", "rows that the champion had right and the candidate has wrong"),
        ("McNemar p", f"{compared.p_value:.2g}", "the chance of so many more fixed than broken without any gain"),
        ("F1 gain, at least", f"{compared.f1_gain_low:+.3f}", "lower bound of 95 %, whole campaigns drawn again"),
        ("Largest campaign", f"{compared.largest_cluster_share:.0%}", "its share of the rows that were fixed"),
    ]


def confusion_rows(metrics: ClassificationMetrics, *, model: str) -> list[dict[str, Any]]:
    """The four counts, from the ratios that are made of them."""
    ham = metrics.rows - metrics.spam_rows
    caught, flagged = round(metrics.recall * metrics.spam_rows), round(metrics.false_positive_rate * ham)
    counts = {("ham", "ham"): ham - flagged, ("ham", "spam"): flagged}
    counts |= {("spam", "ham"): metrics.spam_rows - caught, ("spam", "spam"): caught}
    of = {"ham": max(1, ham), "spam": max(1, metrics.spam_rows)}
    return [
        {"model": model, "is": true, "called": said, "messages": count, "share": count / of[true]}
        for (true, said), count in counts.items()
    ]


def read_curves(registry: MlflowRegistry, run_id: str) -> RunCurves | None:
    """What the run left of its curves; None where an earlier release trained it. Raises Waiting."""
    content = registry.run_file(run_id, CURVES_FILE) if run_id else None
    try:
        return load_json(RunCurves, content) if content else None
    except ValidationError:
        return None


def curve_rows(curves: Curves) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The points of both curves, and where each model's own threshold stands."""
    sides = {CHAMPION: curves.champion, CANDIDATE: curves.candidate}
    points, chosen = [], []
    for model, curve in sides.items():
        if curve is not None:
            points += [_point(model, ham, spam, curves) | {"order": order} for order, (ham, spam) in _drawn(curve)]
            chosen.append(_point(model, *curve.chosen, curves))
    return points, chosen


def _drawn(curve: Curve) -> list[tuple[int, tuple[float, float]]]:
    drawn: list[tuple[float, float]] = [curve.points[0]]
    for (ham, spam), (next_ham, next_spam) in zip(curve.points, curve.points[1:], strict=False):
        steps = min(_STEPS, max(next_ham - ham, next_spam - spam, 1))
        shares = (step / steps for step in range(1, steps + 1))
        drawn += [(ham + share * (next_ham - ham), spam + share * (next_spam - spam)) for share in shares]
    return list(enumerate(drawn))


def _point(model: str, ham: float, spam: float, curves: Curves) -> dict[str, Any]:
    return {
        "model": model,
        "spam caught": spam / max(1, curves.spam),
        "ham flagged": ham / max(1, curves.ham),
        "precision": spam / (spam + ham) if spam + ham else 1.0,
    }
