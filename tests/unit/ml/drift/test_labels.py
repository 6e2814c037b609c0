import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from math import log10

import pytest
from scipy.stats import hypergeom

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.ml.audit import draw_for_audit
from autoretrain.ml.drift.accumulation import accumulated_score
from autoretrain.ml.drift.calibration import THRESHOLD
from autoretrain.ml.drift.labels import label_metrics
from autoretrain.ml.drift.references import LabelledCounts

AT = datetime(2026, 1, 1, tzinfo=UTC)
REFERENCE = {
    Label.HAM: LabelledCounts(rows=540, boosted_errors=6, plain_errors=3),
    Label.SPAM: LabelledCounts(rows=70, boosted_errors=0, plain_errors=0),
}
UNSURE, SURE = 0.3, 0.02
NUMBERS = count()


def message():
    """A message that is no copy of another; digits would not do, they are folded."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{next(NUMBERS):06}")


def audited(count, wrong, *, predicted=Label.HAM, probability=0.2):
    labels = [Label.SPAM if predicted is Label.HAM else Label.HAM] * wrong + [predicted] * (count - wrong)
    return [
        AuditedPrediction(
            text=message(), predicted=predicted, label=label, probability=probability, model_version="v1",
            predicted_at=AT,
        )
        for label in labels
    ]  # fmt: skip


def decades(of_class, *, scores=SURE):
    (found,) = label_metrics(of_class, scores=[scores] * len(of_class), reference=REFERENCE)
    return found.raw


def test_where_all_are_drawn_alike_the_evidence_is_the_exact_test_against_the_held_out_rows():
    reference = {Label.HAM: LabelledCounts(rows=540, boosted_errors=0, plain_errors=9)}
    (found,) = label_metrics(audited(45, 5), scores=[SURE] * 45, reference=reference)
    assert found.name == "label_errors_ham"
    assert found.raw == pytest.approx(-log10(hypergeom.sf(4, 585, 14, 45)))


def test_rows_of_one_chance_stand_for_messages_of_the_other():
    """20 unsure of chance 0.6 and 10 sure of chance 0.1 are of 133 messages; 0.6 of these would show unsure misses."""
    rows = [*audited(20, 4, probability=0.6), *audited(10, 1, probability=0.1)]
    (found,) = label_metrics(rows, scores=[UNSURE] * 20 + [SURE] * 10, reference=REFERENCE)
    unsure, sure = hypergeom(620, 10, 80), hypergeom(553, 4, 13)
    chance = sum(unsure.pmf(n) * sure.pmf(m) for n in range(11) for m in range(5) if n + 2 * m >= 4 + 2 * 1)
    assert found.raw == pytest.approx(-log10(chance))


@pytest.mark.parametrize(
    ("rows", "alarms"),
    [(audited(45, 1), False), (audited(45, 2), False), (audited(45, 8), True),
     (audited(8, 1, predicted=Label.SPAM), False), (audited(8, 5, predicted=Label.SPAM), True)],
    ids=["one miss", "two misses", "eight misses", "one false alarm", "mostly false alarms"],
)  # fmt: skip
def test_few_errors_are_chance_and_many_are_drift(rows, alarms):
    score = 0.99 if rows[0].predicted is Label.SPAM else SURE
    (found,) = label_metrics(rows, scores=[score] * len(rows), reference=REFERENCE)
    assert (found.score > THRESHOLD) is alarms


def test_the_same_misses_say_less_where_misses_are_drawn_oftener():
    rest = audited(40, 0, probability=0.1)
    misses = [audited(5, 5, probability=probability) for probability in (0.1, 0.6)]
    scores = [SURE] * 40 + [UNSURE] * 5
    alike, boosted = (label_metrics([*rest, *some], scores=scores, reference=REFERENCE)[0].raw for some in misses)
    assert boosted < alike


def test_at_most_three_copies_of_a_missed_campaign_count():
    rows = audited(60, 12)
    copies = [replace(row, text=f"claim prize {n} today or lose it") for n, row in enumerate(rows[:12])]
    assert decades([*copies, *rows[12:]]) == decades([*copies[:3], *rows[12:]]) < decades(rows)


def test_without_labels_there_is_no_metric():
    assert label_metrics([], scores=[], reference=REFERENCE) == []


@dataclass(frozen=True)
class Model:
    """Traffic as a model answers it: the share of each kind of answer, and the part of it that is wrong."""

    spam: tuple[float, float] = (0.12, 0.01)
    unsure: tuple[float, float] = (0.06, 0.14)
    sure: tuple[float, float] = (0.82, 0.0036)

    def answers(self, size, rng):
        """`size` answers as (label, score, wrong)."""
        kinds = {(Label.SPAM, 0.97): self.spam, (Label.HAM, UNSURE): self.unsure, (Label.HAM, SURE): self.sure}
        for kind in rng.choices(list(kinds), [part for part, _ in kinds.values()], k=size):
            yield (*kind, rng.random() < kinds[kind][1])

    def reference(self, size, rng):
        answers = list(self.answers(size, rng))

        def errors(label, *scores):
            return sum(wrong for answer, score, wrong in answers if answer is label and score in scores)

        rows = {label: sum(answer is label for answer, *_ in answers) for label in Label}
        return {
            Label.SPAM: LabelledCounts(rows=rows[Label.SPAM], boosted_errors=errors(Label.SPAM, 0.97), plain_errors=0),
            Label.HAM: LabelledCounts(
                rows=rows[Label.HAM], boosted_errors=errors(Label.HAM, UNSURE), plain_errors=errors(Label.HAM, SURE)
            ),
        }

    def audit(self, size, rng, *, rate, seed):
        """The answers that are drawn, as (audited, score)."""
        for label, score, wrong in self.answers(size, rng):
            confidence = score if label is Label.SPAM else 1.0 - score
            probability = draw_for_audit(str(rng.random()), label, confidence=confidence, rate=rate, seed=seed)
            if probability is not None:
                (row,) = audited(1, int(wrong), predicted=label, probability=probability)
                yield row, score


def alarms(traffic, *, rate, runs, windows=12):
    """Of windows of 500 that share a reference and a history: how many alarm, with the labels of two before."""
    found = 0
    for seed in range(runs):
        rng = random.Random(seed)
        reference = Model().reference(600, rng)
        drawn = [list(traffic.audit(500, rng, rate=rate, seed=seed)) for _ in range(windows)]
        history = []
        for number in range(windows):
            pairs = [pair for window in drawn[max(0, number - 2) : number + 1] for pair in window]
            metrics = label_metrics(
                [row for row, _ in pairs], scores=[score for _, score in pairs], reference=reference
            )
            score = max(accumulated_score(metrics, history=history), *(metric.score for metric in metrics))
            found += score > THRESHOLD
            history.append(
                DriftReport(
                    window_id=str(number), model_version="v1", started_at=AT, ended_at=AT, size=500, score=score,
                    metrics=tuple(metrics),
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.33])
def test_without_drift_the_boosted_audit_raises_at_most_one_alarm_in_a_hundred_windows(rate):
    assert alarms(Model(), rate=rate, runs=20) <= 2  # of 240 windows


@pytest.mark.parametrize(
    "drifted",
    [Model(unsure=(0.14, 0.60)), Model(sure=(0.82, 0.10)), Model(spam=(0.12, 0.30))],
    ids=["unsure misses", "sure misses", "false alarms"],
)
def test_errors_that_traffic_did_not_have_before_are_found(drifted):
    assert alarms(drifted, rate=0.2, runs=5) >= 0.8 * 60
