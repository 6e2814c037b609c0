"""The first page: what it reads, and what it shows of one model and of many."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from autoretrain.dashboard import frame
from autoretrain.dashboard.masking import HIDDEN
from autoretrain.dashboard.queries.overview import (
    SPAM,
    Evidence,
    decision_rows,
    driving_metric,
    fleet_rows,
    recent_spam,
    run_progress,
    spam_rows,
    told_drift,
    told_until,
)
from autoretrain.dashboard.queries.timeline import lanes_of, timeline_rows
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.messages import Label
from autoretrain.domain.status import ActiveRun, Condition, HistoryEntry, Status
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import CHAMPION, NOW, page_of, prediction, put_champion, write_status

RUN = ActiveRun(
    name="sms-train-2",
    ordinal=2,
    trigger="drift",
    started_at=NOW - timedelta(minutes=3),
    label_cutoff=0,
    training_hash="",
)


def head(minute, decision, reason="Steady", message="nothing asks for a run"):
    return minute, HistoryEntry(at=NOW + timedelta(minutes=minute), decision=decision, reason=reason, message=message)


def report(**metrics):
    return DriftReport(
        window_id="3-1-250",
        model_version="3",
        started_at=NOW,
        ended_at=NOW,
        size=250,
        score=0.2,
        metrics=tuple(
            MetricDrift(name=name, raw=raw, median=0.0, upper=0.125, score=raw) for name, raw in metrics.items()
        ),
    )


def test_the_newest_spam_comes_first_and_what_the_model_does_not_know_is_hidden(store):
    texts = ("claim your prize Miriam", "call 0800 100", "see you")
    labels = (Label.SPAM, Label.SPAM, Label.HAM)
    store.add_predictions(
        [
            replace(prediction(number), text=text, label=label, at=NOW - timedelta(minutes=9 - number))
            for number, (text, label) in enumerate(zip(texts, labels, strict=True))
        ]
    )
    shown = [row["message"] for row in spam_rows(recent_spam(store, now=NOW), known={"claim", "your", "prize", "call"})]
    assert shown == [f"call {HIDDEN} {HIDDEN}", f"claim your prize {HIDDEN}"]
    assert [row["message"] for row in spam_rows(recent_spam(store, now=NOW), known=None)] == [texts[1], texts[0]]


def test_only_spam_of_the_last_day_is_shown_and_not_all_of_it(store):
    old = replace(prediction(0), label=Label.SPAM, at=NOW - timedelta(hours=25))
    fresh = [replace(prediction(n), label=Label.SPAM, at=NOW - timedelta(minutes=n)) for n in range(1, SPAM + 3)]
    store.add_predictions([old, *fresh])
    assert len(recent_spam(store, now=NOW)) == SPAM
    assert len(recent_spam(store, now=NOW + timedelta(hours=23, minutes=55))) == 5


def test_a_window_of_the_version_before_says_nothing_of_this_ones_drift():
    evidence = Evidence(reports=(report(),), performance=None, messages=250, newest_message_at=NOW)
    assert told_drift(Status(champion=CHAMPION), evidence) == "0.200"
    assert told_drift(Status(champion=replace(CHAMPION, version="4")), evidence) == "not measured"
    assert told_drift(Status(champion=CHAMPION), None) == "not measured"


def test_the_metric_that_moved_most_is_named_with_its_noise_floor():
    assert driving_metric(report(spam_share=0.05, term_drift_ham=0.25)) == (
        "most moved: words grown frequent, in predicted ham, 0.250, noise floor 0.125"
    )
    assert driving_metric(report()) == ""


def test_a_decision_that_is_repeated_is_told_once_with_its_number_and_a_link_to_the_last():
    heads = [head(1, "NO_ACTION"), head(2, "NO_ACTION"), head(3, "RETRAIN", "ScheduleDue"), head(4, "NO_ACTION")]
    rows = decision_rows(heads, key="default.sms-spam")
    assert [(row["decision"], row["times"]) for row in rows] == [("NO_ACTION", 1), ("RETRAIN", 1), ("NO_ACTION", 2)]
    link = urlsplit(rows[-1]["more"])
    assert (link.path, parse_qs(link.query)) == ("decisions", {"model": ["default.sms-spam"], "id": ["2"]})


def test_a_run_lasts_from_its_start_to_what_became_of_it():
    heads = [
        head(0, "RETRAIN", "DriftThresholdExceeded"),
        head(1, "NO_ACTION", "RunActive"),
        head(2, "HOLD", "NotSignificant"),
        head(3, "RETRAIN", "ScheduleDue"),
        head(4, "ALERT", "TrainingFailed"),
        head(5, "ROLLBACK", "SpamShareTooHigh"),
    ]
    rows = timeline_rows(heads, running=None, now=NOW)
    assert [(row["lane"], (row["until"] - row["time (UTC)"]).seconds // 60) for row in rows] == [
        ("run", 2),
        ("held", 0),
        ("run", 1),
        ("run failed", 0),
        ("rolled back", 0),
    ]
    assert lanes_of(rows) == ["run", "held", "rolled back", "run failed"]


def test_a_run_under_way_lasts_until_now_and_one_that_vanished_is_not_drawn():
    heads = [head(-4, "RETRAIN", "ScheduleDue")]
    [row] = timeline_rows(heads, running=RUN, now=NOW)
    assert (row["until"] - row["time (UTC)"]).seconds == 240
    assert timeline_rows(heads, running=None, now=NOW) == []


@pytest.mark.parametrize(
    ("minutes", "share", "said"),
    [
        (3, 0.2, "Run sms-train-2 (drift): 3 min of at most 15 min"),
        (60, 1.0, "Run sms-train-2 (drift): 1 h of at most 15 min"),
        (-1, 0.0, "Run sms-train-2 (drift): 0 s of at most 15 min"),
    ],
    ids=["under way", "overdue", "a clock that went back"],
)
def test_a_runs_progress_is_held_against_its_deadline(minutes, share, said):
    progress = run_progress(RUN, deadline_seconds=900, now=RUN.started_at + timedelta(minutes=minutes))
    assert (progress.share, progress.sentence) == (share, said)


def test_the_attempt_of_a_run_is_told_from_the_second_on():
    assert "(drift, attempt 2)" in run_progress(replace(RUN, attempt=2), deadline_seconds=900, now=NOW).sentence


def test_the_time_until_the_next_run_is_told_in_its_two_largest_units():
    assert told_until(NOW + timedelta(days=2, hours=3, minutes=4), NOW) == "in 2 d 3 h"
    assert told_until(NOW - timedelta(days=1), NOW) == "in 0 s"


def test_a_run_is_shown_with_its_progress_and_what_it_said(settings, store):
    put_champion(store, settings)
    write_status(settings, Status(champion=CHAMPION, active_run=RUN))
    log = settings.state_dir / "runs" / "default.sms-spam" / RUN.name / "train.log"
    log.parent.mkdir(parents=True)
    log.write_text("Data        file data/sms.csv\n")
    app = page_of("overview")
    assert [code.value for code in app.code] == ["Data        file data/sms.csv"]
    assert "Version 3 is served; a run is training, asked for by: drift." in [info.value for info in app.info]


def test_messages_are_masked_for_whoever_may_not_act(settings, store, monkeypatch):
    put_champion(store, settings)
    store.add_predictions([replace(prediction(1), text="call Miriam", label=Label.SPAM, at=NOW)])

    def shown():
        frame.read_settings.clear()  # which are those of the process for as long as it runs
        return [table.value["message"].tolist() for table in page_of("overview").dataframe if "message" in table.value]

    assert shown() == [["call Miriam"]]
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    assert shown() == [[f"{HIDDEN} {HIDDEN}"]]
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_SHOW_MESSAGES", "true")
    assert shown() == [["call Miriam"]]


STALLED = Condition(
    type="Stalled",
    status=True,
    reason="InvalidSpec",
    message="spec.x: [is](http://evil.example) wrong",
    observed_generation=1,
    last_transition_at=NOW,
)


def test_of_many_models_those_that_need_a_person_come_first(cluster):
    models = {each.model.key: each for each in (seen("a"), seen("b", active_run=RUN), seen("c", conditions=(STALLED,)))}
    assert [row["model"] for row in fleet_rows(models, now=NOW)] == ["spam.c", "spam.b", "spam.a"]


def test_a_cluster_without_its_store_shows_status_and_decisions_and_says_what_is_missing(cluster):
    cluster(seen("sms"))
    app = page_of("overview")
    assert app.title[0].value == "sms"
    assert any("Candidate 1" in drawn.value for drawn in app.markdown)
    assert any("was not given the store" in caption.value for caption in app.caption)


def test_a_store_that_can_not_be_used_is_told(cluster):
    cluster(seen("sms"), problem="the store at postgresql://db can't be used")
    assert "can't be used" in page_of("overview").warning[0].value.replace("\\", "")


def test_a_cluster_that_stops_answering_is_shown_as_it_was_with_its_age(cluster):
    fleet = cluster(seen("sms"))
    page_of("overview")
    fleet.down = True
    app = page_of("overview")
    assert app.title[0].value == "sms"
    assert app.warning[0].value.startswith("As of ")
    assert "did not answer" in app.warning[0].value


def test_a_cluster_that_never_answered_is_one_error(cluster):
    cluster().down = True
    app = page_of("overview")
    assert ([error.value for error in app.error], len(app.title)) == (["the API server did not answer"], 0)


def test_a_cluster_without_a_model_says_how_to_make_one(cluster):
    cluster()
    assert "kubectl apply" in page_of("overview").info[0].value
