"""A typed message is scored by what the store keeps, in this process, and nothing of it becomes traffic."""

import json
from dataclasses import replace
from math import exp

import pytest
import streamlit as st

from autoretrain.app.fleet import Reach
from autoretrain.dashboard.queries.try_it import Kept, kept_versions, open_model, opinion_of, word_rows
from autoretrain.domain.deployment import Experiment
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label, LabelKind
from autoretrain.domain.plan import Decision
from autoretrain.domain.spec import ExperimentMode
from autoretrain.domain.status import CandidateState, ModelRef, Status
from autoretrain.ml.linear import LinearModel
from tests.serving.models import EVERYTHING_SPAM, HAM, SPAM, make_artefact
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import NOW, page_of, write_status
from tests.unit.decide import builders

CHAMPION, PREVIOUS = make_artefact("3"), make_artefact("2", EVERYTHING_SPAM)


def ref(artefact):
    return ModelRef(version=artefact.version, digest=artefact.digest, promoted_at=NOW)


STATUS = Status(champion=ref(CHAMPION), previous=ref(PREVIOUS))


@pytest.fixture
def models(settings, store):
    for artefact in (CHAMPION, PREVIOUS):
        store.put_artefact(artefact)
    write_status(settings, STATUS)
    return store


def ask(text):
    app = page_of("try_it")
    app.text_area[0].input(text)
    [button] = [each for each in app.button if each.label == "Ask"]
    app = button.click().run()
    assert not app.exception
    return app


def test_every_version_that_the_store_keeps_can_be_asked_once_the_champion_first():
    candidate = CandidateState(
        summary=builders.summary("4"), decision=Decision.HOLD, reason="", message="", decided_at=NOW
    )
    experiment = Experiment(mode=ExperimentMode.SHADOW, version="2", digest=PREVIOUS.digest, percent=0)
    kept = kept_versions(replace(STATUS, candidate=candidate), experiment)
    assert [each.name for each in kept] == ["v3 (champion)", "v2 (previous)", "v4 (candidate, HOLD)"]


def test_an_artefact_that_is_not_that_version_is_not_asked(models):
    kept = Kept(version="3", digest=CHAMPION.digest, role="champion")
    models.put_artefact(replace(CHAMPION, model=PREVIOUS.model))
    with pytest.raises(ArtefactRejected, match="wanted is"):
        open_model(models, kept)
    with pytest.raises(ArtefactRejected, match="does not keep version 9"):
        open_model(models, replace(kept, version="9", digest="sha256:9"))


def test_an_opinion_is_what_serving_answers_with_the_words_that_weigh_most():
    model = LinearModel.load(CHAMPION.model)
    said = opinion_of(model, SPAM)
    assert (said.label, said.confidence) == model.predict(SPAM)
    assert {row["word"]: row["speaks for"] for row in word_rows(said)} == dict.fromkeys(
        ("free", "prize", "win"), "spam"
    )
    assert opinion_of(model, HAM).words[0][1] < 0


def test_words_the_rest_and_what_is_said_without_any_make_the_score():
    model = LinearModel.load(CHAMPION.model)
    said = opinion_of(model, f"{SPAM} {HAM}")
    log_odds = model.parts.offset + sum(share for _, share in said.words) + said.others
    assert model.score(f"{SPAM} {HAM}") == pytest.approx(1 / (1 + exp(-log_odds)))
    assert said.without == model.score("")


def test_versions_answer_side_by_side_and_nothing_is_recorded(models):
    app = ask(HAM)
    assert [(metric.label, metric.value) for metric in app.metric] == [
        ("v3 (champion)", "ham"),
        ("v2 (previous)", "spam"),
    ]
    assert models.count_predictions(version=None, since=None) == 0


RARE = make_artefact("5", {"prize": 4.0, "miriam": -3.0}, rows={"miriam": 2})


def told(app):
    """All that the page says of a message."""
    return [
        [(each.label, each.value) for each in app.metric],
        [each.value for each in (*app.markdown, *app.caption)],
        [json.loads(each.proto.spec) for each in app.get("vega_lite_chart")],
    ]


@pytest.mark.parametrize("text", ["{}", "claim your prize {}"])
def test_without_leave_to_read_messages_nobody_finds_out_who_was_in_one(store, cluster, monkeypatch, text):
    """The attack: ask for a name, and for one that is in no message, and see whether the page differs in anything."""
    fleet = cluster(replace(seen("sms"), status=Status(champion=ref(RARE))))
    store.about("spam.sms").put_artefact(RARE)
    reach = Reach(key="spam.sms", place=None, store=store.about("spam.sms"), registry=None)
    monkeypatch.setattr(fleet, "reach", lambda _key: reach)
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
    of_a_name, of_nobody = (told(ask(text.format(name))) for name in ("miriam", "zoe"))
    assert of_a_name == of_nobody
    assert any("at least three messages" in each for each in of_a_name[1])
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_SHOW_MESSAGES", "true")
    st.cache_resource.clear()
    assert told(ask(text.format("miriam"))) != told(ask(text.format("zoe")))


def test_a_version_that_is_gone_is_said_and_the_others_answer(models, settings):
    write_status(settings, replace(STATUS, previous=ModelRef(version="1", digest="sha256:1")))
    app = ask(SPAM)
    assert [metric.label for metric in app.metric] == ["v3 (champion)"]
    assert [error.value for error in app.error] == ["the store does not keep version 1"]


def test_what_it_really_is_becomes_a_trusted_report_of_the_dashboard(models):
    app = ask(SPAM)
    [ham] = [button for button in app.button if button.label == "It is ham"]
    app = ham.click().run()
    [kept] = models.labels()
    assert (kept.text, kept.label, kept.kind, kept.source) == (SPAM, Label.HAM, LabelKind.REPORT, "dashboard")
    assert any("Kept as ham" in said.value for said in app.success)
    assert models.audited(version=None, since=None) == ([], 0)


def test_what_one_model_was_told_is_still_asked_of_another(store, cluster, monkeypatch):
    fleet = cluster(*(replace(seen(name), status=STATUS) for name in ("mail", "sms")))
    for key in fleet.seen:
        store.about(key).put_artefact(CHAMPION)
    monkeypatch.setattr(fleet, "reach", lambda key: Reach(key=key, place=None, store=store.about(key), registry=None))
    app = ask(SPAM)
    [ham] = [button for button in app.button if button.label == "It is ham"]
    app = ham.click().run()
    assert len(app.success) == 1
    app.session_state["model"] = "spam.sms"
    app.run()
    assert (len(app.success), [button.label for button in app.button]) == (0, ["Ask", "It is spam", "It is ham"])


def test_without_the_key_a_message_is_answered_and_no_label_is_taken(models, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    app = ask(SPAM)
    assert len(app.metric) == 2
    assert [button.label for button in app.button] == ["Ask"]


def test_before_the_first_version_the_page_says_how_one_comes_about(settings, store):
    assert any("No version is there yet" in info.value for info in page_of("try_it").info)
