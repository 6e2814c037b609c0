"""The dashboard shows what the store and the status say, and says where there is nothing yet."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.local import LocalWorld
from autoretrain.dashboard import page
from autoretrain.dashboard.drawing import plain
from autoretrain.dashboard.queries.label import audit_label
from autoretrain.dashboard.queries.overview import drift_rows
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.status import Condition, ModelRef, Status
from tests.spec_cases import VALID_TEXT

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    st.cache_resource.clear()
    yield Settings()
    st.cache_resource.clear()


@pytest.fixture
def store(settings):
    settings.state_dir.mkdir(exist_ok=True)
    with Store(settings.resolved_store_url(), model="default.sms-spam") as opened:
        opened.migrate()
        yield opened


ROOT = Path(__file__).resolve().parents[3]


def shown(settings, *, script=Path(page.__file__)):
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    return app


def page_of(settings, name):
    """Draw one page by itself: a test of an app can't follow a navigation."""
    script = f"from autoretrain.dashboard.pages import {name}\n{name}.show()\n"
    app = AppTest.from_string(script, default_timeout=60).run()
    assert not app.exception
    return app


def champion(store, settings, *, card="{}", conditions=()):
    store.put_artefact(ModelArtefact(version="3", digest="sha256:3", run_id="r", model=b"m", reference=b"r", card=card))
    world = LocalWorld.open(settings, expect_serving=False)
    champion = ModelRef(version="3", digest="sha256:3", promoted_at=NOW)
    world.write_status(Status(champion=champion, conditions=conditions))
    world.close()


def prediction(number):
    return Prediction(
        prediction_id=f"p{number}",
        text=f"message number {number}",
        label=Label.HAM,
        score=0.1,
        model_version="3",
        at=NOW + timedelta(seconds=1),
        audit_probability=0.5,
    )


def report(score):
    return DriftReport(
        window_id="3-1-250",
        model_version="3",
        started_at=NOW,
        ended_at=NOW + timedelta(minutes=1),
        size=250,
        score=score,
        metrics=(),
        new_spam_patterns=("parcel fee",),
    )


@pytest.mark.parametrize(
    "script", [Path(page.__file__), ROOT / "src" / "dashboard.py"], ids=["autoretrain dashboard", "src/dashboard.py"]
)
def test_an_empty_state_says_that_there_is_no_champion_and_no_window(settings, script):
    app = shown(settings, script=script)
    assert [metric.value for metric in app.metric][:1] == ["none yet"]
    assert "No window is complete yet." in [info.value for info in app.info]


def test_champion_drift_and_what_drives_it_are_shown(settings, store):
    champion(store, settings)
    store.save_report(report(0.42), first_sequence=1, last_sequence=250)
    app = shown(settings)
    assert app.metric[0].value == "v3"
    assert any("parcel fee" in caption.value for caption in app.caption)


def test_a_model_of_generated_messages_is_marked_as_such(settings, store):
    champion(store, settings, card='{"data_source": "GENERATED SAMPLE", "generated_sample": true}')
    assert any("generated sample" in warning.value for warning in shown(settings).warning)


def test_what_needs_spam_is_shown_as_not_measured_where_no_label_is_spam(settings, store):
    champion(store, settings)
    store.add_predictions([prediction(1)])
    store.add_labels([audit_label("p1", Label.HAM)])
    app = shown(settings)
    figures = {metric.label: metric.value for metric in app.metric}
    assert (figures["Live accuracy"], figures["Live spam recall"]) == ("1.000", "not measured")
    assert "Live figures rest on 1 labels of the audit sample, none of which is spam." in [c.value for c in app.caption]


def test_a_document_that_broke_is_said_with_its_field(settings, store):
    stalled = Condition(
        type="Stalled",
        status=True,
        reason="InvalidSpec",
        message="spec.triggers: must be an object; the last good document holds",
        observed_generation=1,
        last_transition_at=NOW,
    )
    champion(store, settings, conditions=(stalled,))
    said = plain("spec.triggers: must be an object; the last good document holds")
    assert f"Stalled (InvalidSpec): {said}" in [error.value for error in shown(settings).error]


ATTACKS = [
    "![x](http://evil.example/x.png)",
    "<img src=http://evil.example/x>",
    "[win](http://evil.example)",
    "$\\LaTeX$",
]


@pytest.mark.parametrize("attack", [*ATTACKS, ":red[prize] :material/home:", "`code` **bold** # title", "\\![x](y)"])
def test_what_others_wrote_is_shown_and_never_drawn(settings, store, attack):
    stalled = Condition(
        type="Stalled",
        status=True,
        reason="InvalidSpec",
        message=attack,
        observed_generation=1,
        last_transition_at=NOW,
    )
    champion(store, settings, card=json.dumps({"data_source": attack}), conditions=(stalled,))
    store.save_report(replace(report(0.5), new_spam_patterns=(attack,)), first_sequence=1, last_sequence=250)
    app = shown(settings)
    texts = [*(element.value for element in app.caption), *(element.value for element in app.error)]
    escaped = plain(attack)
    assert sum(escaped in text for text in texts) == 3
    # Each sign that Markdown could take for its own has a backslash before it, and is read as the sign.
    assert re.sub(r"\\(.)", r"\1", escaped) == attack
    assert re.fullmatch(r"(?:\\[^\w\s]|[\w\s])*", escaped)


def test_a_label_given_on_the_page_is_in_the_store_and_its_message_leaves_the_queue(settings, store):
    champion(store, settings)
    store.add_predictions([prediction(1), prediction(2)])
    app = page_of(settings, "label")
    [spam] = [button for button in app.button if button.key == "p1-spam"]
    spam.click().run()
    labelled, _ = store.audited(version="3", since=None)
    assert [row.label for row in labelled] == [Label.SPAM]
    assert "p1-spam" not in [button.key for button in app.button]
    assert "p2-spam" in [button.key for button in app.button]


def test_a_message_to_label_is_shown_as_it_was_sent_and_never_drawn(settings, store):
    champion(store, settings)
    sent = "WIN $1000 or $500 ![](http://127.0.0.1/seen.png) *now*"
    store.add_predictions([replace(prediction(1), text=sent)])
    app = page_of(settings, "label")
    assert sent in [text.value for text in app.text]
    assert not any("seen.png" in drawn.value for drawn in app.markdown)


def test_drift_rows_carry_the_threshold_beside_the_score():
    [row] = drift_rows((report(0.2),), threshold=0.15)
    assert (row["score"], row["threshold"], row["version"]) == (0.2, 0.15, "v3")
