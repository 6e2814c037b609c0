"""Is the candidate to be promoted? Every gate is looked at; the first that fails decides.

PROMOTE needs positive proof: the comparison exists, is with the present champion, and is finite, so that a missing
number holds and never promotes. Gain and significance are read on the recent rows alone; pooled with the holdout, a
wave that was fixed would drown in rows on which both models agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoretrain.domain.plan import Decision, Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import PromotionSpec
from autoretrain.domain.status import Status
from autoretrain.domain.training import PairedComparison, TrainingSummary

MAX_CAMPAIGN_SHARE = 0.5
"""More than half of what was fixed in one campaign is a filter rule, not a better model."""

ROWS_THAT_RESTORE_ALPHA = 150

REGRESSION_ALPHA = 0.1
"""A loss on the holdout rejects where it is beyond its margin and less likely than this by chance.

Harm needs less proof than a gain does.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`tested` is true where the recent rows were used for the significance test, which spends alpha."""

    decision: Decision
    reason: Reason
    message: str
    findings: tuple[Finding, ...]
    tested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignificanceTest:
    """The `number`-th test on overlapping evaluation rows, and the alpha that is left for it."""

    number: int
    alpha: float


def next_test(status: Status, summary: TrainingSummary, *, alpha: float) -> SignificanceTest:
    """The k-th candidate on overlapping rows since the last promotion gets alpha / 2^(k-1).

    150 new evaluation rows restore it. A row is new only if its own label came after the first of these tests; labels
    that nothing is judged on, as those of strangers, do not count.
    """
    newest = summary.restores_alpha_from
    restored = status.candidates_on_rows == 0 or (newest is not None and newest > status.tested_cutoff)
    number = 1 if restored else status.candidates_on_rows + 1
    return SignificanceTest(number=number, alpha=alpha / 2 ** (number - 1))


def judge(
    summary: TrainingSummary,
    *,
    spec: PromotionSpec,
    alpha: float,
    champion_digest: str | None,
    quarantined: Sequence[str],
) -> Judgement:
    """Judge `summary` at the `alpha` in force against the champion of now; None: there is none, only floors count."""
    refusal = _refusal(summary, champion_digest=champion_digest, quarantined=quarantined)
    if refusal is not None:
        return refusal
    floors = _floors(summary, spec)
    if champion_digest is None:
        return _first_failing(floors) or Judgement(
            decision=Decision.PROMOTE,
            reason=Reason.FIRST_MODEL,
            message=f"the first model, {_quality(summary)}",
            findings=tuple(gate.finding for gate in floors),
        )
    gates = floors + _holdout_gates(summary.holdout, spec) + _recent_gates(summary.recent, spec=spec, alpha=alpha)
    tested = _enough_rows(summary.recent, spec)
    failing = _first_failing(gates, tested=tested)
    if failing is not None or summary.recent is None:
        return failing or _held(Reason.EVIDENCE_MISSING, "the run compared nothing", gates)
    return Judgement(
        decision=Decision.PROMOTE,
        reason=Reason.BETTER_ON_RECENT_ROWS,
        message=f"{_gain(summary.recent)}; p = {summary.recent.p_value:.2g} at alpha {alpha:.2g}",
        findings=tuple(gate.finding for gate in gates),
        tested=tested,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """`otherwise` is the decision where the finding is not PASSED; an inconclusive one can only hold."""

    finding: Finding
    otherwise: Decision


def _refusal(summary: TrainingSummary, *, champion_digest: str | None, quarantined: Sequence[str]) -> Judgement | None:
    """Return why the comparison can't be used at all; None where it can."""
    if summary.digest in quarantined:
        message = f"version {summary.version} is a model that was rolled back before"
        return _refused(Decision.REJECT, Reason.QUARANTINED, message)
    if summary.champion_digest != champion_digest:
        compared = f"version {summary.champion_version}" if summary.champion_version else "no champion"
        message = f"version {summary.version} was compared with {compared}, which is not the champion of now"
        return _refused(Decision.HOLD, Reason.STALE_COMPARISON, message)
    if summary.digest == champion_digest:
        message = f"version {summary.version} is the champion itself, to the last weight"
        return _refused(Decision.HOLD, Reason.SAME_DIGEST, message)
    return None


def _floors(summary: TrainingSummary, spec: PromotionSpec) -> list[_Gate]:
    quality = summary.holdout_metrics
    return [
        _at_least("holdout accuracy", quality.accuracy, spec.min_accuracy, reason=Reason.BELOW_FLOORS),
        _at_least("holdout f1", quality.f1, spec.min_f1, reason=Reason.BELOW_FLOORS),
    ]


def _holdout_gates(holdout: PairedComparison | None, spec: PromotionSpec) -> list[_Gate]:
    """Not worse than the champion on the frozen holdout, beyond the margins of non-inferiority and beyond chance."""
    return [
        _no_regression(
            "holdout accuracy loss",
            None if holdout is None else 0.0 - holdout.accuracy_gain,  # not -gain: none would be a loss of -0.0000
            spec.max_accuracy_loss,
            p_value=holdout.p_worse if holdout else None,
            reason=Reason.HOLDOUT_REGRESSION,
        ),
        _no_regression(
            "holdout ham false positive increase",
            holdout.ham_false_positive_increase if holdout else None,
            spec.max_ham_false_positive_increase,
            p_value=holdout.p_more_ham_flagged if holdout else None,
            reason=Reason.HAM_FALSE_POSITIVES,
        ),
    ]


def _no_regression(check: str, value: float | None, margin: float, *, p_value: float | None, reason: Reason) -> _Gate:
    """A gate that fails where `value` is beyond the margin and the models' difference is not chance.

    A margin alone would be a question of luck: of 500 messages, two make 0.4 points.
    """
    if p_value is None or not math.isfinite(p_value):
        return _unmeasured(check)
    if value is not None and value > margin and p_value > REGRESSION_ALPHA:
        message = f"{check} {value:.4f} is more than {margin:.4f}, and may be chance: p = {p_value:.2g}"
        finding = Finding(
            check=check,
            verdict=Verdict.PASSED,
            reason=Reason.WITHIN_LIMITS,
            message=message,
            value=value,
            threshold=margin,
        )
        return _Gate(finding=finding, otherwise=Decision.REJECT)
    return _at_most(check, value, margin, reason=reason)


def _recent_gates(recent: PairedComparison | None, *, spec: PromotionSpec, alpha: float) -> list[_Gate]:
    hold = Decision.HOLD
    if recent is None or not _enough_rows(recent, spec):
        rows, spam = (recent.rows, recent.spam_rows) if recent else (0, 0)
        needed = f"{spec.min_evaluation_rows} rows with {spec.min_evaluation_spam} of spam are needed"
        message = f"{rows} recent rows with {spam} of spam; {needed}"
        finding = Finding(
            check="recent rows",
            verdict=Verdict.INCONCLUSIVE,
            reason=Reason.TOO_FEW_LABELS,
            message=message,
            value=float(rows),
            threshold=float(spec.min_evaluation_rows),
            comparison="<",
        )
        return [_Gate(finding=finding, otherwise=hold)]
    return [
        _gain_gate(recent, spec),
        _at_most("McNemar p", recent.p_value, alpha, reason=Reason.NOT_SIGNIFICANT, otherwise=hold),
        _at_most(
            "share of one campaign",
            recent.largest_cluster_share,
            MAX_CAMPAIGN_SHARE,
            reason=Reason.SINGLE_CAMPAIGN,
            otherwise=hold,
        ),
    ]


def _enough_rows(recent: PairedComparison | None, spec: PromotionSpec) -> bool:
    return (
        recent is not None and recent.rows >= spec.min_evaluation_rows and recent.spam_rows >= spec.min_evaluation_spam
    )


def _gain_gate(recent: PairedComparison, spec: PromotionSpec) -> _Gate:
    """Enough accuracy, or enough F1 with a lower bound above zero."""
    figures = (recent.accuracy_gain, recent.f1_gain, recent.f1_gain_low)
    if not all(map(math.isfinite, figures)):
        return _unmeasured("recent gain")
    by_accuracy = recent.accuracy_gain >= spec.min_accuracy_gain
    by_f1 = recent.f1_gain >= spec.min_f1_gain and recent.f1_gain_low > 0
    passed = by_accuracy or by_f1
    needed = f"needed is {spec.min_accuracy_gain:.3f}, or {spec.min_f1_gain:.3f} of F1 with a lower bound above 0"
    finding = Finding(
        check="recent accuracy gain",
        verdict=Verdict.PASSED if passed else Verdict.TRIGGERED,
        reason=Reason.WITHIN_LIMITS if passed else Reason.NO_GAIN,
        message=f"{_gain(recent)}; {needed}",
        value=recent.accuracy_gain,
        threshold=spec.min_accuracy_gain,
        comparison="<",
    )
    return _Gate(finding=finding, otherwise=Decision.HOLD)


def _at_least(check: str, value: float | None, floor: float, *, reason: Reason) -> _Gate:
    """A gate that `value` passes from `floor` on."""
    if value is None or not math.isfinite(value):
        return _unmeasured(check)
    passed = value >= floor
    finding = Finding(
        check=check,
        verdict=Verdict.PASSED if passed else Verdict.TRIGGERED,
        reason=Reason.WITHIN_LIMITS if passed else reason,
        message=f"{check} {value:.4f}, at least {floor:.4f} is needed",
        value=value,
        threshold=floor,
        comparison="<",
    )
    return _Gate(finding=finding, otherwise=Decision.REJECT)


def _at_most(
    check: str, value: float | None, limit: float, *, reason: Reason, otherwise: Decision = Decision.REJECT
) -> _Gate:
    """A gate that `value` passes up to `limit`."""
    if value is None or not math.isfinite(value):
        return _unmeasured(check)
    passed = value <= limit
    finding = Finding(
        check=check,
        verdict=Verdict.PASSED if passed else Verdict.TRIGGERED,
        reason=Reason.WITHIN_LIMITS if passed else reason,
        message=f"{check} {value:.4f}, at most {limit:.4f} is allowed",
        value=value,
        threshold=limit,
    )
    return _Gate(finding=finding, otherwise=otherwise)


def _unmeasured(check: str) -> _Gate:
    finding = Finding(
        check=check,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.EVIDENCE_MISSING,
        message=f"{check} was not measured",
    )
    return _Gate(finding=finding, otherwise=Decision.HOLD)


def _first_failing(gates: Sequence[_Gate], *, tested: bool = False) -> Judgement | None:
    """A gate that rejects goes before one that holds: what is known to be worse is not offered for approval."""
    failing = [gate for gate in gates if gate.finding.verdict is not Verdict.PASSED]
    if not failing:
        return None
    gate = next((gate for gate in failing if gate.otherwise is Decision.REJECT), failing[0])
    return Judgement(
        decision=gate.otherwise,
        reason=gate.finding.reason,
        message=gate.finding.message,
        findings=tuple(each.finding for each in gates),
        tested=tested,
    )


def _refused(decision: Decision, reason: Reason, message: str) -> Judgement:
    verdict = Verdict.TRIGGERED if decision is Decision.REJECT else Verdict.INCONCLUSIVE
    finding = Finding(check="comparison", verdict=verdict, reason=reason, message=message)
    return Judgement(decision=decision, reason=reason, message=message, findings=(finding,))


def _held(reason: Reason, message: str, gates: Sequence[_Gate]) -> Judgement:
    findings = tuple(gate.finding for gate in gates)
    return Judgement(decision=Decision.HOLD, reason=reason, message=message, findings=findings)


def _quality(summary: TrainingSummary) -> str:
    quality = summary.holdout_metrics
    return f"accuracy {quality.accuracy:.4f} and F1 {quality.f1:.4f} on {quality.rows} held-out rows"


def _gain(recent: PairedComparison) -> str:
    return (
        f"accuracy {recent.accuracy_gain:+.4f} and F1 {recent.f1_gain:+.4f} on {recent.rows} recent rows "
        f"({recent.fixed} fixed, {recent.broken} broken)"
    )
