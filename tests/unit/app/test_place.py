"""What `autoretrain compare` measures of each version on this machine."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.app.local import utc_now
from autoretrain.app.place import LocalPlace
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.ml.artefact import LinearParts, TermBlock, digest_of, render_artefact
from tests.spec_cases import VALID_TEXT

THRESHOLD = 0.75


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlace]:
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    settings = Settings(spec=document, state_dir=tmp_path / "state", mlflow_tracking_uri="sqlite:///unused.db")
    with LocalPlace.opened(settings, name=None) as place:
        yield place


def put_second(place: LocalPlace) -> None:
    """Keep an artefact of version 2, which calls a message spam from a score of THRESHOLD on."""
    words = TermBlock(lengths=(1, 1), terms=("free",), document_counts=(9,), weights=(4.0,))
    parts = LinearParts(
        algorithm="LogisticRegression",
        profile="Word",
        rows=100,
        threshold=THRESHOLD,
        slope=1.0,
        offset=0.0,
        word=words,
    )
    model = render_artefact(parts)
    artefact = ModelArtefact(version="2", digest=digest_of(model), run_id="r", model=model, reference=b"{}", card="{}")
    place.world.store.put_artefact(artefact)


def answer(place: LocalPlace, *shadow_scores: float) -> None:
    """Version 1 calls each message spam, version 2 scores it in the shadow, and a person calls it spam."""
    at = utc_now() - timedelta(minutes=5)
    for number, score in enumerate(shadow_scores):
        made = Prediction(
            prediction_id=f"p{number}",
            text=f"message {number}",
            label=Label.SPAM,
            score=0.9,
            model_version="1",
            at=at,
            audit_probability=0.5,
            other_version="2",
            other_score=score,
        )
        label = NewLabel(
            label=Label.SPAM,
            kind=LabelKind.AUDIT,
            source="desk",
            trusted=True,
            received_at=at,
            prediction_id=made.prediction_id,
        )
        place.world.store.add_predictions([made])
        place.world.store.add_labels([label])


def compared(place: LocalPlace) -> dict[str, tuple[object, object]]:
    return {row["role"]: (row["audit_labels"], row["accuracy"]) for row in place.comparison()}


def test_a_shadow_is_compared_by_the_labels_of_the_messages_that_it_scored(place: LocalPlace):
    put_second(place)
    answer(place, 0.9, THRESHOLD, 0.74, 0.6)
    assert compared(place) == {"champion": (4, 1.0), "shadow": (4, 0.5)}


def test_a_shadow_whose_threshold_is_no_longer_known_is_not_measured(place: LocalPlace):
    answer(place, 0.9)
    assert compared(place) == {"champion": (1, 1.0), "shadow": (None, None)}
