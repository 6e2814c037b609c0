"""The dashboard shows what the store and the status say, and says where there is nothing yet."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from autoretrain.app.label_queue import DrawnMessage, StoreQueue
from autoretrain.app.local import LocalWorld
from autoretrain.dashboard import entry
from autoretrain.dashboard.drawing import plain
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.status import Condition, ModelRef, Status

NOW = datetime.now(UTC)


ROOT = Path(__file__).resolve().parents[3]


ENTRY = Path(entry.__file__).with_name("main.py")


def shown(settings, *, script=ENTRY):
    app = AppTest.from_file(str(script), default_timeout=60).run()
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
    "script", [ENTRY, ROOT / "src" / "dashboard.py"], ids=["autoretrain dashboard", "src/dashboard.py"]
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
    StoreQueue(store).answer(DrawnMessage(prediction_id="p1", text=""), Label.HAM)
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
    said = plain("Stalled (InvalidSpec): spec.triggers: must be an object; the last good document holds.")
    [error] = shown(settings).error
    assert error.value.startswith(said)


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
    seen = escaped.replace("\u2060", "")
    assert re.sub(r"\\(.)", r"\1", seen) == attack
    assert re.fullmatch(r"(?:\\[^\w\s]|[\w\s])*", seen)


@pytest.mark.parametrize(
    "text", ["see https://evil.example/x", "HTTP://evil.example", "www.evil.example", "a@evil.example"]
)
def test_an_address_in_the_words_of_others_is_made_no_link(text):
    """Streamlit's Markdown makes links of bare addresses after it has taken the backslashes away."""
    read = re.sub(r"\\(.)", r"\1", plain(text))
    assert not re.search(r"(https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+(?:\.[-\w]+)+", read, re.IGNORECASE)
    assert read.replace("\u2060", "") == text
