"""A machine with two versions, traffic, labels and decisions, written by the project's own code; and its dashboard."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.label_queue import DrawnMessage, StoreQueue
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.status import ModelRef, Status
from tests.serving.models import EVERYTHING_SPAM, HAM, SPAM, make_artefact
from tests.unit.dashboard.recorded import judging, recorded
from tests.unit.decide import builders

MODEL = "default.sms-spam"
CHAMPION, PREVIOUS = make_artefact("3"), make_artefact("2", EVERYTHING_SPAM)
MESSAGES, LABELLED = 40, 30
START_SECONDS = 180.0


def fill(settings: Settings) -> None:
    """Let the store and the status say that version 3 serves and version 2 did before."""
    now = datetime.now(UTC)
    settings.state_dir.mkdir()
    with Store(settings.resolved_store_url(), model=MODEL) as store:
        store.migrate()
        for artefact in (CHAMPION, PREVIOUS):
            store.put_artefact(artefact)
        store.deploy(Deployment(version=CHAMPION.version, digest=CHAMPION.digest))
        store.add_predictions([_prediction(number, at=now) for number in range(MESSAGES)])
        for number in range(LABELLED):
            StoreQueue(store).answer(DrawnMessage(prediction_id=f"p{number}", text=""), _label(number))
        window = replace(builders.window(1, 0.42), started_at=now - timedelta(minutes=2), ended_at=now)
        store.save_report(window, first_sequence=1, last_sequence=MESSAGES)
        for record in (recorded(builders.drifted()), recorded(judging())):
            store.append_decision(record)
    with _world(settings) as world:
        refs = (ModelRef(version=each.version, digest=each.digest, promoted_at=now) for each in (CHAMPION, PREVIOUS))
        world.write_status(Status(champion=next(refs), previous=next(refs)))


def _label(number: int) -> Label:
    return Label.SPAM if number % 4 == 0 else Label.HAM


def _prediction(number: int, *, at: datetime) -> Prediction:
    label = _label(number)
    return Prediction(
        prediction_id=f"p{number}",
        text=f"{SPAM if label is Label.SPAM else HAM} {number}",
        label=label,
        score=0.97 if label is Label.SPAM else 0.03,
        model_version=CHAMPION.version,
        at=at,
        audit_probability=0.5,
    )


@contextmanager
def _world(settings: Settings) -> Iterator[LocalWorld]:
    world = LocalWorld.open(settings, expect_serving=False)
    try:
        yield world
    finally:
        world.close()


def make_a_pass(settings: Settings) -> None:
    """Let the controller look once, and act on what was asked for."""
    with _world(settings) as world:
        run_pass(world, utc_now())


@contextmanager
def dashboard(settings: Settings) -> Iterator[str]:
    """Run `autoretrain dashboard`; give its address as soon as it answers."""
    log = settings.state_dir / "dashboard.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "autoretrain", "dashboard"], env=dict(os.environ), stdout=out, stderr=out
        )
    address = f"http://127.0.0.1:{settings.dashboard_port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(address):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_stcore/health", timeout=2.0).is_success
    except httpx.HTTPError:
        return False
