"""The page of a candidate shows its verdict and each gate, both models' figures, and what they call differently."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from autoretrain.adapters.records import dump_record
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.app.model_card import TRAINED_UNTIL
from autoretrain.dashboard.masking import HIDDEN
from autoretrain.dashboard.queries.candidate import (
    confusion_rows,
    curve_rows,
    judged_heads,
    judged_of,
    metric_rows,
    read_curves,
)
from autoretrain.dashboard.queries.decisions import Head
from autoretrain.dashboard.queries.dispute import read_dispute
from autoretrain.domain.errors import Waiting
from autoretrain.domain.messages import Label, LabelKind, NewLabel
from autoretrain.domain.plan import Decision
from autoretrain.domain.spec import Requests
from autoretrain.domain.status import CandidateState, HistoryEntry, ModelRef, Status
from autoretrain.ml.curves import CURVES_FILE, Curve, Curves, RunCurves
from tests.serving.models import make_artefact
from tests.unit.dashboard.cluster import enter_cluster
from tests.unit.dashboard.recorded import judging, recorded
from tests.unit.dashboard.world import NOW, write_status
from tests.unit.decide import builders

WORDS = {"free": 4.0, "prize": 4.0, "win": 3.0, "home": -3.0, "later": -3.0, "miriam": -1.0}
CHAMPION = make_artefact("3", WORDS, card="{}")
LEARNT = NOW - timedelta(hours=1)
CANDIDATE = make_artefact("4", {**WORDS, "parcel": 9.0}, card=json.dumps({TRAINED_UNTIL: LEARNT.isoformat()}))
SUMMARY = replace(
    builders.summary("4"), digest=CANDIDATE.digest, champion_digest=CHAMPION.digest, label_cutoff=100, run_id="run"
)
CURVES = RunCurves(
    holdout=None,
    recent=Curves(
        ham=4,
        spam=2,
        candidate=Curve(points=((0, 0), (0, 2), (4, 2)), chosen=(0, 2)),
        champion=Curve(points=((0, 0), (2, 2), (4, 2)), chosen=(1, 1)),
    ),
)


def record_of(summary=SUMMARY, **changes):
    champion = ModelRef(version="3", digest=summary.champion_digest)
    return {**recorded(judging(summary, status__champion=champion, **changes)), "sequence": 7}


def test_a_verdict_has_its_candidate_and_each_gate_with_its_number():
    judged = judged_of(record_of())
    assert (judged.summary, judged.decision, judged.reason, judged.sequence) == (
        SUMMARY,
        "PROMOTE",
        "BetterOnRecentRows",
        7,
    )
    assert [(row["gate"], row["is"]) for row in judged.gates] == [
        ("holdout accuracy 0.985 >= 0.95", "passed"),
        ("holdout f1 0.95 >= 0.90", "passed"),
        ("holdout accuracy loss -0.001 <= 0.005", "passed"),
        ("holdout ham false positive increase 0.00 <= 0.003", "passed"),
        ("recent accuracy gain 0.06 >= 0.01", "passed"),
        ("McNemar p 0.0009 <= 0.05", "passed"),
        ("share of one campaign 0.20 <= 0.50", "passed"),
    ]


def test_a_gate_that_failed_says_so():
    held = replace(SUMMARY, recent=builders.comparison(p_value=0.2))
    judged = judged_of(record_of(held))
    failed = [row["gate"] for row in judged.gates if row["is"] == "failed"]
    assert (judged.decision, failed) == ("HOLD", ["McNemar p 0.20 > 0.05"])


def test_a_candidate_that_a_person_approved_is_the_one_that_was_held():
    held = CandidateState(
        summary=builders.summary("4"),
        decision=Decision.HOLD,
        reason="NoGain",
        message="",
        decided_at=builders.NOW,
        expires_at=builders.NOW + timedelta(days=1),
    )
    asked = replace(builders.quiet().model, requests=Requests(approve_version="4"))
    approved = builders.but(builders.quiet(), model=asked, status__candidate=held)
    record = {**recorded(approved), "sequence": 1}
    assert (record["decision"], judged_of(record).summary) == ("PROMOTE", held.summary)


@pytest.mark.parametrize(
    "record", [{}, recorded(builders.drifted())], ids=["a record that was too long", "no candidate"]
)
def test_without_a_comparison_nothing_was_judged(record):
    assert judged_of({"sequence": 1, **record}) is None


def test_only_verdicts_are_offered_newest_first():
    kinds = ["PROMOTE", "RETRAIN", "REJECT", "NO_ACTION", "HOLD"]
    heads = [
        Head(key="k", sequence=number, entry=HistoryEntry(at=NOW, decision=kind, reason="", message=""))
        for number, kind in enumerate(kinds)
    ]
    assert [head.sequence for head in judged_heads(heads)] == [4, 2, 0]


def test_the_figures_of_both_models_stand_beside_their_difference():
    rows = {row["figure"]: row for row in metric_rows(builders.metrics(0.97), builders.metrics(0.91))}
    assert rows["accuracy"]["difference"] == pytest.approx(0.06)
    assert rows["brier"] == {"figure": "brier", "champion": None, "candidate": None, "difference": None}
    assert metric_rows(builders.metrics(0.97), None)[0]["champion"] is None


def test_the_confusion_matrix_is_made_of_the_ratios():
    metrics = replace(builders.metrics(), rows=357, spam_rows=52, recall=47 / 52, false_positive_rate=3 / 305)
    counts = {(row["is"], row["called"]): row["messages"] for row in confusion_rows(metrics, model="champion")}
    assert counts == {("ham", "ham"): 302, ("ham", "spam"): 3, ("spam", "ham"): 5, ("spam", "spam"): 47}


def test_the_curves_reach_from_nothing_to_everything_flagged_and_bend_between_their_corners():
    points, chosen = curve_rows(CURVES.recent)
    champion = [row for row in points if row["model"] == "champion"]
    assert [(row["ham flagged"], row["spam caught"]) for row in champion] == [
        (0, 0),
        (0.25, 0.5),
        (0.5, 1),
        (0.75, 1),
        (1, 1),
    ]
    assert [round(row["precision"], 3) for row in champion] == [1.0, 0.5, 0.5, 0.4, 0.333]
    assert [(row["model"], row["spam caught"]) for row in chosen] == [("champion", 0.5), ("candidate", 1.0)]


def test_the_curves_that_a_run_left_are_read_from_mlflow(tmp_path):
    registry = MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db", name="m")
    run = registry.start_run("m", run_name="run-1")
    assert read_curves(registry, run.run_id) is None
    run.log(files={CURVES_FILE: json.dumps(dump_record(CURVES)).encode()})
    assert read_curves(registry, run.run_id) == CURVES
    assert read_curves(registry, "") is None
    run.log(files={CURVES_FILE: b'{"holdout": 1}'})
    assert read_curves(registry, run.run_id) is None


def labels(*rows):
    return [
        NewLabel(
            label=label,
            kind=LabelKind.IMPORT,
            source="desk",
            trusted=True,
            received_at=NOW,
            text=text,
            predicted_at=LEARNT + timedelta(minutes=minutes),
        )
        for text, label, minutes in rows
    ]


DISPUTED = (
    ("parcel for miriam 4711", Label.SPAM, 1),
    ("your parcel is at home", Label.HAM, 2),
    ("win a free prize", Label.SPAM, 3),
    ("parcel that it learnt", Label.SPAM, -1),
    ("parcel at the very cut", Label.SPAM, 0),
)


@pytest.fixture
def labelled(store):
    for artefact in (CHAMPION, CANDIDATE):
        store.put_artefact(artefact)
    store.add_labels(labels(*DISPUTED))
    return store


def test_disputed_are_the_labels_that_neither_learnt_from_and_that_the_models_call_differently(labelled):
    dispute = read_dispute(labelled, SUMMARY)
    assert dispute.labels == 3
    assert [(row["message"], row["so it is"]) for row in dispute.rows] == [
        ("parcel for miriam 4711", "fixed"),
        ("your parcel is at home", "broken"),
    ]


def test_labels_that_came_after_the_run_do_not_count(labelled):
    assert read_dispute(labelled, replace(SUMMARY, label_cutoff=1)).labels == 1


def test_at_most_three_copies_of_a_campaign_are_disputed(labelled):
    labelled.add_labels(labels(*[(f"parcel of yours waits {n} at the depot", Label.SPAM, 5) for n in range(9)]))
    assert len(read_dispute(labelled, SUMMARY).rows) == 2 + 3


def test_a_model_that_is_no_longer_kept_disputes_nothing(labelled):
    assert read_dispute(labelled, replace(SUMMARY, champion_digest="sha256:gone")) is None


def open_page(**address):
    app = AppTest.from_string(
        "from autoretrain.dashboard.pages import candidate\ncandidate.show()\n", default_timeout=60
    )
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def no_curves(monkeypatch):
    """A registry that can't be asked: what it takes to ask MLflow is shown above."""

    def refuse(_registry, _run_id, _name):
        raise Waiting("MLflow can't be used", delay_seconds=1)

    monkeypatch.setattr(MlflowRegistry, "run_file", refuse)


def test_the_page_shows_the_newest_verdict_though_mlflow_is_away(settings, labelled, no_curves):
    write_status(settings, Status(champion=ModelRef(version="3", digest=CHAMPION.digest)))
    labelled.append_decision(record_of())
    app = open_page()
    assert "v4, against champion v3: PROMOTE, BetterOnRecentRows" in [each.value for each in app.subheader]
    assert [metric.value for metric in app.metric] == ["13", "1", "0.0009", "+0.030", "20%"]
    assert "MLflow can't be used" in app.error[0].value.replace("\\", "")
    gates, figures, disputed = (table.value for table in app.dataframe)
    assert (len(gates), len(figures)) == (7, 8)
    assert list(disputed["message"]) == ["parcel for miriam 4711", "your parcel is at home"]


def test_whoever_may_not_read_messages_sees_them_masked(settings, labelled, no_curves, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    write_status(settings, Status(champion=ModelRef(version="3", digest=CHAMPION.digest)))
    labelled.append_decision(record_of())
    shown = list(open_page().dataframe[2].value["message"])
    assert shown == [f"{HIDDEN} {HIDDEN} miriam {HIDDEN}", f"{HIDDEN} {HIDDEN} {HIDDEN} {HIDDEN} home"]


def test_an_older_verdict_has_an_address(settings, labelled, no_curves):
    write_status(settings, Status(champion=ModelRef(version="3", digest=CHAMPION.digest)))
    labelled.append_decision(record_of(replace(SUMMARY, recent=builders.comparison(p_value=0.2))))
    labelled.append_decision(record_of())
    assert "v4, against champion v3: HOLD, NotSignificant" in [each.value for each in open_page(id="1").subheader]


def test_a_first_model_is_shown_alone(settings, store, no_curves):
    write_status(settings, Status())
    first = replace(SUMMARY, champion_version=None, champion_digest=None, holdout=None, recent=None, expected=None)
    record = recorded(judging(first, status__champion=None, served=builders.served(None), registry=()))
    store.append_decision(record)
    app = open_page()
    assert "v4, the first model: PROMOTE, FirstModel" in [each.value for each in app.subheader]
    assert len(app.metric) == 0
    assert app.dataframe[1].value["candidate"][0] == 0.985


def test_before_any_verdict_the_page_says_what_makes_one(settings, store):
    write_status(settings, Status())
    assert "as soon as a training run has ended" in open_page().info[0].value


def test_on_a_cluster_without_a_store_the_messages_stay_there(settings, monkeypatch, tmp_path, no_curves):
    enter_cluster(monkeypatch, tmp_path, status=builders.status(), records=[record_of()])
    app = open_page()
    assert "v4, against champion v3: PROMOTE, BetterOnRecentRows" in [each.value for each in app.subheader]
    assert "was not given the store" in app.info[0].value


def test_a_candidate_whose_decision_is_no_longer_kept_is_told_by_the_status(settings, monkeypatch, tmp_path, no_curves):
    held = CandidateState(summary=SUMMARY, decision="HOLD", reason="NoGain", message="no gain", decided_at=NOW)
    enter_cluster(monkeypatch, tmp_path, status=replace(builders.status(), candidate=held))
    assert "v4, against champion v3: HOLD, NoGain" in [each.value for each in open_page().subheader]
