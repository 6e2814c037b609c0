"""Which variant is best on these rows, and what is the model it makes? Cross-validated, calibrated, seeded.

The same rows, specification, library versions and machine type give the same artefact, byte for byte.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final, TypeAlias

import numpy as np

from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.spec import TrainingSpec
from autoretrain.ml.artefact import LinearParts, digest_of, render_artefact
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.features import Corpus, build_block, stack, weigh
from autoretrain.ml.fitting import THRESHOLD, FoldData, OutOfFold, Vector, cross_validate, fit_linear, fit_sigmoid
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import HOLDOUT_SHARE, Rows, in_holdout, stratified_folds
from autoretrain.ml.text import canonical
from autoretrain.ml.variants import Preprocessing, Variant, parse_profile, parse_variants

FOLDS: Final = 5
MIN_CAMPAIGNS: Final = 20
"""Fewer different messages of a class than this say nothing about it: four in a fold."""
TOP_TERMS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and sample standard deviation over the folds."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """What cross-validation says of one variant, at the threshold that is served. `fit_seconds` is the mean a fold.

    `scores` are out-of-fold calibrated probabilities of spam, one for each row that trained; `top_terms` the words with
    the strongest coefficients of each sign, falling: what pictures are drawn from.
    """

    name: str
    algorithm: str
    parameters: dict[str, str]
    accuracy: Spread
    precision: Spread
    recall: Spread
    f1: Spread
    false_positive_rate: Spread
    pr_auc: Spread
    fit_seconds: float
    scores: tuple[float, ...]
    top_terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedRows:
    """How many rows did not train, by reason.

    `contradictory` rows have a copy of the other label; `copies` are beyond what one near-duplicate cluster may count.
    """

    holdout: int = 0
    empty: int = 0
    contradictory: int = 0
    copies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The best variant, fitted on all training rows, as the artefact that serving loads; and how it was found.

    `used` are the numbers of the rows that trained, of those given to `search`. `labels` and `scores` (those of the
    chosen variant) are one for each of them.
    """

    artefact: bytes
    digest: str
    model: LinearModel
    chosen: VariantResult
    variants: tuple[VariantResult, ...]
    dropped: DroppedRows
    used: tuple[int, ...]
    labels: tuple[Label, ...]
    scores: tuple[float, ...]

    @property
    def training_rows(self) -> int:
        return len(self.used)


OnVariant: TypeAlias = Callable[[VariantResult, int, int], None]


def search(
    rows: Sequence[LabelledMessage],
    spec: TrainingSpec,
    *,
    weights: Sequence[float] | None = None,
    on_variant: OnVariant | None = None,
    holdout_share: float = HOLDOUT_SHARE,
) -> TrainedModel:
    """Try every variant of `spec` by cross-validation and fit the one with the best mean F1 on all rows that may train.

    `weights` holds one positive weight a row, to restore a class prior. `on_variant(result, index, total)` is called
    after each variant, `index` from 1. `holdout_share` is for measurements that split by themselves (0 keeps all rows);
    a model that is to be served never trains on the frozen holdout. Raises `InvalidSpec` for parameters that can't be
    followed, `BadData` where too few clusters of a class remain, and ValueError for weights that are none.
    """
    profile, variants = parse_profile(spec.profile), parse_variants(spec.algorithms)
    used, dropped = select_rows(rows, holdout_share=holdout_share)
    labels = tuple(rows[row].label for row in used)
    clusters = cluster_ids([rows[row].text for row in used])
    _require_both_classes(labels, clusters)
    row_weights = _checked_weights(weights, rows=len(rows))[list(used)]
    corpus = Corpus([rows[row].text for row in used], profile=profile)
    folds = stratified_folds(labels, clusters, folds=FOLDS, seed=spec.seed)

    results: list[VariantResult] = []
    best: tuple[VariantResult, Variant, OutOfFold] | None = None
    for preprocessing, data in _fold_data(corpus, variants, folds=folds):
        for variant in (variant for variant in variants if variant.preprocessing is preprocessing):
            judged = cross_validate(variant, data, labels=labels, weights=row_weights, seed=spec.seed)
            result = _summarise(variant, judged, words=corpus.words(preprocessing).terms)
            results.append(result)
            if best is None or result.f1.mean > best[0].f1.mean:
                best = result, variant, judged
            if on_variant is not None:
                on_variant(result, len(results), len(variants))
    if best is None:
        raise AssertionError("parse_variants gives at least one variant")
    chosen, variant, judged = best
    artefact = _fit_artefact(variant, corpus, judged=judged, labels=labels, weights=row_weights, seed=spec.seed)
    return TrainedModel(
        artefact=artefact,
        digest=digest_of(artefact),
        model=LinearModel.load(artefact),
        chosen=chosen,
        variants=tuple(results),
        dropped=dropped,
        used=used,
        labels=labels,
        scores=chosen.scores,
    )


def select_rows(
    rows: Sequence[LabelledMessage], *, holdout_share: float = HOLDOUT_SHARE
) -> tuple[tuple[int, ...], DroppedRows]:
    """The numbers of the rows that may train, in order, and how many may not and why."""
    forms = [canonical(row.text) for row in rows]
    labels_of: dict[str, set[Label]] = {}
    for form, row in zip(forms, rows, strict=True):
        labels_of.setdefault(form, set()).add(row.label)
    reasons: Counter[str] = Counter()
    eligible = []
    for number, (form, row) in enumerate(zip(forms, rows, strict=True)):
        if not form:
            reasons["empty"] += 1
        elif in_holdout(row.text, share=holdout_share):
            reasons["holdout"] += 1
        elif len(labels_of[form]) > 1:
            reasons["contradictory"] += 1
        else:
            eligible.append(number)
    kept = cap_per_cluster(cluster_ids([rows[number].text for number in eligible]))
    reasons["copies"] = len(eligible) - len(kept)
    return tuple(eligible[index] for index in kept), DroppedRows(**reasons)


def _require_both_classes(labels: Sequence[Label], clusters: Sequence[int]) -> None:
    # By the label of its first row, as the folds deal clusters out.
    label_of: dict[int, Label] = {}
    for cluster, label in zip(clusters, labels, strict=True):
        label_of.setdefault(cluster, label)
    different = Counter(label_of.values())
    for label in Label:
        if different[label] < MIN_CAMPAIGNS:
            reason = f"{different[label]} different {label} messages may train; at least {MIN_CAMPAIGNS} are needed"
            raise BadData("training rows", reason)


def _checked_weights(weights: Sequence[float] | None, *, rows: int) -> Vector:
    if weights is None:
        return np.ones(rows)
    checked = np.asarray(weights, dtype=np.float64)
    if checked.shape != (rows,) or not bool((np.isfinite(checked) & (checked > 0.0)).all()):
        raise ValueError(f"weights must be one positive number for each of the {rows} rows")
    return checked


def _fold_data(
    corpus: Corpus, variants: Sequence[Variant], *, folds: Sequence[tuple[Rows, Rows]]
) -> Iterator[tuple[Preprocessing, list[FoldData]]]:
    """The matrices of each preprocessing in turn; only one preprocessing's are held at a time."""
    characters = [corpus.character_fold(train=train, test=test) for train, test in folds]
    for preprocessing in dict.fromkeys(variant.preprocessing for variant in variants):
        data = []
        for (train, test), character in zip(folds, characters, strict=True):
            of_train, of_test = corpus.word_fold(preprocessing, train=train, test=test)
            if character is not None:
                of_train, of_test = stack(of_train, character[0]), stack(of_test, character[1])
            data.append(FoldData(train=train, test=test, train_matrix=of_train, test_matrix=of_test))
        yield preprocessing, data


def _summarise(variant: Variant, judged: OutOfFold, *, words: Sequence[str]) -> VariantResult:
    def spread(read: Callable[[ClassificationMetrics], float | None]) -> Spread:
        values = [value for metrics in judged.metrics if (value := read(metrics)) is not None]
        return Spread(mean=fmean(values), sd=stdev(values))

    return VariantResult(
        name=variant.name,
        algorithm=variant.algorithm,
        parameters=variant.parameters,
        accuracy=spread(lambda metrics: metrics.accuracy),
        precision=spread(lambda metrics: metrics.precision),
        recall=spread(lambda metrics: metrics.recall),
        f1=spread(lambda metrics: metrics.f1),
        false_positive_rate=spread(lambda metrics: metrics.false_positive_rate),
        pr_auc=spread(lambda metrics: metrics.pr_auc),
        fit_seconds=judged.fit_seconds,
        scores=tuple(judged.probabilities.tolist()),
        top_terms=_top_terms(words, judged.coefficients[: len(words)]),
    )


def _top_terms(words: Sequence[str], coefficients: Vector) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-coefficients, kind="stable")
    strongest = [*order[:TOP_TERMS], *order[max(TOP_TERMS, len(order) - TOP_TERMS) :]]
    return tuple((words[term], float(coefficients[term])) for term in strongest)


def _fit_artefact(
    variant: Variant,
    corpus: Corpus,
    *,
    judged: OutOfFold,
    labels: Sequence[Label],
    weights: Vector,
    seed: int,
) -> bytes:
    """Fit the variant on all rows; the calibration is that of the out-of-fold decisions, so no row judges itself."""
    spam = np.array([label is Label.SPAM for label in labels])
    word, character = corpus.words(variant.preprocessing), corpus.character
    blocks = [weigh(counts).transform(counts.matrix) for counts in (word, character) if counts is not None]
    fit = fit_linear(variant, stack(*blocks), spam=spam, weights=weights, seed=seed)
    sigmoid = fit_sigmoid(judged.decisions, spam, weights=weights)
    of_words, of_characters = np.split(fit.coefficients, [len(word.terms)])
    table = corpus.table(variant.preprocessing)
    return render_artefact(
        LinearParts(
            algorithm=variant.algorithm,
            profile=corpus.profile,
            rows=len(labels),
            threshold=THRESHOLD,
            slope=sigmoid.slope,
            offset=sigmoid.slope * fit.intercept + sigmoid.offset,
            word=build_block(word, weights=of_words),
            character=None if character is None else build_block(character, weights=of_characters),
            stems=table.stems,
            stop_words=table.stop_words,
        )
    )
