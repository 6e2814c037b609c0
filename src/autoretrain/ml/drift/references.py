"""What does a champion carry to recognise drift? Its reference sets with their noise floors, and its golden ham set.

The artefact is JSON, the same bytes for the same rows, model and seed. It holds message texts and is kept and guarded
like training data. Sets are frozen: a promotion adds one to the next champion's, a rollback brings the old ones back.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autoretrain.domain.errors import ArtefactRejected, BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.audit import is_boosted
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.drift.calibration import Floor, floors_of
from autoretrain.ml.drift.corpus import Corpus, Ints, suspect_level, views_of
from autoretrain.ml.drift.metrics import METRICS, SPAM_SHARE, metric_name
from autoretrain.ml.drift.reference import RESAMPLINGS, ReferenceView
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.text import canonical

FORMAT: Final = 1
BASE: Final = "base"
MOST_SETS: Final = 5
LEAST_ROWS: Final = 100
GOLDEN_HAM: Final = 200
SCORE_DECIMALS: Final = 6
VIEWS: Final = ("whole", "spam", "ham", "suspect")
LABEL_METRICS: Final = ("label_errors_spam", "label_errors_ham")
METRIC_COUNT: Final = len(VIEWS) * len(METRICS) + 1 + len(LABEL_METRICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenHam:
    """Held-out ham, and the share of it that the model itself flags as spam, in [0, 1]."""

    texts: tuple[str, ...]
    flagged: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCounts:
    """The base set's rows with one predicted label: how many, and the errors in each stratum of the audit."""

    rows: int
    boosted_errors: int
    plain_errors: int


class ReferenceSet:
    """The messages of one regime as a model scores them. `floors` is empty until `calibrate` or `parse` fills it."""

    def __init__(
        self, name: str, texts: Sequence[str], scores: Sequence[float], *, threshold: float, floors: dict[str, Floor]
    ) -> None:
        self.name, self.texts, self.scores, self.floors = name, tuple(texts), tuple(scores), floors
        corpus = Corpus.of(texts, scores, threshold=threshold)
        self._numbers = {term: number for number, term in enumerate(corpus.terms)}
        self.level = suspect_level(corpus)
        self.spam_share = float(corpus.spam.mean())
        self.views = {
            view: ReferenceView(corpus.select(chosen)) for view, chosen in views_of(corpus, level=self.level).items()
        }

    def numbers_of(self, terms: Sequence[str]) -> Ints:
        """This set's number of each term, the same in all its views; -1 for a term that it does not know."""
        return np.array([self._numbers.get(term, -1) for term in terms], dtype=np.intp)

    def calibrate(self, *, rng: np.random.Generator) -> None:
        """Fill `floors` by resampling this set. A view of fewer than ten messages has none, and is not measured."""
        for name, view in self.views.items():
            samples = {size: view.undrifted(size, rng=rng) for size in view.sizes()}
            floors = floors_of(samples, metrics=METRIC_COUNT)
            self.floors |= {metric_name(metric, name): floor for metric, floor in floors.items()}
        whole, spam = self.views["whole"], self.views["spam"].size
        shares = {}
        for size in whole.sizes():
            drawn = rng.hypergeometric(spam, whole.size - spam, size, RESAMPLINGS)
            shares[size] = {SPAM_SHARE: np.abs(drawn / size - (spam - drawn) / (whole.size - size))}
        self.floors |= floors_of(shares, metrics=METRIC_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The parsed artefact. `labelled` counts the base set by predicted label."""

    sets: tuple[ReferenceSet, ...]
    labelled: dict[Label, LabelledCounts]
    golden_ham: GoldenHam


def build_references(
    model: LinearModel,
    base: Sequence[LabelledMessage],
    *,
    regimes: Sequence[tuple[str, Sequence[str]]] = (),
    seed: int,
) -> bytes:
    """The champion's frozen reference artefact.

    `base` are held-out rows, `regimes` the evaluation windows of promotions, oldest first (the newest four are kept);
    neither may hold a message that `model` was fitted to. At most three copies of a campaign count. Regimes of fewer
    than LEAST_ROWS messages are left out, since such a set can tell nothing apart. Raises `BadData` when `base` itself
    is that small. Takes about 2 s of one core for 600 rows, and grows with their square.
    """
    kept = [base[index] for index in cap_per_cluster(cluster_ids([row.text for row in base]))]
    if len(kept) < LEAST_ROWS:
        raise BadData("drift reference", f"{len(kept)} held-out messages; at least {LEAST_ROWS} are needed")
    rng = np.random.default_rng(seed)
    sets = [_built(BASE, [row.text for row in kept], model=model, rng=rng)]
    for name, texts in list(regimes)[-(MOST_SETS - 1) :]:
        distinct = [texts[index] for index in cap_per_cluster(cluster_ids(texts))]
        if len(distinct) >= LEAST_ROWS:
            sets.append(_built(name, distinct, model=model, rng=rng))
    document = {
        "format": FORMAT,
        "sets": [_rendered(item) for item in sets],
        **_labelled(kept, sets[0].scores, threshold=model.threshold),
        "golden_ham": _golden_ham(kept, model=model),
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def rounded(scores: Sequence[float]) -> list[float]:
    """Scores as the artefact holds them. A window's must be rounded alike: else every tie with the reference breaks."""
    return [round(score, SCORE_DECIMALS) for score in scores]


def parse_references(data: bytes, *, threshold: float) -> References:
    """The artefact that `build_references` wrote; raises `ArtefactRejected` for anything else."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ArtefactRejected(f"drift reference of format {document['format']!r}; this version reads {FORMAT}")
        return References(
            sets=tuple(_parsed_set(item, threshold=threshold) for item in document["sets"]),
            labelled=_parsed_counts(document),
            golden_ham=GoldenHam(
                texts=tuple(document["golden_ham"]["texts"]), flagged=float(document["golden_ham"]["flagged"])
            ),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ArtefactRejected(f"not a drift reference: {type(error).__name__}") from error


def _built(name: str, texts: Sequence[str], *, model: LinearModel, rng: np.random.Generator) -> ReferenceSet:
    scores = rounded(model.scores(texts))
    built = ReferenceSet(name, texts, scores, threshold=model.threshold, floors={})
    built.calibrate(rng=rng)
    return built


def _rendered(item: ReferenceSet) -> dict[str, Any]:
    floors = {name: floor.as_json() for name, floor in item.floors.items()}
    return {"name": item.name, "texts": item.texts, "scores": item.scores, "floors": floors}


def _parsed_set(item: dict[str, Any], *, threshold: float) -> ReferenceSet:
    floors = {name: Floor.from_json(rows) for name, rows in item["floors"].items()}
    return ReferenceSet(item["name"], item["texts"], item["scores"], threshold=threshold, floors=floors)


def _labelled(rows: Sequence[LabelledMessage], scores: Sequence[float], *, threshold: float) -> dict[str, Any]:
    """Boosted errors stand beside the counts, not in them: so versions that do not know of them read the artefact."""
    counts = {label.value: {"rows": 0, "errors": 0} for label in Label}
    boosted = dict.fromkeys(counts, 0)
    for row, score in zip(rows, scores, strict=True):
        predicted, confidence = (Label.SPAM, score) if score >= threshold else (Label.HAM, 1.0 - score)
        wrong = predicted is not row.label
        counts[predicted]["rows"] += 1
        counts[predicted]["errors"] += wrong
        boosted[predicted] += wrong and is_boosted(predicted, confidence)
    return {"labelled": counts, "boosted_errors": boosted}


def _parsed_counts(document: dict[str, Any]) -> dict[Label, LabelledCounts]:
    """Earlier artefacts do not say which errors are boosted. All might be, and none: each stratum is taken to hold them
    all, which finds drift later but raises no false alarm."""
    found = {}
    for label, counts in document["labelled"].items():
        rows, errors = counts["rows"], counts["errors"]
        boosted, plain = errors, errors
        if "boosted_errors" in document:
            boosted = document["boosted_errors"][label]
            plain = errors - boosted
        found[Label(label)] = LabelledCounts(rows=rows, boosted_errors=boosted, plain_errors=plain)
    return found


def _golden_ham(rows: Sequence[LabelledMessage], *, model: LinearModel) -> dict[str, Any]:
    """Chosen by a hash of the message, so that the same rows in another order give the same set."""
    ham = sorted(
        (row.text for row in rows if row.label is Label.HAM),
        key=lambda text: hashlib.sha256(canonical(text).encode("utf-8", "surrogatepass")).digest(),
    )[:GOLDEN_HAM]
    flagged = sum(score >= model.threshold for score in model.scores(ham))
    return {"texts": ham, "flagged": round(flagged / len(ham), 6) if ham else 0.0}
