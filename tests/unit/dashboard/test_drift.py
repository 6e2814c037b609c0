"""The page of drift draws every window against its noise floor and thresholds, and says which words drive one."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from autoretrain.adapters.store.windows import WindowAnswers
from autoretrain.dashboard.queries.drift import Windows, answer_rows, metric_rows, score_rows
from autoretrain.dashboard.queries.drift_window import (
    Reference,
    distribution_rows,
    measured_rows,
    metric_words,
    read_reference,
    size_rows,
    term_rows,
)
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.messages import Label
from autoretrain.domain.status import DriftStatus, ModelRef, Status
from autoretrain.ml.drift.references import METRIC_COUNT, VIEWS
from autoretrain.ml.linear import LinearModel
from tests.serving.models import SMALL_TALK, make_artefact, make_drift_artefact, make_ordinary
from tests.unit.dashboard.cluster import enter_cluster
from tests.unit.dashboard.world import NOW, page_of, prediction, write_status

METRIC = MetricDrift(name="tfidf_drift_spam", raw=0.4, median=0.2, upper=0.3, score=0.23)
SCORES = (2, 0, 0, 0, 0, 1, 0, 0, 0, 1)
ARTEFACT = make_drift_artefact(rows=300)
MODEL = LinearModel.load(ARTEFACT.model)


def report(number=1, **changes):
    made = DriftReport(
        window_id=f"1:{number}",
        model_version="1",
        started_at=NOW,
        ended_at=NOW + timedelta(minutes=number),
        size=250,
        score=0.23,
        metrics=(METRIC, replace(METRIC, name="vocabulary_drift", raw=0.1, score=0.0)),
    )
    return replace(made, **changes)


def windows(*reports, answers=()):
    found = {each.window_id: each for each in answers}
    return Windows(reports=reports, answers=found, threshold=0.15, clear_threshold=0.1)


def answers_of(window_id="1:1"):
    return WindowAnswers(window_id=window_id, messages=4, spam=1, doubtful=2, confidence=0.9)


def fill(store, *, wave=0, ordinary=240):
    """Messages of version 1, the last `wave` of them of a campaign; return the sequences of the first and the last."""
    rng = random.Random(1)
    texts = [row.text for row in make_ordinary(ordinary, seed=2)]
    texts += [f"win parcel customs {' '.join(rng.choices(SMALL_TALK, k=12))}" for _ in range(wave)]
    store.add_predictions(
        [
            replace(
                prediction(number),
                text=text,
                model_version="1",
                score=0.9 if number >= ordinary else min(0.4, MODEL.score(text)),
                label=Label.SPAM if number >= ordinary else Label.HAM,
            )
            for number, text in enumerate(texts)
        ]
    )
    sequences = [sequence for sequence, _ in store.predictions_after(0, version="1", limit=10_000)]
    return sequences[0], sequences[-1]


def test_a_window_says_how_it_stands_to_the_threshold_in_words():
    rows = score_rows(windows(report(1), report(2, score=0.15), report(3, prior_shift=True)))
    assert [(row["is"], row["score"], row["version"], row["messages"]) for row in rows] == [
        ("above", 0.23, "v1", 250),
        ("below", 0.15, "v1", 250),
        ("only spam share moved", 0.23, "v1", 250),
    ]


def test_a_metric_is_shown_over_the_windows_that_measured_it_with_its_own_floor():
    rows = metric_rows([report(1), report(2, metrics=())], "tfidf_drift_spam")
    assert [(row["value"], row["median"], row["noise floor"], row["window"]) for row in rows] == [
        (0.4, 0.2, 0.3, "1:1")
    ]


def test_the_metrics_of_a_window_are_ranked_and_say_whether_they_are_noise():
    assert [(row["metric"], row["is"]) for row in measured_rows(report())] == [
        ("tfidf_drift_spam", "above"),
        ("vocabulary_drift", "noise"),
    ]


def test_every_metric_has_words_of_its_own():
    names = [name for name in ARTEFACT_NAMES if metric_words(name) != name]
    assert len({metric_words(name) for name in names}) == len(ARTEFACT_NAMES) == METRIC_COUNT


ARTEFACT_NAMES = [
    *("vocabulary_drift", "tfidf_drift", "score_drift", "term_drift", "spam_share"),
    *("label_errors_spam", "label_errors_ham"),
    *(f"{name}_drift_{view}" for view in VIEWS[1:] for name in ("vocabulary", "tfidf", "score", "term")),
]


def test_spam_share_and_confidence_are_told_of_the_windows_whose_messages_are_there():
    [row] = answer_rows(windows(report(1), report(2), answers=[answers_of(), answers_of("older")]))
    assert (row["spam share"], row["mean confidence"], row["answers of less than 80%"]) == (0.25, 0.9, 0.5)


def test_scores_are_shown_as_shares_beside_those_of_the_reference():
    reference = read_back()
    before = reference.of(report(regime="base"))
    rows = distribution_rows(SCORES, before)
    assert [row["share"] for row in rows if row["of"] == "this window"] == [0.5, *[0] * 4, 0.25, *[0] * 3, 0.25]
    assert sum(row["share"] for row in rows if row["of"] == "reference") == pytest.approx(1)
    assert {row["of"] for row in distribution_rows(SCORES, None)} == {"this window"}


class OneArtefact:
    def artefact_by_version(self, version):
        return ARTEFACT if version == "1" else None


def read_back() -> Reference:
    return read_reference(OneArtefact(), "1")


def test_a_version_that_is_no_longer_kept_has_no_reference():
    assert read_reference(OneArtefact(), "2") is None


def test_a_regime_that_the_version_does_not_know_has_no_set():
    assert read_back().of(report(regime="another")) is None


def test_the_terms_that_drive_a_window_are_counted_now_and_then(store):
    first, last = fill(store, wave=30)
    drifted = report(regime="base", new_spam_patterns=("parcel", "win"))
    store.save_report(drifted, first_sequence=first, last_sequence=last)
    reference = read_back()
    rows = term_rows(store, drifted, reference)
    then_of = len(reference.of(drifted).texts)
    now_of = next(int(name.removeprefix("now, of ")) for name in rows[0] if name.startswith("now, of "))
    assert [row["term"] for row in rows] == ["parcel", "win"]
    assert (rows[0][f"then, of {then_of}"], rows[0]["called spam now"]) == (0, rows[0][f"now, of {now_of}"])
    assert rows[0]["times as often"] is None
    assert rows[1]["times as often"] == pytest.approx(
        rows[1][f"now, of {now_of}"] / now_of / (rows[1][f"then, of {then_of}"] / then_of)
    )


def test_terms_are_not_counted_where_the_messages_are_gone(store):
    drifted = report(regime="base", new_spam_patterns=("parcel",))
    store.save_report(drifted, first_sequence=1, last_sequence=9)
    assert term_rows(store, drifted, read_back()) == []


def test_the_newest_messages_are_measured_as_windows_of_every_size_and_nothing_is_kept(store):
    fill(store, wave=60)
    rows = size_rows(store, "1", read_back())
    assert [row["newest messages"] for row in rows] == [50, 100, 250]
    assert rows[1]["score"] > 0.15
    assert "parcel" in rows[1]["terms"]
    assert store.reports(version=None, limit=9) == []


def put(store, settings, *reports):
    store.put_artefact(ARTEFACT)
    first, last = fill(store, wave=30)
    for later, each in enumerate(reversed(reports)):
        store.save_report(each, first_sequence=first, last_sequence=last - later)
    write_status(settings, Status(champion=ModelRef(version="1", digest=ARTEFACT.digest)))


def test_the_page_says_where_there_is_no_window_yet(settings, store):
    put(store, settings)
    assert "No window is complete yet. The first one is as soon as 500 messages" in page_of("drift").info[0].value


def test_the_page_draws_the_windows_and_counts_the_terms(settings, store):
    put(store, settings, report(1), report(2, new_spam_patterns=("parcel",), regime="base"))
    app = page_of("drift")
    assert [metric.value for metric in app.metric[:2]] == ["0.230", "250"]
    assert [(metric.value, metric.delta) for metric in app.metric[3:4]] == [("2", "2 ask for a run")]
    terms = app.dataframe[1].value
    assert (list(terms["term"]), list(terms["called spam now"])) == (["parcel"], [30])
    [button] = [each for each in app.button if each.label == "Measure now"]
    button.click().run()
    app.run()  # as the page does by itself every few seconds
    assert not app.exception
    assert list(app.dataframe[2].value["newest messages"]) == [50, 100, 250]


def test_a_window_of_long_ago_is_said_to_prove_nothing(settings, store):
    put(store, settings, report(1, ended_at=NOW - timedelta(days=3)))
    assert "too long ago to conclude anything" in page_of("drift").warning[0].value


def test_a_damaged_reference_leaves_the_rest_of_the_page(settings, store):
    put(store, settings, report(1))
    store.put_artefact(replace(make_artefact("1"), reference=b"{}"))
    app = page_of("drift")
    assert "not a drift reference" in app.error[0].value.replace("\\", "")
    assert len(app.metric) == 4


def test_on_a_cluster_without_a_store_the_page_shows_what_the_status_says(settings, monkeypatch, tmp_path):
    drift = DriftStatus(
        score=0.31,
        threshold=0.15,
        window_id="1:1",
        window_size=500,
        breaches=2,
        per_metric=(("spam_share", 0.02), ("tfidf_drift_spam", 0.31)),
        checked_at=NOW,
    )
    enter_cluster(monkeypatch, tmp_path, status=Status(drift=drift))
    app = page_of("drift")
    assert "was not given the store" in app.info[0].value
    assert [metric.value for metric in app.metric] == ["0.310", "500", "2"]
    assert list(app.dataframe[0].value["metric"]) == ["tfidf_drift_spam", "spam_share"]


def test_on_a_cluster_where_nothing_was_checked_yet_the_page_says_so(settings, monkeypatch, tmp_path):
    enter_cluster(monkeypatch, tmp_path, status=Status())
    assert "No window was checked yet." in [info.value for info in page_of("drift").info]
