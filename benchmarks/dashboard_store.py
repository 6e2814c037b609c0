"""What does a model leave behind that has run for a month? A store and a state of it, to be looked at.

Everything is written by the store's own methods. Messages and model are of the generated sample corpus; the record of a
decision is that of a real pass over all of it, so that it weighs what records weigh.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import yaml
from benchmark_document import document_of

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.ledger_record import decision_record
from autoretrain.app.local import LocalWorld
from autoretrain.app.passes import PassResult
from autoretrain.decide.transition import decide
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.domain.status import DriftStatus, HistoryEntry, ModelRef, PerformanceStatus, Status
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.sample_corpus import generate_corpus
from autoretrain.ml.training import search

DAYS = 30
VERSIONS = 6
WINDOW = 500
AUDIT_RATE = 0.01
BATCH = 20_000
METRICS = ("vocabulary_drift", "tfidf_drift", "score_drift", "term_drift", "spam_share")
STORY = (
    ("RETRAIN", "DriftThresholdExceeded", "drift: 2 windows in a row are above the threshold"),
    ("NO_ACTION", "RunActive", "drift asks for a run; active run: benchmark-train-1 is in flight"),
    ("PROMOTE", "BetterOnRecentRows", "accuracy +0.0168 and F1 +0.0596 on 357 recent rows; p = 0.016 at alpha 0.05"),
    ("NO_ACTION", "RolloutComplete", "the new version is served in place of the one before"),
    ("NO_ACTION", "GuardPassed", "it kept every limit over 5000 messages"),
    *(("NO_ACTION", "Steady", "nothing asks for a run") for _ in range(15)),
)

Item = TypeVar("Item")


def add_options(parser: ArgumentParser) -> None:
    """The options that `filled` goes by."""
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="if one is there already it is used as it is")
    parser.add_argument(
        "--store",
        default="",
        metavar="ADDRESS",
        help="an empty database, or the one that belongs to DIRECTORY: postgresql://…; default: SQLite in DIRECTORY",
    )


@contextmanager
def filled(options: Namespace) -> Iterator[dict[str, str]]:
    """The settings under which a process looks at the store; it is filled now unless it was kept."""
    with TemporaryDirectory(prefix="autoretrain-benchmark-") as made:
        directory = options.keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        document = directory / "model.yaml"
        if not document.exists():
            began, now = time.perf_counter(), datetime.now(UTC)
            counts = {"predictions": options.predictions, "decisions": options.decisions}
            fill(directory, store_url=options.store, now=now, **counts)
            print(f"store filled in {time.perf_counter() - began:.0f} s")
        if not options.store:
            print(f"store of {(directory / 'store.db').stat().st_size / 2**20:.0f} MiB")
        yield {
            "AUTORETRAIN_SPEC": str(document),
            "AUTORETRAIN_STATE_DIR": str(directory),
            "AUTORETRAIN_STORE_URL": options.store,
        }


def fill(directory: Path, *, store_url: str, predictions: int, decisions: int, now: datetime) -> None:
    """Fill `directory` with a document and a status, and the store at `store_url` (empty: SQLite in it)."""
    document = directory / "model.yaml"
    document.write_text(yaml.safe_dump(document_of({})), encoding="utf-8")
    started_at = now - timedelta(days=DAYS)
    world = LocalWorld.open(Settings(spec=document, state_dir=directory, store_url=store_url), expect_serving=False)
    store, model = world.store, _train()
    digest = digest_of(model)
    card = '{"data_source": "generated sample", "generated_sample": true}'
    store.put_artefact(
        ModelArtefact(version=str(VERSIONS), digest=digest, run_id="run", model=model, reference=b"{}", card=card)
    )
    store.deploy(Deployment(version=str(VERSIONS), digest=digest), at=started_at)
    step = (now - started_at) / predictions
    for batch in _batches(_predictions(predictions, started_at=started_at, step=step), BATCH):
        store.add_predictions(batch)
    _label(store, predictions, started_at=started_at, step=step)
    for number in range(predictions // WINDOW):
        ended_at = started_at + step * WINDOW * (number + 1)
        store.save_report(
            _report(number, ended_at=ended_at, version=_version(number * WINDOW, predictions)),
            first_sequence=number * WINDOW + 1,
            last_sequence=(number + 1) * WINDOW,
        )
    world.write_status(_status(digest, started_at=started_at, now=now))
    record = _record(world, now=now)
    for number in range(decisions):
        decision, reason, message = STORY[number % len(STORY)]
        at = started_at + (now - started_at) * (number + 1) / decisions
        told = {"at": at.isoformat(), "decision": decision, "reason": reason, "message": message}
        store.append_decision(record | told)
    world.close()


def _train() -> bytes:
    """A model as large as one that was trained on real messages."""
    spec = TrainingSpec(
        profile="WordAndCharacter",
        seed=0,
        algorithms=(AlgorithmSpec(name="LinearSVM", parameters={"C": ["1"], "preprocessing": ["Plain"]}),),
        active_deadline_seconds=900,
        backoff_limit=0,
    )
    return search(generate_corpus(seed=1), spec).artefact


def _version(number: int, predictions: int) -> str:
    return str(1 + number * VERSIONS // predictions)


def _predictions(count: int, *, started_at: datetime, step: timedelta) -> Iterator[Prediction]:
    random = Random(0)
    messages = cycle([message.text for message in generate_corpus(seed=2)])
    for number in range(count):
        spam = random.random() < 0.13
        yield Prediction(
            prediction_id=f"p{number:032}",
            text=next(messages),
            label=Label.SPAM if spam else Label.HAM,
            score=0.97 if spam else 0.01,
            model_version=_version(number, count),
            at=started_at + step * number,
            audit_probability=AUDIT_RATE if number % round(1 / AUDIT_RATE) == 0 else None,
        )


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


def _label(store: Store, predictions: int, *, started_at: datetime, step: timedelta) -> None:
    """Nine in ten of the audit sample have their label."""
    drawn = range(0, predictions, round(1 / AUDIT_RATE))
    for numbers in _batches((number for place, number in enumerate(drawn) if place % 10), 500):
        store.add_labels(
            [
                NewLabel(
                    label=Label.HAM if number % 7 else Label.SPAM,
                    kind=LabelKind.AUDIT,
                    source="dashboard",
                    trusted=True,
                    received_at=started_at + step * number + timedelta(hours=1),
                    prediction_id=f"p{number:032}",
                )
                for number in numbers
            ]
        )


def _report(number: int, *, ended_at: datetime, version: str) -> DriftReport:
    score = 0.02 + 0.3 * (number % 200 > 190)
    metrics = tuple(
        MetricDrift(name=f"{name}{part}", raw=0.2, median=0.15, upper=0.3, score=score)
        for name in METRICS
        for part in ("", "_spam", "_ham", "_suspect")
    )
    return DriftReport(
        window_id=f"{version}-{number * WINDOW + 1}-{(number + 1) * WINDOW}",
        model_version=version,
        started_at=ended_at - timedelta(minutes=20),
        ended_at=ended_at,
        size=WINDOW,
        score=score,
        metrics=metrics,
        new_spam_patterns=("parcel fee", "customs", "redelivery", "track now", "unpaid"),
    )


def _status(digest: str, *, started_at: datetime, now: datetime) -> Status:
    measured = ClassificationMetrics(
        rows=610, spam_rows=71, accuracy=0.99, precision=0.97, recall=0.96, f1=0.96, false_positive_rate=0.004
    )
    refs = [
        ModelRef(
            version=str(version),
            digest=digest if version == VERSIONS else f"sha256:{version:064}",
            run_id="run",
            metrics=measured,
            promoted_at=started_at + (now - started_at) * (version - 1) / VERSIONS,
        )
        for version in (VERSIONS - 1, VERSIONS)
    ]
    return Status(
        champion=refs[1],
        previous=refs[0],
        drift=DriftStatus(
            score=0.02,
            threshold=0.15,
            window_id="6-1-500",
            window_size=WINDOW,
            breaches=0,
            per_metric=tuple((name, 0.02) for name in METRICS),
            checked_at=now,
        ),
        performance=PerformanceStatus(accuracy=0.99, spam_recall=0.95, f1=0.96, labels=300),
        next_schedule_at=now + timedelta(days=2),
        history=tuple(HistoryEntry(at=now, decision=d, reason=r, message=m) for d, r, m in STORY[:10]),
    )


def _record(world: LocalWorld, *, now: datetime) -> dict[str, Any]:
    observation = world.gather(now)
    plan = decide(observation)
    return decision_record(PassResult(observation=observation, plan=plan, outcomes=(), status=observation.status))
