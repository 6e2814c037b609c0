"""The monitor beside a controller: it goes by the status that it is given, publishes all evidence and tidies up."""

import json
from datetime import timedelta

import pytest

from autoretrain.adapters.evidence_metrics import Sample, parse_evidence, render_evidence
from autoretrain.adapters.resource_status import render_status
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.monitor import Monitor, MonitorMetrics, open_patiently
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.errors import AutoRetrainError, StoreUnavailable
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.domain.observation import LabelSupply
from autoretrain.domain.status import ModelRef, Status
from tests.serving.models import make_artefact, make_drift_artefact, make_ordinary

DOCUMENT = """\
apiVersion: autoretrain.dev/v1alpha1
kind: SpamModel
metadata: {name: m, namespace: team}
spec:
  data: {file: {path: x.tsv}}
  monitoring: {window: {size: 100, minSamples: 50}}
"""
ARTEFACT = make_drift_artefact(rows=400)
CHAMPION = ModelRef(version="1", digest=ARTEFACT.digest)


@pytest.fixture
def world(tmp_path):
    (tmp_path / "spammodel.yaml").write_text(DOCUMENT)
    settings = Settings(
        spec=tmp_path / "spammodel.yaml",
        state_dir=tmp_path / "state",
        status_file=tmp_path / "status.json",
        serving_url="http://127.0.0.1:9",
    )
    world = LocalWorld.open(settings, expect_serving=False)
    yield world
    world.close()


def give(world, status: Status) -> None:
    """Let the controller's ConfigMap hold this status: what it renders, but only the parts that it mounts."""
    parts = ("champion", "previous", "candidate", "guard", "trainedCutoff")
    rendered = render_status(status)
    world.settings.status_file.write_text(json.dumps({name: rendered[name] for name in parts if name in rendered}))


def answer(world, count: int) -> None:
    began = utc_now() - timedelta(minutes=30)
    rows = [
        Prediction(
            prediction_id=f"p{number}",
            text=row.text,
            label=row.label,
            score=0.9 if row.label is Label.SPAM else 0.1,
            model_version="1",
            at=began + timedelta(seconds=number),
        )
        for number, row in enumerate(make_ordinary(count, seed=3))
    ]
    world.store.add_predictions(rows)


def published(metrics: MonitorMetrics):
    samples = [sample for family in metrics.evidence.collect() for sample in family.samples]
    return parse_evidence(Sample(sample.name, sample.labels, sample.value) for sample in samples)


def test_all_evidence_about_the_given_champion_is_published_whatever_the_store_would_serve(world):
    world.store.put_artefact(ARTEFACT)
    world.store.deploy(Deployment(version="9", digest="sha256:9"))
    give(world, Status(champion=CHAMPION, trained_cutoff=0))
    answer(world, 230)
    label = NewLabel(
        label=Label.SPAM, kind=LabelKind.REPORT, source="app", trusted=True, received_at=utc_now(), text="win"
    )
    [sequence] = world.store.add_labels([label])
    monitor = Monitor(world)
    assert monitor.publish() == 60
    evidence = published(monitor.metrics)
    assert evidence.model_version == "1"
    assert [report.size for report in evidence.drift] == [100, 100]
    assert evidence.pending_messages == 30
    assert evidence.supply is not None
    assert (evidence.supply.new_labels, evidence.supply.highest_sequence) == (1, sequence)
    read = world.evidence.read(world.model(), world.status(world.model()), now=evidence.measured_at)
    assert evidence == parse_evidence(render_evidence("team.m", read))


def test_before_there_is_a_champion_the_labels_are_published(world):
    give(world, Status())
    monitor = Monitor(world)
    monitor.publish()
    assert published(monitor.metrics).supply == LabelSupply(new_labels=0, new_spam_labels=0, highest_sequence=0)


def test_artefacts_without_a_role_go_and_one_that_a_run_has_just_made_stays(world):
    for version in ("2", "1", "3"):
        world.store.put_artefact(ARTEFACT if version == "1" else make_artefact(version))
    give(world, Status(champion=CHAMPION))
    Monitor(world).publish()
    assert [world.store.artefact_by_version(version) is not None for version in ("1", "2", "3")] == [True, False, True]


def test_what_is_older_than_the_retention_goes(world):
    world.store.put_artefact(ARTEFACT)
    give(world, Status(champion=CHAMPION))
    answer(world, 10)
    Monitor(world).world.tidy(utc_now() + timedelta(days=400))
    assert world.store.recent_predictions(version="1", since=None, limit=10) == []


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"champion": 1}'])
def test_a_status_that_cannot_be_read_stops_the_measurement_and_says_so(world, text):
    if text is not None:
        world.settings.status_file.write_text(text)
    with pytest.raises(AutoRetrainError, match="can't be read"):
        Monitor(world).publish()


def test_a_store_that_is_away_at_the_start_is_waited_for(world, monkeypatch):
    monkeypatch.setattr("autoretrain.app.monitor.BUSY_SECONDS", 0.0)
    tries = []

    def open_world() -> LocalWorld:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("not yet")
        return world

    assert open_patiently(open_world) is world
    assert len(tries) == 3
