"""One training run from rows to a registered version with everything a decision needs. It measures and decides nothing.

A run is named, and its name makes it repeatable: killed at any line and started again it ends with the same model, and
once its version is registered a further attempt only reports it. The artefact judged is the artefact shipped.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Protocol

from autoretrain.adapters import records
from autoretrain.adapters.datasets import data_hash
from autoretrain.adapters.store import Store
from autoretrain.app.model_card import TRAINED_UNTIL
from autoretrain.app.registry import Registry, RunLog
from autoretrain.app.training_log import TrainingLog, metrics_of
from autoretrain.app.training_rows import Champion, RunRows, fetch_champion, select_rows
from autoretrain.decide.promotion import ROWS_THAT_RESTORE_ALPHA
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import Waiting
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.spec import SpamModelSpec
from autoretrain.domain.training import ExpectedLive, PairedComparison, TrainingSummary
from autoretrain.ml.comparison import compare, expect_live
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.text import canonical
from autoretrain.ml.training import TrainedModel, VariantResult, search

REGIME_MESSAGES = 1000
"""So many messages of the window that a candidate is judged on become its newest reference set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What is asked of one run.

    `label_cutoff` is the highest label sequence that it may see. `uid` is the resource's, `trigger` the reason that
    started it, `changed_at` since when traffic differs from what the champion knows (None: it is not known to).
    `data_source` says where the base rows come from; `generated_sample` that nobody ever sent them. `champion` is what
    the candidate is compared with; None: what the store says is to be served.
    """

    run_name: str
    experiment: str
    trigger: str
    uid: str
    label_cutoff: int
    data_source: str
    generated_sample: bool
    changed_at: datetime | None = None
    champion: Deployment | None = None


class Progress(Protocol):
    """Whoever watches a run: its stages as they begin, its variants as they end."""

    def stage(self, title: str) -> None: ...

    def variant(self, result: VariantResult, done: int, total: int) -> None: ...


class Unwatched:
    """For runs that nobody watches."""

    def stage(self, title: str) -> None:
        pass

    def variant(self, result: VariantResult, done: int, total: int) -> None:
        pass


def run_training(
    request: TrainingRequest,
    *,
    store: Store,
    registry: Registry,
    base: Sequence[LabelledMessage],
    spec: SpamModelSpec,
    now: datetime,
    progress: Progress | None = None,
) -> TrainingSummary:
    """Train, compare with the champion, register the candidate and keep its artefact in the store.

    Raises BadData or InvalidSpec for what another attempt would meet again, Waiting and StoreUnavailable for what may
    pass, ArtefactRejected where the champion's artefact is not what is served.
    """
    started = time.monotonic()
    progress = progress or Unwatched()
    progress.stage("Open MLflow")
    known = registry.find_run(request.run_name)
    if known is not None:
        _finish(known.version, store=store, registry=registry)
        return known
    progress.stage("Choose the rows")
    champion = fetch_champion(store, registry, deployed=request.champion)
    rows = select_rows(
        base,
        store,
        spec=spec,
        champion=champion,
        label_cutoff=request.label_cutoff,
        changed_at=request.changed_at,
    )
    rows_hash = data_hash(rows.everything)
    tags = {
        "uid": request.uid,
        "trigger": request.trigger,
        "data_hash": rows_hash,
        "data_source": request.data_source,
        "code_version": installed_version("autoretrain"),
        "label_cutoff": str(request.label_cutoff),
    }
    with _recorded(registry, request, tags=tags) as run:
        log = TrainingLog(run, data_hash=rows_hash)
        progress.stage("Search the variants")
        trained = search(rows.training, spec.training, weights=rows.weights, on_variant=progress.variant)
        progress.stage("Compare with the champion" if champion else "Measure on the holdout")
        summary = _measure(trained, rows, champion=champion, store=store, spec=spec, request=request)
        progress.stage("Build the drift references")
        reference = build_references(
            trained.model,
            rows.holdout,
            regimes=_regimes(rows, champion=champion, store=store, run_name=request.run_name),
            seed=spec.training.seed,
        )
        progress.stage("Log to MLflow")
        log.variants(trained)
        log.result(trained, summary)
        log.curves(trained, rows, champion=champion)
        summary = replace(summary, run_id=run.run_id, data_hash=rows_hash, seconds=time.monotonic() - started)
        progress.stage("Register the version")
        registered = registry.register_artefact(
            model=trained.artefact,
            reference=reference,
            card=_card(trained, summary, request=request, trained_until=rows.trained_until, now=now),
            run_name=request.run_name,
            run_id=run.run_id,
            tags={**tags, "summary": json.dumps(records.dump_record(summary))},
        )
    _finish(registered.version, store=store, registry=registry)
    return replace(summary, version=registered.version)


def _measure(
    trained: TrainedModel,
    rows: RunRows,
    *,
    champion: Champion | None,
    store: Store,
    spec: SpamModelSpec,
    request: TrainingRequest,
) -> TrainingSummary:
    """The summary without what only MLflow knows: run, version, and the time it took."""
    holdout = trained.model.scores([row.text for row in rows.holdout])
    return TrainingSummary(
        run_name=request.run_name,
        run_id="",
        version="",
        digest=trained.digest,
        algorithm=trained.chosen.algorithm,
        profile=spec.training.profile,
        data_hash="",
        training_rows=trained.training_rows,
        label_cutoff=request.label_cutoff,
        seconds=0.0,
        holdout_metrics=_evaluate(trained, rows.holdout, holdout),
        champion_version=champion.version if champion else None,
        champion_digest=champion.digest if champion else None,
        holdout=_compare(trained, rows.holdout, champion=champion, seed=spec.training.seed),
        recent=_compare(trained, rows.evaluation, champion=champion, seed=spec.training.seed),
        recent_newest_at=max((row.predicted_at for row in rows.evaluation if row.predicted_at), default=None),
        expected=_expected(trained, champion=champion, store=store, messages=spec.monitoring.window_size),
        restores_alpha_from=_restores_alpha_from(rows.evaluation),
    )


def _restores_alpha_from(evaluation: Sequence[LabelledMessage]) -> int | None:
    newest_first = sorted((row.sequence for row in evaluation if row.sequence is not None), reverse=True)
    if len(newest_first) < ROWS_THAT_RESTORE_ALPHA:
        return None
    return newest_first[ROWS_THAT_RESTORE_ALPHA - 1]


def _evaluate(trained: TrainedModel, rows: Sequence[LabelledMessage], scores: Sequence[float]) -> ClassificationMetrics:
    predictions = [trained.model.label_of(score)[0] for score in scores]
    return evaluate([row.label for row in rows], predictions, scores=scores)


def _compare(
    trained: TrainedModel, rows: Sequence[LabelledMessage], *, champion: Champion | None, seed: int
) -> PairedComparison | None:
    if champion is None or not rows:
        return None
    texts = [row.text for row in rows]
    return compare(
        rows,
        trained.model.scores(texts),
        champion.model.scores(texts),
        candidate_threshold=trained.model.threshold,
        champion_threshold=champion.model.threshold,
        seed=seed,
    )


def _expected(trained: TrainedModel, *, champion: Champion | None, store: Store, messages: int) -> ExpectedLive | None:
    """What the candidate says of the champion's last window; the guard compares live traffic with it."""
    if champion is None:
        return None
    recent = store.recent_predictions(version=champion.version, since=None, limit=messages)
    texts = [prediction.text for prediction in recent if prediction.role == "champion"]
    if not texts:
        return None
    return expect_live(
        trained.model.scores(texts),
        champion.model.scores(texts),
        candidate_threshold=trained.model.threshold,
        champion_threshold=champion.model.threshold,
        texts=texts,
    )


def _regimes(rows: RunRows, *, champion: Champion | None, store: Store, run_name: str) -> list[tuple[str, list[str]]]:
    """The champion's regimes and the traffic of the time that the candidate is judged on, without what it learnt.

    The traffic, not its labels: which messages people report says little about what is usual.
    """
    if champion is None:
        return []
    regimes = [(name, list(texts)) for name, texts in champion.regimes]
    since = min((row.predicted_at for row in rows.evaluation if row.predicted_at), default=None)
    if since is not None:
        traffic = store.recent_predictions(version=None, since=since, limit=REGIME_MESSAGES)
        regimes.append((run_name, [prediction.text for prediction in traffic]))
    learnt = {canonical(row.text) for row in rows.training}
    return [(name, [text for text in texts if canonical(text) not in learnt]) for name, texts in regimes]


def _card(
    trained: TrainedModel,
    summary: TrainingSummary,
    *,
    request: TrainingRequest,
    trained_until: datetime | None,
    now: datetime,
) -> str:
    """What `/models/current` shows of the version, as JSON."""
    card = {
        "algorithm": summary.algorithm,
        "profile": summary.profile,
        "variant": trained.chosen.name,
        "metrics": metrics_of(summary.holdout_metrics),
        "threshold": trained.model.threshold,
        "data_source": request.data_source,
        "generated_sample": request.generated_sample,
        "data_hash": summary.data_hash,
        "training_rows": summary.training_rows,
        "label_cutoff": summary.label_cutoff,
        "trained_at": now.isoformat(),
        TRAINED_UNTIL: trained_until.isoformat() if trained_until else None,
        "run_id": summary.run_id,
        "run_name": summary.run_name,
    }
    return json.dumps(card, sort_keys=True)


@contextmanager
def _recorded(registry: Registry, request: TrainingRequest, *, tags: Mapping[str, str]) -> Iterator[RunLog]:
    """The run in MLflow, closed by how the body ends."""
    run = registry.start_run(request.experiment, run_name=request.run_name, tags=tags)
    try:
        yield run
    except BaseException as error:
        with suppress(Waiting):  # what went wrong in the run is the news, not that MLflow can't be told
            run.finish("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    run.finish()


def _finish(version: str, *, store: Store, registry: Registry) -> ModelArtefact:
    """Keep the registered artefact in the store, so that serving needs no registry."""
    kept = store.artefact_by_version(version)
    if kept is None:
        kept = registry.fetch_artefact(version)
        store.put_artefact(kept)
    return kept
