"""The ledger's page lists what was decided, and shows one decision with all that it rests on, and decides it again."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from autoretrain.adapters import kube_api
from autoretrain.dashboard.queries.decisions import (
    Head,
    change_rows,
    decision_link,
    finding_rows,
    head_rows,
    outcome_rows,
    read_record,
    replay,
    select,
)
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import HistoryEntry, Status
from tests.unit.dashboard.cluster import KEY, enter_cluster
from tests.unit.dashboard.recorded import judging, recorded
from tests.unit.dashboard.world import put_champion
from tests.unit.decide import builders

DRIFTED = recorded(builders.drifted())


def open_page(**address):
    app = AppTest.from_string(
        "from autoretrain.dashboard.pages import decisions\ndecisions.show()\n", default_timeout=60
    )
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def shown_text(app):
    return "\n".join(each.value for each in (*app.markdown, *app.caption, *app.subheader))


def head(number, decision="RETRAIN", *, days=0):
    entry = HistoryEntry(at=builders.NOW + timedelta(days=days), decision=decision, reason="Reason", message="why")
    return Head(key="default.sms-spam", sequence=number, entry=entry)


def test_decisions_are_chosen_by_kind_and_day_and_told_newest_first():
    heads = [head(1), head(2, "ALERT", days=1), head(3, days=2), head(4, days=3)]
    first, last = date(2026, 3, 3), date(2026, 3, 4)
    assert [each.sequence for each in select(heads, kinds=["RETRAIN"], days=[first, last])] == [3]
    assert select(heads, kinds=[], days=[first]) == heads
    assert [row["number"] for row in head_rows(heads)] == [4, 3, 2, 1]


def test_the_findings_are_told_with_their_comparison_as_it_stands_what_triggered_first():
    rows = finding_rows(DRIFTED)
    assert (rows[0]["check"], rows[0]["is"], rows[0]["reason"]) == (
        "drift 0.50 > 0.15",
        "triggered",
        "DriftThresholdExceeded",
    )
    assert [row["is"] for row in rows] == sorted(
        (row["is"] for row in rows), key=["triggered", "ok", "not known"].index
    )
    assert "spam recall 0.93 >= 0.80" in [row["check"] for row in rows]


def test_a_verdict_of_a_later_release_is_told_as_it_is():
    finding = {"check": "new", "verdict": "doubted", "reason": "New", "message": "what it says"}
    assert finding_rows({"plan": {"findings": [finding]}})[0]["is"] == "doubted"


def test_what_was_done_and_how_it_ended_is_told():
    [row] = outcome_rows(recorded(builders.drifted(), succeeded=False))
    assert row["action"].startswith("start training run sms-spam-train-")
    assert (row["ended"], row["said"]) == ("failed", "the disk is full")
    [served] = outcome_rows(recorded(judging()))
    assert (served["action"], served["ended"]) == ("serve version 4", "done")


def test_changes_of_the_status_are_told_by_field():
    changed = {row["field"]: (row["before"], row["after"]) for row in change_rows(DRIFTED)}
    assert changed["run_ordinal"] == ("1", "2")
    assert changed["active_run.trigger"] == ("", "drift")
    assert not any(field.endswith("last_transition_at") for field in changed)


def test_a_decision_that_is_decided_again_is_identical():
    assert replay(DRIFTED).differences == ()


def test_a_record_that_says_something_else_is_seen_with_each_field_that_differs():
    changed = {**DRIFTED, "plan": {**DRIFTED["plan"], "decision": "NO_ACTION"}}
    again = replay(changed)
    assert again.decision == "RETRAIN (DriftThresholdExceeded)"
    assert again.differences == ({"field": "decision", "before": "NO_ACTION", "after": "RETRAIN"},)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({name: DRIFTED[name] for name in ("at", "decision", "reason", "message")}, "only what was decided"),
        ({**DRIFTED, "observation": {"now": "yesterday"}}, "records this one can't read"),
    ],
    ids=["a record that was too long", "a record of another release"],
)
def test_a_record_that_can_not_be_decided_again_says_why(record, says):
    with pytest.raises(AutoRetrainError, match=says):
        replay(record)


def test_a_decision_that_is_not_there_is_not_taken_for_the_next_one():
    kept = [{**DRIFTED, "sequence": 4}, {**DRIFTED, "sequence": 9}]  # on a cluster sequences have gaps

    def decisions(*, limit, after):
        return [record for record in kept if record["sequence"] > after][:limit]

    reach = SimpleNamespace(key="spam.sms-spam", place=SimpleNamespace(decisions=decisions))
    assert read_record(reach, 9)["sequence"] == 9
    for missing in (5, 10):
        with pytest.raises(AutoRetrainError, match=rf"no decision {missing} of spam\.sms-spam"):
            read_record(reach, missing)


def test_the_page_lists_what_was_decided(settings, store):
    put_champion(store, settings)
    store.append_decision(DRIFTED)
    store.append_decision(recorded(judging()))
    [table] = open_page().dataframe
    assert list(table.value["number"]) == [2, 1]
    assert list(table.value["decision"]) == ["PROMOTE", "RETRAIN"]


def test_before_anything_was_decided_the_page_says_so(settings, store):
    put_champion(store, settings)
    assert "Nothing has been decided yet." in [info.value for info in open_page().info]


def test_a_kind_that_never_was_leaves_an_empty_list_that_says_so(settings, store):
    put_champion(store, settings)
    store.append_decision(DRIFTED)
    app = open_page()
    app.button_group[0].set_value(["ROLLBACK"]).run()
    assert not app.exception
    assert [info.value for info in app.info] == ["None of the newest 1 decisions is of that kind and time."]


def test_an_address_shows_one_decision_with_its_story_its_findings_and_its_replay(settings, store):
    put_champion(store, settings)
    store.append_decision(DRIFTED)
    store.append_decision(recorded(judging()))
    app = open_page(model="default.sms-spam", id="1")
    text = shown_text(app)
    assert "RETRAIN: DriftThresholdExceeded" in text
    assert "Evidence" in text
    assert decision_link("default.sms-spam", 1) in app.code[0].value
    assert "identical in every field" in app.success[0].value
    [later] = [button for button in app.button if button.label == "Later"]
    later.click().run()
    assert not app.exception
    assert "PROMOTE: BetterOnRecentRows" in shown_text(app)


def test_what_others_wrote_into_a_decision_is_never_drawn(settings, store):
    put_champion(store, settings)
    picture = "![](http://127.0.0.1/seen.png)"
    store.append_decision({**DRIFTED, "message": f"asked for by {picture}", "decision": picture, "reason": picture})
    app = open_page(id="1")
    assert "![](http" not in shown_text(app)


def test_an_address_of_no_decision_says_so_and_leads_back(settings, store):
    put_champion(store, settings)
    store.append_decision(DRIFTED)
    app = open_page(id="7")
    assert "no decision 7 of" in app.error[0].value.replace("\\", "")
    [back] = [button for button in app.button if button.label == "All decisions"]
    back.click().run()
    assert len(app.dataframe) == 1


@pytest.mark.parametrize("number", ["", "-1", "abc", "²", "99999999999999999999"])
def test_an_address_without_a_number_shows_the_list(settings, store, number):
    put_champion(store, settings)
    store.append_decision(DRIFTED)
    assert list(open_page(id=number).dataframe[0].value["number"]) == [1]


def test_on_a_cluster_the_records_are_the_decision_objects(settings, monkeypatch, tmp_path):
    enter_cluster(monkeypatch, tmp_path, status=Status(), records=[DRIFTED, recorded(judging())])
    assert list(open_page().dataframe[0].value["number"]) == [2, 1]
    one = open_page(model=KEY, id="2")
    assert "PROMOTE: BetterOnRecentRows" in shown_text(one)
    assert "identical in every field" in one.success[0].value


def test_more_decisions_than_are_read_are_told_with_what_to_do_and_none_is_shown_as_the_newest(monkeypatch, tmp_path):
    monkeypatch.setattr(kube_api, "MOST_OBJECTS", 2)
    enter_cluster(monkeypatch, tmp_path, status=Status(), records=[DRIFTED] * 3)
    app = open_page()
    (told,) = app.error
    words = told.value.replace("\\", "")
    assert words.startswith("namespace spam: there are more than 2 spammodeldecisions of sms-spam")
    assert "so none of them is told" in words
    assert "does it run, and may it delete them?" in words
    assert not app.dataframe
