"""What a test of one page puts into the machine of `conftest`, and how it draws the page by itself."""

from datetime import UTC, datetime, timedelta

from streamlit.testing.v1 import AppTest

from autoretrain.app.local import LocalWorld
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.status import ModelRef, Status

NOW = datetime.now(UTC)
CHAMPION = ModelRef(version="3", digest="sha256:3", promoted_at=NOW)


def page_of(name):
    """Draw one page by itself: a test of an app can't follow a navigation."""
    script = f"from autoretrain.dashboard.pages import {name}\n{name}.show()\n"
    app = AppTest.from_string(script, default_timeout=60).run()
    assert not app.exception
    return app


def write_status(settings, status):
    world = LocalWorld.open(settings, expect_serving=False)
    world.write_status(status)
    world.close()


def put_champion(store, settings, *, card="{}"):
    store.put_artefact(ModelArtefact(version="3", digest="sha256:3", run_id="r", model=b"m", reference=b"r", card=card))
    write_status(settings, Status(champion=CHAMPION))


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
